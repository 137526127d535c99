"""Examples with several accounts: what each of them has, and what is told where one has something else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from click.testing import CliRunner

from stampbook import load_program
from stampbook.cli import cli
from stampbook.testing import check_examples

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """\
[program]
name = "Two"
currency = "EUR"
open_accounts = "on first event"
[assets.points]
[[plugin]]
use = "points"
[[plugin.rule]]
name = "base"
earn = "order.net"
[[plugin]]
use = "transfers"
asset = "points"

[[example]]
name = "a gift"
events = [
    { type = "purchase", account = "ann", at = "2025-03-01", amount = "50.00" },
    { type = "account.opened", account = "bob", at = "2025-03-01" },
    { type = "transfer", account = "ann", to = "bob", asset = "points", amount = "20", at = "2025-03-02" },
]
balances = { points = "30" }

[example.accounts.bob]
"""


def told(expected: str) -> list[str]:
    (result,) = check_examples(load_program(PROGRAM + expected))
    return list(result.problems)


def test_what_another_account_has_is_compared() -> None:
    assert told('status = "open"\nbalances = { points = "20" }') == []
    assert told('balances = { points = "21" }') == ["account bob: balance of points is 20, not 21"]
    assert told('status = "closed"') == ["account bob: it is open, not closed"]
    assert told('facts = { tier = "gold" }') == ["account bob: tier is '', not 'gold'"]


def test_an_account_that_no_event_names_is_a_mistake() -> None:
    assert told('[example.accounts.bop]\nbalances = { pionts = "1" }') == [
        "accounts.bop: no event names account 'bop' (did you mean 'bob'?); there are ann, bob",
        "accounts.bop.balances.pionts: 'pionts' is not an asset of this program (did you mean 'points'?)",
    ]


def test_a_mistake_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "two.toml"
    path.write_text(PROGRAM + 'balances = { points = "21" }\n', encoding="utf-8")
    result = CliRunner().invoke(cli, ["check", str(path)])
    assert f"{path}:25: example 'a gift': account bob: balance of points is 20, not 21" in result.output
