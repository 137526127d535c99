"""Bonuses to keep on a condition: judged when the time is over, and explained before and after."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stampbook import ProgramError
from stampbook.engine import Engine
from stampbook.explaining import explain_entry
from stampbook.replay import find_entry
from stampbook.statements import statement
from stampbook.testing import Ledger
from stampbook.verifying import verify
from tests.effort import examples

if TYPE_CHECKING:
    from pathlib import Path

HEAD = """
[program]
name = "Tea House"
currency = "CNY"
time_zone = "Asia/Shanghai"
open_accounts = "on first event"
[assets.CNY]
debt = true
[assets.points]
[attributes]
card = "text"
[stacking]
topup = "best"
[metrics.visits]
count = true
window = "calendar month"
[metrics.spend]
sum = "order.net"
[metrics.refunds]
on = ["topup.returned"]
count = true
[[plugin]]
use = "refunds"
[plugin.topup_return]
[[plugin]]
use = "payouts"
packs = ["contract"]
refunds = "balance"
[[plugin]]
use = "stored_value"
"""
GIFT = """
[[plugin.bonus]]
name = "gift"
[plugin.bonus.keep]
within = "1 month"
when = "metric.visits >= 2"
[[plugin.bonus.bracket]]
from = "100"
gives = "20"
"""
OWED = GIFT.replace('>= 2"', '>= 2"\nspent = "debt"')
PLAIN = """
[[plugin.bonus]]
name = "plain"
[[plugin.bonus.bracket]]
from = "100"
gives = "10"
"""
AFTER = "2025-03-29T00:00"
"""The first instant at which a bonus of 28 February with a month's time is judged: 28 March was its last day."""


def shop(text: str = GIFT) -> Ledger:
    return Ledger(HEAD + text)


def topup(books: Ledger, amount: str = "100", at: str = "2025-02-28T10:00", **more: Any) -> Any:
    return books.post(type="topup", amount=amount, at=at, **more)


def visit(books: Ledger, at: str, amount: str = "1") -> None:
    books.post(type="purchase", amount=amount, at=at)


def reviews(books: Ledger) -> list[Any]:
    return [entry for entry in books.journal() if entry.type == "bonus.reviewed"]


def last_words(books: Ledger) -> dict[str, str]:
    import json

    kept = json.loads(reviews(books)[-1].effects)["memo"]["remembered"]
    return {name: text for name, text in kept.items() if not name.startswith("_")}


def test_a_bonus_stays_where_its_condition_holds_when_the_time_is_over() -> None:
    books = shop()
    topup(books)
    for day in ("05", "20"):
        visit(books, f"2025-03-{day}")
    assert books.balance("CNY", at="2025-12-31") == "120.00"
    books.tick("2025-04-30")
    assert last_words(books) == {"kept": "for 2 visits"}


def test_else_what_remains_of_it_is_taken_back_and_what_was_paid_never_is() -> None:
    books = shop()
    topup(books)
    books.post(type="spend", amount="5", at="2025-03-01")
    visit(books, "2025-03-05")
    assert books.balance("CNY", at="2025-03-28T23:59") == "115.00", "the last local day is the customer's"
    assert books.balance("CNY", at="2025-03-29T00:00") == "100.00", "15.00 go back, and 5.00 stay spent"
    books.tick("2025-03-29")
    assert [(posting.amount, posting.destination, posting.rule) for posting in reviews(books)[0].postings] == [
        (1500, "promotion", "stored_value.gift")
    ]
    assert last_words(books) == {
        "not_kept": "for want of 2 visits (1 visit so far)",
        "taken_back": "15.00 CNY",
        "let_go": "5.00 CNY, which was spent already",
    }
    assert books.owed("CNY") == "0.00"


def test_a_bonus_that_was_spent_moves_nothing_else() -> None:
    books = shop()
    topup(books)
    books.post(type="spend", amount="50", at="2025-03-01")
    assert books.balance("CNY", at=AFTER) == "70.00"


def test_what_was_spent_is_owed_where_the_program_says_so() -> None:
    books = shop(OWED)
    topup(books)
    books.post(type="spend", amount="5", at="2025-03-01")
    books.tick("2025-03-31")
    assert (books.balance("CNY"), books.owed("CNY")) == ("100.00", "5.00")
    assert last_words(books)["owed"] == "5.00 CNY, which was spent already"


