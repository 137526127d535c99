"""What accounts bring along: lots with their own ends, what metrics count, and a level until its date; from CSV too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from stampbook import EventError
from stampbook.engine import Engine
from stampbook.testing import Ledger, check_plugin
from stampbook.verifying import verify
from stampbook_together import Legacy
from tests.plugins.proof import LATER, findings

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """
[program]
name = "Moved in"
currency = "EUR"
time_zone = "Europe/Vienna"
open_accounts = "on first event"

[assets.points]

[metrics.spend]
sum = "order.net"
window = "12 months"

[metrics.departments]
per = "line"
distinct = "line.category"
window = "lifetime"

[[plugin]]
use = "legacy"
[[plugin.ladder]]
levels = ["silver", "gold"]

[[plugin]]
use = "tiers"
metric = "spend"
review = "calendar year"
[[plugin.level]]
name = "silver"
reach = "100"
[[plugin.level]]
name = "gold"
reach = "200"
"""

OTHER_ORDER = PROGRAM.replace('[[plugin]]\nuse = "legacy"\n[[plugin.ladder]]\nlevels = ["silver", "gold"]\n', "") + (
    '[[plugin]]\nuse = "legacy"\n[[plugin.ladder]]\nlevels = ["silver", "gold"]\n'
)


def taken(books: Ledger, **fields: Any) -> list[str]:
    given = {"type": "legacy.imported", "account": "x", "at": "2025-03-01T10:00", **fields}
    return [each.code for each in books.post(**given).objections]


def test_balances_come_with_their_own_terms() -> None:
    books = Ledger(PROGRAM)
    assert taken(books, asset="points", amount="70", expires="2025-06-30") == []
    lots = [
        {"amount": "5", "effective": "2025-04-01", "expires": "2025-04-30"},
        {"amount": "2", "kind": "bonus", "priority": -1},
    ]
    assert taken(books, asset="points", lots=lots) == []
    assert taken(books, amount="12.50") == []
    assert taken(books, amount="2.50", kind="bonus", expires="2025-12-31") == []
    assert taken(books, amount="0.00", metric="spend", value="0") == []
    balances = [books.balance("points", account="x", at=f"2025-{day}T12:00") for day in ("03-31", "04-01", "05-01")]
    assert balances == ["72", "77", "72"]
    assert [books.balance("points", account="x", at=f"2025-{day}") for day in ("06-30T23:59", "07-01")] == ["72", "2"]
    held = {(lot.kind, lot.remaining) for lot in books.view(account="x").lots if lot.asset == "EUR"}
    assert held == {("paid", 1250), ("bonus", 250)}
    assert {posting.source for entry in books.journal("x") for posting in entry.postings} == {"opening"}


@pytest.mark.parametrize("program", [PROGRAM, OTHER_ORDER])
def test_a_level_holds_until_its_date_and_then_what_was_counted_counts(program: str) -> None:
    books = Ledger(program)
    metric = {"metrics": {"spend": "150.00"}, "on": "2025-01-15"}
    assert taken(books, level="gold", level_until="2025-05-31", **metric) == []
    assert books.fact("tier", account="x") == "gold"
    books.post(type="purchase", account="x", amount="1.00", at="2025-03-02T10:00")
    assert books.fact("tier", account="x", at="2025-05-31T23:59") == "gold"
    assert books.fact("tier", account="x", at="2025-06-01T00:00") == "silver"
    assert books.view(account="x").metric("spend") == 15100


def test_a_level_without_an_end_is_reviewed_like_any_other() -> None:
    books = Ledger(PROGRAM)
    assert taken(books, level="gold", metric="spend", value="120.00", on="2025-02-01") == []
    assert books.fact("tier", account="x", at="2025-12-31T23:59") == "gold"
    assert books.fact("tier", account="x", at="2026-01-01T00:00") == "silver"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"asset": "points", "amount": "1", "expires": "2025-02-28"}, "expired"),
        ({"asset": "points", "amount": "1", "effective": "2025-06-01", "expires": "2025-05-01"}, "never_good"),
        ({"metric": "spent", "value": "1.00"}, "unknown_metric"),
        ({"metric": "departments", "value": "1"}, "unknown_metric"),
        ({"metric": "spend", "value": "1.001"}, "unreadable_value"),
        ({"metric": "spend", "value": "1.00", "on": "2025-03-02"}, "in_the_future"),
        ({"metric": "spend", "value": "1.00", "on": "2025-02-30"}, "no_such_day"),
        ({"level": "platinum"}, "unknown_level"),
        ({"level": "gold", "scheme": "status"}, "unknown_scheme"),
        ({"level": "gold", "level_until": "2025-02-01"}, "expired"),
    ],
)
def test_what_cannot_be_brought_along_changes_nothing(fields: dict[str, Any], code: str) -> None:
    books = Ledger(PROGRAM)
    assert taken(books, **{"asset": "points", **fields}) == [code]
    assert not books.view(account="x").lots


def test_what_has_ended_may_be_left_out() -> None:
    books = Ledger(PROGRAM.replace('use = "legacy"', 'use = "legacy"\nexpired = "skip"'))
    lots = [{"amount": "1", "expires": "2025-02-28"}, {"amount": "2", "expires": "2025-03-31"}]
    assert taken(books, asset="points", lots=lots, level="gold", level_until="2025-02-28") == []
    assert (books.balance("points", account="x"), books.fact("tier", account="x")) == ("2", "")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "it brings nothing along"),
        ({"expires": "2025-06-30", "level": "gold"}, "go with amount"),
        ({"amount": "1", "lots": [{"amount": "1"}]}, "either amount or lots"),
        ({"metric": "spend"}, "metric and value go together"),
        ({"amount": "1", "on": "2025-01-01"}, "on goes with metric"),
        ({"amount": "1", "level_until": "2025-06-01"}, "level_until goes with level"),
        ({"asset": "points", "lots": [{"amount": "1.5"}]}, "has more than 0 decimals"),
    ],
)
def test_what_cannot_be_read_is_malformed(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(EventError, match=message):
        taken(Ledger(PROGRAM), **fields)


def test_it_keeps_the_contract() -> None:
    check_plugin(Legacy, {})


def test_the_books_are_sound() -> None:
    given: list[tuple[str, dict[str, Any]]] = [
        ("a", {"asset": "points", "amount": "70", "expires": "2025-06-30"}),
        ("a", {"level": "gold", "level_until": "2025-05-31", "metric": "spend", "value": "150.00"}),
        ("b", {"amount": "12.50", "metrics": {"spend": "300"}, "on": "2025-01-01"}),
        ("a", {"level": "lead"}),
    ]
    events = [
        {"type": "legacy.imported", "id": f"l{number}", "account": ref, "at": "2025-03-01T10:00", **fields}
        for number, (ref, fields) in enumerate(given)
    ]
    later = [{"type": "purchase", "id": "p", "account": "a", "at": "2026-02-01T10:00", "amount": "1.00"}]
    assert findings(PROGRAM, [*events, *later]) == ()


MAPPING = """
[[skip]]
when = { column = "status", is = "deleted" }
reason = "deleted customers"

