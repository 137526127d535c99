"""Campaigns: what they have granted, and leases on what they have left."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

INT64 = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "campaign",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("spent", INT64, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("name"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "campaign_lease",
        sa.Column("campaign", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("amount", INT64, autoincrement=False, nullable=False),
        sa.Column("spent", INT64, autoincrement=False, nullable=False),
        sa.Column("until", INT64, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("campaign", "holder"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
