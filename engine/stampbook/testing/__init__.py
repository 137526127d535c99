"""What plugin authors and operators test with.

A ledger in memory, driven as a shop would drive it::

    ledger = Ledger(PROGRAM, plugins={"cheapest": Cheapest})
    ledger.post(type="purchase", amount="12.50", at="2025-03-01T10:00")
    assert ledger.balance("points") == "12"

Every promise that the plugin contract asks for, in one line::

    check_plugin(Cheapest, {"asset": "points"})

Or one pytest case for each of them::

    @pytest.mark.parametrize("check", plugin_checks(Cheapest, {"asset": "points"}), ids=str)
    def test_it_keeps_the_contract(check):
        check()

The worked examples of a program file::

    assert all(result.ok for result in check_examples(load_program_file("program.toml")))

Random histories of an account, for property tests with Hypothesis, are in `stampbook.testing.strategies`; realistic
ones of a whole market, for trying segments and measuring speed, in `stampbook.testing.histories`.
"""

from __future__ import annotations

from stampbook.replay import ExampleResult, check_examples
from stampbook.testing.conformance import Check, check_plugin, plugin_checks
from stampbook.testing.ledger import Ledger
from stampbook.testing.subject import sample_events

__all__ = ["Check", "ExampleResult", "Ledger", "check_examples", "check_plugin", "plugin_checks", "sample_events"]
