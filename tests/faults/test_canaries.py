"""Canaries: bugs planted on purpose, one for each lock, key check and invariant. A check that stays green is no check.

Each canary patches one thing, a small fixed scenario runs, and the honest code then looks at what came of it. The
scenario without a bug must be green; with the bug, the check that the table names must be red.

| check | what it looks at |
|---|---|
| outcome | status and code of each answer |
| balances | what the customers may spend, worked out by hand |
| tier | the level that they should have |
| replay | a known id answers as before and adds nothing |
| error | the engine raised something |
| retries | another writer was first although the lock was held |
| acknowledged | an accepted event is in the journal |
| I… | `verify`, run by honest code, with that finding |
"""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from stampbook import (
    account,
    account_view,
    awards,
    batch,
    gathering,
    in_force,
    journal,
    ledger,
    lots,
    overdue,
    pipeline,
    rewarding,
)
from stampbook.engine import Engine, Outcome
from stampbook.errors import DuplicateEventError, StampbookError, StoreBusyError
from stampbook.in_force import InForce
from stampbook.ledger import GENESIS
from stampbook.periods import NEVER
from stampbook.remembering import Remembered
from stampbook.store import session, sqlite
from tests.faults.books import Data, event, findings, frozen, opened
from tests.faults.meeting import LONG, SHORT, Meeting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TEA = [{"amount": "60.00", "category": "cake"}]


def scenario() -> list[tuple[list[Data], list[str]]]:
    """Return batches and what must become of each event."""
    return [
        ([event("topup", "t1", amount="10.00"), event("topup", "t2", amount="10.00")], ["accepted"] * 2),
        ([event("purchase", "p1", at="2025-01-02T12:00:00Z", lines=TEA)], ["accepted"]),
        ([event("spend", "s1", at="2025-01-03T12:00:00Z", amount="15.00")], ["accepted"]),
        ([event("spend", "s2", at="2025-01-03T12:00:00Z", amount="15.00")], ["insufficient_balance"]),
        ([event("topup", "t1", amount="10.00")], ["known"]),
        ([event("topup", "t1", amount="11.00")], ["other content"]),
        ([event("purchase", "p2", at="2025-02-20T12:00:00Z", lines=TEA)], ["accepted"]),
        ([event("return", "r1", at="2025-02-21T12:00:00Z", purchase="p2", amount="40.00")], ["accepted"]),
        ([event("return", "r2", at="2025-02-21T13:00:00Z", purchase="p2", amount="40.00")], ["over_return"]),
        ([event("spend", "s3", at="2025-04-01T12:00:00Z", asset="points", amount="100")], ["insufficient_balance"]),
        ([event("adjust", "a1", at="2025-04-02T12:00:00Z", asset="points", amount="3", reason="gift")], ["accepted"]),
    ]


def _status(outcome: Outcome) -> str:
    if outcome.replayed:
        return "known"
    if isinstance(outcome.error, DuplicateEventError):
        return "other content"
    code: str = outcome.objections[0].code if outcome.objections else outcome.status
    return code


BALANCES = {"GBP": 500, "points": 43}
"""20.00 topped up, 15.00 spent. p1's 60 points are over in March; p2 makes 60 × 2, of which a return of two thirds
takes 80 back; 40 are left until 20 April, and 3 are a gift."""


def checks(url: str, patch: Callable[[pytest.MonkeyPatch], None]) -> set[str]:
    """Run the scenario with a bug in it and return which checks are red."""
    red: set[str] = set()
    acknowledged: set[str] = set()
    with pytest.MonkeyPatch.context() as bug:
        patch(bug)
        with opened(url) as books:
            for events, expected in scenario():
                try:
                    answers = books.process(events)
                except Exception:  # noqa: BLE001 - whatever a bug makes of it
                    red.add("error")
                    continue
                found = [_status(answer) for answer in answers]
                acknowledged.update(answer.id for answer in answers if answer.accepted)
                if found != expected:
                    red.add("replay" if {"known", "other content"} & set(expected) else "outcome")
    with Engine.open(url, clock=frozen) as honest:
        with honest.store.reader() as reader:
            found_accounts = reader.accounts(["ann"])
            reader.fill(found_accounts.values(), None)
            ids = Counter(entry.id for entry in reader.journal("ann") if entry.accepted)
        if not acknowledged <= set(ids):
            red.add("acknowledged")
        ann = found_accounts.get("ann")
        at = 1_743_595_200_000_000  # 2 April 2025, 12:00
        if ann is None or {asset: ann.balance(asset, at) for asset in BALANCES} != BALANCES:
            red.add("balances")
        tier = ann and ann.fact("tier", 1_740_139_200_000_000)  # 21 February 2025, 12:00
        if not tier or tier.value != "gold":
            red.add("tier")
        try:
            red.update(finding.code for finding in findings(honest))
        except StampbookError:
            red.add("error")
    return red


