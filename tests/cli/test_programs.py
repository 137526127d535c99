from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.cli.shop import PROGRAM, ROOT, data, one_line, run

if TYPE_CHECKING:
    from pathlib import Path

    import click.testing

READY = sorted(path.stem for path in (ROOT / "config").glob("*.toml"))


def test_init_makes_a_database_and_says_what_comes_next(empty: Path) -> None:
    assert "stampbook.db is ready" in run("init").stdout
    assert (empty / "stampbook.db").is_file()
    assert "run: stampbook apply" in one_line("account", "list")
    run("init")


@pytest.mark.parametrize("how", ["option before", "option after", "environment"])
def test_the_database_is_named_in_three_ways(empty: Path, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if how == "environment":
        monkeypatch.setenv("STAMPBOOK_DB", "other.db")
        run("init")
    elif how == "option before":
        run("--db", "other.db", "init")
    else:
        monkeypatch.setenv("STAMPBOOK_DB", "wrong.db")
        run("init", "--db", "sqlite:///other.db")
    assert [path.name for path in empty.glob("*.db")] == ["other.db"]


def test_init_lists_the_ready_programs(empty: Path) -> None:
    rows = data("init", "--list")
    assert [row["name"] for row in rows] == READY
    assert all(row["about"] for row in rows)
    assert not list(empty.iterdir())


@pytest.mark.parametrize("name", READY)
def test_a_ready_program_is_copied_and_put_in_force(empty: Path, name: str) -> None:
    answer = data("init", "--program", name)
    assert answer["program"] == f"{name}.toml"
    assert (empty / f"{name}.toml").read_bytes() == (ROOT / "config" / f"{name}.toml").read_bytes()
    assert data("account", "list")["accounts"] == []
    run("init", "--program", name)  # a second time is harmless


def test_a_ready_program_that_was_changed_is_not_written_over(empty: Path) -> None:
    (empty / "grocery.toml").write_text("# mine\n", encoding="utf-8")
    assert "was changed" in one_line("init", "--program", "grocery")
    assert (empty / "grocery.toml").read_text(encoding="utf-8") == "# mine\n"
    assert "did you mean 'grocery'?" in one_line("init", "--program", "grocry")


def test_init_does_not_replace_a_program_that_is_in_force(shop: Path) -> None:
    (shop / "other.toml").write_text(PROGRAM.replace("Corner", "Other"), encoding="utf-8")
    assert "stampbook apply other.toml" in one_line("init", "--program", "other.toml")
    before = sorted(shop.iterdir())
    assert "another program is in force already" in one_line("init", "--program", "grocery")
    assert sorted(shop.iterdir()) == before


def test_init_leaves_nothing_behind_where_the_database_cannot_be_made(empty: Path) -> None:
    assert "there is no folder" in one_line("init", "--program", "grocery", "--db", "missing/shop.db")
    (empty / "grocery.toml").mkdir()
    assert "cannot be read: Is a directory" in one_line("init", "--program", "grocery")
    (empty / "coffee_shop.toml").symlink_to("missing/coffee_shop.toml")
    assert "cannot be written" in one_line("init", "--program", "coffee_shop")
    assert sorted(path.name for path in empty.iterdir()) == ["coffee_shop.toml", "grocery.toml"]


BROKEN = """
[program]
name = "Broken"
currency = "EURO"

[assets.points]
decimal = 0

[[plugin]]
use = "poinst"

[[plugin]]
use = "points"

[[plugin.rule]]
name = "base"
earn = "floor(order.nett)"
"""


def test_check_reports_every_mistake_with_file_line_key_and_a_near_name(empty: Path) -> None:
    (empty / "broken.toml").write_text(BROKEN, encoding="utf-8")
    result = run("check", "broken.toml", code=1)
    assert result.stderr.splitlines() == [
        "broken.toml:4: program.currency: 'EURO' is not an ISO 4217 currency (did you mean 'EUR'?)",
        "broken.toml:7: assets.points.decimal: no such key (did you mean 'decimals'?)",
        "broken.toml:10: plugin[1].use: no plugin 'poinst' is installed (did you mean 'points'?)",
        *[line for line in result.stderr.splitlines() if line.startswith("broken.toml:17: plugin[2].rule[1].earn: ")],
    ]
    assert "(did you mean 'order.net'?)" in result.stderr or "did you mean 'net'" in result.stderr
    assert result.stdout == "broken.toml: 4 mistakes\n"
    answer = data("check", "broken.toml", code=1)
    assert (answer[0]["mistakes"][0]["line"], answer[0]["mistakes"][0]["key"]) == (4, "program.currency")


def test_check_runs_the_examples_and_names_those_that_fail(empty: Path) -> None:
    (empty / "good.toml").write_text(PROGRAM, encoding="utf-8")
    (empty / "bad.toml").write_text(PROGRAM.replace('points = "4"', 'points = "5"'), encoding="utf-8")
    assert run("check", "good.toml").stdout == "good.toml: Corner Coffee Card: no mistakes, the example holds\n"
    result = run("check", "good.toml", "bad.toml", code=1)
    line = PROGRAM.splitlines().index('balances = { points = "4" }') + 1
    assert result.stderr == (f"bad.toml:{line}: example 'a point for each whole euro': balance of points is 4, not 5\n")
    assert "bad.toml: 1 of 1 example failed" in result.stdout
    good, bad = data("check", "good.toml", "bad.toml", code=1)
    assert (good["ok"], bad["ok"]) == (True, False)


@pytest.mark.parametrize(
    ("content", "says"),
    [(None, "cannot be read"), (b"\xff\xfe", "not UTF-8"), (b"[program", "not valid TOML"), (b"", "missing")],
)
def test_check_of_what_is_no_program_is_one_line(empty: Path, content: bytes | None, says: str) -> None:
    if content is not None:
        (empty / "p.toml").write_bytes(content)
    assert says in one_line("check", "p.toml")


def test_the_schema_knows_the_plugins(empty: Path) -> None:
    schema = data("schema")
    assert schema == data("schema")
    uses = {variant["properties"]["use"]["const"] for variant in schema["properties"]["plugin"]["items"]["oneOf"]}
    assert {"points", "tiers", "rfm", "refunds"} <= uses


def applied(folder: Path, text: str, *options: str) -> click.testing.Result:
    (folder / "new.toml").write_text(text, encoding="utf-8")
    return run("apply", "new.toml", *options)


def test_apply_says_what_changed_and_from_when(shop: Path) -> None:
    changed = PROGRAM.replace('earn = "25"', 'earn = "30"').replace('keep = "2"\n', "")
    shown = applied(shop, changed, "--from", "2030-01-01").stdout
    assert "plugin[tiers].level[regular].keep: '2' -> absent" in shown
    assert "plugin[points].rule[big].earn: '25' -> '30'" in shown
    assert "is in force from 2030-01-01 00:00." in shown
    assert shown.count("->") == 2
    answer = data("apply", "new.toml", "--from", "2030-06-01")
    assert (answer["applied"], answer["changes"]) == (False, [])


def test_apply_changes_what_events_earn_from_then_on(shop: Path) -> None:
    twice = PROGRAM.replace('earn = "floor(order.net)"', 'earn = "floor(order.net) * 2"').replace('s = "4"', 's = "8"')
    applied(shop, twice, "--from", "2025-05-01")
    run("adjust", "1010", "1", "--asset", "points", "--reason", "r", "--at", "2025-04-30")
    (shop / "e.jsonl").write_text(
        '{"type": "purchase", "id": "a", "account": "1010", "at": "2025-04-30", "amount": "7.00"}\n'
        '{"type": "purchase", "id": "b", "account": "1010", "at": "2025-05-01", "amount": "7.00"}\n',
        encoding="utf-8",
    )
    run("import", "e.jsonl")
    assert data("explain", "a")["rules"][0]["granted"] == {"asset": "points", "amount": "7"}
    assert data("explain", "b")["rules"][0]["granted"] == {"asset": "points", "amount": "14"}
    assert data("explain", "b")["program"]["file"] == "new.toml"


def test_apply_of_what_is_in_force_changes_nothing(shop: Path) -> None:
    assert "nothing changed" in run("apply", "coffee_shop.toml").stdout
    with_comment = applied(shop, "# a word\n" + PROGRAM).stdout
    assert "only comments and layout changed" in with_comment


def test_a_dry_run_only_tells(shop: Path) -> None:
    shown = applied(shop, PROGRAM.replace('earn = "25"', 'earn = "30"'), "--dry-run").stdout
    assert "would be in force" in shown
    assert data("apply", "new.toml", "--dry-run")["changes"]
    assert "nothing changed" in run("apply", "coffee_shop.toml").stdout


def test_a_program_whose_examples_fail_is_not_put_in_force(shop: Path) -> None:
    (shop / "new.toml").write_text(PROGRAM.replace('points = "4"', 'points = "5"'), encoding="utf-8")
    assert "balance of points is 4, not 5" in one_line("apply", "new.toml")
    assert "nothing changed" in run("apply", "coffee_shop.toml").stdout


def test_check_names_the_line_of_each_problem_of_an_example(empty: Path) -> None:
    wrong = PROGRAM.replace('amount = "4.90"', "amount = 4.901").replace('points = "4"', 'pints = "4"')
    (empty / "bad.toml").write_text(wrong, encoding="utf-8")
    line = wrong.splitlines().index("[[example]]") + 1
    name, near = "example 'a point for each whole euro'", " (did you mean 'points'?)"
    assert run("check", "bad.toml", code=1).stderr.splitlines() == [
        f"bad.toml:{line + 2}: {name}: events[1].amount: '4.901' has more than 2 decimals",
        f"bad.toml:{line + 3}: {name}: balances.pints: 'pints' is not an asset of this program{near}",
    ]
    [example] = data("check", "bad.toml", code=1)[0]["examples"]
    assert example["lines"] == [line + 2, line + 3]


def test_a_program_that_begins_with_a_mark_of_its_encoding_is_like_any_other(shop: Path) -> None:
    text = PROGRAM.replace('earn = "25"', 'earn = "30"')
    (shop / "new.toml").write_text(text, encoding="utf-8-sig")
    assert "no mistakes" in run("check", "new.toml").stdout
    assert "plugin[points].rule[big].earn: '25' -> '30'" in run("apply", "new.toml", "--from", "2030-01-01").stdout
    assert "nothing changed" in run("apply", "new.toml", "--from", "2030-01-01").stdout
    assert "all is sound" in run("verify").stdout
    run("init", "--db", "other.db", "--program", "new.toml")
    run("topup", "1001", "5", "--db", "other.db", "--id", "t")
    assert "all is sound" in run("verify", "--db", "other.db").stdout
    run("export", "jsonl", "--db", "other.db", "--output", "books.jsonl")
    run("init", "--db", "again.db")
    run("import", "books.jsonl", "--as-recorded", "--db", "again.db")
    assert data("verify", "--db", "again.db")["head"] == data("verify", "--db", "other.db")["head"]


@pytest.mark.parametrize("digits", ["9" * 5000, "0x" + "f" * 5000])
def test_a_number_of_thousands_of_digits_is_one_line(shop: Path, digits: str) -> None:
    (shop / "p.toml").write_text(PROGRAM.replace("count = true", f"count = {digits}"), encoding="utf-8")
    assert "p.toml:11: " in one_line("check", "p.toml")
    mapping = (shop / "sales.toml").read_text(encoding="utf-8").replace("decimal_comma = true", f"round = {digits}")
    (shop / "m.toml").write_text(mapping, encoding="utf-8")
    assert "m.toml:12: " in one_line("import", "sales.csv", "--mapping", "m.toml")


def test_check_warns_of_a_rule_that_can_never_grant_anything(empty: Path) -> None:
    text = PROGRAM.replace('earn = "25"', 'earn = "0 - order.net"').replace("5 * line.quantity", "0")
    (empty / "idle.toml").write_text(text, encoding="utf-8")
    lines = [
        number for number, line in enumerate(text.splitlines(), 1) if line in {'earn = "0 - order.net"', 'earn = "0"'}
    ]
    result = run("check", "idle.toml")
    assert result.stderr.splitlines() == [
        f"idle.toml:{line}: plugin[2].rule[{rule}].earn: warning: "
        "it never comes to more than 0, so the rule grants nothing"
        for rule, line in enumerate(lines, 2)
    ]
    assert "no mistakes" in result.stdout
    [answer] = data("check", "idle.toml")
    assert (answer["ok"], [warning["line"] for warning in answer["warnings"]]) == (True, lines)
    (empty / "good.toml").write_text(PROGRAM, encoding="utf-8")
    assert data("check", "good.toml")[0]["warnings"] == []


def test_a_rule_that_applied_and_came_to_nothing_is_explained_so(shop: Path) -> None:
    text = PROGRAM.replace('earn = "25"', 'earn = "20 - order.net"').replace("5 * line.quantity", "0 * line.quantity")
    (shop / "new.toml").write_text(text, encoding="utf-8")
    run("apply", "new.toml", "--from", "2025-05-01")
    event = {
        "type": "purchase", "id": "idle", "account": "1002", "at": "2025-05-02", "channel": "till",
        "lines": [{"sku": "sacher", "category": "cake", "amount": "21.00"}],
    }  # fmt: skip
    (shop / "e.jsonl").write_text(json.dumps(event), encoding="utf-8")
    run("import", "e.jsonl")
    shown = run("explain", "idle").stdout
    assert "points.big: came to nothing\n" in shown
    assert "comes to: -1\n" in shown
    assert "points.cake: came to nothing\n" in shown
    assert {rule["rule"]: rule["result"] for rule in data("explain", "idle")["rules"]}["points.big"] == "nothing"
    assert "points.big: does not apply\n" in run("explain", "sale-1").stdout
