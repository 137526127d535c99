# ruff: noqa: E501 - a message is one line, and so is its case
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from stampbook.errors import ProgramError
from stampbook.loading import load, load_file, program_schema
from stampbook.registry import Registry
from stampbook.wording import in_words

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HEADER = """\
[program]
name = "Tea house"
currency = "GBP"

[assets.points]
"""


def mistakes(text: str) -> list[str]:
    with pytest.raises(ProgramError) as wrong:
        load(text, "tea.toml")
    found = [str(mistake) for mistake in wrong.value.mistakes]
    assert str(wrong.value) == "\n".join(found)
    return [mistake.removeprefix("tea.toml") for mistake in found]


def test_a_small_program() -> None:
    program = load(HEADER)
    assert program.context.name == "Tea house"
    assert {code: asset.decimals for code, asset in program.context.assets.items()} == {"GBP": 2, "points": 0}
    assert program.hash == load(HEADER, "other name").hash != load(HEADER + "\n").hash


def test_every_mistake_of_a_file_is_reported_at_once_in_the_order_of_the_file() -> None:
    assert mistakes("""\
[program]
name = "Tea house"
currency = "GBX"
time_zone = "Europe/Londn"
leap_day = "2 march"
open_account = "refuse"

[assets.points]
decimal = 1
spend_order = ["expiry", "bonus"]

[assets.JPY]
decimals = 2

[metrics.spend]
sum = "order.nett"
window = "12 monts"

[metrics.visits]
on = ["purchas"]

[metrics.loops]
sum = "metric.visits"
per = "order"

[stacking]
promo = "bets"

[[plugin]]
use = "points"
expires = "a while"

[[plugin.rule]]
name = "base"
earn = "order.net * line.quantity"

[[plugin.rule]]
name = "Tea time"
when = "order.net"
earn = "order.net"
expires = "soon"
pending = 14

[[plugin]]
name = "nameless"

[[plugin]]
use = "tier"

[[plugin]]
use = "tiers"
metric = "visits"
levels = []

[[example]]
name = "none"
balance = { points = "1" }
""") == [
        ":3: program.currency: 'GBX' is not an ISO 4217 currency (did you mean 'GBP'?)",
        ":4: program.time_zone: no time zone 'Europe/Londn' (did you mean 'Europe/London'?)",
        ":5: program.leap_day: '2 march' is not one of '28 february', '1 march' (did you mean '1 march'?)",
        ":6: program.open_account: no such key (did you mean 'open_accounts'?)",
        ":9: assets.points.decimal: no such key (did you mean 'decimals'?)",
        (":10: assets.points.spend_order[2]: 'bonus' is not one of 'priority', 'expiry', 'bonus_first', 'paid_first',"
         " 'effective', 'created' (did you mean 'bonus_first'?)"),
        ":13: assets.JPY.decimals: JPY is a currency of 0 decimals",
        ":16: metrics.spend.sum: no field 'order.nett' (did you mean 'net'?) (column 1)",
        ":17: metrics.spend.window: '12 monts' is not a window; write '12 months', 'calendar year' or 'lifetime'",
        ":19: metrics.visits: a metric has one of count = true, sum = '…', distinct = '…' and granted = 'points'",
        ":20: metrics.visits.on: 'purchas' is no kind of event (did you mean 'purchase'?)",
        ":22: metrics.loops: a metric cannot read metric.visits: metrics are counted before they are compared",
        ":27: stacking.promo: 'bets' is not one of 'sum', 'best', 'first', 'exclusive', 'multiplied' (did you mean 'best'?)",
        (":31: plugin[1].expires: 'a while' is no time to be good; write '12 months', '12 months, end of month',"
         " '31 march', '31 march of the following year, at least 6 months', 'membership anniversary' or 'never'"),
        ":33: plugin[1].rule[1]: line.quantity needs per = 'line'",
        ":38: plugin[1].rule[2].name: 'Tea time' cannot be a name here; write small letters, digits, _ and -, a letter first, at most 63 of them",
        ":39: plugin[1].rule[2].when: a condition must be true or false; this is a number (column 1)",
        (":41: plugin[1].rule[2].expires: 'soon' is no time to be good; write '12 months', '12 months, end of month',"
         " '31 march', '31 march of the following year, at least 6 months', 'membership anniversary' or 'never'"),
        ":42: plugin[1].rule[2].pending: 14 is not text; write it in quotes",
        ":44: plugin[2].use: missing",
        ":48: plugin[3].use: no plugin 'tier' is installed (did you mean 'tiers'?)",
        ":50: plugin[4]: a ladder needs levels: write [[plugin.level]]; one that is no more says ended = true",
        ":53: plugin[4].levels: no such key (did you mean 'level'?)",
        ":57: example[1].balance: no such key (did you mean 'balances'?)",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[program]\nname = 'x' y\n", ":2: not valid TOML: Expected newline or end of document after a statement"),
        ("[program]\n\nname = \n", ":3: not valid TOML: Invalid value"),
        ("a = 1\na = 2\n", ":2: not valid TOML: Cannot overwrite a value"),
        ("a = [1,\n2\n\n", ":2: not valid TOML: Unclosed array"),
        (f"x = {'[' * 5_000}", ":1: not valid TOML: nested too deeply"),
        (f"\nx = {'{a=' * 5_000}", ":2: not valid TOML: nested too deeply"),
        ("\x00", ":1: not valid TOML"),
    ],
)
def test_what_is_not_toml_is_refused_with_its_line(text: str, message: str) -> None:
    [only] = mistakes(text)
    assert only.startswith(message)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [": program: missing"]),
        ("program = 3", [":1: program: 3 is not a table"]),
        ("[program]", [":1: program.currency: missing", ":1: program.name: missing"]),
        ("[program]\nname = 3\ncurrency = ['GBP']", [":2: program.name: 3 is not text; write it in quotes", ":3: program.currency: a list is not text; write it in quotes"]),
        (f"{HEADER}plugin = 3", [":6: assets.points.plugin: no such key"]),
        (f"plugin = 3\n{HEADER}", [":1: plugin: write [[plugin]] with two brackets: there may be several"]),
        (f"{HEADER}[plugin]\nuse = 'points'", [":6: plugin: write [[plugin]] with two brackets: there may be several"]),
        (f"plugin = [1]\n{HEADER}", [":1: plugin[1]: write [[plugin]] with two brackets: there may be several"]),
        (f"{HEADER}[metrics.spend]\ncount = true\non = ['pruchase']", [":8: metrics.spend.on: 'pruchase' is no kind of event (did you mean 'purchase'?)"]),
        (f"{HEADER}[metrics.spend]\nsum = 'order.net'\non = ['purchase', 'topup']", [":6: metrics.spend: order.net is known of a purchase only, not of 'topup'; make two rules"]),
        (f"{HEADER}[metrics.spend]\nsum = 'event.amount'", [":6: metrics.spend: event.amount is not known of 'purchase'; use order.total"]),
        (f"{HEADER}[metrics.spend]\nsum = 'event.amount'\non = ['return']", [":6: metrics.spend: event.amount is not known of 'return', which may name lines"]),
        (f"{HEADER}[metrics.spend]\ncount = true\non = ['topup']\nper = 'line'", [":6: metrics.spend: per = 'line' needs a purchase; 'topup' has no lines"]),
        (f"{HEADER}decimals = true", [":6: assets.points.decimals: True is not a whole number"]),
        (f"{HEADER}decimals = 7", [":6: assets.points.decimals: 7 is more than 6"]),
        (f"{HEADER}[assets.'p p']", [":6: assets.p p: 'p p' cannot be a name here; write letters, digits and _, a letter first, at most 63 of them"]),
        (f"{HEADER}[[plugin]]\nuse = 'rfm'\n[[plugin]]\nuse = 'rfm'", [":6: plugin: two plugin tables are named 'rfm'; give one of them another name"]),
        (f"{HEADER}[[plugin]]\nuse = 'refunds'\n[[plugin]]\nuse = 'refunds'", [":9: plugin[2].use: a program has one table of refunds: the first one plans every return; put it together with that of line 6"]),
        (f"{HEADER}[[plugin]]\nuse = 'refunds'\nname = 'my refunds'", [":8: plugin[1].name: 'my refunds' cannot be a name here; write letters, digits, _ and -, a letter first, at most 40 of them"]),
    ],
)  # fmt: skip
def test_mistakes_have_line_key_and_remedy(text: str, expected: list[str]) -> None:
    assert mistakes(text) == expected


