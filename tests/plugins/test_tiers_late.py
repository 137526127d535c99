"""News of before a review that was held: the level is what it would be had the news come in time, tick or no tick."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stampbook import Fact, Registry, load_program
from stampbook.engine import Engine
from stampbook.periods import Calendar
from stampbook.testing import Ledger
from stampbook.verifying import verify
from tests.effort import examples

UTC = Calendar("UTC")
PROGRAM = """
[program]
name = "Late tiers"
currency = "GBP"
open_accounts = "on first event"
[assets.points]
[metrics.spend]
sum = "order.net"
[[plugin]]
use = "points"
[[plugin.rule]]
name = "base"
earn = "order.net"
[[plugin]]
use = "refunds"
[[plugin]]
use = "tiers"
metric = "spend"
announce = true
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
multiplier = "2"
"""
YEARLY = "period = 'calendar year'\nreview = 'calendar year'"


def shop(options: str = YEARLY) -> Ledger:
    return Ledger(PROGRAM.format(options=options))


def buy(ledger: Ledger, amount: str, at: str, **more: Any) -> None:
    assert ledger.post(type="purchase", amount=amount, at=at, **more).accepted


def test_a_late_purchase_keeps_what_a_review_took() -> None:
    ledger = shop()
    buy(ledger, "300", "2024-03-01T10:00")
    buy(ledger, "150", "2025-03-01T10:00")
    ledger.tick("2026-01-02")
    assert ledger.fact("tier") == "silver"
    buy(ledger, "50", "2025-12-31T10:00")
    assert ledger.fact("tier") == "gold"
    assert ledger.balance("points") == "1000"  # gold all along: (300 + 150 + 50) × 2
    changed = [(fact.since, fact.value) for fact in ledger.engine.account("customer").facts["tier"]]
    assert [value for _, value in changed] == ["gold", "gold"]  # from the purchase on, and as the review concludes now
    assert [entry.type for entry in ledger.journal()][-1] == "purchase"  # nothing was entered anew


def test_a_late_return_takes_what_a_review_had_kept() -> None:
    ledger = shop()
    buy(ledger, "300", "2024-03-01T10:00")
    buy(ledger, "200", "2025-03-01T10:00", id="coat")
    ledger.tick("2026-01-02")
    assert ledger.fact("tier") == "gold"
    assert ledger.post(type="return", purchase="coat", amount="100", at="2025-12-31T10:00").accepted
    assert (ledger.fact("tier", at="2025-12-31T23:59"), ledger.fact("tier")) == ("gold", "silver")
    assert ledger.journal()[-1].type == "tier.lowered"


def test_what_came_back_after_a_review_does_not_speak_against_it_with_other_late_news() -> None:
    ledger = shop()
    buy(ledger, "300", "2024-03-01T10:00")
    buy(ledger, "200", "2025-03-01T10:00", id="coat")
    ledger.post(type="return", purchase="coat", at="2026-02-01T10:00")
    buy(ledger, "10", "2025-12-31T10:00")
    assert ledger.fact("tier") == "gold"


def test_a_level_that_late_news_reaches_multiplies_it_as_it_would_have_done_in_time() -> None:
    ledger = shop()
    buy(ledger, "290", "2025-03-01T10:00")
    ledger.tick("2026-02-01")
    buy(ledger, "10", "2025-12-30T10:00")
    assert ledger.balance("points") == "310"
    assert ledger.fact("tier") == "gold"
    assert ledger.fact("tier", at="2027-01-01") == "blue"


def test_a_lock_holds_whatever_is_told_late() -> None:
    ledger = shop()
    buy(ledger, "300", "2024-03-01T10:00")
    ledger.post(type="tier.locked", level="silver", reason="asked", at="2025-06-01")
    ledger.tick("2026-01-02")
    buy(ledger, "500", "2025-07-01T10:00")
    assert (ledger.fact("tier", at="2025-05-31"), ledger.fact("tier")) == ("gold", "silver")


OPTIONS = [
    YEARLY,
    f"{YEARLY}\ngrace = '2 months, end of month'",
    f"{YEARLY}\ndowngrade = 'one step'",
    f"{YEARLY}\nupgrade = 'at review'",
    f"{YEARLY}\nreturns = 'at once'",
    f"{YEARLY}\nreturns = 'never'",
    "period = '3 months'\nreview = 'calendar quarter'",
    "period = 'membership year'\nreview = 'membership year, end of month'",
    "period = '12 months'\nreview = '6 months'",
    "period = 'since last change'\nreview = '12 months, end of month'",
    "period = '60 days'\nreview = 'at once'",
    "period = 'calendar quarter'\nreview = 'at once'",
]
GIFTS = """
[[plugin.level.gift]]
name = "welcome"
amount = "7"
expires = "6 months"
[[plugin.level.gift]]
name = "yearly"
amount = "1000"
given = "each period"
"""
START = date(2024, 1, 5)

events = st.lists(
    st.tuples(
        st.sampled_from(["purchase"] * 3 + ["return"]),
        st.integers(0, 800),
        st.sampled_from(["30", "60", "120", "300"]),
    ),
    min_size=1,
    max_size=9,
)


def told(script: list[tuple[str, int, str]]) -> list[dict[str, Any]]:
    """Return events in the order in which they are told: most when they happen, some after others, late."""
    made: list[dict[str, Any]] = []
    bought: list[tuple[int, str]] = []
    for number, (kind, day, amount) in enumerate(script):
        at = START + timedelta(days=day)
        event: dict[str, Any] = {"type": kind, "id": f"e{number}", "at": f"{at}T10:00", "amount": amount}
        if kind == "return":
            before = [id_ for bought_on, id_ in bought if bought_on <= day]
            if not before:
                continue
            event |= {"purchase": before[-1]}
        else:
            bought.append((day, f"e{number}"))
        made.append(event)
    return made


def ladder(options: str, gifts: str = "") -> Registry:
    return load_program(PROGRAM.format(options=options) + gifts)


def compare(registry: Registry, script: list[tuple[str, int, str]], ticks: list[int]) -> None:
    never, often = Ledger(registry), Ledger(registry)
    for book in (never, often):
        book.post(type="account.opened", at=f"{START}T00:00")
    last = str(START)
    for event, tick in zip(told(script), ticks, strict=False):
        assert never.post(**event).accepted == often.post(**event).accepted
        last = max(last, event["at"])
        if tick:
            often.tick(f"{date.fromisoformat(event['at'][:10]) + timedelta(days=tick)}T11:00")
    one, other = (book.engine.account("customer") for book in (never, often))
    for day in range(0, 900, 10):
        at = f"{START + timedelta(days=day)}T12:00"
        if at < last:
            instant = registry.context.calendar.parse(at)
            assert _value(one.fact("tier", instant)) == _value(other.fact("tier", instant)), at
    after = range(0, 1500, 50)
    start = date.fromisoformat(last[:10])
    for day in after:
        at = f"{start + timedelta(days=day + 1)}T12:00"
        assert never.fact("tier", at=at) == often.fact("tier", at=at), at
    end = f"{start + timedelta(days=1500)}"
    assert never.balance("points", at=end) == often.balance("points", at=end)


def _value(fact: Fact | None) -> str:
    return "" if fact is None else fact.value


def test_a_level_that_falls_at_once_stays_where_late_news_keeps_it() -> None:
    compare(ladder(OPTIONS[-2]), [("purchase", 0, "120"), ("purchase", 9, "60")], [100, 0])


@pytest.mark.parametrize(
    ("script", "ticks"),
    [
        (
            [("purchase", 0, "120"), ("purchase", 1, "120"), ("purchase", 148, "30"), ("purchase", 0, "30")],
            [0, 0, 400, 0],
        ),
        ([("purchase", 1, "120"), ("purchase", 0, "120"), ("purchase", 0, "60")], [400, 0, 0]),
    ],
)
def test_a_review_that_late_news_moves_is_held_on_its_new_day(script: list[Any], ticks: list[int]) -> None:
    compare(ladder(OPTIONS[8]), script, ticks)


def test_what_came_back_since_does_not_speak_against_what_a_moved_ladder_had_kept() -> None:
    """The news moves no review: the one that kept gold stays, though half of what it counted came back since."""
    ledger = shop("period = '12 months'\nreview = '6 months'")
    buy(ledger, "300", "2024-01-10T10:00", id="coat")
    ledger.tick("2024-07-12")
    assert ledger.fact("tier") == "gold"
    ledger.post(type="return", purchase="coat", amount="150", at="2024-08-01T10:00")
    buy(ledger, "10", "2024-03-01T10:00")
    assert (ledger.fact("tier"), ledger.fact("tier", at="2025-01-12")) == ("gold", "blue")


TICKS = st.lists(st.sampled_from([0, 0, 1, 40, 100, 400]), min_size=9, max_size=9)


@pytest.mark.parametrize("options", OPTIONS)
@examples(25)
@given(script=events, ticks=TICKS)
def test_ticks_make_no_difference_to_the_level(
    options: str, script: list[tuple[str, int, str]], ticks: list[int]
) -> None:
    compare(ladder(options), script, ticks)


@pytest.mark.parametrize("options", OPTIONS[:4])
@examples(25)
@given(script=events, ticks=TICKS)
def test_ticks_make_no_difference_to_gifts_but_that_what_was_given_stays(
    options: str, script: list[tuple[str, int, str]], ticks: list[int]
) -> None:
    compare(ladder(options, GIFTS), [event for event in script if event[0] == "purchase"], ticks)


def test_the_books_prove_themselves_after_late_news(any_db: str) -> None:
    with Engine.open(any_db, create=True) as engine:
        engine.put_text_in_force(PROGRAM.format(options=YEARLY) + GIFTS)
        told_ = {"account": "ann", "source": "till"}
        for number, (at, amount) in enumerate(
            [("2023-03-01", "300"), ("2024-03-01", "150"), ("2025-03-01", "60"), ("2023-12-30", "10")]
        ):
            engine.post({**told_, "type": "purchase", "id": f"p{number}", "at": at, "amount": amount})
        list(engine.tick(UTC.parse("2025-11-01")))
        engine.post({**told_, "type": "purchase", "id": "late", "at": "2024-12-31", "amount": "50"})
        engine.post({**told_, "type": "return", "id": "back", "at": "2024-12-31", "purchase": "p1", "amount": "100"})
        assert verify(engine).findings == ()
    with Engine.open(any_db) as engine:
        engine.post({**told_, "type": "purchase", "id": "later", "at": "2024-12-31", "amount": "100"})
        assert verify(engine).findings == ()
