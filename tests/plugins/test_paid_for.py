"""Bonus that was owed once it was spent, and that money repaid, comes back as bonus or as the customer's own money."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stampbook import Engine, ProgramError, load_program
from stampbook.explaining import explain_entry
from stampbook.replay import find_entry
from stampbook.testing import Ledger
from stampbook.verifying import verify
from tests.cli.shop import run
from tests.effort import examples
from tests.plugins.proof import findings

if TYPE_CHECKING:
    from pathlib import Path

HEAD = """
[program]
name = "Paid for"
currency = "CNY"
time_zone = "Asia/Shanghai"
open_accounts = "on first event"
[assets.CNY]
debt = true
topup_debt = "repay"
spend_order = ["bonus_first", "created"]
[metrics.visits]
count = true
[[plugin]]
use = "payouts"
packs = ["contract"]
[[plugin]]
use = "stored_value"
[[plugin.bonus]]
name = "gift"
when = "event.amount < 200"
[plugin.bonus.keep]
within = "1 month"
when = "metric.visits >= 1000"
spent = "debt"
[[plugin.bonus.bracket]]
from = "100"
gives = "20"
[[plugin.bonus]]
name = "other"
kind = "other"
[[plugin.bonus.bracket]]
from = "200"
gives = "30"
[[plugin]]
use = "refunds"
points_spent = "debt"
"""
AS_PAID = HEAD + 'repaid = "as_paid"\n'
OWED = "2025-04-01T00:00"
"""By then the gift of a top-up in February is owed, where it was spent."""


def topup(amount: str, at: str, **more: Any) -> dict[str, Any]:
    return {"type": "topup", "amount": amount, "at": at, **more}


def buy(name: str, amount: str, at: str) -> dict[str, Any]:
    tenders = [{"kind": "stored_value", "amount": amount}]
    return {"type": "purchase", "id": name, "amount": amount, "at": at, "tenders": tenders}


def back(name: str, at: str, **more: Any) -> dict[str, Any]:
    return {"type": "return", "purchase": name, "at": at, **more}


def adjust(amount: str, at: str) -> dict[str, Any]:
    return {"type": "adjust", "amount": amount, "reason": "let go", "at": at}


def played(text: str, *events: dict[str, Any]) -> Ledger:
    """Return the books of events, all of them accepted, that verify."""
    named = [{"id": f"e{number}", "source": "t", "account": "a", **event} for number, event in enumerate(events)]
    books = Ledger(text)
    for event in named:
        outcome = books.post(**event)
        assert outcome.accepted, outcome.objections
    assert findings(text, named) == ()
    return books


def held(books: Ledger, at: str = "2025-12-31") -> dict[str, int]:
    """Return what the account holds by kind, in whole units."""
    kinds: dict[str, int] = {}
    for lot in books.view(account="a", at=at).lots:
        if lot.asset == "CNY":
            kinds[lot.kind] = kinds.get(lot.kind, 0) + lot.remaining
    return {kind: units // 100 for kind, units in kinds.items()}


BEFORE = (topup("100", "2025-02-28T10:00"), buy("p", "50", "2025-03-01"))
"""20 of bonus and 30 of money were spent, and 70 of money are left; the 20 are owed from the end of March on."""


@pytest.mark.parametrize(("text", "found"), [(AS_PAID, {"paid": 120}), (HEAD, {"paid": 100, "bonus": 20})])
def test_what_money_repaid_comes_back_as_money_where_the_program_says_so(text: str, found: dict[str, int]) -> None:
    books = played(text, *BEFORE, topup("20", OWED), back("p", "2025-04-02"))
    assert held(books) == found


def test_what_is_owed_still_is_repaid_by_what_comes_back_and_nothing_was_paid_for() -> None:
    assert held(played(AS_PAID, *BEFORE, back("p", "2025-04-02"))) == {"paid": 100}


def test_of_what_was_repaid_in_part_the_rest_repays_and_that_part_is_money() -> None:
    assert held(played(AS_PAID, *BEFORE, topup("5", OWED), back("p", "2025-04-02"))) == {"paid": 105}


@pytest.mark.parametrize(("text", "found"), [(AS_PAID, {"paid": 120}), (HEAD, {"paid": 100})])
def test_it_is_money_though_the_time_of_the_bonus_is_over(text: str, found: dict[str, int]) -> None:
    ends = text.replace('when = "event.amount < 200"', 'when = "event.amount < 200"\nexpires = "20 days"')
    assert held(played(ends, *BEFORE, topup("20", OWED), back("p", "2025-04-02"))) == found


def test_what_the_same_return_takes_back_of_it_is_not_money() -> None:
    earns = '[[plugin]]\nuse = "points"\nasset = "CNY"\n[[plugin.rule]]\nname = "back"\nearn = "order.total * 0.1"\n'
    events = (*BEFORE, topup("20", OWED), back("p", "2025-04-02"))
    books = played(AS_PAID + earns, *events)
    assert sum(held(books).values()) == sum(held(played(HEAD + earns, *events)).values())


def test_what_is_told_late_is_bonus_again() -> None:
    books = played(AS_PAID, *BEFORE, topup("20", OWED), topup("1", "2025-04-03"), back("p", "2025-04-02"))
    assert held(books) == {"paid": 101, "bonus": 20}


def test_what_is_owed_to_customers_ties_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with Engine.open("sqlite:///stampbook.db", create=True) as engine:
        engine.put_text_in_force(AS_PAID + '[[plugin]]\nuse = "liability"\n')
        for number, event in enumerate((*BEFORE, topup("20", OWED), back("p", "2025-04-02"))):
            assert engine.post({"id": f"e{number}", "source": "t", "account": "a", **event}).accepted
    told = run("liability", "--as-of", "2025-04-03", "--json").output
    assert "120.00" in told
    assert run("verify").exit_code == 0
    assert run("export", "beancount", "--output", "books.beancount").exit_code == 0


def test_a_debt_that_was_let_go_was_paid_by_nobody() -> None:
    books = played(AS_PAID, *BEFORE, adjust("20", OWED), back("p", "2025-04-02"))
    assert held(books) == {"paid": 100, "bonus": 20}


def test_bonus_that_was_never_owed_stays_bonus() -> None:
    books = played(AS_PAID, topup("200", "2025-02-28T10:00"), buy("p", "50", "2025-03-01"), back("p", "2025-04-02"))
    assert held(books) == {"paid": 200, "other": 30}


def test_a_purchase_of_after_the_debt_had_spent_other_bonus() -> None:
    later = (topup("100", "2025-04-02T10:00"), buy("q", "10", "2025-04-03"), back("q", "2025-04-04"))
    books = played(AS_PAID, *BEFORE, topup("20", OWED), *later)
    assert held(books, "2025-04-05") == {"paid": 170, "bonus": 20}


def test_another_bonus_that_paid_for_it_too_stays_bonus() -> None:
    books = played(
        AS_PAID,
        topup("100", "2025-02-28T10:00"),
        topup("200", "2025-02-28T10:01"),
        buy("p", "50", "2025-03-01"),
        topup("20", OWED),
        back("p", "2025-04-02"),
    )
    assert held(books) == {"paid": 320, "other": 30}


@pytest.mark.parametrize("parts", [("10", "15", "25"), ("25", "24.99", "0.01"), ("49.99", "0.01")])
def test_however_many_parts_come_back_all_of_it_is_money_once(parts: tuple[str, ...]) -> None:
    returns = [back("p", f"2025-04-{day:02}", amount=part) for day, part in enumerate(parts, 2)]
    books = played(AS_PAID, *BEFORE, topup("20", OWED), *returns)
    assert held(books) == {"paid": 120}
    assert not books.post(**back("p", "2025-05-01"), account="a").accepted, "all of it has come back"


def test_what_a_return_makes_owed_is_paid_for_too() -> None:
    cash_back = """
