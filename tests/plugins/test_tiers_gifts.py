"""Gifts of levels beside limits, multipliers and points of other terms: exactly their amount, from their own lot."""

from __future__ import annotations

import pytest

from stampbook.testing import Ledger

PROGRAM = """
[program]
name = "Gifts"
currency = "GBP"
open_accounts = "on first event"
[assets.points]
{limit}
[metrics.spend]
sum = "order.net"
[[plugin]]
use = "points"
expires = "3 months"
warn = ["7 days"]
[[plugin.rule]]
name = "base"
earn = "order.net"
[[plugin.rule]]
name = "comeback"
on = ["points.expiring"]
earn = "30"
[[plugin.multiplier]]
name = "always"
by = "2"
when = "account.status == 'open'"
[[plugin]]
use = "refunds"
[[plugin]]
use = "tiers"
metric = "spend"
returns = "at once"
[[plugin.level]]
name = "blue"
[[plugin.level]]
name = "gold"
reach = "50"
[[plugin.level.gift]]
name = "welcome"
amount = "9"
take_back = true
{gift}
"""


def shop(limit: str = "", gift: str = "") -> Ledger:
    return Ledger(PROGRAM.format(limit=limit, gift=gift))


def test_what_time_brings_is_never_refused_by_a_limit() -> None:
    ledger = shop("[limits.most]\nmax = '15'\nover = 'refuse event'\n")
    assert not ledger.post(type="purchase", amount="10.00", at="2025-01-10").accepted
    assert ledger.post(type="purchase", amount="7.00", at="2025-01-10").accepted
    ledger.tick("2025-05-01")  # the warning would earn 30, which are left out: the account goes on
    assert ledger.balance("points") == "0"
    assert [entry.type for entry in ledger.journal()][-2:] == ["points.expiring", "expiry"]
    assert ledger.post(type="purchase", amount="0.50", at="2025-05-02").accepted


@pytest.mark.parametrize("limit", ["", "[limits.each]\nmax = '1'\nper = 'transaction'\n"])
def test_a_gift_is_exactly_its_amount_and_goes_back_whole(limit: str) -> None:
    ledger = shop(limit)
    ledger.post(type="purchase", amount="1.00", at="2025-01-10")
    own = int(ledger.balance("points"))
    ledger.post(type="purchase", id="p", amount="60.00", at="2025-01-11")
    assert int(ledger.balance("points")) == own + 9 + (1 if limit else 120)
    ledger.post(type="return", purchase="p", at="2025-01-12")
    assert (ledger.balance("points"), ledger.fact("tier")) == (str(own), "blue")


@pytest.mark.parametrize("gift", ["", "expires = '10 days'", "pending = '14 days'"])
def test_a_gift_goes_back_from_its_own_lot(gift: str) -> None:
    ledger = shop(gift=gift)
    ledger.post(type="purchase", amount="2.00", at="2025-01-10")
    ledger.post(type="purchase", id="p", amount="60.00", at="2025-01-11")
    ledger.post(type="purchase.cancelled", purchase="p", at="2025-01-12")
    for day, points in (("2025-01-12", "4"), ("2025-04-01", "4"), ("2025-04-12", "30")):  # 30 for the warning
        assert (ledger.balance("points", at=day), ledger.pending("points", at=day)) == (points, "0")


def test_a_return_takes_back_the_gift_of_its_own_climb_alone() -> None:
    """The first climb was undone to the foot, the second to the middle: the first one's gift went back already."""
    middle = '[[plugin.level]]\nname = "silver"\nreach = "20"\n[[plugin.level]]\nname = "gold"'
    ledger = Ledger(PROGRAM.format(limit="", gift="").replace('[[plugin.level]]\nname = "gold"', middle))
    ledger.post(type="purchase", id="first", amount="80.00", at="2025-01-10T12:00")
    ledger.post(type="return", purchase="first", at="2025-01-10T13:00")
    assert ledger.balance("points") == "0"
    lines = [{"sku": "a", "amount": "30.00"}, {"sku": "b", "amount": "30.00"}]
    ledger.post(type="purchase", id="second", lines=lines, at="2025-01-10T14:00")
    assert ledger.balance("points") == "129"
    ledger.post(type="return", purchase="second", lines=[{"line": 1}], at="2025-01-10T15:00")
    assert ledger.balance("points") == "60"
    ledger.post(type="return", purchase="second", at="2025-01-10T16:00")
    assert ledger.balance("points") == "0"


