"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

INT64 = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INT16 = sa.SmallInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create all tables, and on PostgreSQL the sequence of account ids, which never waits for another writer."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("CREATE SEQUENCE account_id_seq")
    op.create_table(
        "account",
        sa.Column("id", INT64, autoincrement=False, nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("opened_at", INT64, autoincrement=False, nullable=False),
        sa.Column("clock", INT64, autoincrement=False, nullable=False),
        sa.Column("seq", INT64, autoincrement=False, nullable=False),
        sa.Column("head", sa.LargeBinary(), nullable=False),
        sa.Column("recorded_at", INT64, autoincrement=False, nullable=False),
        sa.Column("due_at", INT64, autoincrement=False, nullable=False),
        sa.Column("next_lot", INT64, autoincrement=False, nullable=False),
        sa.Column("next_hold", INT64, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("ref"),
        postgresql_with={"fillfactor": 70},
        sqlite_strict=True,
    )
    op.create_index(
        "account_due",
        "account",
        ["due_at"],
        unique=False,
        sqlite_where=sa.text("due_at < 9223372036854775807"),
        postgresql_where=sa.text("due_at < 9223372036854775807"),
    )
    op.create_table(
        "event_key",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("account_id", INT64, autoincrement=False, nullable=False),
        sa.Column("seq", INT64, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("source", "event_id"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "fact",
        sa.Column("account_id", INT64, autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("since", INT64, autoincrement=False, nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("until", INT64, autoincrement=False, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "name", "since"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "hold",
        sa.Column("account_id", INT64, autoincrement=False, nullable=False),
        sa.Column("number", INT64, autoincrement=False, nullable=False),
        sa.Column("asset", sa.Text(), nullable=False),
        sa.Column("amount", INT64, autoincrement=False, nullable=False),
        sa.Column("units", sa.Text(), nullable=False),
        sa.Column("captured", INT64, autoincrement=False, nullable=False),
        sa.Column("voided", INT64, autoincrement=False, nullable=False),
        sa.Column("lapsed", INT64, autoincrement=False, nullable=False),
        sa.Column("lapses_at", INT64, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "number"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "journal",
        sa.Column("account_id", INT64, autoincrement=False, nullable=False),
        sa.Column("seq", INT64, autoincrement=False, nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("at", INT64, autoincrement=False, nullable=False),
        sa.Column("recorded_at", INT64, autoincrement=False, nullable=False),
        sa.Column("program_id", INT64, autoincrement=False, nullable=False),
        sa.Column("accepted", INT16, autoincrement=False, nullable=False),
        sa.Column("about", INT64, nullable=True),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("effects", sa.Text(), nullable=False),
        sa.Column("trace", sa.Text(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "seq"),
        sqlite_strict=True,
    )
    op.create_index(
        "journal_about",
        "journal",
        ["account_id", "about"],
        unique=False,
        sqlite_where=sa.text("about IS NOT NULL"),
        postgresql_where=sa.text("about IS NOT NULL"),
    )
    op.create_table(
        "lot",
        sa.Column("account_id", INT64, autoincrement=False, nullable=False),
        sa.Column("number", INT64, autoincrement=False, nullable=False),
        sa.Column("asset", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("effective_at", INT64, autoincrement=False, nullable=False),
        sa.Column("expires_at", INT64, autoincrement=False, nullable=False),
        sa.Column("priority", INT16, autoincrement=False, nullable=False),
        sa.Column("origin", INT64, autoincrement=False, nullable=False),
        sa.Column("remaining", INT64, autoincrement=False, nullable=False),
        sa.Column("held", INT64, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "number"),
        postgresql_with={"fillfactor": 70},
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "metric",
        sa.Column("account_id", INT64, autoincrement=False, nullable=False),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("day", INT64, autoincrement=False, nullable=False),
        sa.Column("value", INT64, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "metric", "day"),
        postgresql_with={"fillfactor": 70},
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "person",
        sa.Column("account_id", INT64, autoincrement=False, nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("account_id"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "posting",
        sa.Column("account_id", INT64, autoincrement=False, nullable=False),
        sa.Column("seq", INT64, autoincrement=False, nullable=False),
        sa.Column("n", INT16, autoincrement=False, nullable=False),
        sa.Column("asset", sa.Text(), nullable=False),
        sa.Column("amount", INT64, autoincrement=False, nullable=False),
        sa.Column("source_lot", INT64, nullable=True),
        sa.Column("source_book", sa.Text(), nullable=True),
        sa.Column("destination_lot", INT64, nullable=True),
        sa.Column("destination_book", sa.Text(), nullable=True),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "seq", "n"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "program",
        sa.Column("id", INT64, autoincrement=False, nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("hash"),
        sqlite_strict=True,
    )
    op.create_table(
        "segment_member",
        sa.Column("account_id", INT64, autoincrement=False, nullable=False),
        sa.Column("run_id", INT64, autoincrement=False, nullable=False),
        sa.Column("segment", sa.Text(), nullable=False),
        sa.Column("scores", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "run_id"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "segment_run",
        sa.Column("id", INT64, autoincrement=False, nullable=False),
        sa.Column("scheme", sa.Text(), nullable=False),
        sa.Column("at", INT64, autoincrement=False, nullable=False),
        sa.Column("definition", sa.Text(), nullable=False),
        sa.Column("recorded_at", INT64, autoincrement=False, nullable=False),
        sa.Column("accounts", INT64, autoincrement=False, nullable=False),
        sa.Column("took_ms", INT64, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_strict=True,
    )
    op.create_table(
        "in_force",
        sa.Column("id", INT64, autoincrement=False, nullable=False),
        sa.Column("program_id", INT64, nullable=False),
        sa.Column("effective_from", INT64, autoincrement=False, nullable=False),
        sa.Column("recorded_at", INT64, autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(
            ["program_id"],
            ["program.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sqlite_strict=True,
    )
