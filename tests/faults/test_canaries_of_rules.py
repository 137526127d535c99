"""More canaries: bugs planted in holds, programs in force, campaigns, extensions, closing and refunds.

As in `test_canaries`: what happens is fixed, each bug patches one thing, and honest code looks at what came of it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import wraps
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from stampbook import (
    account,
    account_view,
    amounts,
    core_events,
    draft,
    in_force,
    leasing,
    ledger,
    lots,
    overdue,
    pipeline,
    refunding,
)
from stampbook.engine import Engine
from stampbook.errors import StampbookError
from stampbook.events import AccountClosed
from stampbook.ledger import LotExtension
from stampbook.periods import DAY
from stampbook.store import campaigns, changes, rows, session, sqlite
from stampbook.store.postgres import PostgresSession
from tests import test_amounts
from tests.faults.books import NOW, Data, balance, event, findings, frozen, opened
from tests.faults.meeting import LONG, SHORT, Meeting

if TYPE_CHECKING:
    from collections.abc import Callable

    from stampbook.engine import Outcome

PROGRAM = """
[program]
name = "Canaries"
currency = "GBP"
time_zone = "Europe/London"
open_accounts = "on first event"

[assets.points]
on_close = "refuse"

[campaigns.spring]
rules = ["points.extra"]
budget = "25"

[[plugin]]
use = "points"
expires = "2 months"

[[plugin.rule]]
name = "base"
earn = "floor(order.net)"

[[plugin.rule]]
name = "extra"
earn = "10"

[[plugin]]
use = "refunds"
"""
AFTER = datetime(2025, 3, 4, tzinfo=UTC)
MARCH = 1_740_787_200_000_000
"""1 March 2025, from when each pound earns two points."""


def bought(number: int, at: str, **more: Any) -> Data:
    return event("purchase", f"p{number}", at=at, amount="40.00", **more)


def scenario() -> list[tuple[Data, str]]:
    """Return what happens, and what must become of each event."""
    stored = [{"kind": "stored_value", "amount": "1.00"}, {"kind": "card", "amount": "39.00"}]
    return [
        (event("topup", "t1", amount="10.00"), "accepted"),
        (event("hold.authorised", "h1", at="2025-01-02T10:00", amount="6.00"), "accepted"),
        (event("spend", "s1", at="2025-01-02T11:00", amount="5.00"), "insufficient_balance"),
        (event("hold.captured", "c1", at="2025-01-02T12:00", hold="h1", amount="4.00", final=False), "accepted"),
        (event("hold.voided", "v1", at="2025-01-02T13:00", hold="h1"), "accepted"),
        (event("hold.captured", "c2", at="2025-01-02T14:00", hold="h1", amount="1.00"), "hold_ended"),
        (event("hold.authorised", "h2", at="2025-01-03", amount="2.00", lapses_at="2025-01-10T00:00"), "accepted"),
        (event("hold.captured", "c3", at="2025-01-11", hold="h2"), "hold_ended"),
        (bought(1, "2025-02-01", tenders=stored), "accepted"),
        (bought(2, "2025-02-02"), "accepted"),
        (bought(3, "2025-02-03"), "accepted"),
        (event("return", "r1", at="2025-02-04", purchase="p1", amount="10.00"), "accepted"),
        (event("extend", "x1", at="2025-02-05", asset="points", until="2025-12-31", reason="works"), "accepted"),
        (event("extend", "x2", at="2025-02-06", asset="points", until="2025-05-31", reason="?"), "nothing_to_extend"),
        (bought(4, "2025-03-02"), "accepted"),
        (event("account.closed", "z1", at="2025-03-03"), "balance_left"),
    ]


BALANCES = {"GBP": 525, "points": 30 + 40 + 40 + 80 + 25}
"""10.00 paid in, 4.00 captured, 1.00 paid with, 0.25 of it given back. The first purchase keeps three quarters of its
40 points, the last one makes 80; the campaign's 25 are all granted: what comes back to it is granted again."""


