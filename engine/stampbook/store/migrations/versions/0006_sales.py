"""Purchases and returns as columns: whoever reads all of them need not read the JSON of the journal.

Older entries get a row that says where they stand and has no amount; they are read from the journal as before.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

INT64 = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INT16 = sa.SmallInteger().with_variant(sa.Integer(), "sqlite")

_OLDER = """
INSERT INTO sale (account_id, seq, at, kind, amount, discount, currency, event, about, channel, store)
SELECT account_id, seq, at, CASE type WHEN 'purchase' THEN 1 ELSE 2 END, NULL, 0, '', '', '', '', ''
FROM journal WHERE accepted = 1 AND type IN ('purchase', 'return', 'purchase.cancelled')
"""


def upgrade() -> None:
    """Create the table, in SQLite without a key, and note in it where older sales stand."""
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    op.create_table(
        "sale",
        *(
            sa.Column(name, INT64, autoincrement=False, nullable=name == "amount")
            if name != "kind"
            else sa.Column(name, INT16, autoincrement=False, nullable=False)
            for name in ("account_id", "seq", "at", "kind", "amount", "discount")
        ),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("currency", "event", "about", "channel", "store")),
        *(() if is_sqlite else (sa.PrimaryKeyConstraint("account_id", "seq"),)),
        sqlite_strict=True,
    )
    op.execute(f"{_OLDER} ORDER BY rowid" if is_sqlite else _OLDER)
