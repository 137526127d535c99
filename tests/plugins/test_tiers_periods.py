"""Ladders of several metrics, and the periods over which levels are reached, kept and lost."""

from __future__ import annotations

import pytest

from stampbook.errors import ProgramError
from tests.properties.driver import Till, program

HEAD = """
[program]
name = "Tiers"
currency = "GBP"
{program}
[assets.points]
[metrics.spend]
sum = "order.net"
window = "{window}"
[metrics.visits]
count = true
window = "{window}"
[[plugin]]
use = "points"
[[plugin.rule]]
name = "base"
earn = "order.net"
[[plugin]]
use = "refunds"
[[plugin]]
use = "tiers"
"""
LADDER = """
metric = "spend"
{options}
[[plugin.level]]
name = "blue"
[[plugin.level]]
name = "silver"
reach = "100"
keep = "50"
[[plugin.level]]
name = "gold"
reach = "300"
keep = "200"
"""
STAYS = """
{options}
[[plugin.level]]
name = "guest"
[[plugin.level]]
name = "silver"
reach = {{ visits = "3", spend = "300" }}
match = "{match}"
[[plugin.level]]
name = "gold"
reach = {{ visits = "5", spend = "500" }}
match = "{match}"
"""


def shop(options: str = "", *, window: str = "lifetime", opened: str = "2024-12-31", header: str = "") -> Till:
    text = HEAD.format(window=window, program=header) + LADDER.format(options=options)
    return Till(text).opened(opened)


def hotel(match: str, options: str = "") -> Till:
    return Till(HEAD.format(window="lifetime", program="") + STAYS.format(match=match, options=options)).opened()


def buy(till: Till, amount: str, at: str, **more: str) -> None:
    assert till.tell("purchase", amount=amount, at=at, **more).accepted


def tiers(till: Till, *instants: str) -> list[str]:
    return [till.view(at).text("tier") for at in instants]


def test_any_of_several_metrics_will_do() -> None:
    till = hotel("any")
    for day in ("01", "02", "03"):
        buy(till, "1", f"2025-01-{day}")
    assert tiers(till, "2025-01-02", "2025-01-03") == ["guest", "silver"]
    assert till.account().facts["tier"][-1].reason == "visits 3 reached 3"
    other = hotel("any")
    buy(other, "500", "2025-01-01")
    assert tiers(other, "2025-01-01") == ["gold"]


def test_all_of_several_metrics_have_to_be_there() -> None:
    till = hotel("all")
    for day in ("01", "02", "03"):
        buy(till, "99", f"2025-01-{day}")
    assert tiers(till, "2025-01-03") == ["guest"]
    buy(till, "3", "2025-01-04")
    assert tiers(till, "2025-01-04") == ["silver"]
    assert till.account().facts["tier"][-1].reason == "visits 4 reached 3 and spend 300.00 reached 300.00"


def test_a_tenure_is_reached_when_its_day_comes_though_nobody_touches_the_account() -> None:
    ladder = "[[plugin.level]]\nname = 'new'\n[[plugin.level]]\nname = 'old'\nreach = { tenure = '2 years' }\n"
    till = Till(HEAD.format(window="lifetime", program="") + ladder).opened("2024-02-29")
    till.tick("2027-01-01")
    assert tiers(till, "2026-02-27T23:59", "2026-02-28") == ["new", "old"]
    assert till.account().facts["tier"][-1].reason == "tenure reached 24 months"
    assert till.tick("2040-01-01") == []


def test_a_calendar_year_counts_over_a_longer_metric() -> None:
    till = shop("period = 'calendar year'\nreview = 'calendar year'")
    buy(till, "300", "2025-12-31")
    buy(till, "60", "2026-01-01")
    till.tick("2028-01-01")
    assert tiers(till, "2026-01-01", "2026-12-31", "2027-01-01", "2028-01-01") == ["gold", "gold", "silver", "blue"]