def test_a_month_is_judged_by_its_last_instant_and_not_by_the_next_one() -> None:
    books = shop(GIFT.replace("1 month", "end of month"))
    topup(books, at="2025-03-03T10:00")
    visit(books, "2025-03-10")
    visit(books, "2025-03-31T23:30")
    assert books.balance("CNY", at="2025-04-01T00:00") == "120.00", "a metric of the calendar month is empty by then"


def test_of_a_lot_that_two_bonuses_share_no_more_is_taken_than_this_one_brought() -> None:
    books = shop(GIFT + PLAIN)
    topup(books)
    assert books.balance("CNY") == "130.00"
    assert books.balance("CNY", at=AFTER) == "110.00"
    books.post(type="spend", amount="25", at="2025-03-01")
    assert books.balance("CNY", at=AFTER) == "100.00", "what remains of the lot is 5.00"


def test_each_of_two_bonuses_of_one_lot_is_judged_by_itself() -> None:
    two = GIFT + GIFT.replace('"gift"', '"more"').replace("visits >= 2", "visits >= 1").replace("1 month", "60 days")
    books = shop(two)
    topup(books)
    assert books.balance("CNY", at="2025-03-28T12:00") == "140.00"
    assert books.balance("CNY", at=AFTER) == "120.00"
    visit(books, "2025-04-10")
    assert books.balance("CNY", at="2025-12-31") == "120.00"


def test_points_may_be_under_a_condition_too() -> None:
    books = shop(GIFT.replace('name = "gift"', 'name = "gift"\nasset = "points"\nkind = "earned"'))
    topup(books)
    books.post(type="adjust", asset="points", amount="7", kind="earned", reason="hello", at="2025-03-01")
    books.post(type="spend", asset="points", amount="10", at="2025-03-02")
    assert (books.balance("points"), books.balance("points", at=AFTER)) == ("17", "0")


def test_what_is_set_aside_is_taken_when_it_is_free_and_what_is_captured_was_spent() -> None:
    for text, owed in ((GIFT, "0.00"), (OWED, "8.00")):
        books = shop(text)
        topup(books)
        books.post(type="hold.authorised", id="h", amount="18", at="2025-03-28T10:00")
        assert books.tick("2025-03-29T00:00")
        assert books.balance("CNY") == "100.00", "the 2.00 that were free are gone"
        assert last_words(books)["set_aside"] == "18.00 CNY, taken back when that is free"
        books.post(type="hold.captured", hold="h", amount="8", at="2025-03-30T10:00", final=True)
        assert (books.balance("CNY"), books.owed("CNY")) == ("100.00", owed)
        books.tick("2025-06-30")
        assert len(reviews(books)) == 2


def test_a_hold_that_is_voided_gives_back_what_is_then_taken() -> None:
    books = shop(OWED)
    topup(books)
    books.post(type="hold.authorised", id="h", amount="30", at="2025-03-28T10:00")
    assert books.balance("CNY", at="2025-03-30") == "90.00"
    books.post(type="hold.voided", hold="h", at="2025-03-30T10:00")
    assert (books.balance("CNY"), books.owed("CNY")) == ("100.00", "0.00")


def test_a_lot_that_is_frozen_waits_as_what_is_set_aside_does() -> None:
    books = shop()
    topup(books)
    books.post(type="lots.frozen", lots=[2], reason="disputed", at="2025-03-01")
    books.tick("2025-04-10")
    books.post(type="lots.unfrozen", lots=[2], reason="settled", at="2025-04-11")
    assert books.balance("CNY") == "100.00"


def test_a_bonus_that_expires_before_is_neither_taken_nor_owed() -> None:
    books = shop(OWED.replace('name = "gift"', 'name = "gift"\nexpires = "10 days"'))
    topup(books)
    books.post(type="spend", amount="5", at="2025-03-01")
    books.tick("2025-04-30")
    assert (books.balance("CNY"), books.owed("CNY")) == ("100.00", "5.00"), "15.00 expired, and 5.00 were spent"


def test_of_a_top_up_that_goes_back_in_part_the_rest_of_the_bonus_stays_under_its_condition() -> None:
    books = shop(OWED)
    topup(books, id="t")
    books.post(type="topup.returned", about="t", amount="50", at="2025-03-05")
    assert books.balance("CNY") == "60.00"
    assert books.balance("CNY", at=AFTER) == "50.00"
    books.tick("2025-04-01")
    assert books.owed("CNY") == "0.00", "what went back with the money is not owed"