def checks(url: str, patch: Callable[[pytest.MonkeyPatch], None]) -> set[str]:
    """Run the scenario with a bug in it and return which checks are red."""
    red: set[str] = set()
    with pytest.MonkeyPatch.context() as bug:
        patch(bug)
        present = [NOW - DAY]
        with opened(url, PROGRAM, clock=lambda: present[0]) as books:
            later = PROGRAM.replace('"floor(order.net)"', '"2 * floor(order.net)"')
            books.put_text_in_force(later, effective_from=MARCH)
            present = [NOW]
            for data, expected in scenario():
                try:
                    answer: Outcome = books.process([data])[0]
                except Exception:  # noqa: BLE001 - whatever a bug makes of it
                    red.add("error")
                    continue
                if (answer.objections[0].code if answer.objections else answer.status) != expected:
                    red.add("outcome")
    with Engine.open(url, clock=frozen) as honest:
        if {asset: balance(honest, asset=asset, at=AFTER) for asset in BALANCES} != BALANCES:
            red.add("balances")
        try:
            red.update(finding.code for finding in findings(honest))
        except StampbookError:
            red.add("error")
    return red


def test_without_a_bug_every_check_is_green(any_db: str) -> None:
    assert checks(any_db, lambda _: None) == set()


# ---- the bugs ----


def what_is_held_may_be_spent(bug: pytest.MonkeyPatch) -> None:
    real = lots.draw
    bug.setattr(account_view, "draw", lambda found, *given: real([lot._replace(held=0) for lot in found], *given))
    bug.setattr(account.Account, "check", lambda *_: None)


def a_void_leaves_the_hold_open(bug: pytest.MonkeyPatch) -> None:
    real = account.Account._hold

    def hold(own: Any, change: Any) -> None:
        if change.action != "void":
            real(own, change)

    bug.setattr(account.Account, "_hold", hold)


def a_capture_releases_what_it_took(bug: pytest.MonkeyPatch) -> None:
    """Posted, and not taken off the hold: it could be captured for ever."""
    real = account.Account._hold

    def hold(own: Any, change: Any) -> None:
        before = own.holds.get(change.hold)
        real(own, change)
        if change.action == "capture":
            own.holds[change.hold] = before

    bug.setattr(account.Account, "_hold", hold)
    bug.setattr(account.Account, "_check_lot", lambda *_: None)


def holds_never_lapse(bug: pytest.MonkeyPatch) -> None:
    real = overdue.earliest_due
    bug.setattr(pipeline, "earliest_due", lambda *given: ([], *real(*given)[1:]))


def holds_are_not_written(bug: pytest.MonkeyPatch) -> None:
    real = sqlite.SqliteSession.upsert
    bug.setattr(
        sqlite.SqliteSession, "upsert", lambda own, table, rows: real(own, table, rows if table != "hold" else [])
    )


def the_latest_program_judges_all(bug: pytest.MonkeyPatch) -> None:
    bug.setattr(in_force.InForce, "at", lambda own, _: own.registries[-1])


def the_first_program_judges_all(bug: pytest.MonkeyPatch) -> None:
    bug.setattr(in_force.InForce, "at", lambda own, _: own.registries[0])


def budgets_are_not_kept(bug: pytest.MonkeyPatch) -> None:
    bug.setattr(leasing.Purse, "budgets", lambda _: {"spring": 10**9})
    bug.setattr(campaigns, "spend", lambda *_: None)


def what_is_granted_is_not_counted_on_the_lease(bug: pytest.MonkeyPatch) -> None:
    bug.setattr(campaigns, "spend", lambda *_: None)


def sales_are_not_written(bug: pytest.MonkeyPatch) -> None:
    real = session.SqlSession.write_rows
    bug.setattr(session.SqlSession, "write_rows", lambda own, tables: real(own, {**tables, "sale": []}))


def a_return_is_kept_as_a_sale_of_nothing(bug: pytest.MonkeyPatch) -> None:
    real = rows.sale_row

    def sale_row(id_: int, entry: Any, decision: Any, currency: str) -> Any:
        row = real(id_, entry, decision, currency)
        return (*row[:4], 0, *row[5:]) if row[3] == rows.BACK else row

    bug.setattr(changes, "sale_row", sale_row)


def closing_asks_for_nothing(bug: pytest.MonkeyPatch) -> None:
    """Closes an account, with all that is in it."""

    def close(own: Any, _: Any) -> None:
        own.status = "closed"

    handlers: dict[Any, Any] = core_events.HANDLERS
    bug.setitem(handlers, AccountClosed, close)
    bug.setattr(pipeline, "_check_closed", lambda *_: None)


def an_end_is_brought_forward(bug: pytest.MonkeyPatch) -> None:
    def extend(own: Any, number: int, expires_at: int, rule: str) -> None:
        lot = own.account.lots[number]
        own.extended[number] = LotExtension(number, lot.asset, lot.remaining, lot.expires_at, expires_at, rule)

    bug.setattr(draft.Draft, "extend", extend)
    bug.setattr(account, "check_extended", lambda *_: None)


