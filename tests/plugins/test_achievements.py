from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from stampbook import Fact, ProgramError
from stampbook.engine import Engine
from stampbook.explaining import explain_entry
from stampbook.replay import entries_of, fold
from stampbook.statements import statement
from stampbook.testing import Ledger, check_plugin
from stampbook.verifying import verify
from stampbook_achievements import Achievements

HEAD = """
[program]
name = "Stamps"
currency = "GBP"
time_zone = "{zone}"
open_accounts = "on first event"
[assets.stamps]
[assets.points]
[events.profile_completed]
[events.feedback_given]
[metrics.visits]
count = true
window = "{window}"
[metrics.profiles]
on = ["profile_completed"]
count = true
[metrics.feedback]
on = ["feedback_given"]
count = true
window = "calendar year"
[metrics.categories]
per = "line"
distinct = "line.category"
[metrics.stores]
distinct = "order.store"
window = "7 days"
[metrics.cups]
per = "line"
when = "line.category == 'coffee'"
sum = "line.quantity"
decimals = 0
[[plugin]]
use = "refunds"
[[plugin]]
use = "achievements"
name = "a"
asset = "stamps"
{table}
[[plugin.achievement]]
name = "it"
grants = "1"
"""

_NUMBERS = count(1)


def shop(options: str, *, window: str = "lifetime", zone: str = "UTC", table: str = "", more: str = "") -> Ledger:
    return Ledger(HEAD.format(window=window, zone=zone, table=table) + options + more)


def buy(ledger: Ledger, at: str, **fields: Any) -> str:
    id_ = f"p{next(_NUMBERS)}"
    full = fields if "lines" in fields else {"amount": "2.00", **fields}
    assert ledger.post(type="purchase", id=id_, at=at, **full).status == "accepted"
    return id_


def bring_back(ledger: Ledger, purchase: str, at: str, **fields: Any) -> None:
    assert ledger.post(type="return", purchase=purchase, at=at, **fields).status == "accepted"


def earned(ledger: Ledger) -> tuple[str, str]:
    return ledger.fact("a.it"), ledger.balance("stamps")


EVERY_THIRD = "metric = 'visits'\ngoal = '3'\nrepeat = 'every time'\n"


def test_it_is_granted_at_each_crossing_and_not_between() -> None:
    ledger = shop(EVERY_THIRD)
    balances = []
    for day in range(1, 8):
        buy(ledger, f"2025-03-0{day}")
        balances.append(ledger.balance("stamps"))
    assert balances == ["0", "0", "1", "1", "1", "2", "2"]
    assert ledger.fact("a.it") == "2"


def test_once_is_once_for_ever() -> None:
    ledger = shop("metric = 'visits'\ngoal = '2'\n")
    for day in range(1, 8):
        buy(ledger, f"2025-03-0{day}")
    assert earned(ledger) == ("1", "1")


def test_no_more_often_than_the_program_says() -> None:
    ledger = shop("metric = 'visits'\ngoal = '2'\nrepeat = 'every time'\nmost = 2\n")
    for day in range(1, 10):
        buy(ledger, f"2025-03-0{day}")
    assert earned(ledger) == ("2", "2")


def test_any_purchase_that_counted_undoes_it_when_it_comes_back() -> None:
    ledger = shop(EVERY_THIRD)
    first = buy(ledger, "2025-03-01")
    buy(ledger, "2025-03-02")
    buy(ledger, "2025-03-03")
    assert earned(ledger) == ("1", "1")
    bring_back(ledger, first, "2025-03-04", amount="1.00")
    assert earned(ledger) == ("1", "1")  # half of it came back: it is a visit still
    bring_back(ledger, first, "2025-03-05")
    assert earned(ledger) == ("0", "0")
    buy(ledger, "2025-03-06")
    assert earned(ledger) == ("1", "1")


def test_what_was_spent_is_not_granted_twice() -> None:
    ledger = shop(EVERY_THIRD)
    for day in (1, 2):
        buy(ledger, f"2025-03-0{day}")
    for day in range(3, 9):
        third = buy(ledger, f"2025-03-0{day}T10:00")
        if day == 3:
            ledger.post(type="spend", asset="stamps", amount="1", at="2025-03-03T10:01")
        bring_back(ledger, third, f"2025-03-0{day}T11:00")
        assert earned(ledger) == ("1, 1 ahead", "0")
    for day in range(10, 14):
        buy(ledger, f"2025-03-{day}")
    assert earned(ledger) == ("2", "1")  # the sixth visit