@pytest.mark.parametrize("kind", ["topup.returned", "topup.charged_back"])
@pytest.mark.parametrize("amount", ["50", None])
@pytest.mark.parametrize("spends", ["20", "15", "5"])
def test_what_a_top_up_that_goes_back_makes_owed_of_a_bonus_is_not_owed_again(
    kind: str, amount: str | None, spends: str
) -> None:
    spent = HEAD.replace('use = "refunds"', 'use = "refunds"\npoints_spent = "debt"\n[plugin.chargeback]', 1)
    books = Ledger(spent + OWED)
    topup(books, id="t")
    books.post(type="spend", amount=spends, at="2025-03-01")
    more = {} if amount is None else {"amount": amount}
    assert books.post(type=kind, about="t", at="2025-03-02", **more).accepted
    books.tick(AFTER)
    assert books.owed("CNY") == f"{spends}.00"


def test_what_was_kept_of_the_money_for_a_bonus_is_not_owed_too() -> None:
    books = Ledger(HEAD.replace("[plugin.topup_return]", '[plugin.topup_return]\nbonus_spent = "deduct"') + OWED)
    topup(books, id="t")
    books.post(type="spend", amount="20", at="2025-03-01")
    back = books.post(type="topup.returned", about="t", amount="50", at="2025-03-02")
    assert [posting.amount for posting in back.postings] == [4000, 1000]
    books.tick(AFTER)
    assert books.owed("CNY") == "10.00"


def test_what_was_spent_of_two_bonuses_is_owed_once_where_one_makes_the_other_good() -> None:
    books = shop(OWED)
    topup(books, id="t")
    topup(books, id="u", at="2025-02-28T11:00")
    books.post(type="spend", amount="20", at="2025-03-01")
    books.post(type="topup.returned", about="t", at="2025-03-02")
    assert books.balance("CNY") == "100.00"
    books.tick(AFTER)
    assert (books.balance("CNY"), books.owed("CNY")) == ("100.00", "20.00"), "the 20.00 that were spent"


@pytest.mark.parametrize("keep", [GIFT, OWED])
@pytest.mark.parametrize("spent", ["0", "20"])
def test_a_bonus_that_was_judged_is_not_taken_again_with_its_top_up(keep: str, spent: str) -> None:
    books = Ledger(HEAD.replace("[plugin.topup_return]", '[plugin.topup_return]\nbonus_spent = "deduct"') + keep)
    topup(books, id="t")
    if spent != "0":
        books.post(type="spend", amount=spent, at="2025-03-01")
    books.tick(AFTER)
    owed = books.owed("CNY")
    assert owed == ("20.00" if keep == OWED and spent == "20" else "0.00")
    back = books.post(type="topup.returned", about="t", at="2025-04-02")
    let_go = keep == GIFT and spent == "20"
    assert [posting.amount for posting in back.postings] == ([8000, 2000] if let_go else [10000])
    assert books.owed("CNY") == owed


def test_a_bonus_that_expired_is_not_kept_from_the_money_of_its_top_up() -> None:
    deducts = HEAD.replace("[plugin.topup_return]", '[plugin.topup_return]\nbonus_spent = "deduct"')
    books = Ledger(deducts + PLAIN.replace('name = "plain"', 'name = "plain"\nexpires = "10 days"'))
    topup(books, id="t")
    books.post(type="spend", amount="4", at="2025-03-01")
    half = books.post(type="topup.returned", about="t", amount="50", at="2025-04-02")
    rest = books.post(type="topup.returned", about="t", at="2025-04-03")
    assert [posting.amount for posting in half.postings] == [5000]
    assert [posting.amount for posting in rest.postings] == [4600, 400]


def test_a_condition_may_be_that_no_money_went_back() -> None:
    books = shop(GIFT.replace("visits >= 2", "refunds == 0"))
    topup(books, id="t")
    books.post(type="topup.returned", about="t", amount="50", at="2025-03-05")
    books.tick("2025-04-01")
    assert books.balance("CNY") == "50.00"
    assert last_words(books)["not_kept"] == "for want of no refunds (1 refund so far)"


def test_a_refund_of_the_balance_settles_the_bonus_with_it() -> None:
    books = shop(OWED)
    topup(books)
    books.post(type="spend", amount="30", at="2025-03-01")
    books.post(type="refund.requested", id="r", at="2025-03-02")
    books.post(type="refund.approved", about="r", at="2025-03-02")
    assert books.post(type="refund.paid", about="r", at="2025-03-02").accepted
    books.tick("2025-04-30")
    assert (books.owed("CNY"), reviews(books)) == ("0.00", [])