@pytest.mark.parametrize(("once", "total"), [("", "9"), ("once = 'a period'", "9"), ("once = false", "18")])
def test_a_gift_that_stays_is_given_once_to_who_buys_brings_back_and_buys_again(once: str, total: str) -> None:
    text = PROGRAM.format(limit="", gift=once).replace("take_back = true\n", "")
    ledger = Ledger(text.replace('earn = "order.net"', 'earn = "0"'))
    ledger.post(type="purchase", id="coat", amount="50.00", at="2025-01-10")
    ledger.post(type="return", purchase="coat", at="2025-01-11")
    assert ledger.fact("tier") == "blue"
    ledger.post(type="purchase", amount="50.00", at="2025-01-12")
    assert (ledger.fact("tier"), ledger.balance("points")) == ("gold", total)


def test_a_gift_each_period_is_not_given_again_to_who_had_kept_the_level_at_the_period_s_begin() -> None:
    gift = "given = 'each period'"
    text = (
        PROGRAM.format(limit="", gift=gift)
        .replace("take_back = true\n", "")
        .replace('earn = "order.net"', 'earn = "0"')
    )
    text = text.replace(
        'returns = "at once"', 'review = "calendar year"\nperiod = "calendar year"\nreturns = "at once"'
    )
    ledger = Ledger(text)
    ledger.post(type="purchase", amount="50.00", at="2025-01-10")
    ledger.post(type="tier.locked", level="blue", reason="a mistake", at="2026-02-01")
    ledger.post(type="tier.unlocked", reason="put right", at="2026-02-02")
    ledger.post(type="purchase", amount="50.00", at="2026-02-03")
    assert (ledger.fact("tier"), ledger.balance("points")) == ("gold", "18")


LADDER = """
[program]
name = "Two gifts"
currency = "GBP"
open_accounts = "on first event"
[assets.points]
[metrics.spend]
sum = "order.net"
[[plugin]]
use = "refunds"
[[plugin]]
use = "tiers"
metric = "spend"
returns = "at once"
[[plugin.level]]
name = "blue"
[[plugin.level]]
name = "silver"
reach = "30"
[[plugin.level.gift]]
name = "w"
amount = "9"
take_back = true
{gift}
[[plugin.level]]
name = "gold"
reach = "80"
[[plugin.level.gift]]
name = "y"
amount = "5"
take_back = true
"""


@pytest.mark.parametrize("order", ["ab", "ba"])
@pytest.mark.parametrize("back", ["2025-03-01", "2025-03-02", "2025-03-04"])
@pytest.mark.parametrize("second", ["2025-03-01", "2025-03-02"])
@pytest.mark.parametrize("amounts", [("70.00", "134.00"), ("70.00", "70.00"), ("100.00", "70.00")])
def test_what_was_given_on_a_climb_goes_back_and_nothing_else(
    amounts: tuple[str, str], second: str, back: str, order: str
) -> None:
    """However many steps up and down at one instant: events that tell no time of day share it."""
    back = max(back, second)
    ledger = Ledger(LADDER.format(gift=""))
    ledger.post(type="adjust", asset="points", amount="100", reason="a start", at="2025-01-01")
    for climb, days in (("one", ("2025-03-01", second)), ("two", (back, back))):
        for name, amount, day in zip("ab", amounts, days, strict=True):
            ledger.post(type="purchase", id=f"{climb}-{name}", amount=amount, at=day)
        given = "105" if amounts[0] == "100.00" else "114"  # silver is jumped over, or entered first
        assert (ledger.fact("tier"), ledger.balance("points")) == ("gold", given)
        for name in order:
            ledger.post(type="return", purchase=f"{climb}-{name}", at=back)
        assert (ledger.fact("tier"), ledger.balance("points")) == ("blue", "100")


def test_a_gift_that_waits_stays_when_another_of_the_same_terms_goes_back() -> None:
    ledger = Ledger(LADDER.format(gift="pending = '7 days'"))
    ledger.post(type="tier.granted", level="gold", until="2025-02-02", reason="a trial", at="2025-02-01")
    ledger.post(type="purchase", amount="40.00", at="2025-03-01T10:00")
    ledger.post(type="purchase", id="p", amount="70.00", at="2025-03-02T10:00")
    assert (ledger.balance("points"), ledger.pending("points")) == ("10", "9")
    ledger.post(type="return", purchase="p", at="2025-03-03T10:00")
    assert (ledger.fact("tier"), ledger.balance("points"), ledger.pending("points")) == ("silver", "5", "9")
