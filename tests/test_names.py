# ruff: noqa: E501 - a message is one line, and so is its case
"""What rules may read besides orders: balances, reasons, households, since when a level holds, what changed it."""

from __future__ import annotations

import pytest

from stampbook import ProgramError, load_program
from stampbook.events import CORE_EVENTS
from stampbook.names import WITHOUT_REASON
from stampbook.testing import Ledger

HEAD = """
[program]
name = "Names"
currency = "GBP"
time_zone = "Europe/London"
open_accounts = "on first event"
[assets.points]
[assets.miles]
decimals = 1
[assets.GBP]
[metrics.spend]
sum = "order.net"
window = "12 months"
"""
LADDER = """
[[plugin]]
use = "tiers"
metric = "spend"
review = "calendar year"
announce = true
fact = "FACT"
[[plugin.level]]
name = "blue"
reach = "0"
[[plugin.level]]
name = "gold"
reach = "100"
[[plugin]]
use = "points"
"""


def rule(when: str, on: str = "purchase", earn: str = "1") -> str:
    return f'[[plugin.rule]]\nname = "x"\nearn = "{earn}"\nwhen = "{when}"\non = ["{on}"]\n'


def books(rules: str, fact: str = "tier", more: str = "", lowest: str = "0") -> Ledger:
    return Ledger(HEAD + more + LADDER.replace("FACT", fact).replace('reach = "0"', f'reach = "{lowest}"') + rules)


def test_a_rule_reads_what_may_be_spent_of_any_asset() -> None:
    ledger = books(rule("balance.miles >= 2.5 and balance.points < 2 and balance.GBP == 7.00"))
    ledger.post(type="purchase", amount="1.00", at="2025-01-01T09:00")
    ledger.post(type="topup", amount="7.00", at="2025-01-01T10:00")
    ledger.post(type="adjust", asset="miles", amount="2.4", reason="a start", at="2025-01-01T11:00")
    ledger.post(type="purchase", amount="1.00", at="2025-01-02")
    assert ledger.balance("points") == "0"
    ledger.post(type="adjust", asset="miles", amount="0.1", reason="a little more", at="2025-01-03")
    for day in (4, 5, 6):
        ledger.post(type="purchase", amount="1.00", at=f"2025-01-{day:02}")
    assert ledger.balance("points") == "2"


def test_a_rule_reads_why() -> None:
    ledger = books(rule("starts_with(event.reason, 'sorry')", "topup"))
    for number, reason in enumerate(("sorry about that", "a gift", "")):
        ledger.post(type="topup", amount="7.00", reason=reason, at=f"2025-01-0{number + 1}")
    assert ledger.balance("points") == "1"


def test_a_declared_event_may_have_a_reason_of_its_own() -> None:
    more = "[events.survey.fields.reason]\ntype = 'text'\n[events.visit]\n"
    ledger = books(rule("event.reason == 'asked'", "survey"), more=more)
    ledger.post(type="survey", reason="asked", at="2025-01-01")
    assert ledger.balance("points") == "1"
    other = books(rule("event.reason == 'asked'", "topup"), more=more)
    other.post(type="topup", amount="7.00", reason="asked", at="2025-01-01")
    assert other.balance("points") == "1"
    with pytest.raises(ProgramError, match=r"event\.reason is not known of 'visit'"):
        books(rule("event.reason == 'asked'", "visit"), more=more)


def test_the_kinds_without_a_reason_are_named() -> None:
    without = {kind.model_fields["type"].default for kind in CORE_EVENTS if "reason" not in kind.model_fields}
    assert without == WITHOUT_REASON


@pytest.mark.parametrize("fact", ["tier", "club"])
def test_a_rule_reads_since_when_a_level_holds(fact: str) -> None:
    ledger = books(rule(f"account.{fact} == 'gold' and days_since(account.{fact}_since) >= 30"), fact)
    ledger.post(type="purchase", amount="100.00", at="2025-01-05T12:00")
    ledger.post(type="purchase", amount="1.00", at="2025-02-03T12:00")
    assert ledger.balance("points") == "0"
    ledger.post(type="purchase", amount="1.00", at="2025-02-04T09:00")
    assert ledger.balance("points") == "1"