# ---- the bugs ----


def no_key_check(bug: pytest.MonkeyPatch) -> None:
    bug.setattr(session.SqlSession, "keys", lambda *_: {})


def no_key_check_and_no_unique_key(bug: pytest.MonkeyPatch) -> None:
    no_key_check(bug)
    bug.setitem(sqlite._INSERT, "event_key", sqlite._INSERT["event_key"].replace("INSERT", "INSERT OR IGNORE"))


def other_content_is_let_through(bug: pytest.MonkeyPatch) -> None:
    bug.setattr(batch, "check_same", lambda *_: None)


def expiry_is_ignored(bug: pytest.MonkeyPatch) -> None:
    real = overdue.earliest_due
    bug.setattr(pipeline, "earliest_due", lambda *given: ([], [], real(*given)[2]))
    bug.setattr(lots.Lot, "usable", lambda lot, _: max(0, lot.remaining - lot.held))
    bug.setattr(account.Account, "check", lambda *_: None)


def balance_is_not_checked(bug: pytest.MonkeyPatch) -> None:
    def draw(found: Any, asset: str, amount: int, *_: Any) -> tuple[list[tuple[int, int]], int]:
        return [(next(lot.number for lot in found if lot.asset == asset), amount)], 0

    bug.setattr(account_view, "draw", draw)
    bug.setattr(account.Account, "check", lambda *_: None)


def the_hash_is_not_chained(bug: pytest.MonkeyPatch) -> None:
    bug.setattr(journal, "digest_of", lambda _, *fields: _DIGEST_OF(GENESIS, *fields))


def the_hash_leaves_out_the_postings(bug: pytest.MonkeyPatch) -> None:
    def digest_of(*fields: Any) -> bytes:
        return _DIGEST_OF(*fields[:-1], ())

    bug.setattr(journal, "digest_of", digest_of)


def lots_are_used_in_the_wrong_order(bug: pytest.MonkeyPatch) -> None:
    bug.setattr(lots, "in_order", lambda found, _: sorted(found, key=lambda lot: -lot.number))


def half_a_batch(bug: pytest.MonkeyPatch) -> None:
    real = sqlite.SqliteSession.insert
    bug.setattr(
        sqlite.SqliteSession, "insert", lambda own, table, rows: real(own, table, rows[:-1] if len(rows) > 1 else rows)
    )


def postings_are_lost(bug: pytest.MonkeyPatch) -> None:
    real = sqlite.SqliteSession.insert

    def insert(own: Any, table: str, rows: list[Any]) -> None:
        real(own, table, [(*row[:-1], "[]") for row in rows] if table == "journal" else rows)

    bug.setattr(sqlite.SqliteSession, "insert", insert)


def lots_are_not_written(bug: pytest.MonkeyPatch) -> None:
    real = sqlite.SqliteSession.upsert
    bug.setattr(
        sqlite.SqliteSession, "upsert", lambda own, table, rows: real(own, table, rows if table != "lot" else [])
    )


def metrics_are_not_written(bug: pytest.MonkeyPatch) -> None:
    bug.setattr(sqlite.SqliteSession, "add", lambda *_: None)


def metrics_are_loaded_too_short(bug: pytest.MonkeyPatch) -> None:
    bug.setattr(InForce, "first_metric_day", lambda *_: 10_000_000)
    bug.setattr(Remembered, "recall", lambda _own, found, _day: list(found.values()))  # each batch reads anew


_HALF: Any = 0.5


def amounts_are_floats(bug: pytest.MonkeyPatch) -> None:
    real = awards.settle

    def settle(*given: Any, **more: Any) -> Any:
        settled = real(*given, **more)
        return settled._replace(grants=[grant._replace(units=grant.units + _HALF) for grant in settled.grants])

    bug.setattr(rewarding, "settle", settle)
    bug.setattr(account.Account, "check", lambda *_: None)


def amounts_may_be_anything(bug: pytest.MonkeyPatch) -> None:
    real = awards.settle

    def settle(*given: Any, **more: Any) -> Any:
        settled = real(*given, **more)
        return settled._replace(grants=[grant._replace(units=-5) for grant in settled.grants])

    bug.setattr(rewarding, "settle", settle)
    bug.setattr(account.Account, "check", lambda *_: None)


def earlier_returns_are_forgotten(bug: pytest.MonkeyPatch) -> None:
    real = journal.past_of
    bug.setattr(gathering, "past_of", lambda entries, registry: real(entries[:1], registry))


