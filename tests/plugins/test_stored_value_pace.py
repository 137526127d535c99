"""How fast stored value is spent, what is taken for the same spend, low balances, and top-ups that are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stampbook import ProgramError
from stampbook.engine import Engine
from stampbook.testing import Ledger, check_plugin
from stampbook.verifying import verify
from stampbook_stored_value import StoredValue
from stampbook_stored_value.velocity import Pace, Spent

if TYPE_CHECKING:
    from pathlib import Path

HEAD = """
[program]
name = "Card"
currency = "GBP"
time_zone = "Europe/London"
open_accounts = "on first event"
[assets.points]
[attributes]
auto = "text"
[[plugin]]
use = "stored_value"
"""
LOW = '[[plugin.low]]\nbelow = "20"\n'
AUTOMATIC = """
[[plugin.automatic]]
below = "10"
amount = "50"
when = "account.auto == 'yes'"
per_month = 2
"""


def ledger(options: str) -> Ledger:
    books = Ledger(HEAD + options)
    books.post(type="topup", amount="1000.00", at="2025-03-01T08:00")
    return books


def codes(outcome: Any) -> list[str]:
    return [objection.code for objection in outcome.objections]


def kinds(books: Ledger) -> list[str]:
    return [entry.type for entry in books.journal() if entry.type.startswith(("balance", "topup."))]


def spend(books: Ledger, amount: str, clock: str, **fields: Any) -> Any:
    return books.post(type="spend", amount=amount, at=f"2025-03-01T{clock}", **fields)


def test_so_many_spends_within_a_time_and_no_more() -> None:
    books = ledger('[[plugin.velocity]]\nwithin = "10 minutes"\ncount = 2\n')
    assert spend(books, "1.00", "10:00").accepted
    assert spend(books, "1.00", "10:05").accepted
    refused = spend(books, "1.00", "10:09:59")
    assert [each.message for each in refused.objections] == [
        "this would be too much in the 10 minutes up to 2025-03-01 10:09:59, in which there may be 2 spends"
    ]
    assert spend(books, "1.00", "10:10").accepted, "the first is over"


def test_so_much_within_a_time_whatever_way_it_is_spent() -> None:
    books = ledger('[[plugin.velocity]]\nwithin = "1 day"\namount = "100"\n')
    paid = [{"kind": "stored_value", "amount": "40.00"}, {"kind": "cash", "amount": "60.00"}]
    assert books.post(type="purchase", amount="100.00", tenders=paid, at="2025-03-01T10:00").accepted
    assert books.post(type="hold.authorised", id="h", amount="50.00", at="2025-03-01T11:00").accepted
    assert books.post(type="hold.captured", hold="h", amount="50.00", at="2025-03-01T11:30").accepted, "counted before"
    assert codes(spend(books, "10.01", "12:00")) == ["spend_velocity"]
    assert spend(books, "10.00", "12:00").accepted
    assert books.post(type="purchase", amount="500.00", at="2025-03-01T13:00").accepted, "paid with other money"


def test_a_hold_that_is_raised_counts_by_how_much() -> None:
    books = ledger('[[plugin.velocity]]\nwithin = "1 day"\namount = "100"\n')
    assert books.post(type="hold.authorised", id="h", amount="60.00", at="2025-03-01T11:00").accepted
    assert codes(books.post(type="hold.changed", hold="h", amount="100.01", at="2025-03-01T11:10")) == [
        "spend_velocity"
    ]
    assert books.post(type="hold.changed", hold="h", amount="100.00", at="2025-03-01T11:10").accepted


def test_a_spend_that_is_told_late_counts_where_it_belongs() -> None:
    books = ledger('[[plugin.velocity]]\nwithin = "10 minutes"\ncount = 2\n')
    for clock in ("10:08", "10:15"):
        assert spend(books, "1.00", clock).accepted
    assert codes(spend(books, "1.00", "10:06")) == ["spend_velocity"], "three in the ten minutes up to 10:15"
    assert spend(books, "1.00", "10:05").accepted


@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(1, 9)), max_size=12),
    st.integers(1, 20),
    st.integers(1, 4),
    st.integers(5, 30),
)
def test_no_stretch_of_time_ever_has_too_much(
    spends: list[tuple[int, int]], within: int, count: int, amount: int
) -> None:
    pace, kept = Pace(within, count, amount), list[Spent]()
    for number, (at, units) in enumerate(spends):
        new = Spent(at, units, "", str(number))
        if pace.broken_at(kept, new) is None:
            kept.append(new)
    for start in range(-within, 61):
        inside = [spent for spent in kept if start < spent.at <= start + within]
        assert len(inside) <= count
        assert sum(spent.amount for spent in inside) <= amount


REPEAT = '[plugin.repeat]\nwithin = "30 seconds"\n'


def test_a_second_press_of_the_button_is_refused_and_an_id_of_its_own_is_believed() -> None:
    books = ledger(REPEAT)
    assert spend(books, "5.00", "10:00:00", store="S1", id="cli-1").accepted
    again = spend(books, "5.00", "10:00:04", store="S1", id="cli-2")
    [(code, told, _)] = again.objections
    assert code == "repeated_spend"
    assert told.startswith("5.00 GBP was spent at S1 4 seconds before, as cli-1; ")
    assert told.endswith("if this is another one, send it with an id of its own")
    assert spend(books, "5.00", "10:00:05", store="S1", id="second-coffee").accepted
    assert spend(books, "5.00", "10:00:06", store="S2", id="cli-3").accepted, "another store"
    assert spend(books, "5.01", "10:00:06", store="S1", id="cli-4").accepted, "another amount"
    assert spend(books, "5.00", "10:00:35", store="S1", id="cli-5").accepted, "30 seconds later"


def test_where_no_id_is_believed_every_repeat_is_refused() -> None:
    books = ledger(f"{REPEAT}made_ids = []\n")
    assert spend(books, "5.00", "10:00:00", id="a").accepted
    assert codes(spend(books, "5.00", "10:00:29", id="b")) == ["repeated_spend"]


def test_a_low_balance_is_told_once_each_time_that_it_falls() -> None:
    books = ledger(LOW)
    spend(books, "980.00", "10:00")
    assert kinds(books) == ["balance.recovered"], "20.00 is not below 20.00"
    spend(books, "0.01", "10:01")
    spend(books, "1.00", "10:02")
    assert kinds(books) == ["balance.recovered", "balance.low"]
    books.post(type="topup", amount="50.00", at="2025-03-01T11:00")
    spend(books, "50.00", "12:00")
    assert kinds(books) == ["balance.recovered", "balance.low"] * 2


def test_rules_react_to_a_low_balance_and_it_ends() -> None:
    rule = '[[plugin]]\nuse = "points"\n[[plugin.rule]]\nname = "nudge"\non = ["balance.low"]\nearn = "5"\n'
    books = ledger(LOW + rule)
    spend(books, "990.00", "10:00")
    assert books.balance("points") == "5"


def test_what_may_be_spent_later_ends_a_low_balance_when_it_may_be() -> None:
    gift = """