def test_a_bonus_that_lost_in_its_group_is_judged_by_nobody() -> None:
    grouped = GIFT.replace('name = "gift"', 'name = "gift"\ngroup = "topup"')
    books = shop(grouped + grouped.replace('"gift"', '"more"').replace('"20"', '"50"'))
    topup(books)
    books.tick("2025-06-30")
    pledged = [entry for entry in books.journal() if entry.type == "bonus.pledged"]
    assert (len(pledged), len(reviews(books)), books.balance("CNY")) == (1, 1, "100.00")


def test_a_bonus_that_repaid_a_debt_was_spent() -> None:
    books = shop(OWED.replace('"20"', '"300"'))
    topup(books)
    books.post(type="spend", amount="400", at="2025-03-01")
    topup(books, at="2025-04-05T10:00")
    assert (books.balance("CNY"), books.owed("CNY")) == ("100.00", "0.00"), "300.00 were owed since March"
    books.tick("2025-06-30")
    assert (books.balance("CNY"), books.owed("CNY")) == ("100.00", "300.00"), "and are again"


def test_a_late_top_up_is_judged_at_its_own_time() -> None:
    books = shop()
    books.post(type="account.opened", at="2025-01-01")
    for day in ("05", "20"):
        visit(books, f"2025-03-{day}")
    books.post(type="account.described", attributes={"card": "x"}, at="2025-06-01")
    topup(books)
    assert books.balance("CNY", at="2025-06-30") == "120.00"
    topup(books, at="2025-04-01")
    assert books.balance("CNY", at="2025-06-30") == "220.00", "in April nobody came"


def test_a_program_without_the_condition_lets_the_bonus_stay(tmp_path: Path) -> None:
    with Engine.open(f"sqlite:///{tmp_path}/a.db", create=True) as engine:
        engine.put_text_in_force(HEAD + GIFT)
        engine.post({"type": "topup", "id": "t", "account": "a", "amount": "100", "at": "2025-02-28T10:00"})
        engine.put_text_in_force(HEAD + PLAIN, effective_from=1_741_600_000_000_000)
        list(engine.tick())
        assert statement(engine, "a").account.holdings[0].total.text == "120.00"
        assert verify(engine).findings == ()


def test_statement_and_explain_say_it_before_and_after(tmp_path: Path) -> None:
    with Engine.open(f"sqlite:///{tmp_path}/a.db", create=True, clock=lambda: 1_743_000_000_000_000) as engine:
        engine.put_text_in_force(HEAD + GIFT)
        engine.post({"type": "topup", "id": "t", "account": "a", "amount": "100", "at": "2025-02-28T10:00"})
        engine.post({"type": "purchase", "id": "v", "account": "a", "amount": "1", "at": "2025-03-02T10:00"})
        before = statement(engine, "a")
        assert [str(each) for each in before.account.progress] == [
            "20.00 CNY of gift is yours to keep after 2 visits until 2025-03-28 (1 visit so far)"
        ]
        assert [line.words for line in before.lines if line.type == "bonus.pledged"] == [
            "bonus pledged of 20.00 CNY: gift, to keep after 2 visits until 2025-03-28"
        ]
        list(engine.tick(1_744_000_000_000_000))
        after = statement(engine, "a", as_of=1_744_000_000_000_000, until=1_744_000_000_000_000)
        assert after.account.progress == ()
        line = after.lines[-1]
        assert line.words == (
            "bonus reviewed: gift; not kept for want of 2 visits (1 visit so far); taken back 20.00 CNY"
        )
        reason = explain_entry(engine, *find_entry(engine, None, line.event)[0])
        assert [(str(each.amount), each.rule) for each in reason.postings] == [("20.00 CNY", "stored_value.gift")]
        assert reason.postings[0].because
        assert verify(engine).findings == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GIFT.replace("metric.visits >= 2", "event.amount > 2"), "event.amount is not known then"),
        (GIFT.replace("metric.visits", "metric.visit"), "visit"),
        (GIFT.replace('within = "1 month"\n', ""), "within"),
        (GIFT.replace("1 month", "a while"), "is not a period"),
        (GIFT.replace('name = "gift"', 'name = "gift"\n[plugin.bonus.instalments]\ncount = 2'), "leave out keep"),
        (OWED.replace('name = "gift"', 'name = "gift"\nasset = "points"'), "[assets.points] debt = true"),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, said: str) -> None:
    with pytest.raises(ProgramError, match=r"program:\d+: plugin\[3\].*") as error:
        shop(text)
    assert said in str(error.value)