def more_is_given_back_than_was_paid(bug: pytest.MonkeyPatch) -> None:
    from stampbook_refunds import Refunds

    real = Refunds.refund

    @wraps(real)
    def refund(own: Any, request: Any, account: Any) -> Any:
        plan = real(own, request, account)
        plan.postings.extend([posting for posting in plan.postings if posting.source == ledger.SALES])
        return plan

    bug.setattr(Refunds, "refund", refund)
    bug.setattr(refunding.Past, "check_plan", lambda *_: None)


def assets_are_mixed(bug: pytest.MonkeyPatch) -> None:
    real = draft.Draft.draw

    def draw(own: Any, asset: str, amount: int, destination: str, rule: str) -> None:
        real(own, asset, amount, destination, rule)
        own.postings[:] = [posting._replace(asset="points") for posting in own.postings]

    bug.setattr(draft.Draft, "draw", draw)
    bug.setattr(account.Account, "check", lambda *_: None)


CANARIES: list[tuple[Callable[[pytest.MonkeyPatch], None], set[str]]] = [
    (what_is_held_may_be_spent, {"outcome", "I6", "I21"}),
    (a_void_leaves_the_hold_open, {"outcome", "I7", "I3"}),
    (a_capture_releases_what_it_took, {"balances", "I7", "I8", "I21"}),
    (holds_never_lapse, {"outcome", "I25"}),
    (holds_are_not_written, {"outcome", "I7", "I21"}),
    (the_latest_program_judges_all, {"I26"}),
    (the_first_program_judges_all, {"I26"}),
    (budgets_are_not_kept, {"I29"}),
    (what_is_granted_is_not_counted_on_the_lease, {"I29"}),
    (sales_are_not_written, {"I30"}),
    (a_return_is_kept_as_a_sale_of_nothing, {"I30"}),
    (closing_asks_for_nothing, {"I24", "outcome"}),
    (an_end_is_brought_forward, {"I28", "I21"}),
    (more_is_given_back_than_was_paid, {"I15", "I21"}),
    (assets_are_mixed, {"I20", "I21"}),
]


@pytest.mark.parametrize(("plant", "expected"), [pytest.param(*canary, id=canary[0].__name__) for canary in CANARIES])
def test_a_planted_bug_is_caught(
    sqlite_db: str, plant: Callable[[pytest.MonkeyPatch], None], expected: set[str]
) -> None:
    red = checks(sqlite_db, plant)
    assert red & expected, f"red are only {red or 'none'}"
    assert all(code in {*ledger.INVARIANTS, "outcome", "balances", "error"} for code in red)


def test_a_split_that_loses_a_unit_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def split(total: int, weights: Any, *_: Any) -> list[int]:
        return [total * weight // max(1, sum(weights)) for weight in weights]

    monkeypatch.setattr(test_amounts, "split", split)
    with pytest.raises(AssertionError):
        test_amounts.test_a_split_loses_nothing()
    assert amounts.split(10, [1, 1, 1]) != split(10, [1, 1, 1])


@pytest.mark.postgres
def test_a_tick_without_row_locks_is_caught(postgres_db: str) -> None:
    """Two ticks meet just after both have read: with the lock, the second waits and finds nothing due any more."""
    for locked in (True, False):
        with opened(postgres_db, PROGRAM) as books:
            name = f"locked {locked}"
            books.post(event("purchase", name, name, amount="40.00"))
            assert _swept_at_once(postgres_db, locked=locked) == ("accepted" if locked else "first writer wins")
            if locked:
                assert findings(books) == ()


def _swept_at_once(url: str, *, locked: bool) -> str:
    meeting, failed = Meeting(SHORT if locked else LONG), list[StampbookError]()
    with pytest.MonkeyPatch.context() as bug:
        if not locked:
            bug.setattr(PostgresSession, "lock", lambda *_: None)
        real = session.SqlSession.accounts

        def accounts(own: Any, refs: Any) -> Any:
            found = real(own, refs)
            meeting.join()
            return found

        bug.setattr(session.SqlSession, "accounts", accounts)
        bug.setattr("stampbook.engine.RETRIES", 1)  # to see what trying again would put right

        def sweep() -> None:
            with Engine.open(url, clock=frozen) as own:
                try:
                    list(own.tick())
                except StampbookError as error:
                    failed.append(error)

        threads = [Thread(target=sweep) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return "first writer wins" if failed else "accepted"