def test_what_a_program_lets_keep_is_made_up_for() -> None:
    ledger = shop(EVERY_THIRD + "on_return = 'keep'\n")
    bought = [buy(ledger, f"2025-03-0{day}") for day in (1, 2, 3)]
    bring_back(ledger, bought[1], "2025-03-04")
    assert earned(ledger) == ("1, 1 ahead", "1")
    buy(ledger, "2025-03-05")
    assert earned(ledger) == ("1", "1")


def test_the_table_says_what_a_return_does_unless_the_achievement_does() -> None:
    for options, left in (("", "1"), ("on_return = 'take back'\n", "0")):
        ledger = shop(EVERY_THIRD + options, table="on_return = 'keep'")
        bought = [buy(ledger, f"2025-03-0{day}") for day in (1, 2, 3)]
        bring_back(ledger, bought[0], "2025-03-04")
        assert ledger.balance("stamps") == left


def test_other_points_of_the_account_are_taken_within_what_is_there() -> None:
    ledger = shop("metric = 'visits'\ngoal = '1'\nrepeat = 'every time'\n")
    first = buy(ledger, "2025-03-01")
    buy(ledger, "2025-03-02")
    ledger.post(type="spend", asset="stamps", amount="1", at="2025-03-03")
    bring_back(ledger, first, "2025-03-04")
    assert earned(ledger) == ("1", "0")


def test_a_line_that_comes_back_undoes_what_it_counted() -> None:
    ledger = shop("metric = 'cups'\ngoal = '2'\nrepeat = 'every time'\n")
    lines = [{"sku": "latte", "category": "coffee", "quantity": 2, "amount": "6"}, {"sku": "beans", "amount": "90"}]
    basket = buy(ledger, "2025-03-01", lines=lines)
    bring_back(ledger, basket, "2025-03-02", lines=[{"sku": "beans"}])
    assert earned(ledger) == ("1", "1")
    bring_back(ledger, basket, "2025-03-03", lines=[{"sku": "latte", "quantity": 1}])
    assert earned(ledger) == ("0", "0")


def test_within_a_rolling_window_what_was_used_does_not_count_again() -> None:
    ledger = shop("metric = 'visits'\ngoal = '3'\nwindow = '7 days'\nrepeat = 'every time'\n")
    for day in (1, 6, 8):  # the first is out of the window on the eighth
        buy(ledger, f"2025-03-0{day}")
    assert ledger.balance("stamps") == "0"
    buy(ledger, "2025-03-09")  # 6, 8, 9
    assert ledger.balance("stamps") == "1"
    for day in (10, 11):
        buy(ledger, f"2025-03-{day}")
    assert ledger.balance("stamps") == "1"
    buy(ledger, "2025-03-12")  # 10, 11, 12
    assert ledger.balance("stamps") == "2"


def test_once_a_window_is_once_in_each_month() -> None:
    ledger = shop("metric = 'visits'\ngoal = '2'\nrepeat = 'once a window'\n", window="calendar month")
    for day in ("03-01", "03-31", "03-31", "03-31", "04-01", "04-30"):
        buy(ledger, f"2025-{day}")
    assert earned(ledger) == ("2", "2")


def test_a_late_event_fills_its_own_month() -> None:
    ledger = shop("metric = 'visits'\ngoal = '2'\nrepeat = 'once a window'\n", window="calendar month")
    buy(ledger, "2025-03-01")
    buy(ledger, "2025-04-01")
    assert earned(ledger) == ("", "0")
    buy(ledger, "2025-03-31")
    assert earned(ledger) == ("1", "1")


def test_a_day_counts_once_where_the_program_says_so() -> None:
    ledger = shop(EVERY_THIRD + "once_a_day = true\n")
    for at in ("03-01T10:00", "03-01T11:00", "03-01T12:00", "03-02"):
        buy(ledger, f"2025-{at}")
    assert ledger.balance("stamps") == "0"
    buy(ledger, "2025-03-03")
    assert ledger.balance("stamps") == "1"


WEEKS = "metric = 'visits'\ngoal = '3'\nin_a_row = 'weeks'\nrepeat = 'every time'\n"


