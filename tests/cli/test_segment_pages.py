"""The pages on segments: their programs put a shop's accounts into segments, and what they tell of runs is so."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from stampbook import Engine
from tests.cli.shop import ROOT, data, run

if TYPE_CHECKING:
    from pathlib import Path

PAGES = ("segments.md", "policies/segments-in-rules.md", "zh/segments.md")
RULES = (ROOT / "docs" / "policies" / "segments-in-rules.md").read_text(encoding="utf-8")
HEAD = '[program]\nname = "Corner Shop"\ncurrency = "GBP"\n'
FIRST = date(2025, 1, 6)
MOODS = """
[program]
name = "Corner Shop"
currency = "GBP"
open_accounts = "on first event"
[attributes]
mood = "text"
[segments.rfm]
{policy}
[[plugin]]
use = "attributes"
name = "rfm"
attribute = "mood"
"""
"""A scheme that says what it is told to say."""


def programs() -> list[Any]:
    found = []
    for page in PAGES:
        text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        fences = re.finditer(r"```toml\n(.*?)```", text, re.DOTALL)
        found += [pytest.param(it[1], id=f"{page}:{text.count(chr(10), 0, it.start()) + 1}") for it in fences]
    return found


def purchases() -> list[dict[str, Any]]:
    return [
        {
            "type": "purchase",
            "id": f"{customer}-{visit}",
            "account": f"c{customer:02d}",
            "at": f"{FIRST + timedelta(days=customer + visit * (customer + 3))}T12:00",
            "lines": [{"sku": "bean", "category": "coffee", "labels": ["brand:Acme"], "amount": f"{customer + 5}.00"}],
        }
        for customer in range(12)
        for visit in range(1 + customer % 5)
    ]


@pytest.mark.parametrize("program", programs())
def test_a_program_of_the_pages_segments_a_ledger(empty: Path, program: str) -> None:
    text = program if "[program]" in program else HEAD + program
    if "open_accounts" not in text:
        text = re.sub(r"(?m)^currency = .*$", r'\g<0>\nopen_accounts = "on first event"', text, count=1)
    (empty / "shop.toml").write_text(text, encoding="utf-8")
    run("init")
    run("apply", "shop.toml", "--from", "2025-01-01")
    with Engine.open("sqlite:///stampbook.db") as engine:
        assert all(outcome.accepted for outcome in engine.process(purchases()))
    ran = data("segments", "run", "--at", "2025-03-31")
    assert ran
    for made in ran:
        assert made["accounts"] == sum(row["accounts"] for row in made["segments"]) == 12
        assert not made["refused"]


def moods(policy: str, said: list[tuple[str, str]]) -> list[str]:
    """Return where the one account is after each run, when the scheme says this on these days."""
    where = []
    with Engine.open("sqlite:///stampbook.db", create=True) as engine:
        engine.put_text_in_force(MOODS.format(policy=policy))
    for day, mood in said:
        event = {"type": "account.described", "id": day, "account": "1001", "at": day, "attributes": {"mood": mood}}
        with Engine.open("sqlite:///stampbook.db") as engine:
            if day == said[0][0]:
                assert engine.post({"type": "account.opened", "id": "o", "account": "1001", "at": day}).accepted
            assert engine.post(event).accepted
        run("segments", "run", "--at", day)
        [row] = data("segments", "explain", "1001")
        where.append(row["segment"])
    return where


def test_two_runs_must_agree_as_the_page_tells(empty: Path) -> None:
    assert empty.exists()
    table = re.findall(r"(?m)^\| (\d+)(?:st|nd|rd|th) \| (\w+) \| (\w+) \|$", RULES)
    assert len(table) == 4
    said = [(f"2025-10-{int(day):02d}", mood) for day, mood, _ in table]
    assert moods("confirm_runs = 2", said) == [where for *_, where in table]


def test_who_is_held_is_told_as_the_page_shows(empty: Path) -> None:
    assert empty.exists()
    moods('minimum_stay = "60 days"', [("2025-10-01", "loyal"), ("2025-11-01", "at_risk")])
    [shown] = re.findall(r"```text\n(.*?)```", RULES, re.DOTALL)
    assert run("segments", "explain", "1001").output.startswith(shown)


def test_commands_of_the_table_run(empty: Path) -> None:
    """As they stand in the page; the draft is the program in force."""
    moods("", [("2025-03-01", "loyal"), ("2025-04-01", "at_risk")])
    (empty / "draft.toml").write_text(MOODS.format(policy=""), encoding="utf-8")
    commands = re.findall(r"(?m)^\| `stampbook (segments [^`]+)` \|", RULES)
    assert {command.split()[1] for command in commands} == {
        "run", "runs", "show", "flow", "who", "compare", "explain", "schedule"
    }  # fmt: skip
    for command in commands:
        assert run(*command.split()).output
    assert (empty / "them.csv").read_text(encoding="utf-8").splitlines() == ["account", "1001"]
