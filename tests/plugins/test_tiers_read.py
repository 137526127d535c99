"""Rules read the facts of all ladders by name."""

from __future__ import annotations

import pytest

from stampbook import ProgramError, load_program
from stampbook.testing import Ledger

PROGRAM = """
[program]
name = "Two ladders"
currency = "GBP"
open_accounts = "on first event"
[assets.points]
{attributes}
[metrics.visits]
count = true
[[plugin]]
use = "points"
[[plugin.rule]]
name = "regulars"
when = "account.{read} == 'regular'"
earn = "5"
[[plugin]]
use = "tiers"
name = "club"
fact = "club"
metric = "visits"
[[plugin.level]]
name = "guest"
[[plugin.level]]
name = "regular"
reach = "2"
"""


def test_a_rule_reads_another_ladder_by_its_fact_with_the_event_counted() -> None:
    ledger = Ledger(PROGRAM.format(read="club", attributes=""))
    for points in ("0", "5", "10"):
        ledger.post(type="purchase", amount="1.00")
        assert ledger.balance("points") == points


def test_a_fact_that_no_plugin_keeps_is_a_mistake() -> None:
    with pytest.raises(ProgramError, match=r"no field 'account\.clup' \(did you mean 'club'\?\)"):
        load_program(PROGRAM.format(read="clup", attributes=""))


def test_an_attribute_cannot_be_what_a_ladder_keeps() -> None:
    with pytest.raises(ProgramError, match=r"account\.club is something else already"):
        load_program(PROGRAM.format(read="club", attributes="[attributes]\nclub = 'text'"))


def test_two_ladders_of_one_fact_are_a_mistake() -> None:
    ladder = '[[plugin]]\nuse = "tiers"\nname = "{}"\nmetric = "spend"\n[[plugin.level]]\nname = "blue"\n'
    program = '[program]\nname = "Two"\ncurrency = "GBP"\n[metrics.spend]\nsum = "order.net"\n[assets.points]\n'
    with pytest.raises(ProgramError, match="ladder 'one' keeps the fact 'tier' already; give this one its own: fact"):
        load_program(program + ladder.format("one") + ladder.format("two"))