def test_a_membership_year_begins_with_the_account() -> None:
    till = shop("period = 'membership year'\nreview = 'membership year'", opened="2025-03-15T18:00")
    buy(till, "300", "2026-03-14")
    buy(till, "50", "2026-03-15")
    till.tick("2028-03-15")
    days = ("2026-03-14", "2026-03-15", "2027-03-14T23:59", "2027-03-15", "2028-03-15")
    assert tiers(till, *days) == ["gold", "gold", "gold", "silver", "blue"]


def test_a_membership_year_may_end_with_the_month() -> None:
    till = shop("period = 'membership year'\nreview = 'membership year, end of month'", opened="2025-03-15")
    buy(till, "100", "2025-03-16")
    buy(till, "50", "2026-03-31T23:59")  # the first year lasts to the end of March
    till.tick("2028-01-01")
    assert tiers(till, "2026-04-01", "2027-03-31", "2027-04-01") == ["silver", "silver", "blue"]
    assert [fact.since for fact in till.account().facts["tier"]][-1] == till.instant("2027-04-01")


@pytest.mark.parametrize(("leap_day", "review"), [("28 february", "2025-02-28"), ("1 march", "2025-03-01")])
def test_a_membership_that_began_on_a_leap_day(leap_day: str, review: str) -> None:
    options = "period = 'membership year'\nreview = 'membership year'\ndowngrade = 'one step'"
    till = shop(options, opened="2024-02-29", header=f"leap_day = '{leap_day}'")
    buy(till, "99", "2024-03-01")
    buy(till, "1", f"{review}T00:00")
    assert tiers(till, review) == ["blue"]
    buy(till, "99", f"{review}T00:01")
    assert tiers(till, f"{review}T00:01") == ["silver"]


def test_a_level_may_be_held_for_a_time_from_its_day() -> None:
    till = shop("period = '12 months'\nreview = '12 months, end of month'")
    buy(till, "300", "2025-02-10")
    buy(till, "200", "2026-02-20")
    till.tick("2028-03-01")
    assert tiers(till, "2026-03-01", "2027-02-28", "2027-03-01", "2028-02-29", "2028-03-31") == [
        "gold",
        "gold",
        "blue",
        "blue",
        "blue",
    ]


def test_what_reached_a_level_does_not_count_again_since_the_last_change() -> None:
    till = shop("period = 'since last change'")
    buy(till, "60", "2024-12-31")
    buy(till, "40", "2025-01-02")
    assert tiers(till, "2025-01-01", "2025-01-02") == ["blue", "silver"]
    buy(till, "299", "2025-01-02T01:00")
    assert tiers(till, "2025-01-02T01:00") == ["silver"]
    buy(till, "299.99", "2025-01-03")
    buy(till, "0.01", "2025-01-04")
    assert tiers(till, "2025-01-03", "2025-01-04") == ["silver", "gold"]


def test_levels_may_fall_on_the_very_day_that_no_longer_keeps_them() -> None:
    till = shop("review = 'at once'", window="30 days")
    buy(till, "150", "2025-01-01")
    buy(till, "160", "2025-01-11")
    till.tick("2026-01-01")
    days = ("2025-01-11", "2025-01-30", "2025-01-31", "2025-02-09", "2025-02-10")
    assert tiers(till, *days) == ["gold", "gold", "silver", "silver", "blue"]
    assert [d.event.type for d in till.journal["ann"]].count("tier.due") == 2


def test_levels_may_fall_as_soon_as_a_calendar_month_is_over() -> None:
    till = shop("review = 'at once'", window="calendar month")
    buy(till, "150", "2025-01-31")
    till.tick("2026-01-01")
    assert tiers(till, "2025-01-31", "2025-02-01") == ["silver", "blue"]


def test_an_upgrade_may_wait_for_the_review() -> None:
    till = shop("period = 'calendar month'\nreview = 'calendar month'\nupgrade = 'at review'")
    buy(till, "300", "2025-01-10")
    assert tiers(till, "2025-01-31T23:59") == ["blue"]
    till.tick("2025-02-01")
    assert tiers(till, "2025-02-01") == ["gold"]


