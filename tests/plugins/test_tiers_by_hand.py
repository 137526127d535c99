"""What operators do to levels: grants, locks and invitations; what levels give; what follows a change."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stampbook.errors import EventError, ProgramError
from stampbook.periods import HOUR
from stampbook.testing import Ledger, check_plugin
from stampbook.testing.subject import PROGRAM as PROGRAM_OF_THE_KIT
from stampbook_tiers import Tiers
from tests.effort import examples
from tests.properties.driver import Till, program

PROGRAM = """
[program]
name = "Tiers"
currency = "GBP"
[assets.points]
[assets.miles]
decimals = 1
[metrics.spend]
sum = "order.net"
[metrics.rises]
on = ["tier.raised"]
count = true
[[plugin]]
use = "points"
expires = "6 months"
[[plugin.rule]]
name = "base"
earn = "order.net"
[[plugin.rule]]
name = "hello"
on = ["tier.raised"]
when = "account.tier == 'gold'"
earn = "7"
[[plugin]]
use = "refunds"
[[plugin]]
use = "tiers"
metric = "spend"
period = "calendar year"
review = "calendar year"
{options}
[[plugin.level]]
name = "blue"
[[plugin.level]]
name = "silver"
reach = "100"
{silver}
[[plugin.level]]
name = "gold"
reach = "300"
multiplier = "2"
{gold}
[[plugin.level]]
name = "black"
reach = "200"
invitation = true
{more}
"""


def shop(options: str = "", *, silver: str = "", gold: str = "", more: str = "") -> Till:
    text = PROGRAM.format(options=options, silver=silver, gold=gold, more=more)
    return Till(text).opened("2024-12-31")


def buy(till: Till, amount: str, at: str, **more: str) -> None:
    assert till.tell("purchase", amount=amount, at=at, **more).accepted


def tiers(till: Till, *instants: str) -> list[str]:
    return [till.view(at).text("tier") for at in instants]


def by_hand(till: Till, kind: str, at: str, **more: Any) -> None:
    assert till.tell(f"tier.{kind}", at=at, reason="because", **more).accepted


def test_a_grant_lasts_until_its_day_and_falls_back_to_what_was_held() -> None:
    till = shop()
    by_hand(till, "granted", "2025-03-01", level="gold", until="2025-06-01", operator="anna")
    till.tick("2025-12-31")
    assert tiers(till, "2025-02-28", "2025-03-01", "2025-05-31T23:59", "2025-06-01") == ["blue", "gold", "gold", "blue"]
    assert [fact.reason for fact in till.account().facts["tier"][1:]] == ["by hand: because", "its grant by hand ended"]
    assert till.view("2025-04-01").text("tier_granted") == "gold"
    assert till.view("2025-06-01").text("tier_granted") == ""


def test_a_grant_can_be_made_longer() -> None:
    till = shop()
    by_hand(till, "granted", "2025-03-01", level="gold", until="2025-06-01")
    by_hand(till, "granted", "2025-04-01", level="gold", until="2027-02-01")
    till.tick("2027-03-01")
    assert tiers(till, "2025-06-01", "2026-01-01", "2027-01-01", "2027-02-01") == ["gold", "gold", "gold", "blue"]


def test_what_was_reached_during_a_grant_is_kept_when_it_ends() -> None:
    till = shop()
    by_hand(till, "granted", "2025-03-01", level="gold", until="2025-06-01")
    buy(till, "100", "2025-04-01")
    till.tick("2025-07-01")
    assert tiers(till, "2025-04-01", "2025-06-01") == ["gold", "silver"]


def test_a_lock_lets_a_level_neither_rise_nor_fall() -> None:
    till = shop()
    buy(till, "100", "2025-02-01")
    by_hand(till, "locked", "2025-02-02", until="2027-06-01")
    buy(till, "300", "2025-02-03")
    till.tick("2027-07-01")
    assert tiers(till, "2025-02-03", "2026-01-01", "2027-01-01", "2027-06-01") == ["silver"] * 4
    till.tick("2028-01-01")
    assert tiers(till, "2028-01-01") == ["blue"], "the next review sees what it did"


def test_a_lock_may_name_another_level_and_be_lifted() -> None:
    till = shop()
    buy(till, "300", "2025-02-01")
    by_hand(till, "locked", "2025-02-02", level="blue")
    assert tiers(till, "2025-02-02") == ["blue"]
    by_hand(till, "unlocked", "2025-03-02")
    assert tiers(till, "2025-03-02") == ["gold"]
    assert till.refusal("tier.unlocked", reason="again") == ["nothing_locked"]


def test_a_level_for_the_invited_only() -> None:
    till = shop()
    buy(till, "300", "2025-02-01")
    assert tiers(till, "2025-02-01") == ["gold"]
    by_hand(till, "invited", "2025-02-02", level="black", until="2025-12-01")
    assert tiers(till, "2025-02-02") == ["black"]
    other = shop()
    by_hand(other, "invited", "2025-02-02", level="black", until="2025-03-01")
    buy(other, "200", "2025-03-01")
    assert tiers(other, "2025-03-01") == ["silver"], "the invitation is over"


def test_what_cannot_be_done_by_hand_is_refused() -> None:
    till = shop()
    assert till.refusal("tier.granted", level="golden", reason="x") == ["unknown_level"]
    assert till.refusal("tier.granted", level="gold", reason="x", scheme="club") == ["unknown_scheme"]
    assert Till(PROGRAM.format(options="", silver="", gold="", more="")).refusal(
        "tier.locked", reason="x", at="2025-01-01"
    ) == ["unknown_account"]
    with pytest.raises(EventError, match="until comes after the event"):
        till.tell("tier.granted", level="gold", reason="x", at="2025-02-01", until="2025-01-01")
    with pytest.raises(EventError, match="is brought by time and cannot be sent"):
        till.tell("tier.raised")


def test_events_follow_a_change_at_once_and_rules_react_to_them() -> None:
    till = shop("announce = true")
    buy(till, "300", "2025-02-01")
    assert [d.event.type for d in till.journal["ann"]] == ["account.opened", "tier.raised", "purchase", "tier.raised"]
    last: Any = till.journal["ann"][-1].event
    assert (last.before, last.after, last.cause, last.at) == ("blue", "gold", "purchase", till.instant("2025-02-01"))
    assert till.balance() == "607", "the rule of the event is not multiplied"
    assert till.view().metric("rises") == 2
    till.tick("2026-01-01")
    till.tick("2027-01-01")
    assert [d.event.type for d in till.journal["ann"]][-2:] == ["tier.review", "tier.lowered"]


def test_nothing_follows_where_nobody_asked() -> None:
    till = shop()
    buy(till, "300", "2025-02-01")
    assert [d.event.type for d in till.journal["ann"]] == ["account.opened", "purchase"]


GIFT = """
[[plugin.level.gift]]
name = "welcome"
amount = "50"
{}
"""


def test_a_gift_on_entry_comes_with_every_entry_or_once() -> None:
    for once, total in (("once = true", "50"), ("", "100")):
        till = shop(silver=GIFT.format(f"asset = 'miles'\n{once}"))
        buy(till, "100", "2025-02-01")
        assert till.balance("miles") == "50.0"
        buy(till, "100", "2027-02-01")
        assert tiers(till, "2025-02-01", "2026-06-01", "2027-01-01", "2027-02-01") == [
            "silver",
            "silver",
            "blue",
            "silver",
        ]
        assert till.balance("miles") == f"{total}.0"


def test_a_gift_each_period() -> None:
    till = shop(silver=GIFT.format("given = 'each period'\nasset = 'miles'\nexpires = '3 months'"))
    buy(till, "100", "2025-02-01")
    till.tick("2026-01-01")
    assert till.balance("miles", "2025-04-30") == "0.0"
    assert till.balance("miles", "2026-01-01") == "50.0"
    till.tick("2027-01-01")
    assert tiers(till, "2027-01-01") == ["blue"]
    assert till.balance("miles", "2027-01-01") == "0.0"


def test_a_gift_can_be_pending_and_is_taken_back_with_the_level() -> None:
    gift = GIFT.format("asset = 'miles'\ntake_back = true\npending = '14 days'")
    till = shop("returns = 'at once'", silver=gift, gold=gift)
    buy(till, "100", "2025-02-01", id="p")
    buy(till, "200", "2025-02-02", id="q")
    assert till.view().pending("miles") == 1000
    assert till.tell("return", purchase="q", at="2025-02-03").accepted
    assert (till.view().pending("miles"), tiers(till, "2025-02-03")) == (500, ["silver"])
    assert till.tell("return", purchase="p", at="2025-02-04").accepted
    assert (till.view().pending("miles"), till.balance("miles"), tiers(till, "2025-02-04")) == (0, "0.0", ["blue"])
    assert till.balance() == "7", "what a rule gave for the event stays"


def test_what_is_earned_at_a_level_lasts_longer() -> None:
    till = shop(gold="expires = '2 years, end of month'", silver="expires = '1 month'")
    buy(till, "100", "2025-02-10")
    buy(till, "200", "2025-02-11")
    lots = {lot.expires_at: lot.remaining for lot in till.view().lots}
    assert lots == {till.instant("2025-08-11"): 100, till.instant("2027-03-01"): 400}


def test_two_ladders_are_told_apart_by_their_fact() -> None:
    second = (
        "[[plugin]]\nuse = 'tiers'\nname = 'club'\nfact = 'club'\nmetric = 'spend'\n[[plugin.level]]\nname = 'in'\n"
    )
    till = shop(more=second + "[[plugin.level]]\nname = 'vip'\nreach = '1000'\n")
    by_hand(till, "granted", "2025-02-01", level="vip", scheme="club")
    view = till.view("2025-02-01")
    assert (view.text("tier"), view.text("club"), view.text("club_granted")) == ("blue", "vip", "vip")
    assert till.refusal("tier.granted", level="vip", reason="x") == ["unknown_level"]


def test_a_gift_that_no_asset_can_hold_is_a_mistake() -> None:
    text = PROGRAM.format(options="", silver=GIFT.format("asset = 'stamps'"), gold="", more="")
    with pytest.raises(ProgramError, match="asset 'stamps' is not an asset of the program"):
        program(text)
    with pytest.raises(ProgramError, match="gift 'welcome'"):
        program(PROGRAM.format(options="", silver=GIFT.format("").replace("50", "0.5"), gold="", more=""))


LEVELS = [
    {"name": "blue"},
    {"name": "silver", "reach": "20", "gift": [{"name": "hi", "amount": "5", "given": "each period"}]},
    {"name": "gold", "reach": {"spend": "60", "visits": "3"}, "match": "any", "keep": "30", "multiplier": "2"},
    {"name": "black", "reach": "50", "invitation": True, "expires": "2 years"},
]
ONE = {"works_twice_in_a_program": "the second ladder needs a fact of its own"}
YEARS = {"review": "membership year, end of month", "period": "membership year", "grace": "1 month"}


@pytest.mark.parametrize(
    "more",
    [
        YEARS | {"returns": "at once"},
        {"review": "30 days", "period": "30 days", "returns": "never", "downgrade": "one step"},
    ],
)
def test_the_plugin_keeps_the_contract_with_all_of_it(more: dict[str, str]) -> None:
    metrics = PROGRAM_OF_THE_KIT.replace('window = "12 months"', "").replace('window = "calendar month"', "")
    hand = {"source": "office", "account": "ann", "reason": "because"}
    events = [
        {"type": "tier.granted", "id": "h1", "at": "2026-12-01", "level": "gold", "until": "2027-01-15", **hand},
        {"type": "tier.locked", "id": "h2", "at": "2026-12-02", "until": "2026-12-20", **hand},
        {"type": "tier.invited", "id": "h3", "at": "2026-12-21", "level": "black", **hand},
        {"type": "tier.unlocked", "id": "h4", "at": "2026-12-22", **hand},
    ]
    options = {"metric": "spend", "level": LEVELS, **more}
    check_plugin(Tiers, options, program=metrics, events=events, known_failures=ONE)


def test_the_plugin_keeps_the_contract_where_levels_fall_at_once() -> None:
    levels = [{"name": "blue"}, {"name": "gold", "reach": "30", "gift": [{"name": "hi", "amount": "5"}]}]
    check_plugin(Tiers, {"metric": "visits", "review": "at once", "level": levels[:1]}, known_failures=ONE)
    check_plugin(Tiers, {"metric": "spend", "review": "at once", "level": levels}, known_failures=ONE)


class Naive:
    """A ladder by calendar year as one would keep it on paper: spend by year, best of two years."""

    LEVELS = ((30000, "gold"), (10000, "silver"), (0, "blue"))

    def __init__(self) -> None:
        self.spent: dict[int, int] = {}

    def reached(self, year: int) -> str:
        return next(name for reach, name in self.LEVELS if self.spent.get(year, 0) >= reach)

    def tier(self, year: int) -> str:
        order = ["blue", "silver", "gold"]
        return max(self.reached(year), self.reached(year - 1), key=order.index)


@examples(40)
@given(st.lists(st.tuples(st.integers(1, 400), st.integers(1, 40_000), st.booleans()), max_size=12))
def test_purchases_returns_and_years_agree_with_a_ladder_on_paper(steps: list[tuple[int, int, bool]]) -> None:
    till, paper = shop("returns = 'at once'", gold=GIFT.format("asset = 'miles'\ntake_back = true")), Naive()
    calendar = till.registry.context.calendar
    day = calendar.day(till.instant("2025-01-01"))
    for number, (days, pence, comes_back) in enumerate(steps):
        day += days
        at = calendar.iso(calendar.start_of(day) + 12 * HOUR)
        year = int(at[:4])
        buy(till, f"{pence / 100:.2f}", at, id=f"p{number}")
        paper.spent[year] = paper.spent.get(year, 0) + pence
        assert tiers(till, at) == [paper.tier(year)]
        if comes_back:
            before = till.view().balance("miles")
            assert till.tell("return", purchase=f"p{number}", at=at).accepted
            paper.spent[year] -= pence
            assert tiers(till, at) == [paper.tier(year)]
            assert till.view().balance("miles") <= before


@examples(25)
@given(st.lists(st.integers(1, 200), max_size=6), st.sampled_from(["2 years", "12 months, end of month"]))
def test_a_return_of_everything_restores_the_level_and_what_it_gave(days: list[int], review: str) -> None:
    gift = GIFT.format("asset = 'miles'\ntake_back = true")
    text = PROGRAM.format(options="returns = 'at once'", silver=gift, gold=gift, more="")
    text = text.replace('period = "calendar year"\nreview = "calendar year"', f'review = "{review}"')
    till = Till(text).opened("2024-12-31")
    calendar = till.registry.context.calendar
    day = calendar.day(till.instant("2025-01-01"))
    for number, more in enumerate(days):
        day += more % 40 + 1
        buy(till, "130", calendar.iso(calendar.start_of(day)), id=f"p{number}")
    for number in reversed(range(len(days))):
        assert till.tell("return", purchase=f"p{number}", at=calendar.iso(calendar.start_of(day))).accepted
    view = till.view()
    assert (view.text("tier"), view.metric("spend"), till.balance("miles")) == ("blue", 0, "0.0")


def test_a_ledger_with_all_of_it_proves_its_books(tmp_path: Any) -> None:
    from stampbook import Engine
    from stampbook.verifying import verify

    gift = GIFT.format("asset = 'miles'\ngiven = 'each period'")
    text = PROGRAM.format(options="returns = 'at once'\ngrace = '1 month'", silver=gift, gold=gift, more="")
    file = tmp_path / "p.toml"
    file.write_text(text, encoding="utf-8")
    with Engine.open(str(tmp_path / "a.db"), create=True, clock=lambda: 1_900_000_000_000_000) as engine:
        engine.put_in_force(file)
        at = iter(f"20{25 + n // 12}-{n % 12 + 1:02d}-03" for n in range(60))
        common = {"source": "till", "account": "ann"}
        engine.post({"type": "account.opened", "id": "o", "at": next(at), **common})
        for n in range(20):
            engine.post({"type": "purchase", "id": f"p{n}", "amount": "110.00", "at": next(at), **common})
            if n % 5 == 4:
                engine.post({"type": "return", "id": f"r{n}", "purchase": f"p{n}", "at": next(at), **common})
        engine.post(
            {
                "type": "tier.granted",
                "id": "g",
                "level": "gold",
                "until": "2027-12-01",
                "reason": "x",
                "at": next(at),
                **common,
            }
        )
        list(engine.tick())
        assert verify(engine).findings == ()


def test_the_ledger_of_the_kit_shows_it() -> None:
    books = Ledger(PROGRAM.format(options="", silver="", gold="", more=""))
    books.post(type="purchase", amount="100.00")
    assert books.fact("tier") == "silver"