def test_a_deep_table_where_a_word_belongs_is_named_briefly() -> None:
    deep = ".".join("a" * 900)
    [only] = mistakes(f"{HEADER}[stacking.promo]\n{deep} = 1")
    assert only == ":6: stacking.promo: a table is not one of 'sum', 'best', 'first', 'exclusive', 'multiplied'"


def test_a_file_is_read_by_its_name(tmp_path: Path) -> None:
    file = tmp_path / "tea.toml"
    file.write_text(HEADER.replace("GBP", "EUR") + "# 茶\n", encoding="utf-8")
    assert isinstance(load_file(file), Registry)
    file.write_bytes(b"# \xff")
    with pytest.raises(ProgramError, match=r"tea\.toml: not UTF-8 text \(byte 2\)"):
        load_file(file)
    with pytest.raises(ProgramError, match=r"none\.toml: cannot be read: No such file or directory"):
        load_file(tmp_path / "none.toml")
    with pytest.raises(ProgramError, match="cannot be read"):
        load_file(tmp_path)


def test_the_schema_knows_every_installed_plugin() -> None:
    schema = program_schema()
    variants = schema["properties"]["plugin"]["items"]["oneOf"]
    assert {"points", "tiers", "rfm", "refunds"} <= {variant["properties"]["use"]["const"] for variant in variants}
    assert all("description" in about for variant in variants for about in variant["properties"].values())


def _patterns(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(schema.get("pattern"), str):
            yield schema["pattern"]
        yield from (pattern for part in schema.values() for pattern in _patterns(part))
    elif isinstance(schema, list):
        yield from (pattern for part in schema for pattern in _patterns(part))


def test_no_operator_has_to_read_a_regular_expression() -> None:
    patterns = set(_patterns(program_schema()))
    assert len(patterns) > 5
    for pattern in patterns:
        words = in_words({"type": "string_pattern_mismatch", "input": "?", "ctx": {"pattern": pattern}})
        assert pattern not in words
        assert "; write " in words or " is not " in words