def a_return_takes_nothing_back(bug: pytest.MonkeyPatch) -> None:
    from stampbook_refunds.taking import Taker

    bug.setattr(Taker, "take", lambda *_: None)


def recording_goes_back(bug: pytest.MonkeyPatch) -> None:
    real, now = journal.seal, iter(range(10**9, 0, -1))

    def seal(own: Any, decision: Any, _: int, payload: Any, texts: Any) -> Any:
        own.recorded_at = -NEVER
        return real(own, decision, next(now), payload, texts)

    bug.setattr(batch, "seal", seal)


def a_gap_in_the_sequence(bug: pytest.MonkeyPatch) -> None:
    real = pipeline.apply

    def apply(registry: Any, own: Any, decision: Any) -> None:
        own.seq += decision.event.id == "s1"
        real(registry, own, decision)

    bug.setattr(in_force, "apply", apply)


def errors_are_swallowed(bug: pytest.MonkeyPatch) -> None:
    @contextmanager
    def writer(store: sqlite.SqliteStore) -> Iterator[Any]:
        store._writer.execute("BEGIN IMMEDIATE")
        yield sqlite.SqliteSession(store._writer)
        store._writer.execute("ROLLBACK")

    bug.setattr(sqlite.SqliteStore, "writer", writer)
    bug.setattr(Engine, "put_text_in_force", _honestly_in_force)


def _honestly_in_force(own: Engine, text: str) -> None:
    with pytest.MonkeyPatch.context() as honest:
        honest.setattr(sqlite.SqliteStore, "writer", _WRITER)
        honest.setattr(Engine, "put_text_in_force", _IN_FORCE)
        own.put_text_in_force(text)


_DIGEST_OF: Callable[..., bytes] = ledger.digest_of
_WRITER, _IN_FORCE = sqlite.SqliteStore.writer, Engine.put_text_in_force


def reads_are_stale(bug: pytest.MonkeyPatch) -> None:
    real = session.SqlSession.accounts
    kept: dict[str, Any] = {}

    def accounts(own: Any, refs: Any) -> Any:
        found = real(own, refs)
        for ref, fresh in found.items():
            found[ref] = kept.setdefault(ref, fresh.copy()).copy()
        return found

    bug.setattr(session.SqlSession, "accounts", accounts)


def refusals_change_something(bug: pytest.MonkeyPatch) -> None:
    real = pipeline.judge

    def judge(registry: Any, own: Any, data: Any, *given: Any, **more: Any) -> Any:
        decision = real(registry, own, data, *given, **more)
        if not decision.accepted and data.id == "s2":
            own.lots[2] = own.lots[2].moved(-1)
        return decision

    bug.setattr(pipeline, "judge", judge)
    real_post = batch.Batch._commit

    def commit(own: Any, registry: Any, ann: Any, decision: Any, payload: Any) -> Any:
        if not decision.accepted:
            own.changes.lots.update((ann.id, number) for number in ann.lots)
        return real_post(own, registry, ann, decision, payload)

    bug.setattr(batch.Batch, "_commit", commit)


def debt_without_permission(bug: pytest.MonkeyPatch) -> None:
    def draw(found: Any, asset: str, amount: int, *_: Any) -> tuple[list[tuple[int, int]], int]:
        return [(next(lot.number for lot in found if lot.asset == asset), amount)], 0

    bug.setattr(account_view, "draw", draw)
    bug.setattr(account.Account, "_check_lot", lambda *_: None)


def time_never_catches_up(bug: pytest.MonkeyPatch) -> None:
    bug.setattr(batch.Batch, "bring_up", lambda *_: None)
    real = pipeline.decide

    def decide(registry: Any, own: Any, data: Any, *given: Any, **more: Any) -> Any:
        due, own.due_at = own.due_at, NEVER
        decisions = real(registry, own, data, *given, **more)
        own.due_at = due
        return decisions

    bug.setattr(batch, "decide", decide)
    bug.setattr(lots.Lot, "usable", lambda lot, _: max(0, lot.remaining - lot.held))


