# ruff: noqa: E501 - a message is one line
"""Mistakes of a program file: all at once, none of them hidden by another, none made up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stampbook import ProgramError, load_program, load_program_file
from stampbook.testing import check_examples

if TYPE_CHECKING:
    from pathlib import Path

HEADER = """\
[program]
name = "Tea house"
currency = "EUR"

[assets.points]

[metrics.visits]
count = true
"""
FIRST = HEADER.count("\n")
LARGE = "9" * 5000


def mistakes(text: str) -> list[str]:
    """Return the mistakes of a text behind the header, by their line in it."""
    with pytest.raises(ProgramError) as wrong:
        load_program(HEADER + text)
    return [
        f"{mistake.line - FIRST if mistake.line else 0}: {mistake.key}: {mistake.message}"
        for mistake in wrong.value.mistakes
    ]


def test_levels_are_all_judged_whatever_else_is_wrong() -> None:
    assert mistakes("""\
[[plugin]]
use = "tiers"
metric = "visits"
[[plugin.level]]
name = "a"
reach = "1.5"
[[plugin.level]]
name = "b"
reach = "3"
[[plugin.level]]
name = "c"
reach = "2"
multiplier = 2
[[plugin.level]]
name = "d"
reach = "2"
[[plugin.level]]
name = "e"
reach = "4.5"
""") == [
        "4: plugin[1].level[1]: level 'a': '1.5' has more than 0 decimals",
        "13: plugin[1].level[3].multiplier: 2 is not text; write it in quotes",
        "14: plugin[1].level[4]: level 'd' is not above 'b'; list levels from lowest to highest",
        "17: plugin[1].level[5]: level 'e': '4.5' has more than 0 decimals",
    ]  # fmt: skip


def test_rules_are_all_judged_whatever_else_is_wrong() -> None:
    assert mistakes("""\
[[plugin]]
use = "points"
expire = "never"
[[plugin.rule]]
name = "x"
earn = "line.net"
expires = 5
[[plugin.rule]]
name = "y"
earn = "1"
asset = "pots"
[[plugin.rule]]
name = "z"
earn = "1"
group = "extra"
""") == [
        "3: plugin[1].expire: no such key (did you mean 'expires'?)",
        "4: plugin[1].rule[1]: line.net needs per = 'line'",
        "7: plugin[1].rule[1].expires: 5 is not text; write it in quotes",
        "8: plugin[1].rule[2]: rule 'y' grants 'pots', which is not an asset of the program (EUR, points)",
        "12: plugin[1].rule[3]: rule 'z' names the group 'extra', which [stacking] does not have",
    ]


def test_values_of_units_are_all_judged() -> None:
    text = """\
