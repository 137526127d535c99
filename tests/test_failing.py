"""A rule that fails on an event: one line that says where it stands, and nothing half done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stampbook import PluginError
from stampbook.engine import Engine
from stampbook.outcomes import FAILED
from stampbook.testing import Ledger
from stampbook.verifying import verify

if TYPE_CHECKING:
    from pathlib import Path

HEAD = """
[program]
name = "Divided"
currency = "GBP"
open_accounts = "on first event"
[assets.points]
[metrics.spends]
on = ["spend"]
count = true
"""
BY_ZERO = "100 / metric.spends"
TWICE = f"[[plugin.multiplier]]\nname = 'm'\nby = '2'\nwhen = '{BY_ZERO} > 3'\n"


def rule(name: str = "odd", **keys: str) -> str:
    said = {"earn": "1", **keys}
    return f"[[plugin.rule]]\nname = '{name}'\n" + "".join(f'{key} = "{text}"\n' for key, text in said.items())


def points(*rules: str) -> str:
    return HEAD + '[[plugin]]\nuse = "points"\n' + "".join(rules)


@pytest.mark.parametrize(
    ("program", "place"),
    [
        (points(rule("even"), rule(earn=BY_ZERO)), "shop.toml:17: plugin[1].rule[2].earn: rule points.odd"),
        (points(rule(when=f"{BY_ZERO} > 3")), "shop.toml:15: plugin[1].rule[1].when: rule points.odd"),
        (points(rule(earn=BY_ZERO, each="5.00")), "shop.toml:12: plugin[1].rule[1]: rule points.odd"),
        (points(rule()) + TWICE, "shop.toml:18: plugin[1].multiplier[1].when:"),
        (points(rule()) + "[metrics.odd]\nsum = '1 / order.tax'\n", "shop.toml:16: metrics.odd.sum:"),
    ],
)  # fmt: skip
def test_a_rule_that_divides_by_zero_is_named_with_file_line_key_and_event(
    program: str, place: str, tmp_path: Path
) -> None:
    with Engine.open(f"sqlite:///{tmp_path / 'books.db'}", create=True, clock=lambda: 2 * 10**15) as engine:
        engine.put_text_in_force(program, file="shop.toml")
        engine.post({"type": "account.opened", "id": "o", "account": "ann", "at": "2025-03-01T09:00"})
        sent = {"type": "purchase", "account": "ann", "at": "2025-03-01T10:00", "amount": "10.00"}
        bad, good = engine.process(
            [{**sent, "id": "sale-1"}, {"type": "topup", "id": "t", "account": "ann", "at": sent["at"], "amount": "5"}]
        )
        assert bad.status == FAILED
        told = str(bad.error)
        assert told.startswith(place)
        assert "fails on event 'sale-1': division by zero" in told
        assert "\n" not in told
        assert good.accepted
        assert verify(engine).ok
        with engine.store.reader() as session:
            assert session.accounts(["ann"])["ann"].seq == 2, "opened and topped up; of the purchase there is nothing"


@pytest.mark.parametrize(
    ("keys", "earned"),
    [
        ({"earn": f"{BY_ZERO} if metric.spends > 0 else 3"}, "3"),
        ({"earn": f"3 if metric.spends == 0 else {BY_ZERO}"}, "3"),
        ({"earn": BY_ZERO, "when": "metric.spends > 0"}, "0"),
        ({"earn": "1", "when": f"metric.spends > 0 and {BY_ZERO} > 3"}, "0"),
        ({"earn": "1", "when": f"metric.spends == 0 or {BY_ZERO} > 3"}, "1"),
    ],
)
def test_what_a_condition_guards_is_not_worked_out(keys: dict[str, str], earned: str) -> None:
    books = Ledger(points(rule(**keys)))
    assert books.post(type="purchase", amount="10.00").accepted
    assert books.balance("points") == earned


def test_two_rules_with_one_text_are_told_apart() -> None:
    with pytest.raises(PluginError, match=r"^program:18: plugin\[1\]\.rule\[2\]\.earn: rule points\.b fails"):
        Ledger(points(rule("a", earn=BY_ZERO, when="order.net > 50"), rule("b", earn=BY_ZERO))).post(
            type="purchase", amount="10.00"
        )
