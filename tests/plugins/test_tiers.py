from __future__ import annotations

import pytest

from stampbook.errors import EventError, ProgramError
from tests.properties.driver import Till, program

METRICS = """
[program]
name = "Tiers"
currency = "GBP"
[assets.points]
[assets.miles]
[metrics.spend]
sum = "order.net"
window = "{window}"
[[plugin]]
use = "points"
[[plugin.rule]]
name = "base"
earn = "order.net"
expires = "{expires}"
"""
LADDER = """
[[plugin]]
use = "tiers"
metric = "spend"
{options}
[[plugin.level]]
name = "blue"
{lowest}
[[plugin.level]]
name = "silver"
reach = "100"
keep = "50"
multiplier = "1.5"
[[plugin.level]]
name = "gold"
reach = "300"
multiplier = "2"
"""


def shop(options: str = "", *, window: str = "calendar year", lowest: str = "", expires: str = "never") -> Till:
    text = METRICS.format(window=window, expires=expires) + LADDER.format(options=options, lowest=lowest)
    return Till(text).opened("2024-12-31")


def tiers(till: Till, *instants: str) -> list[str]:
    return [till.view(at).text("tier") for at in instants]


def buy(till: Till, amount: str, at: str) -> None:
    assert till.tell("purchase", amount=amount, at=at).accepted


YEARLY = "review = 'calendar year'"


def test_the_lowest_level_is_there_from_the_start() -> None:
    assert tiers(shop(), "2024-12-30", "2024-12-31") == ["", "blue"]
    assert tiers(shop(lowest="reach = '10'"), "2025-01-01") == [""]


def test_a_level_is_reached_at_once_and_multiplies_the_purchase_that_reaches_it() -> None:
    till = shop()
    buy(till, "99.99", "2025-02-01")
    assert (tiers(till, "2025-02-01"), till.balance()) == (["blue"], "99")
    buy(till, "10", "2025-02-02")
    assert (tiers(till, "2025-02-01", "2025-02-02"), till.balance()) == (["blue", "silver"], "114")
    [fact] = till.account().facts["tier"][1:]
    assert fact.reason == "spend 109.99 reached 100.00"


def test_several_levels_may_be_climbed_at_once() -> None:
    till = shop()
    buy(till, "300", "2025-02-01")
    assert (tiers(till, "2025-02-01"), till.balance()) == (["gold"], "600")


def test_only_the_named_asset_is_multiplied() -> None:
    till = shop("asset = 'miles'")
    buy(till, "300", "2025-02-01")
    assert till.balance() == "300"


def test_without_reviews_a_level_is_kept_for_ever() -> None:
    till = shop()
    buy(till, "300", "2025-02-01")
    till.tick("2030-01-01")
    assert tiers(till, "2030-01-01") == ["gold"]


@pytest.mark.parametrize(
    ("downgrade", "after"),
    [
        ("matching", ["gold", "blue", "blue"]),
        ("one step", ["gold", "silver", "blue"]),
        ("none", ["gold", "gold", "gold"]),
    ],
)
def test_a_review_at_the_end_of_the_period_lowers_as_the_program_says(downgrade: str, after: list[str]) -> None:
    till = shop(f"{YEARLY}\ndowngrade = '{downgrade}'")
    buy(till, "300", "2025-02-01")
    till.tick("2028-01-01")
    assert tiers(till, "2026-12-31T23:59:59", "2027-01-01", "2028-01-01") == after


def test_what_is_needed_to_keep_a_level_may_be_less_than_to_reach_it() -> None:
    till = shop(YEARLY)
    buy(till, "100", "2025-02-01")
    buy(till, "50", "2026-02-01")
    buy(till, "49.99", "2027-02-01")
    till.tick("2028-01-01")
    assert tiers(till, "2027-01-01", "2027-12-31", "2028-01-01") == ["silver", "silver", "blue"]


def test_a_review_keeps_the_highest_level_that_the_value_keeps() -> None:
    till = shop(YEARLY)
    buy(till, "300", "2025-02-01")
    buy(till, "60", "2026-02-01")
    till.tick("2027-01-01")
    assert tiers(till, "2027-01-01") == ["silver"]
    assert till.account().facts["tier"][-1].reason == "spend 60.00 is below 300.00"


def test_a_lowest_level_that_must_be_reached_can_be_lost() -> None:
    till = shop(YEARLY, lowest="reach = '10'")
    buy(till, "10", "2025-02-01")
    till.tick("2027-01-01")
    assert tiers(till, "2025-02-01", "2026-12-31", "2027-01-01") == ["blue", "blue", ""]