[[plugin]]
use = "refunds"
points_spent = "deduct_from_refund"
unit_values = { pints = "1", points = 0.01, pots = "2" }
"""
    assert mistakes(text) == [
        "4: plugin[1].unit_values.pints: unit_values: 'pints' is not an asset of the program, which has EUR, points",
        "4: plugin[1].unit_values.points: 0.01 is not text; write it in quotes",
        "4: plugin[1].unit_values.pots: unit_values: 'pots' is not an asset of the program, which has EUR, points",
    ]


@pytest.mark.parametrize(
    ("text", "only"),
    [
        ("[[plugin]]\nuse = 'refunds'\npoints_spent = 'deduct'\nunit_values = { points = '1' }", "points_spent"),
        ("[[plugin]]\nuse = 'refunds'\npoints_spent = 'deduct_from_refund'\nunit_values = 5", "unit_values"),
        ("[[plugin]]\nuse = 'refunds'\npoints_spent = 'deduct_from_refund'\nunit_value = { points = '1' }", "unit_value"),
        ("[[plugin]]\nuse = 'tiers'\nmetric = 5\n[[plugin.level]]\nname = 'a'", "metric"),
        ("[[plugin]]\nuse = 'tiers'\nmetric = 'visits'\n[[plugin.level]]\nname = 'a'\n[[plugin.level]]\nname = 'b'\nreach = 5", "level[2].reach"),
        ("[[plugin]]\nuse = 'points'\n[[plugin.rule]]\nname = 'a'\nper = 'lines'\nearn = 'line.net'", "rule[1].per"),
        ("[[plugin]]\nuse = 'points'\n[[plugin.rule]]\nname = 'a'\non = 'topup'\nearn = 'event.amount'", "rule[1].on"),
        ("[[plugin]]\nuse = 'points'\nasset = 5\n[[plugin.rule]]\nname = 'a'\nearn = '1'", "asset"),
    ],
)  # fmt: skip
def test_what_comes_of_one_mistake_is_not_told_as_another(text: str, only: str) -> None:
    keys = [line.split(": ")[1] for line in mistakes(text)]
    expected = f"plugin[1].{only}"
    assert keys[0] == expected or keys == ["plugin[1]", expected]
    assert len(keys) == 1 or only == "unit_value"


def test_a_metric_is_judged_as_a_whole_whatever_else_is_wrong() -> None:
    text = "[metrics.a]\nwindow = 3\n[metrics.b]\nsums = 'order.net'\n[metrics.c]\nsum = 'order.nett'"
    whole, window, misspelt, formula = mistakes(text)
    assert whole.startswith("1: metrics.a: a metric has ")
    assert window == "2: metrics.a.window: 3 is not text; write it in quotes"
    assert misspelt == "4: metrics.b.sums: no such key (did you mean 'sum'?)"
    assert formula == "6: metrics.c.sum: no field 'order.nett' (did you mean 'net'?) (column 1)"


EXAMPLES = """\
[[plugin]]
use = "points"
[[plugin.rule]]
name = "a"
earn = "order.net"

[[example]]
name = "events"
events = [
  { type = "purchas", at = "2025-03-06T09:00", amount = "4.90" },
  { type = "purchase", at = "soon", amount = 4.999 },
]
balances = { pionts = "4", points = "x" }

[[example]]
name = "times"
events = [{ type = "topup", at = "2025-03-06", amount = "4.90", currency = "USD" }]
at = "later"
pending = { EUR = "0.001" }