def test_a_level_that_is_not_kept_is_left_after_a_grace() -> None:
    till = shop("period = 'calendar year'\nreview = 'calendar year'\ngrace = '2 months, end of month'")
    buy(till, "300", "2025-06-01")
    buy(till, "60", "2026-06-01")
    till.tick("2030-01-01")
    days = ("2026-03-01", "2027-01-01", "2027-02-28T23:59", "2027-03-01", "2028-02-29T23:59", "2028-03-01")
    assert tiers(till, *days) == ["gold", "gold", "gold", "silver", "silver", "blue"]


def test_who_reaches_the_level_again_in_the_grace_keeps_it() -> None:
    till = shop("period = 'calendar year'\nreview = 'calendar year'\ngrace = '2 months'")
    buy(till, "300", "2025-06-01")
    buy(till, "300", "2027-02-28")
    till.tick("2028-02-01")
    assert tiers(till, "2027-03-01", "2028-02-01") == ["gold", "gold"]
    assert len(till.account().facts["tier"]) == 2


def test_a_level_entered_in_the_grace_is_not_judged_by_the_year_before() -> None:
    till = shop("period = 'calendar year'\nreview = 'calendar year'\ngrace = '2 months'")
    buy(till, "100", "2026-01-10")
    assert till.tick("2026-12-31") == []
    assert tiers(till, "2026-12-31") == ["silver"]


RETURNS = "period = 'calendar year'\nreview = 'calendar year'\nreturns = '{}'"


@pytest.mark.parametrize(
    ("policy", "after", "next_year"),
    [("at review", "gold", "blue"), ("at once", "blue", "blue"), ("never", "gold", "gold")],
)
def test_a_return_that_crosses_a_threshold(policy: str, after: str, next_year: str) -> None:
    till = shop(RETURNS.format(policy))
    buy(till, "300", "2025-02-01", id="p")
    assert till.tell("return", purchase="p", at="2025-02-02").accepted
    assert tiers(till, "2025-02-01", "2025-02-02") == ["gold", after]
    till.tick("2027-01-01")
    assert tiers(till, "2026-01-01", "2027-01-01") == [next_year, "blue"]


def test_a_return_at_once_leaves_what_was_earned_before() -> None:
    till = shop(RETURNS.format("at once"))
    buy(till, "100", "2025-02-01")
    buy(till, "300", "2026-02-01", id="p")
    buy(till, "10", "2026-02-02", id="q")
    assert till.tell("return", purchase="q", at="2026-02-03").accepted
    assert tiers(till, "2026-02-03") == ["gold"], "what is left reaches it still"
    assert till.tell("return", purchase="p", amount="1", at="2026-02-04").accepted
    assert tiers(till, "2026-02-04") == ["silver"], "silver is of last year"
    assert till.tell("return", purchase="p", at="2026-02-05").accepted
    assert tiers(till, "2026-02-05") == ["silver"]
    assert till.account().facts["tier"][-1].reason == "spend 299.00 is below 300.00"


def test_a_return_does_not_touch_at_once_what_was_reached_last_year() -> None:
    till = shop(RETURNS.format("at once"))
    buy(till, "300", "2025-02-01", id="p")
    buy(till, "300", "2026-02-01", id="q")
    assert till.tell("return", purchase="q", at="2026-02-03").accepted
    assert tiers(till, "2026-02-03") == ["gold"]


@pytest.mark.parametrize(
    ("options", "window", "says"),
    [
        (
            "period = 'calendar year'",
            "30 days",
            "metric 'spend' counts over 30 days, which is less than the period needs",
        ),
        ("period = 'membership year'", "12 months", "[metrics.spend] window = 'lifetime'"),
        ("period = 'since last change'", "48 months", "[metrics.spend] window = 'lifetime'"),
        ("review = 'calendar year'\ngrace = '1 month'", "calendar year", "grace looks back beyond the window"),
        ("grace = '1 month'", "lifetime", "grace: it follows the end of a period; name one with review"),
        ("upgrade = 'at review'", "lifetime", "upgrade: 'at review' needs a review"),
        ("review = 'at once'\ndowngrade = 'one step'", "lifetime", "downgrade: 'one step' is a step a period"),
        ("period = 'last year'", "lifetime", "period: 'last year' is no period that counts"),
        ("returns = 'at once'\nperiod = 'since last change'", "lifetime", "returns: what counts since the last change"),
    ],
)
def test_options_that_do_not_go_together(options: str, window: str, says: str) -> None:
    with pytest.raises(ProgramError) as wrong:
        program(HEAD.format(window=window, program="") + LADDER.format(options=options))
    assert says in str(wrong.value)