[[plugin]]
use = "points"
asset = "CNY"
[[plugin.rule]]
name = "back"
earn = "order.paid_outside * 0.1"
"""
    events = (
        {"type": "purchase", "id": "q", "amount": "100", "at": "2025-03-01"},
        buy("p", "10", "2025-03-02"),
        back("q", "2025-03-03"),
        topup("10", "2025-03-04"),
        back("p", "2025-03-05"),
    )
    assert held(played(AS_PAID + cash_back, *events)) == {"paid": 10}
    assert held(played(HEAD + cash_back, *events)) == {"earned": 10}


def test_a_cancelled_purchase_and_an_exchange_bring_it_back_so_too() -> None:
    cancelled = {"type": "purchase.cancelled", "purchase": "p", "at": "2025-04-02"}
    assert held(played(AS_PAID, *BEFORE, topup("20", OWED), cancelled)) == {"paid": 120}
    exchange = {"type": "purchase", "amount": "5", "at": "2025-04-02", "exchange": {"purchase": "p"}}
    assert held(played(AS_PAID, *BEFORE, topup("20", OWED), exchange)) == {"paid": 120}


def test_a_refund_of_the_balance_gives_it_back() -> None:
    for text, refunded in ((AS_PAID, "120.00"), (HEAD, "100.00")):
        asked = {"type": "refund.requested", "id": "r", "at": "2025-04-03"}
        books = played(text, *BEFORE, topup("20", OWED), back("p", "2025-04-02"), asked)
        [request] = [each for each in books.journal("a") if each.type == "refund.requested"]
        assert f'"_result":"{refunded}"' in request.effects.decode()


def test_outcome_and_explain_say_so(tmp_path: Path) -> None:
    with Engine.open(f"sqlite:///{tmp_path / 'books.db'}", create=True) as engine:
        engine.put_text_in_force(AS_PAID)
        for number, event in enumerate((*BEFORE, topup("20", OWED))):
            assert engine.post({"id": f"e{number}", "source": "t", "account": "a", **event}).accepted
        outcome = engine.post({"id": "r", "source": "t", "account": "a", **back("p", "2025-04-02")})
        assert outcome.memo["remembered"]["as_paid"] == "20.00 CNY"
        [found] = find_entry(engine, "t", "r")
        told = {posting.rule: posting.because for posting in explain_entry(engine, *found).postings}
        assert told["paid_for"] == "bonus that was owed once it was spent, and that money has paid for since"
        assert verify(engine).ok


def test_a_program_whose_money_is_never_owed_cannot_mean_it() -> None:
    with pytest.raises(ProgramError, match="repaid = 'as_paid' needs a currency that may be owed"):
        load_program('[program]\nname = "x"\ncurrency = "CNY"\n[[plugin]]\nuse = "refunds"\nrepaid = "as_paid"\n')


_steps = st.lists(
    st.tuples(
        st.integers(0, 25),
        st.sampled_from(["topup", "small", "buy", "buy", "back", "back", "let go", "other"]),
        st.integers(1, 9000),
    ),
    max_size=14,
)


@example(steps=[(0, "topup", 1), (1, "buy", 5000), (29, "small", 2000), (1, "back", 5000)])
@given(steps=_steps)
@examples(60, deadline=None)
def test_it_changes_kinds_alone_and_makes_no_more_money_than_was_paid(steps: list[tuple[int, str, int]]) -> None:
    one, other = Ledger(AS_PAID), Ledger(HEAD)
    calendar = one.registry.context.calendar
    first = calendar.day(calendar.parse("2025-01-01"))
    day, bought, events = 0, list[str](), list[dict[str, Any]]()
    for number, (pause, what, units) in enumerate(steps):
        day += pause
        at = calendar.iso(calendar.start_of(first + day) + (number + 1) * 60_000_000)
        amount = f"{units // 100}.{units % 100:02}"
        event = {
            "topup": topup("100", at),
            "small": topup(amount, at),
            "other": topup("200", at),
            "buy": buy(f"b{number}", amount, at),
            "let go": adjust(amount, at),
        }.get(what)
        if event is None:
            if not bought:
                continue
            event = back(bought[units % len(bought)], at, **({"amount": amount} if units % 3 else {}))
        event = {"id": f"e{number}", "source": "t", "account": "a", **event}
        events.append(event)
        outcome, twin = one.post(**event), other.post(**event)
        assert outcome.accepted == twin.accepted
        if what == "buy" and outcome.accepted:
            bought.append(f"b{number}")
    later = calendar.iso(calendar.start_of(first + day + 60))
    sums = [held_units(books, later) for books in (one, other)] if events else [(0, 0), (0, 0)]
    assert sums[0][0] == sums[1][0], "all together is the same"
    assert sums[0][1] >= sums[1][1], "and never less of it is money"
    postings = [posting for entry in one.journal("a") if entry.accepted for posting in entry.postings] if events else []
    assert sums[0][1] <= sum(posting.amount for posting in postings if posting.source == "cash")
    assert findings(AS_PAID, events) == ()


def held_units(books: Ledger, at: str) -> tuple[int, int]:
    lots = [lot for lot in books.view(account="a", at=at).lots if lot.asset == "CNY"]
    return sum(lot.remaining for lot in lots), sum(lot.remaining for lot in lots if lot.kind == "paid")