[[example]]
name = "nothing"
"""

IN_EXAMPLES = [
    "9: events[1].type: 'purchas' is no kind of event of this program (did you mean 'purchase'?)",
    "9: events[2].amount: '4.999' has more than 2 decimals",
    "9: events[2].at: 'soon' is not a date or time; write 2025-01-31 or 2025-01-31T10:00:00+08:00",
    "13: balances.pionts: 'pionts' is not an asset of this program (did you mean 'points'?)",
    "13: balances.points: 'x' is not an amount; write a plain decimal number such as '12.50'",
    "17: events[1].currency: 'USD' is no currency for a topup; this program has EUR",
    "18: at: 'later' is not a date or time; write 2025-01-31 or 2025-01-31T10:00:00+08:00",
    "19: pending.EUR: '0.001' has more than 2 decimals",
    "21: events: it has no events",
]


def test_every_mistake_of_every_example_is_told() -> None:
    results = check_examples(load_program(HEADER + EXAMPLES))
    told = [problem for result in results for problem in result.problems]
    assert sorted(told) == sorted(line.partition(": ")[2] for line in IN_EXAMPLES)


def test_a_mistake_elsewhere_does_not_hide_those_of_examples() -> None:
    wrong = EXAMPLES.replace('earn = "order.net"', 'earn = "order.nett"').replace('name = "nothing"', "name = 5")
    assert mistakes(wrong) == [
        "5: plugin[1].rule[1].earn: no field 'order.nett' (did you mean 'net'?) (column 1)",
        *(f"{line.replace(': ', ': example[1].' if int(line.partition(':')[0]) < 15 else ': example[2].', 1)}" for line in IN_EXAMPLES[:-1]),
        "22: example[3].name: 5 is not text; write it in quotes",
    ]  # fmt: skip


def test_an_example_is_not_blamed_for_what_is_not_known() -> None:
    other = EXAMPLES.replace('use = "points"', 'use = "surveys"').replace('purchas"', 'survey.done"')
    assert not [line for line in mistakes(other) if "survey.done" in line]
    assert not [line for line in mistakes(EXAMPLES + "[assets.EUR]\ndecimals = 3") if "example[" in line]
    assert mistakes("[[example]]\nname = 'a'\nevents = 5") == ["3: example[1].events: 5 is not a list; write it in [ ]"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"decimals = {LARGE}", "0: : not valid TOML: a number of too many digits"),
        (f"decimals = 0x{'f' * 5000}", "1: metrics.visits.decimals: the number is beyond 9223372036854775807, the largest that TOML has"),
        (f"[[plugin]]\nuse = [[0o{'7' * 5000}]]", "2: plugin[1].use[1][1]: the number is beyond 9223372036854775807, the largest that TOML has"),
        (f"window = '{LARGE} days'", f"1: metrics.visits.window: '{'9' * 79}… days' is not a window; write '12 months', 'calendar year' or 'lifetime'"),
    ],
    ids=["decimal", "hexadecimal", "octal", "text"],
)  # fmt: skip
def test_a_number_of_thousands_of_digits_is_one_line(text: str, message: str) -> None:
    [only] = mistakes(text)
    assert only.removeprefix("1: : ") == message.removeprefix("0: : ")
    assert len(only) < 250


def test_a_file_may_begin_with_a_mark_of_its_encoding(tmp_path: Path) -> None:
    (tmp_path / "tea.toml").write_text("\ufeff" + HEADER, encoding="utf-8")
    assert load_program_file(tmp_path / "tea.toml").context.name == "Tea house"
    (tmp_path / "tea.toml").write_text("\ufeff" + HEADER + "cout = 1", encoding="utf-8")
    with pytest.raises(
        ProgramError, match=r"tea\.toml:9: metrics\.visits\.cout: no such key \(did you mean 'count'\?\)"
    ):
        load_program_file(tmp_path / "tea.toml")


@pytest.mark.parametrize("wrong", [0, 1, 2])
def test_a_name_that_is_given_twice_is_told_whichever_of_the_two_is_wrong_otherwise(wrong: int) -> None:
    rules = [f"[[plugin.rule]]\nname = '{name}'\nearn = 'order.net'\n" for name in ("base", "base", "more")]
    rules[wrong] = rules[wrong].replace("order.net", "order.nett")
    assert mistakes("[[plugin]]\nuse = 'points'\n" + "".join(rules)) == [
        "1: plugin[1]: two rules are named 'base'; give one of them another name",
        f"{5 + 3 * wrong}: plugin[1].rule[{wrong + 1}].earn: no field 'order.nett' (did you mean 'net'?) (column 1)",
    ]


@pytest.mark.parametrize(
    ("use", "why"),
    [
        ("merging", "only the last one would be heard"),
        ("legacy", "only the last one would be heard"),
        ("refunds", "the first one plans every return"),
        ("households", "an account is in one household"),
    ],
)
def test_a_second_table_of_what_a_program_has_once_is_refused(use: str, why: str) -> None:
    tables = f'[[plugin]]\nuse = "{use}"\n[[plugin]]\nuse = "points"\n[[plugin]]\nuse = "{use}"\nname = "more"\n'
    told = f"a program has one table of {use}: {why}; put it together with that of line {FIRST + 1}"
    assert told in "".join(mistakes(tables))
    assert [each.partition(": a program")[0] for each in mistakes(tables)][-1] == "6: plugin[3].use"


SHOP = """\
[metrics.spend]
sum = "order.net"
[[plugin]]
use = "points"
[[plugin.rule]]
name = "base"
earn = "order.net"
[[plugin.rule]]
name = "more"
earn = "5"
[[plugin]]
use = "tiers"
metric = "spend"
[[plugin.level]]
name = "blue"
[[plugin.level]]
name = "gold"
reach = "100"
[[plugin]]
use = "achievements"
asset = "points"
[[plugin.achievement]]
name = "first"
metric = "spend"
goal = "5"
grants = "1"
[[plugin.achievement]]
name = "second"
metric = "spend"
goal = "9"
grants = "1"
[[plugin]]
use = "refunds"
points_spent = "debt"
[limits.most]
max = "5"
asset = "points"
[[example]]
name = "five"
events = [{ type = "purchase", at = "2025-01-01", amount = "5.00" }]
balances = { points = "5" }
"""
OWING = HEADER.replace("[assets.points]", "[assets.points]\ndebt = true")


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("[assets.points]", "[assets.pionts]", "assets.pionts: nothing names 'pionts', and 'points' is named, first on line 12, and is no asset of the program; did you mean [assets.points]?"),
        ("[metrics.spend]", "[metrics.spent]", "metrics.spent: nothing names 'spent', and 'spend' is named, first on line 22, and is no metric of the program; did you mean [metrics.spend]?"),
        ('use = "points"', 'use = "points"\nasset = "pionts"', "plugin[1].asset: asset: 'pionts' is not an asset of the program, which has EUR, points"),
        ('use = "achievements"\nasset = "points"', 'use = "achievements"\nasset = "pionts"', "plugin[3].asset: asset: 'pionts' is not an asset of the program, which has EUR, points"),
        ('use = "tiers"', 'use = "tiers"\nasset = "pionts"', "plugin[2].asset: asset 'pionts' is not an asset of the program"),
        ('metric = "spend"\n[[plugin.level]]', 'metric = "spent"\n[[plugin.level]]', "plugin[2].metric: metric 'spent' is not declared under [metrics], which has visits, spend"),
        ("debt = true", "debtt = true", "assets.points.debtt: no such key (did you mean 'debt'?)"),
        ("debt = true", "debt = 1", "assets.points.debt: 1 is neither true nor false; write it without quotes"),
    ],
)  # fmt: skip
def test_one_mistake_is_one_line_wherever_it_tells(before: str, after: str, told: str) -> None:
    load_program(OWING + SHOP)
    with pytest.raises(ProgramError) as wrong:
        load_program((OWING + SHOP).replace(before, after, 1))
    assert [f"{mistake.key}: {mistake.message}" for mistake in wrong.value.mistakes] == [told]


@pytest.mark.parametrize(
    ("asset", "own"),
    [
        ("decimals = 'x'", ["assets.points.decimals"]),
        ("colour = 'red'", ["assets.points.colour"]),
        ("debts = true\ncolour = 'red'", ["assets.points.debts", "assets.points.colour"]),
    ],
)
def test_what_a_table_lacks_is_told_though_something_else_of_it_is_wrong(asset: str, own: list[str]) -> None:
    with pytest.raises(ProgramError) as wrong:
        load_program((HEADER + SHOP).replace("[assets.points]", f"[assets.points]\n{asset}", 1))
    keys = [mistake.key for mistake in wrong.value.mistakes]
    assert keys == (own if "debts" in asset else [*own, "plugin[4].points_spent"])


def test_names_that_are_used_as_well_are_not_taken_for_a_misspelt_declaration() -> None:
    text = (OWING + SHOP).replace("[assets.points]", "[assets.points2]", 1) + "owed = { points2 = '0' }\n"
    with pytest.raises(ProgramError) as wrong:
        load_program(text)
    keys = [mistake.key for mistake in wrong.value.mistakes]
    assert keys[0] == "plugin[1]"
    assert "limits.most" in keys
    assert "assets.points2" not in keys


def test_a_misspelt_table_of_a_plugin_is_named_by_what_is_near() -> None:
    assert mistakes('[[plugins]]\nuse = "tiers"\n') == ["1: plugins: no such key (did you mean 'plugin'?)"]