@pytest.mark.parametrize(
    ("days", "balance"),
    [
        (("2024-12-22", "2024-12-23", "2024-12-30"), "1"),  # Sunday, Monday, Monday: three weeks
        (("2024-12-23", "2024-12-29", "2024-12-30"), "0"),  # two of them in one week
        (("2020-12-27", "2020-12-31", "2021-01-04"), "1"),  # a year of 53 weeks
        (("2024-12-20", "2025-01-03", "2025-01-10"), "0"),  # a gap at Christmas
        (("2025-01-20", "2025-01-06", "2025-01-13"), "1"),  # learned late
        (("2025-01-06", "2025-01-13", "2025-01-20", "2025-01-27", "2025-02-03", "2025-02-10"), "2"),
    ],
)
def test_weeks_in_a_row(days: tuple[str, ...], balance: str) -> None:
    ledger = shop(WEEKS)
    for day in days:
        buy(ledger, f"{day}T12:00")
    assert ledger.balance("stamps") == balance


@pytest.mark.parametrize("back", ["2025-01-06", "2025-01-13", "2025-01-20"])
def test_a_return_of_any_week_of_a_row_undoes_it_and_another_purchase_of_that_week_makes_it_good(back: str) -> None:
    ledger = shop(WEEKS)
    for day in ("2025-01-06", "2025-01-13", "2025-01-20"):
        ledger.post(type="purchase", id=day, amount="5.00", at=f"{day}T12:00")
    assert ledger.balance("stamps") == "1"
    ledger.post(type="return", purchase=back, at="2025-01-21T12:00")
    assert ledger.balance("stamps") == "0"
    buy(ledger, f"{back}T15:00")
    assert ledger.balance("stamps") == "1"


@pytest.mark.parametrize(("starts", "balance"), [("monday", "0"), ("sunday", "1")])
def test_a_week_starts_when_the_program_says(starts: str, balance: str) -> None:
    ledger = shop(WEEKS + f"week_starts = '{starts}'\n")
    for day in ("2025-03-01", "2025-03-02", "2025-03-09"):  # Saturday, Sunday, Sunday
        buy(ledger, day)
    assert ledger.balance("stamps") == balance


@pytest.mark.parametrize(("zone", "balance"), [("Pacific/Auckland", "1"), ("America/Los_Angeles", "0")])
def test_days_are_local(zone: str, balance: str) -> None:
    ledger = shop("metric = 'visits'\ngoal = '2'\nin_a_row = 'days'\n", zone=zone)
    buy(ledger, "2025-04-05T09:00:00Z")  # the clocks change in Auckland on the sixth
    buy(ledger, "2025-04-05T13:00:00Z")
    assert ledger.balance("stamps") == balance


def test_each_period_of_a_row_may_need_more() -> None:
    ledger = shop("metric = 'visits'\ngoal = '2'\nin_a_row = 'months'\neach = '2'\n")
    for day in ("2024-12-01", "2024-12-31", "2025-01-01"):
        buy(ledger, day)
    assert ledger.balance("stamps") == "0"
    last = buy(ledger, "2025-01-31")
    assert ledger.balance("stamps") == "1"
    bring_back(ledger, last, "2025-02-01")
    assert ledger.balance("stamps") == "0"


def test_different_categories_count_once_each() -> None:
    ledger = shop("metric = 'categories'\ngoal = '3'\n")
    for number, names in enumerate((("tea", "tea"), ("tea", "jam"), ("jam", ""))):
        lines = [{"sku": name or "x", "category": name, "amount": "1"} for name in names]
        buy(ledger, f"2025-03-0{number + 1}", lines=lines)
    assert (earned(ledger), ledger.view().metric("categories")) == (("", "0"), 2)
    basket = buy(ledger, "2025-03-05", lines=[{"sku": "ham", "category": "ham", "amount": "1"}])
    assert (earned(ledger), ledger.view().metric("categories")) == (("1", "1"), 3)
    bring_back(ledger, basket, "2025-03-06")
    assert (earned(ledger), ledger.view().metric("categories")) == (("0", "0"), 2)


def test_different_stores_within_a_window() -> None:
    ledger = shop("metric = 'stores'\ngoal = '2'\nrepeat = 'every time'\n")
    for day, store in (("01", "north"), ("08", "south"), ("09", "south"), ("10", "north"), ("10", "east")):
        buy(ledger, f"2025-03-{day}", store=store)
    assert earned(ledger) == ("1", "1")
    assert ledger.view().metric("stores") == 3


