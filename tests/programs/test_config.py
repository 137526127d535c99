"""The ready programs: each loads, each keeps what its examples say, and the examples say enough to notice a change."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import orjson
import pytest

from stampbook import ProgramError, Registry, load_program, load_program_file
from stampbook.replay import MemoryLedger
from stampbook.testing import check_examples

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stampbook.program import Example, ExampleAccount

Expected = TypeVar("Expected", "Example", "ExampleAccount")

ROOT = Path(__file__).parents[2]
PROGRAMS = sorted((ROOT / "config").glob("*.toml"))
NAMES = [path.stem for path in PROGRAMS]

per_program = pytest.mark.parametrize("path", PROGRAMS, ids=NAMES)


def test_the_ready_programs_are_there() -> None:
    assert {"coffee_shop", "grocery", "chinese_salon", "online_retail"} <= set(NAMES)


@per_program
def test_each_example_comes_out_as_it_says(path: Path) -> None:
    results = check_examples(load_program_file(path))
    assert results
    assert {result.name: result.problems for result in results if not result.ok} == {}


@per_program
def test_no_two_examples_have_one_name(path: Path) -> None:
    names = [example.name for example in load_program_file(path).file.examples]
    assert len(set(names)) == len(names)


@per_program
def test_every_rule_and_every_multiplier_acts_in_some_example(path: Path) -> None:
    registry = load_program_file(path)
    acted = {rule for example in registry.file.examples for rule in _acting(registry, example)}
    assert _rules(registry) <= acted


@per_program
def test_a_program_expects_both_what_is_granted_and_what_is_refused_or_returned(path: Path) -> None:
    examples = load_program_file(path).file.examples
    kinds = {event["type"] for example in examples for event in example.events}
    assert {"purchase", "return"} <= kinds
    assert any(example.at for example in examples), "nothing shows what time brings"


@per_program
def test_an_example_fails_when_any_number_or_fact_that_it_expects_is_another(path: Path) -> None:
    registry = load_program_file(path)
    for place, example in enumerate(registry.file.examples):
        changed = list(_with_another_expectation(example))
        assert changed, f"{example.name} expects nothing"
        for other in changed:
            wrong = load_program_file(path)
            examples = (*registry.file.examples[:place], other, *registry.file.examples[place + 1 :])
            wrong.file = registry.file.model_copy(update={"examples": examples})
            assert [result.name for result in check_examples(wrong) if not result.ok] == [example.name]


def _with_another_expectation(example: Example) -> Iterator[Example]:
    yield from _with_another_amount_or_fact(example)
    for ref, expected in example.accounts.items():
        for other in _with_another_amount_or_fact(expected):
            yield example.model_copy(update={"accounts": {**example.accounts, ref: other}})
    if example.refused:
        yield example.model_copy(update={"refused": ()})
        yield example.model_copy(update={"refused": ("another", *example.refused[1:])})
    yield example.model_copy(update={"refused": (*example.refused, "one_more")})


def _with_another_amount_or_fact(example: Expected) -> Iterator[Expected]:
    for field in ("balances", "pending", "owed"):
        expected: dict[str, str] = getattr(example, field)
        for code, amount in expected.items():
            yield example.model_copy(update={field: expected | {code: _one_more(amount)}})
    for name in example.facts:
        yield example.model_copy(update={"facts": example.facts | {name: "another"}})


def _one_more(number: str) -> str:
    digits = str(int(number.replace(".", "")) + 1).rjust(len(number.replace(".", "")), "0")
    point = len(number.partition(".")[2])
    return f"{digits[:-point]}.{digits[-point:]}" if point else digits


# A number of a rule that could be another without any example noticing is a number that nobody has checked.
# Examples cannot see the money that a return or a refund pays out, nor segments.
OUT_OF_SIGHT = {"decimals", "unit_values", "rate", "minimum_stay", "confirm_runs"}
SCHEMES = {'"rfm"', '"abc"', '"lifecycle"', '"preference"'}
_VALUE = re.compile(r"^(?P<key>\w+) = (?P<value>.+?)(?P<comment>\s+#.*)?$")
_NUMBER = re.compile(r"(?<![\w.-])\d+(?:\.\d+)?(?![\w.])|(?<=-)\d\d(?=')")


def _with_another_number(text: str) -> Iterator[tuple[str, str]]:
    lines = text.partition("\n[[example]]")[0].splitlines()
    plugin = ""
    for at, line in enumerate(lines):
        match = _VALUE.match(line)
        if match is None:
            continue
        plugin = match["value"] if match["key"] == "use" else plugin
        if match["key"] in OUT_OF_SIGHT or plugin in SCHEMES:
            continue
        for number in _NUMBER.finditer(match["value"]):
            start, end = (match.start("value") + edge for edge in number.span())
            changed = line[:start] + _one_more(number[0]) + line[end:]
            yield line, "\n".join([*lines[:at], changed, *lines[at + 1 :], *text.splitlines()[len(lines) :]])


@per_program
def test_examples_notice_any_other_number_in_the_rules(path: Path) -> None:
    unnoticed: list[str] = []
    for line, text in _with_another_number(path.read_text(encoding="utf-8")):
        try:
            registry = load_program(text)
        except ProgramError:
            continue
        if all(result.ok for result in check_examples(registry)):
            unnoticed.append(line)
    assert unnoticed == []


def _acting(registry: Registry, example: Example) -> Iterator[str]:
    ledger = MemoryLedger(registry, clock=lambda: 0)
    first = {"source": "example", "account": "customer", **example.events[0]}
    if registry.file.program.open_accounts == "refuse" and first["type"] != "account.opened":
        ledger.post({"type": "account.opened", "id": "open", "account": first["account"], "at": first["at"]})
    refs: dict[str, None] = {}
    for number, event in enumerate(example.events):
        full: dict[str, Any] = {"id": f"e{number}", "source": "example", "account": "customer", **event}
        refs[full["account"]] = None
        ledger.post(full)
    for ref in refs:
        for entry in ledger.entries(ref):
            trace = orjson.loads(entry.trace)
            yield from (rule for rule, _, units in trace.get("awards", ()) if units > 0)
            yield from (rule for rule, _ in trace.get("multiplied", ()))


def _rules(registry: Registry) -> set[str]:
    rules: set[str] = set()
    for plugin in registry.plugins:
        config = plugin.config
        rules.update(f"{plugin.name}.{rule.name}" for rule in getattr(config, "rules", ()))
        rules.update(f"{plugin.name}.{rule.name}" for rule in getattr(config, "multipliers", ()))
        rules.update(
            f"{plugin.name}.{level.name}" for level in getattr(config, "levels", ()) if level.multiplier != "1"
        )
    return rules
