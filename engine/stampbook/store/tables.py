"""The tables, as SQLModel models: one set for SQLite and PostgreSQL.

They describe; the hot path writes rows in bulk and builds no object. Every table that belongs to an account has
the account's id first in its key. Instants are microseconds since the epoch; `NEVER` is the largest 64-bit number.
"""

# SQLModel declares table names as computed attributes, and takes plain ones.
# pyright: reportAssignmentType=false

from __future__ import annotations

from typing import Any, ClassVar

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Text,
    text,
)
from sqlmodel import Field, SQLModel

_INT64 = BigInteger().with_variant(Integer, "sqlite")
_INT16 = SmallInteger().with_variant(Integer, "sqlite")


def _number(*, key: bool = False, **more: Any) -> Any:
    return Field(sa_column=Column(_INT64, primary_key=key, autoincrement=False, nullable=False, **more))


def _maybe_number() -> Any:
    return Field(sa_column=Column(_INT64, nullable=True))


def _small(*, key: bool = False) -> Any:
    return Field(sa_column=Column(_INT16, primary_key=key, autoincrement=False, nullable=False))


def _text(*, key: bool = False, **more: Any) -> Any:
    return Field(sa_column=Column(Text, primary_key=key, nullable=False, **more))


def _maybe_text() -> Any:
    return Field(sa_column=Column(Text, nullable=True))


_STRICT: dict[str, Any] = {"sqlite_strict": True}
_CLUSTERED: dict[str, Any] = {"sqlite_strict": True, "sqlite_with_rowid": False}
_UPDATED: dict[str, Any] = {"postgresql_with": {"fillfactor": 70}}


class Program(SQLModel, table=True):
    """A program file, known by its content hash."""

    __tablename__ = "program"
    __table_args__ = _STRICT
    id: int = _number(key=True)
    hash: str = _text(unique=True)
    file: str = _text()
    content: str = _text()


class InForce(SQLModel, table=True):
    """From which instant a program holds; `recorded_at` is when it was put in force."""

    __tablename__ = "in_force"
    __table_args__ = _STRICT
    id: int = _number(key=True)
    program_id: int = Field(sa_column=Column(_INT64, ForeignKey("program.id"), nullable=False))
    effective_from: int = _number()
    recorded_at: int = _number()


class Account(SQLModel, table=True):
    """Which accounts there are, and what seldom changes of them. Id 0 keeps refusals of accounts that do not exist."""

    __tablename__ = "account"
    __table_args__ = {**_STRICT, **_UPDATED}
    id: int = _number(key=True)
    ref: str = _text(unique=True)
    status: str = _text()
    opened_at: int = _number()


class State(SQLModel, table=True):
    """What nearly every event of an account changes, side by side: how its chain ends, its lots, its counters.

    The views `chain`, `lot` and `metric` show each part as a table of its own. They are one table because SQLite keeps
    the rows of an account together: an event then changes one page of a large ledger where it would change three.

    `part` is 0 of the chain, 1 of lots, 2 of counters by local day (proleptic ordinal). `name` is the metric of a
    counter, and `number` its day or the number of the lot; both are empty where they say nothing.
    """

    __tablename__ = "state"
    __table_args__: ClassVar[Any] = (
        CheckConstraint("part = 0 AND name = '' AND number = 0 OR part = 1 AND name = '' OR part = 2"),
        {**_CLUSTERED, **_UPDATED},
    )
    account_id: int = _number(key=True)
    part: int = _small(key=True)
    name: str = _text(key=True)
    number: int = _number(key=True)
    clock: int | None = _maybe_number()
    seq: int | None = _maybe_number()
    head: bytes | None = Field(sa_column=Column(LargeBinary, nullable=True))
    recorded_at: int | None = _maybe_number()
    due_at: int | None = _maybe_number()
    next_lot: int | None = _maybe_number()
    next_hold: int | None = _maybe_number()
    asset: str | None = _maybe_text()
    kind: str | None = _maybe_text()
    effective_at: int | None = _maybe_number()
    expires_at: int | None = _maybe_number()
    priority: int | None = Field(sa_column=Column(_INT16, nullable=True))
    origin: int | None = _maybe_number()
    remaining: int | None = _maybe_number()
    held: int | None = _maybe_number()
    value: int | None = _maybe_number()


class Person(SQLModel, table=True):
    """Personal data, apart from the ledger: may be erased without touching it."""

    __tablename__ = "person"
    __table_args__ = _CLUSTERED
    account_id: int = _number(key=True)
    data: str = _text()