def test_a_metric_of_different_values_can_be_read_by_rules() -> None:
    rule = "\n[[plugin]]\nuse = 'points'\n[[plugin.rule]]\nname = 'r'\nwhen = 'metric.categories >= 2'\nearn = '5'\n"
    ledger = shop("metric = 'categories'\ngoal = '9'\n", more=rule)
    for day, name in enumerate(("tea", "jam", "jam"), 1):
        buy(ledger, f"2025-03-0{day}", lines=[{"sku": name, "category": name, "amount": "1"}])
    assert ledger.balance("points") == "5"


def test_only_days_from_and_until_count() -> None:
    ledger = shop(EVERY_THIRD + "from = '2025-03-02'\nuntil = '2025-03-04'\n")
    for day in (1, 2, 3):
        buy(ledger, f"2025-03-0{day}")
    assert ledger.balance("stamps") == "0"
    buy(ledger, "2025-03-04T23:59")
    for day in (5, 6, 7):
        buy(ledger, f"2025-03-0{day}")
    assert ledger.balance("stamps") == "1"


def test_a_completed_profile_is_rewarded_once_and_feedback_once_a_year() -> None:
    ledger = shop("metric = 'profiles'\ngoal = '1'\n")
    for day in (1, 2):
        ledger.post(type="profile_completed", at=f"2025-03-0{day}")
    assert earned(ledger) == ("1", "1")
    ledger = shop("metric = 'feedback'\ngoal = '1'\nrepeat = 'once a window'\n")
    for at in ("2025-01-01", "2025-12-31", "2026-01-01"):
        ledger.post(type="feedback_given", at=at)
    assert earned(ledger) == ("2", "2")


def test_without_a_grant_there_is_only_the_fact() -> None:
    badge = "[[plugin.achievement]]\nname = 'badge'\nmetric = 'visits'\ngoal = '2'\n"
    ledger = shop("metric = 'visits'\ngoal = '9'\n", more=badge)
    buy(ledger, "2025-03-01")
    second = buy(ledger, "2025-03-02")
    assert (ledger.fact("a.badge"), ledger.balance("stamps")) == ("1", "0")
    bring_back(ledger, second, "2025-03-03")
    assert ledger.fact("a.badge") == "0"


def test_what_it_grants_ends_and_waits_as_the_program_says() -> None:
    ledger = shop(EVERY_THIRD + "expires = '1 month'\npending = '2 days'\n")
    for day in (1, 2, 3):
        buy(ledger, f"2025-03-0{day}")
    assert (ledger.balance("stamps"), ledger.pending("stamps")) == ("0", "1")
    seen = [ledger.balance("stamps", at=at) for at in ("2025-03-06", "2025-04-03T23:59", "2025-04-04")]
    assert seen == ["1", "1", "0"]


def test_no_multiplier_makes_more_of_it() -> None:
    text = HEAD.format(window="lifetime", zone="UTC", table="").replace(
        '[[plugin]]\nuse = "refunds"',
        """
[[plugin]]
use = "tiers"
metric = "visits"
asset = "stamps"
[[plugin.level]]
name = "gold"
multiplier = "3"
[[plugin]]
use = "refunds"
""",
        1,
    )
    ledger = Ledger(text + EVERY_THIRD)
    for day in (1, 2, 3):
        buy(ledger, f"2025-03-0{day}")
    assert ledger.balance("stamps") == "1"


def post(engine: Engine, name: str, at: str, **fields: Any) -> None:
    event = {"type": "purchase", "id": name, "account": "ann", "at": at, **fields}
    assert engine.post(event if "purchase" in fields else {"amount": "1.00", **event}).status == "accepted"


def facts_of(engine: Engine) -> dict[str, tuple[Fact, ...]]:
    return fold("ann", entries_of(engine, "ann")).facts


def test_what_was_reached_before_a_program_is_not_granted_by_it(sqlite_db: str) -> None:
    text = HEAD.format(window="calendar month", zone="UTC", table="")
    with Engine.open(sqlite_db, create=True) as engine:
        engine.put_text_in_force(text + "metric = 'visits'\ngoal = '100'\n")
        later = text.replace('name = "it"', 'name = "new"') + EVERY_THIRD + "window = 'lifetime'\n"
        start = engine.registry().context.calendar.parse("2025-03-01")
        engine.put_text_in_force(later, effective_from=start)
        for month in range(1, 8):
            post(engine, f"e{month}", f"2024-0{month}-01")
        post(engine, "eighth", "2025-03-05")
        assert "a.new" not in facts_of(engine)
        post(engine, "ninth", "2025-03-06")
        assert facts_of(engine)["a.new"][-1].value == "1"
        assert verify(engine).findings == ()


