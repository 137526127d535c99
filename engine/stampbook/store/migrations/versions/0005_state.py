"""The state of accounts in one table: each of three cost a page of its own an event."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

INT64 = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INT16 = sa.SmallInteger().with_variant(sa.Integer(), "sqlite")

_CHAIN = "clock, seq, head, recorded_at, due_at, next_lot, next_hold"
_LOT = "asset, kind, effective_at, expires_at, priority, origin, remaining, held"
_KEY = "account_id, part, name, number"
_STATEMENTS = (
    f"INSERT INTO state ({_KEY}, {_CHAIN}) SELECT id, 0, '', 0, {_CHAIN} FROM account ORDER BY id",  # noqa: S608 - own names
    f"INSERT INTO state ({_KEY}, {_LOT}) SELECT account_id, 1, '', number, {_LOT} FROM lot ORDER BY account_id, number",  # noqa: S608 - own names
    f"INSERT INTO state ({_KEY}, value) SELECT account_id, 2, metric, day, value FROM metric",  # noqa: S608 - own names
    *(f"ALTER TABLE account DROP COLUMN {name}" for name in _CHAIN.split(", ")),
    "DROP TABLE lot",
    "DROP TABLE metric",
    f"CREATE VIEW chain AS SELECT account_id, {_CHAIN} FROM state WHERE part = 0",  # noqa: S608 - own names
    f"CREATE VIEW lot AS SELECT account_id, number, {_LOT} FROM state WHERE part = 1 AND name = ''",  # noqa: S608 - own names
    "CREATE VIEW metric AS SELECT account_id, name AS metric, number AS day, value FROM state WHERE part = 2",
)


def upgrade() -> None:
    """Move lots, counters and the ends of chains to one table, and leave views in the place of theirs."""
    op.create_table(
        "state",
        sa.Column("account_id", INT64, autoincrement=False, nullable=False),
        sa.Column("part", INT16, autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("number", INT64, autoincrement=False, nullable=False),
        sa.Column("clock", INT64, nullable=True),
        sa.Column("seq", INT64, nullable=True),
        sa.Column("head", sa.LargeBinary(), nullable=True),
        sa.Column("recorded_at", INT64, nullable=True),
        sa.Column("due_at", INT64, nullable=True),
        sa.Column("next_lot", INT64, nullable=True),
        sa.Column("next_hold", INT64, nullable=True),
        sa.Column("asset", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=True),
        sa.Column("effective_at", INT64, nullable=True),
        sa.Column("expires_at", INT64, nullable=True),
        sa.Column("priority", INT16, nullable=True),
        sa.Column("origin", INT64, nullable=True),
        sa.Column("remaining", INT64, nullable=True),
        sa.Column("held", INT64, nullable=True),
        sa.Column("value", INT64, nullable=True),
        sa.PrimaryKeyConstraint("account_id", "part", "name", "number"),
        sa.CheckConstraint("part = 0 AND name = '' AND number = 0 OR part = 1 AND name = '' OR part = 2"),
        postgresql_with={"fillfactor": 70},
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    for statement in _STATEMENTS:
        op.execute(statement)