def test_a_level_that_is_granted_again_is_held_since_the_first_time() -> None:
    more = "[[plugin]]\nuse = 'legacy'\n[[plugin.ladder]]\nfact = 'tier'\nlevels = ['blue', 'gold']\n"
    ledger = books(rule("days_since(account.tier_since) >= 9"), more=more)
    for day in (1, 8):
        ledger.post(type="legacy.imported", level="gold", at=f"2025-01-{day:02}")
    ledger.post(type="purchase", amount="1.00", at="2025-01-10")
    assert ledger.balance("points") == "1"


def test_without_a_level_it_is_held_since_now() -> None:
    ledger = books(rule("days_since(account.club_since) == 0"), "club", lowest="50")
    for day, amount in (
        ("2025-01-01", "1.00"),
        ("2025-02-01", "1.00"),
        ("2025-03-01", "60.00"),
        ("2025-03-02", "1.00"),
    ):
        ledger.post(type="purchase", amount=amount, at=day)
    assert ledger.balance("points") == "3"


def test_a_rule_reads_what_the_level_was_and_is() -> None:
    changed = (
        "event.scheme == 'tier' and event.before == 'blue' and event.after == 'gold' and event.cause == 'purchase'"
    )
    ledger = books(rule(changed, "tier.raised"))
    ledger.post(type="purchase", amount="1.00", at="2025-01-01")
    assert ledger.balance("points") == "0"
    ledger.post(type="purchase", amount="100.00", at="2025-01-02")
    assert ledger.balance("points") == "1"


def test_a_metric_reads_it_too() -> None:
    more = "[metrics.golds]\ncount = true\non = ['tier.raised']\nwhen = \"event.after == 'gold'\"\n"
    ledger = books(rule("metric.golds == 1"), more=more)
    for day in (1, 2, 3):
        ledger.post(type="purchase", amount="90.00", at=f"2025-01-{day:02}")
    assert ledger.balance("points") == "1"


def test_a_rule_reads_the_household() -> None:
    households = "[[plugin]]\nuse = 'households'\nrules = ['points.none']\n"
    ledger = books(rule("account.household == 'home'"), more=households)
    for ref in ("home", "ann"):
        ledger.post(type="account.opened", account=ref, at="2025-01-01")
    ledger.post(type="household.joined", account="ann", to="home", at="2025-01-02")
    for ref in ("home", "ann", "bob"):
        ledger.post(type="purchase", account=ref, amount="1.00", at="2025-01-03")
    assert [ledger.balance("points", account=ref) for ref in ("home", "ann", "bob")] == ["0", "1", "0"]


@pytest.mark.parametrize(
    ("when", "on", "message"),
    [
        ("event.after == 'gold'", "purchase", "event.after is not known of 'purchase'; it belongs to tier.lowered, tier.rai"),
        ("event.reason == ''", "purchase", "event.reason is not known of 'purchase'"),
        ("balance.mile > 1", "purchase", r"no field 'balance.mile' \(did you mean 'miles'\?\)"),
        ("balance.points == 'a'", "purchase", "a number"),
        ("account.tier_since > 3", "purchase", "an instant"),
        ("event.reward == 'mug'", "purchase", "no field 'event.reward'"),  # its plugin is not in the program
    ],
)  # fmt: skip
def test_what_is_not_there_is_told(when: str, on: str, message: str) -> None:
    with pytest.raises(ProgramError, match=message):
        load_program(HEAD + LADDER.replace("FACT", "tier") + rule(when, on))


def test_the_name_of_a_level_s_instant_is_taken() -> None:
    with pytest.raises(ProgramError, match=r"account\.club_since is something else already"):
        books(rule("True"), "club", "[attributes]\nclub_since = 'text'\n")


def test_no_attribute_is_called_like_the_column_of_accounts() -> None:
    with pytest.raises(ProgramError, match=r"attributes\.account: account\.account is something else already"):
        load_program(HEAD + "[attributes]\naccount = 'text'\n")