@pytest.mark.parametrize(
    ("reach", "says"),
    [
        ("{ stays = '6' }", "metric 'stays' is not declared under [metrics], which has spend, visits"),
        ("{ visits = '1.5' }", "level 'silver'"),
        ("{ visits = '-1' }", "level 'silver': visits = '-1' is below zero"),
        ("{ tenure = 'long' }", "level 'silver': 'long' is not a period"),
        ("{}", "name a metric, as in { stays = '6', nights = '30' }"),
        ("[]", "name a metric, as in { stays = '6', nights = '30' }"),
        ("[{ visits = '1' }]\nmatch = 'any'", "match: of a list any table will do"),
        ("{ visits = '3' }\nkeep = { visits = '4' }", "level 'silver': keep 4 visits is more than reach 3"),
        ("[{ visits = '3' }, { spend = '9' }]\nkeep = [{ spend = '9.01' }]", "keep 9.01 spend is more than reach 9.00"),
    ],
)
def test_wrong_goals_are_named(reach: str, says: str) -> None:
    ladder = f"[[plugin.level]]\nname = 'blue'\n[[plugin.level]]\nname = 'silver'\nreach = {reach}\n"
    with pytest.raises(ProgramError) as wrong:
        program(HEAD.format(window="lifetime", program="") + ladder)
    assert says in str(wrong.value)


def test_a_level_that_takes_less_to_keep_in_one_measure_may_ask_for_another_one() -> None:
    ladder = "[[plugin.level]]\nname = 'a'\nreach = { visits = '3' }\nkeep = { spend = '500', visits = '3' }\n"
    program(HEAD.format(window="lifetime", program="") + ladder)


def test_ways_that_each_want_several_measures() -> None:
    ladder = """
review = "calendar year"
period = "calendar year"
[[plugin.level]]
name = "guest"
[[plugin.level]]
name = "silver"
reach = [{ visits = "6" }, { visits = "3", spend = "1000" }]
keep = [{ visits = "4" }, { visits = "2", spend = "500" }]
"""
    till = Till(HEAD.format(window="lifetime", program="") + ladder).opened("2025-01-01")
    buy(till, "999", "2025-02-01")
    buy(till, "1", "2025-02-02")
    assert tiers(till, "2025-02-02") == ["guest"]
    told = [
        [(need.measure, need.missing) for need in stamped.value.needs]
        for stamped in till.registry.progress(till.view("2025-02-02"))
    ]
    assert told == [[("visits", "4")], [("visits", "1"), ("spend", "0")]]
    buy(till, "1", "2025-02-03")
    assert tiers(till, "2025-02-03") == ["silver"]
    [fact] = [fact for fact in till.account().facts["tier"] if fact.value == "silver"]
    assert fact.reason == "visits 3 reached 3 and spend 1001.00 reached 1000.00"
    buy(till, "500", "2026-02-01")
    buy(till, "1", "2026-02-02")
    buy(till, "1", "2027-02-02")
    till.tick("2028-01-01")
    assert tiers(till, "2027-12-31", "2028-01-01") == ["silver", "guest"]
    assert (
        till.account().facts["tier"][-1].reason
        == "visits 1 is below 4, and visits 1 is below 2 and spend 1.00 is below 500.00"
    )


def test_a_plain_value_needs_a_metric() -> None:
    with pytest.raises(ProgramError, match="say which metric has to come to 10"):
        program(HEAD.format(window="lifetime", program="") + "[[plugin.level]]\nname = 'a'\nreach = '10'\n")