def test_days_beyond_the_metrics_own_window_are_at_hand(sqlite_db: str) -> None:
    with Engine.open(sqlite_db, create=True) as engine:
        engine.put_text_in_force(
            HEAD.format(window="7 days", zone="UTC", table="") + EVERY_THIRD + "window = 'lifetime'\n"
        )
        for month in (1, 4, 7):
            post(engine, f"e{month}", f"2024-0{month}-01")
        assert facts_of(engine)["a.it"][-1].value == "1"
        post(engine, "back", "2024-08-01", type="return", purchase="e1")
        assert facts_of(engine)["a.it"][-1].value == "0"
        assert verify(engine).findings == ()


def test_explain_and_statement_tell_of_it(sqlite_db: str) -> None:
    with Engine.open(sqlite_db, create=True) as engine:
        engine.put_text_in_force(HEAD.format(window="lifetime", zone="UTC", table="") + EVERY_THIRD)
        for day in (1, 2, 3):
            post(engine, f"e{day}", f"2025-03-0{day}")
        reason = explain_entry(engine, "ann", entries_of(engine, "ann")[-1])
        assert [(fact.name, fact.value, fact.reason) for fact in reason.facts] == [("a.it", "1", "visits 3 reached")]
        assert [(str(each.amount), each.rule) for each in reason.postings] == [("1 stamp", "a.it")]
        assert "goal 3" in reason.postings[0].because
        post(engine, "back", "2025-03-04", type="return", purchase="e1")
        reason = explain_entry(engine, "ann", entries_of(engine, "ann")[-1])
        assert [each.because for each in reason.postings] == ["takes back what is no longer reached"]
        words = [line.words for line in statement(engine, "ann").lines]
        assert words[-1].endswith("a.it is now 0 (visits 3 no longer reached)")


def test_progress_tells_how_far_the_next_time_is() -> None:
    ledger = shop(WEEKS, more="[[plugin.achievement]]\nname = 'ten'\nmetric = 'visits'\ngoal = '10'\n")
    for day in ("2025-03-01", "2025-03-05", "2025-03-06"):
        buy(ledger, day)
    told = [(each.value.goal, *each.value.needs[0]) for each in ledger.registry.progress(ledger.view())]
    assert told == [("it", "weeks", "2", "3", "1"), ("ten", "visits", "3", "10", "7")]
    [row, _] = ledger.registry.progress(ledger.view(at="2025-03-17"))
    assert row.value.needs[0].have == "0"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("metric = 'visit'\ngoal = '3'", "metric 'visit' is not declared under [metrics], which has visits"),
        ("metric = 'visits'\ngoal = '0'", "a goal of nothing is reached by everyone"),
        ("metric = 'visits'\ngoal = '1.5'", "achievement 'it': goal: '1.5' has more than 0 decimals"),
        ("metric = 'visits'\ngoal = '3'\nrepeat = 'once a window'", "needs a window such as 'calendar month'"),
        ("metric = 'visits'\ngoal = '3'\neach = '2'", "each goes with in_a_row"),
        ("metric = 'visits'\ngoal = '3'\nin_a_row = 'weeks'\nwindow = '7 days'", "leave out window"),
        ("metric = 'visits'\ngoal = '3'\nin_a_row = 'week'", "did you mean 'weeks'?"),
        ("metric = 'visits'\ngoal = '3'\nasset = 'stampz'", "'stampz', which is not an asset of the program"),
        ("metric = 'visits'\ngoal = '3'\nfrom = '2025-02-30'", "'2025-02-30' is no day of the calendar"),
        ("metric = 'stores'\ngoal = '3'\nonce_a_day = true", "counts different values; leave out once_a_day"),
        ("metric = 'visits'\ngoal = '3'\nmost = 2", "most goes with repeat = 'every time'"),
        ("metric = 'visits'\ngoal = '3'\nrepeats = 'once'", "did you mean 'repeat'?"),
    ],
)
def test_a_mistake_is_reported_when_the_program_is_loaded(options: str, says: str) -> None:
    with pytest.raises(ProgramError) as caught:
        shop(options + "\n")
    assert says in str(caught.value)


def test_it_keeps_the_contract_of_plugins() -> None:
    options = (
        "asset = 'points'\n[[plugin.achievement]]\nname = 'third'\nmetric = 'visits'\ngoal = '3'\n"
        "window = 'lifetime'\nrepeat = 'every time'\ngrants = '5'\nexpires = '1 month'\n"
    )
    check_plugin(Achievements, options)