CANARIES: list[tuple[Callable[[pytest.MonkeyPatch], None], set[str]]] = [
    (no_key_check, {"replay", "error"}),
    (no_key_check_and_no_unique_key, {"replay", "I13"}),
    (other_content_is_let_through, {"replay"}),
    (expiry_is_ignored, {"outcome", "I12", "I21"}),
    (balance_is_not_checked, {"outcome", "I6", "I21"}),
    (the_hash_is_not_chained, {"I17"}),
    (the_hash_leaves_out_the_postings, {"I17"}),
    (lots_are_used_in_the_wrong_order, {"I21", "I11"}),
    (half_a_batch, {"I4", "I13", "I16", "I17", "I25"}),
    (postings_are_lost, {"I17"}),
    (lots_are_not_written, {"I3", "error", "outcome"}),
    (metrics_are_not_written, {"I25", "tier"}),
    (metrics_are_loaded_too_short, {"tier", "I21"}),
    (amounts_are_floats, {"error", "I1"}),
    (amounts_may_be_anything, {"I1", "I21", "balances"}),
    (earlier_returns_are_forgotten, {"outcome", "I21"}),
    (a_return_takes_nothing_back, {"balances", "I21", "I15"}),
    (recording_goes_back, {"I5"}),
    (a_gap_in_the_sequence, {"I4"}),
    (errors_are_swallowed, {"acknowledged"}),
    (reads_are_stale, {"error", "outcome"}),
    (refusals_change_something, {"I3", "I14"}),
    (debt_without_permission, {"outcome", "I6", "I21"}),
    (time_never_catches_up, {"outcome", "I12", "I21"}),
]


def test_without_a_bug_every_check_is_green(any_db: str) -> None:
    assert checks(any_db, lambda _: None) == set()


@pytest.mark.parametrize(("plant", "expected"), [pytest.param(*canary, id=canary[0].__name__) for canary in CANARIES])
def test_a_planted_bug_is_caught(
    sqlite_db: str, plant: Callable[[pytest.MonkeyPatch], None], expected: set[str]
) -> None:
    red = checks(sqlite_db, plant)
    assert red & expected, f"red are only {red or 'none'}"


# ---- locks ----


def _race(url: str, plant: Callable[[pytest.MonkeyPatch], None] | None = None) -> set[str]:
    """Let two threads spend the last pound at once, meeting just after both have read, and return what is red."""
    red: set[str] = set()
    accepted: list[bool] = []
    meeting = Meeting(LONG if plant else SHORT)
    with opened(url) as books:
        books.post(event("topup", "t", amount="1.00"))
    with pytest.MonkeyPatch.context() as bug:
        if plant is not None:
            plant(bug)
        real = session.SqlSession.accounts

        def accounts(own: Any, refs: Any) -> Any:
            found = real(own, refs)
            meeting.join()
            return found

        bug.setattr(session.SqlSession, "accounts", accounts)

        def spend(name: str) -> None:
            with Engine.open(url, clock=frozen) as own:
                data = event("spend", name, at="2025-01-02T00:00:00Z", amount="1.00")
                try:
                    accepted.append(own._process([data]).outcomes[0].accepted)
                except StoreBusyError:
                    red.add("retries")
                except StampbookError:
                    red.add("error")

        threads = [Thread(target=spend, args=(name,)) for name in ("a", "b")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    with Engine.open(url, clock=frozen) as honest:
        red.update(finding.code for finding in findings(honest))
        with honest.store.reader() as reader:
            entries = reader.journal("ann")
    if sum(accepted) != 1 or sum(entry.type == "spend" and entry.accepted for entry in entries) != 1:
        red.add("outcome")
    return red


def no_row_locks(bug: pytest.MonkeyPatch) -> None:
    from stampbook.store import postgres

    bug.setattr(postgres.PostgresSession, "lock", lambda *_: None)


def no_row_locks_and_no_key_of_the_journal(bug: pytest.MonkeyPatch) -> None:
    """Without the lock, the journal's key is what stops a lost update; without both, nothing does."""
    from stampbook.store import postgres

    no_row_locks(bug)
    tables = ("journal", "event_key", "sale")
    for table in tables:
        bug.setitem(postgres._INSERT, table, f"{postgres._INSERT[table]} ON CONFLICT DO NOTHING")


def no_write_lock(bug: pytest.MonkeyPatch) -> None:
    @contextmanager
    def writer(store: sqlite.SqliteStore) -> Iterator[Any]:
        with store._translated():
            store._writer.execute("BEGIN")
            try:
                yield sqlite.SqliteSession(store._writer)
                store._writer.execute("COMMIT")
            except BaseException:
                store._writer.execute("ROLLBACK")
                raise

    bug.setattr(sqlite.SqliteStore, "writer", writer)


def test_a_race_with_all_locks_is_green(any_db: str) -> None:
    assert _race(any_db) == set()


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("plant", "expected"),
    [(no_row_locks, {"retries"}), (no_row_locks_and_no_key_of_the_journal, {"outcome", "I13", "I25"})],
)
def test_a_missing_row_lock_is_caught(
    postgres_db: str, plant: Callable[[pytest.MonkeyPatch], None], expected: set[str]
) -> None:
    red = _race(postgres_db, plant)
    assert red & expected, f"red are only {red or 'none'}"


def test_a_missing_write_lock_is_caught(sqlite_db: str) -> None:
    assert _race(sqlite_db, no_write_lock) & {"retries", "error", "outcome"}