class Journal(SQLModel, table=True):
    """What was decided, account by account: append-only. JSON is canonical text; `hash` chains the account.

    `postings` are lists of asset, amount, source, destination and rule; the view `posting` shows each as a row.
    """

    __tablename__ = "journal"
    __table_args__: ClassVar[Any] = (
        Index(
            "journal_about",
            "account_id",
            "about",
            sqlite_where=text("about IS NOT NULL"),
            postgresql_where=text("about IS NOT NULL"),
        ),
        _STRICT,
    )
    account_id: int = _number(key=True)
    seq: int = _number(key=True)
    type: str = _text()
    source: str = _text()
    event_id: str = _text()
    at: int = _number()
    recorded_at: int = _number()
    program_id: int = _number()
    accepted: int = _small()
    about: int | None = _maybe_number()
    payload: str = _text()
    effects: str = _text()
    trace: str = _text()
    hash: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    postings: str = _text(server_default="[]")


class EventKey(SQLModel, table=True):
    """Which journal entry an event id belongs to: unique for ever."""

    __tablename__ = "event_key"
    __table_args__ = _CLUSTERED
    source: str = _text(key=True)
    event_id: str = _text(key=True)
    account_id: int = _number()
    seq: int = _number()


class Sale(SQLModel, table=True):
    """Accepted purchases and returns as columns, for reading all of them; what each was is in its journal entry.

    `kind` is 1 of a purchase and 2 of what came back, `amount` in smallest units of `currency`: what an order came to,
    or what came back. `event` and `about`, the purchase that a return names, are ids; those of another source than
    ``default`` have that and a tab before them. Texts are empty where nothing is said. Where `amount` is null, only the
    first four columns say anything and the rest stands in the journal: so it is of entries that are older than this
    table.

    SQLite keeps the rows in the order in which they were written, without a key: a tree by account would cost a page
    of its own an event. The key of the journal lets no entry be there twice, and `verify` compares the two.
    """

    __tablename__ = "sale"
    __table_args__ = _STRICT
    account_id: int = _number(key=True)
    seq: int = _number(key=True)
    at: int = _number()
    kind: int = _small()
    amount: int | None = _maybe_number()
    discount: int = _number()
    currency: str = _text()
    event: str = _text()
    about: str = _text()
    channel: str = _text()
    store: str = _text()


class Hold(SQLModel, table=True):
    """Amounts set aside; `units` is JSON: pairs of lot number and amount still held."""

    __tablename__ = "hold"
    __table_args__ = _CLUSTERED
    account_id: int = _number(key=True)
    number: int = _number(key=True)
    asset: str = _text()
    amount: int = _number()
    units: str = _text()
    captured: int = _number()
    voided: int = _number()
    lapsed: int = _number()
    lapses_at: int = _number()


class Fact(SQLModel, table=True):
    """What plugins concluded, as intervals."""

    __tablename__ = "fact"
    __table_args__ = _CLUSTERED
    account_id: int = _number(key=True)
    name: str = _text(key=True)
    since: int = _number(key=True)
    value: str = _text()
    until: int = _number()
    reason: str = _text()


class SegmentRun(SQLModel, table=True):
    """One run of a segmentation scheme over the whole population; what it meant and found out is JSON."""

    __tablename__ = "segment_run"
    __table_args__ = _STRICT
    id: int = _number(key=True)
    scheme: str = _text()
    at: int = _number()
    definition: str = _text()
    recorded_at: int = _number()
    accounts: int = _number()
    took_ms: int = _number()
    span: str = _text(server_default="lifetime")
    options: str = _text(server_default="{}")
    segments: str = _text(server_default="{}")
    findings: str = _text(server_default="{}")


class SegmentSpell(SQLModel, table=True):
    """Since when an account is in a segment of a scheme, until its next spell: as a line says, `kept` or `raw`."""

    __tablename__ = "segment_spell"
    __table_args__ = _CLUSTERED
    account_id: int = _number(key=True)
    scheme: str = _text(key=True)
    line: str = _text(key=True)
    since: int = _number(key=True)
    segment: str = _text()


class SegmentScore(SQLModel, table=True):
    """What the latest run of a scheme said of an account, with its scores as JSON; `run_id` 0 is that run."""

    __tablename__ = "segment_score"
    __table_args__ = _CLUSTERED
    account_id: int = _number(key=True)
    scheme: str = _text(key=True)
    run_id: int = _number()
    segment: str = _text()
    scores: str = _text()


class Campaign(SQLModel, table=True):
    """What the closed leases of a campaign granted."""

    __tablename__ = "campaign"
    __table_args__ = _CLUSTERED
    name: str = _text(key=True)
    spent: int = _number()


class CampaignLease(SQLModel, table=True):
    """What one writer may grant of a campaign until an instant, and has granted."""

    __tablename__ = "campaign_lease"
    __table_args__ = _CLUSTERED
    campaign: str = _text(key=True)
    holder: str = _text(key=True)
    amount: int = _number()
    spent: int = _number()
    until: int = _number()


TABLES = SQLModel.metadata