[[plugin]]
use = "points"
asset = "GBP"
[[plugin.rule]]
name = "gift"
on = ["topup"]
earn = "30"
pending = "1 day"
"""
    books = Ledger(HEAD + LOW + gift)
    books.post(type="topup", amount="5.00", at="2025-03-01T10:00")
    assert kinds(books) == []
    books.tick("2025-03-10")
    assert kinds(books) == ["balance.recovered"]
    assert books.journal()[-1].at == books.registry.context.calendar.parse("2025-03-03T00:00")


def test_a_top_up_is_asked_for_once_until_it_is_answered() -> None:
    books = ledger(AUTOMATIC)
    spend(books, "995.00", "10:00")
    assert kinds(books) == [], "this account does not want it"
    books.post(type="account.described", attributes={"auto": "yes"}, at="2025-03-01T10:10")
    assert kinds(books) == ["topup.requested"]
    spend(books, "1.00", "10:20")
    assert kinds(books) == ["topup.requested"], "one is open"
    books.post(type="topup", amount="50.00", at="2025-03-01T10:30")
    spend(books, "50.00", "11:00")
    assert kinds(books) == ["topup.requested"], "one a day"
    books.tick("2025-03-02T00:00")
    assert kinds(books) == ["topup.requested"] * 2
    books.post(type="topup.declined", reason="card expired", at="2025-03-02T09:00")
    books.tick("2025-03-31")
    assert kinds(books)[-1] == "topup.declined", "two a month"
    books.tick("2025-04-01T00:00")
    assert kinds(books)[-1] == "topup.requested"


def test_a_request_that_nobody_answers_lapses_and_the_guard_still_counts_it() -> None:
    books = ledger(AUTOMATIC.replace("per_month = 2", 'per_month = 9\nper_day = 3\nopen_for = "10 hours"'))
    books.post(type="account.described", attributes={"auto": "yes"}, at="2025-03-01T09:00")
    spend(books, "995.00", "10:00")
    books.tick("2025-03-03T00:00")
    asked = [entry.at for entry in books.journal() if entry.type == "topup.requested"]
    parse = books.registry.context.calendar.parse
    assert asked == [parse(f"2025-03-{at}") for at in ("01T10:00", "01T20:00", "02T06:00", "02T16:00")]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 40), st.sampled_from(["topup", "spend"]), st.sampled_from(["5.00", "30.00"])),
        max_size=8,
    ),
    st.lists(st.integers(0, 300), max_size=5),
)
def test_ticks_often_seldom_or_never_tell_the_same(steps: list[tuple[int, str, str]], ticks: list[int]) -> None:
    def run(when: list[int]) -> list[tuple[str, int]]:
        books = Ledger(HEAD + LOW + AUTOMATIC)
        calendar = books.registry.context.calendar
        start = calendar.parse("2025-03-01T08:00")
        books.post(type="account.opened", attributes={"auto": "yes"}, at="2025-03-01T08:00")
        at, events = 0, list[tuple[int, str, str]]()
        for hours, kind, amount in steps:
            at += hours
            events.append((at, kind, amount))
        for hour, kind, amount in sorted([*events, *((hour, "tick", "") for hour in when), (1000, "tick", "")]):
            instant = calendar.iso(start + hour * 3_600_000_000)
            if kind == "tick":
                books.tick(instant)
            else:
                books.post(type=kind, amount=amount, at=instant)
        return [(entry.type, entry.at) for entry in books.journal() if entry.accepted]

    assert run(ticks) == run([])


def test_the_books_prove_themselves(tmp_path: Path) -> None:
    with Engine.open(f"sqlite:///{tmp_path}/books.db", create=True) as engine:
        engine.put_text_in_force(HEAD + LOW + AUTOMATIC + REPEAT + '[[plugin.velocity]]\nwithin = "1 day"\ncount = 3\n')
        engine.post(
            {"type": "account.opened", "id": "o", "account": "a", "at": "2025-03-01", "attributes": {"auto": "yes"}}
        )
        for number in range(6):
            what = {"type": "topup", "amount": "30.00"} if number % 3 == 0 else {"type": "spend", "amount": "14.00"}
            engine.post({**what, "id": str(number), "account": "a", "at": f"2025-03-0{number + 1}T10:00"})
        list(engine.tick())
        assert not list(verify(engine).findings)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ('[[plugin.velocity]]\nwithin = "10 minutes"\n', "count = 3"),
        ('[[plugin.velocity]]\nwithin = "10 fortnights"\ncount = 1\n', "is no duration such as '30 seconds'"),
        ('[[plugin.velocity]]\nwithin = "30 days"\ncount = 1\n', "between 1 second and 7 days"),
        ('[[plugin.velocity]]\nwithin = "1 day"\namount = "0.001"\n', "amount"),
        ('[[plugin.low]]\nbelow = "20"\ncurrency = "EUR"\n', "EUR"),
        (AUTOMATIC.replace("account.auto == 'yes'", "event.amount > 5"), "event.amount is not known then"),
    ],
)
def test_a_mistake_is_told_with_its_place(options: str, said: str) -> None:
    with pytest.raises(ProgramError, match=r"program:\d+: plugin\[1\].*") as error:
        Ledger(HEAD + options)
    assert said in str(error.value)


def test_it_keeps_the_contract() -> None:
    limits = [{"within": "1 day", "count": 20}]
    options = {
        "velocity": limits,
        "repeat": {"within": "5 seconds"},
        "low": [{"below": "5"}],
        "automatic": [{"below": "2", "amount": "10"}],
    }
    check_plugin(StoredValue, options)