def test_a_rolling_window_is_looked_at_on_the_last_day_of_the_period() -> None:
    till = shop("review = 'calendar quarter'", window="30 days")
    buy(till, "100", "2025-03-01")
    till.tick("2025-04-01")
    assert tiers(till, "2025-03-31", "2025-04-01") == ["silver", "blue"]
    till = shop("review = 'calendar quarter'", window="30 days")
    buy(till, "100", "2025-03-02")
    till.tick("2025-04-01")
    assert tiers(till, "2025-04-01") == ["silver"]


def test_an_account_that_nobody_touches_is_reviewed_when_it_is_touched_again() -> None:
    till = shop(f"{YEARLY}\ndowngrade = 'one step'")
    buy(till, "300", "2025-02-01")
    buy(till, "10", "2028-02-01")
    assert tiers(till, "2026-12-31", "2027-01-01", "2028-01-01") == ["gold", "silver", "blue"]
    assert till.balance() == "610", "the purchase earns at the level that was left"


def test_a_review_is_not_lost_when_points_expire_at_the_same_instant() -> None:
    till = shop(YEARLY, expires="end of year")
    buy(till, "300", "2025-02-01")
    buy(till, "10", "2026-02-01")
    till.tick("2027-01-01")
    assert (tiers(till, "2027-01-01"), till.balance()) == (["blue"], "0")


def test_two_ladders_are_both_reviewed() -> None:
    second = LADDER.format(options=f"{YEARLY}\nname = 'club'\nfact = 'club'", lowest="")
    text = METRICS.format(window="calendar year", expires="never") + LADDER.format(options=YEARLY, lowest="") + second
    till = Till(text).opened("2025-01-01")
    buy(till, "300", "2025-02-01")
    assert till.balance() == "1200", "both multiply"
    till.tick("2027-01-01")
    assert [till.view().text(fact) for fact in ("tier", "club")] == ["blue", "blue"]
    reviews = [decision.event.id for decision in till.journal["ann"] if decision.event.type == "tier.review"]
    assert len(set(reviews)) == len(reviews) == 4


def test_the_same_review_has_the_same_id_however_often_it_is_asked_for() -> None:
    till, other = shop(YEARLY), shop(YEARLY)
    for each in (till, other):
        buy(each, "300", "2025-02-01")
    till.tick("2026-01-01")
    till.tick("2026-01-01")
    till.tick("2027-01-01")
    other.tick("2027-01-01")
    assert [d.event.id for d in till.journal["ann"]] == [d.event.id for d in other.journal["ann"]]


def test_nobody_may_send_a_review() -> None:
    with pytest.raises(EventError, match=r"'tier\.review' is brought by time and cannot be sent"):
        shop(YEARLY).tell("tier.review")


def test_a_return_lowers_the_metric_but_not_the_level_before_the_review() -> None:
    refunds = "[[plugin]]\nuse = 'refunds'\n"
    text = METRICS.format(window="calendar year", expires="never") + LADDER.format(options=YEARLY, lowest="") + refunds
    till = Till(text).opened("2025-01-01")
    till.tell("purchase", id="p", amount="300", at="2025-02-01")
    assert till.tell("return", purchase="p", at="2025-02-02").accepted
    assert (till.view().metric("spend"), tiers(till, "2025-02-02"), till.balance()) == (0, ["gold"], "0")
    till.tick("2026-01-01")
    assert tiers(till, "2026-01-01") == ["blue"]


@pytest.mark.parametrize(
    ("options", "lowest", "says"),
    [
        (
            "review = 'yearly'",
            "",
            "review: 'yearly' is no time for a review; write a calendar unit such as 'calendar year'",
        ),
        ("downgrade = 'two steps'", "", "downgrade: '"),
        ("asset = 'stamps'", "", "asset 'stamps' is not an asset of the program"),
        ("", "reach = '100'", "level 'silver' is not above 'blue'; list levels from lowest to highest"),
        ("", "reach = '1.001'", "level 'blue': '1.001' has more than 2 decimals"),
        ("", "multiplier = '-1'", "level[1].multiplier: '-1' is not a number that can stand here; write '12.5'"),
        ("", "[[plugin.level]]\nname = 'blue'", "two levels are named 'blue'"),
    ],
)
def test_a_wrong_ladder_is_a_mistake_of_the_program(options: str, lowest: str, says: str) -> None:
    text = METRICS.format(window="lifetime", expires="never") + LADDER.format(options=options, lowest=lowest)
    with pytest.raises(ProgramError) as wrong:
        program(text)
    assert says in str(wrong.value)


def test_an_unknown_metric_is_named() -> None:
    text = METRICS.format(window="lifetime", expires="never") + LADDER.format(options="", lowest="")
    with pytest.raises(ProgramError, match=r"metric 'spent' is not declared under \[metrics\], which has spend"):
        program(text.replace('metric = "spend"', 'metric = "spent"'))