Step = tuple[int, str, int]
_steps = st.lists(
    st.tuples(
        st.integers(0, 20),
        st.sampled_from(["topup", "topup", "visit", "spend", "hold", "void", "capture", "back"]),
        st.integers(1, 9000),
    ),
    max_size=14,
)


def played(steps: list[Step], ticks: frozenset[int], text: str) -> tuple[Ledger, int]:
    """Play steps some days apart, with a tick on days of its own; return the books and the last day."""
    books = shop(text)
    books.post(type="account.opened", at="2025-01-01")
    calendar = books.registry.context.calendar
    first = calendar.day(calendar.parse("2025-01-01"))
    number = day = 0
    tick_days = sorted(ticks)
    names: dict[str, list[str]] = {"topup": [], "hold": []}
    for pause, what, units in steps:
        day, number = day + pause, number + 1
        while tick_days and tick_days[0] <= day:
            books.tick(calendar.iso(calendar.start_of(first + tick_days.pop(0))))
        at = calendar.iso(calendar.start_of(first + day) + (number + 1) * 60_000_000)
        name, amount = f"e{number}", f"{units // 100}.{units % 100:02d}"
        fields: dict[str, Any] = {
            "topup": {"type": "topup", "amount": f"{100 + units // 100}.00"},
            "visit": {"type": "purchase", "amount": "1"},
            "spend": {"type": "spend", "amount": amount},
            "hold": {"type": "hold.authorised", "amount": amount},
        }.get(what, {})
        if what in {"void", "capture"} and names["hold"]:
            hold = names["hold"][units % len(names["hold"])]
            fields = {"type": "hold.voided", "hold": hold}
            if what == "capture":
                fields = {"type": "hold.captured", "hold": hold, "amount": amount, "final": True}
        elif what == "back" and names["topup"]:
            fields = {"type": "topup.returned", "about": names["topup"][units % len(names["topup"])]}
        if fields:
            books.post(id=name, at=at, **fields)
            names.setdefault(what, []).append(name)
    return books, first + day + 200


@example(
    steps=[(0, "topup", 1), (28, "hold", 500), (9, "void", 0), (1, "spend", 100)], ticks=frozenset({31, 33}), owed=True
)
@given(steps=_steps, ticks=st.frozensets(st.integers(0, 300), max_size=6), owed=st.booleans())
@examples(60, deadline=None)
def test_ticks_often_or_never_are_the_same_and_value_is_conserved(
    steps: list[Step],
    ticks: frozenset[int],
    owed: bool,  # noqa: FBT001 - drawn by name
) -> None:
    text = (OWED if owed else GIFT) + PLAIN
    found = []
    for when in (ticks, frozenset[int]()):
        books, last = played(steps, when, text)
        calendar = books.registry.context.calendar
        books.tick(calendar.iso(calendar.start_of(last)))
        lots: dict[int, int] = {}
        kinds: dict[int, str] = {}
        for lot in books.view(at=calendar.iso(calendar.start_of(last))).lots:
            kinds[lot.number] = lot.kind
        granted = 0
        taken: dict[str, int] = {}
        for entry in books.journal():
            for _, amount, source, destination, rule in entry.postings:
                for end, sign in ((source, -1), (destination, 1)):
                    if isinstance(end, int):
                        lots[end] = lots.get(end, 0) + sign * amount
                if rule == "stored_value.gift" and entry.type == "topup":
                    granted += amount
                if entry.type == "bonus.reviewed":
                    taken[rule] = taken.get(rule, 0) + amount
                    assert destination == "promotion", "what is taken back, or owed, is the promotion's again"
                    assert kinds.get(source if isinstance(source, int) else 0, "bonus") in {"bonus", "debt"}
        assert taken.get("stored_value.gift", 0) <= granted, "never more than was given"
        view = books.view(at=calendar.iso(calendar.start_of(last)))
        assert {lot.number: lot.remaining for lot in view.lots} == {number: n for number, n in lots.items() if n}
        found.append(
            sorted(
                (lot.asset, lot.kind, lot.remaining, lot.held, lot.effective_at, lot.expires_at) for lot in view.lots
            )
        )
    assert found[0] == found[1]
