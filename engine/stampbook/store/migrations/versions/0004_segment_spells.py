"""Segments as intervals: a row where an account's segment changed, and its latest scores, not all at every run."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

INT64 = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

_SPELLS = """
INSERT INTO segment_spell (account_id, scheme, line, since, segment)
SELECT account_id, scheme, 'kept', at, segment FROM (
    SELECT account_id, scheme, at, segment,
        lag(segment) OVER (PARTITION BY account_id, scheme ORDER BY at) AS before
    FROM (
        SELECT m.account_id, r.scheme, r.at, m.segment,
            row_number() OVER (PARTITION BY m.account_id, r.scheme, r.at ORDER BY r.id DESC) AS place
        FROM segment_member m JOIN segment_run r ON r.id = m.run_id
    ) p
    WHERE place = 1
) q
WHERE before IS NULL OR before <> segment
"""
_SCORES = """
INSERT INTO segment_score (account_id, scheme, run_id, segment, scores)
SELECT account_id, scheme, run_id, segment, scores FROM (
    SELECT m.account_id, r.scheme, m.run_id, m.segment, m.scores,
        row_number() OVER (PARTITION BY m.account_id, r.scheme ORDER BY r.at DESC, r.id DESC) AS place
    FROM segment_member m JOIN segment_run r ON r.id = m.run_id
) q
WHERE place = 1
"""


def upgrade() -> None:
    """Create the tables, and put into them what was kept account by account."""
    for name in ("span", "options", "segments", "findings"):
        default = "lifetime" if name == "span" else "{}"
        op.add_column("segment_run", sa.Column(name, sa.Text(), nullable=False, server_default=default))
    op.create_table(
        "segment_spell",
        sa.Column("account_id", INT64, autoincrement=False, nullable=False),
        sa.Column("scheme", sa.Text(), nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.Column("since", INT64, autoincrement=False, nullable=False),
        sa.Column("segment", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "scheme", "line", "since"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "segment_score",
        sa.Column("account_id", INT64, autoincrement=False, nullable=False),
        sa.Column("scheme", sa.Text(), nullable=False),
        sa.Column("run_id", INT64, autoincrement=False, nullable=False),
        sa.Column("segment", sa.Text(), nullable=False),
        sa.Column("scores", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "scheme"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.execute(_SPELLS)
    op.execute(_SCORES)
    op.drop_table("segment_member")