[[event]]
type = "legacy.imported"
id = { template = "old-{customer}" }
source = { value = "old system" }
account = "customer"
at = { value = "2025-03-01T00:00" }
asset = { value = "points" }
amount = "balance"
expires = "good until"
level = "status level"
level_until = "level until"
metric = { value = "spend" }
value = "spent"
on = { value = "2025-02-28" }
"""

ROWS = """customer,status,balance,good until,status level,level until,spent
1001,active,230,2025-12-31,gold,2025-06-30,180.50
1002,active,0,,,,0.00
1003,deleted,10,,,,0.00
1004,active,15,2025-02-01,,,12.00
"""


def test_balances_come_from_a_file_of_another_system(tmp_path: Path) -> None:
    from click.testing import CliRunner

    from stampbook.cli import cli

    for name, text in (("program.toml", PROGRAM), ("mapping.toml", MAPPING), ("old.csv", ROWS)):
        (tmp_path / name).write_text(text)
    url = f"sqlite:///{tmp_path}/books.db"
    run = CliRunner()
    assert run.invoke(cli, ["--db", url, "init"]).exit_code == 0
    applied = run.invoke(cli, ["--db", url, "apply", str(tmp_path / "program.toml"), "--from", "2025-01-01"])
    assert applied.exit_code == 0
    command = ["--db", url, "import", str(tmp_path / "old.csv"), "--mapping", str(tmp_path / "mapping.toml")]
    refused = ["--refused", str(tmp_path / "refused.jsonl")]
    for _ in range(2):
        result = run.invoke(cli, [*command, *refused])
        assert "deleted customers" in result.output
    with Engine.open(url, clock=lambda: LATER) as engine, engine.store.reader() as session:
        accounts = session.accounts(["1001", "1002", "1004"])
        session.fill(accounts.values(), None)
        assert {ref: account.total("points") for ref, account in accounts.items()} == {
            "1001": 230,
            "1002": 0,
            "1004": 0,
        }
        assert accounts["1001"].facts["tier"][-1].value == "gold"
    assert "ended before it was brought along" in (tmp_path / "refused.jsonl").read_text()
    with Engine.open(url, clock=lambda: LATER) as engine:
        assert verify(engine).findings == ()
