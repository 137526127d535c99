"""Liability through public doors: a program, events, and what `stampbook liability` answers."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections import defaultdict
from datetime import date
from decimal import Decimal
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from stampbook import Engine, InputError, ProgramError, grants_of_all, load_program, write_entries
from stampbook.cli import cli
from stampbook.periods import Calendar
from stampbook.testing import check_plugin
from stampbook_liability import Liability

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD = """
[program]
name = "Shop"
currency = "USD"
time_zone = "Europe/London"
open_accounts = "on first event"

[assets.USD]
[assets.points]

[[plugin]]
use = "points"
expires = "12 months, end of month"
[[plugin.rule]]
name = "base"
earn = "floor(order.net)"

[[plugin]]
use = "refunds"

[[plugin]]
use = "transfers"
asset = "points"

[[plugin]]
use = "liability"
"""
POINTS = """
[[plugin.points]]
[[plugin.points.estimate]]
from = "2024-01-01"
selling_price = "0.01"
redeemed = "80%"
[[plugin.points.estimate]]
from = "2025-05-01"
redeemed = "90%"
"""
VALUE = """
[[plugin.stored_value]]
jurisdiction = "UK"
[[plugin.stored_value.estimate]]
from = "2024-01-01"
unused = "10%"
"""
RESERVE = """
[plugin.reserve]
issuer = "group"
covered = "10.00"
"""
AT = Calendar("Europe/London").parse


def events() -> list[tuple[str, list[dict[str, Any]]]]:
    """Instants of recording, and what was told then."""
    return [
        (
            "2025-04-01",
            [
                {"type": "topup", "id": "t1", "account": "ann", "at": "2025-01-10", "amount": "100.00"},
                {"type": "purchase", "id": "p1", "account": "ann", "at": "2025-01-31T23:30", "amount": "200.00"},
                {"type": "purchase", "id": "p2", "account": "ann", "at": "2025-02-15", "amount": "100.00"},
                {"type": "spend", "id": "s1", "account": "ann", "at": "2025-02-20", "amount": "45.00"},
                {"type": "spend", "id": "s2", "account": "ann", "at": "2025-02-21", "asset": "points", "amount": "50"},
                {"type": "purchase", "id": "p3", "account": "ben", "at": "2025-02-28", "amount": "40.00"},
                {"type": "return", "id": "r1", "account": "ben", "at": "2025-03-02", "purchase": "p3"},
                {
                    "type": "adjust", "id": "a1", "account": "ben", "at": "2025-03-03", "asset": "points",
                    "amount": "30", "reason": "sorry",
                },
            ],
        ),
        (
            "2025-05-20",
            [
                {
                    "type": "spend", "id": "late", "account": "ann", "at": "2025-03-20", "asset": "points",
                    "amount": "60",
                },
                {"type": "topup", "id": "t2", "account": "cleo", "at": "2025-05-02", "amount": "50.00"},
            ],
        ),
    ]  # fmt: skip


def books(db: str, text: str) -> None:
    clock = [AT("2024-01-01")]
    with Engine.open(db, create=True, clock=lambda: clock[0]) as engine:
        engine.put_text_in_force(text)
        for recorded, batch in events():
            clock[0] = AT(recorded)
            assert [outcome.accepted for outcome in engine.process(batch)] == [True] * len(batch)


@pytest.fixture
def shop(sqlite_db: str) -> str:
    books(sqlite_db, HEAD + POINTS + VALUE)
    return sqlite_db


@pytest.fixture
def any_shop(any_db: str) -> str:
    """The same shop on each kind of database."""
    books(any_db, HEAD + POINTS + VALUE)
    return any_db


def run(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(cli, arguments, prog_name="stampbook", catch_exceptions=False)
    assert result.exit_code == code, f"{arguments}: {result.exit_code}\n{result.output}"
    return result


def asked(db: str, *arguments: str) -> Any:
    return json.loads(run("--db", db, "liability", *arguments, "--json").stdout)


def picked(rows: list[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in names) for row in rows]


# The report


def test_cohorts_are_months_of_grant_in_the_zone_of_the_program(any_shop: str) -> None:
    report = asked(any_shop, "--as-of", "2025-03-31")
    assert picked(report["cohorts"], "asset", "kind", "month", "age", "outstanding") == [
        ("USD", "paid", "2025-01", "0-3 months", "55.00"),
        ("points", "adjusted", "2025-03", "0-3 months", "30"),
        ("points", "earned", "2025-01", "0-3 months", "90"),
        ("points", "earned", "2025-02", "0-3 months", "100"),
    ]
    assert picked(report["expiring"], "asset", "kind", "month", "outstanding") == [
        ("USD", "paid", None, "55.00"),
        ("points", "adjusted", None, "30"),
        ("points", "earned", "2026-01", "90"),
        ("points", "earned", "2026-02", "100"),
    ]


def test_deferred_revenue_is_of_points_that_came_with_sales(shop: str) -> None:
    # 200.00 and 100.00 bought, 1.60 and 0.80 the points' own prices: 1.59 and 0.79 are theirs.
    [points] = asked(shop, "--as-of", "2025-03-31")["points"]
    assert (points["allocated"], points["granted_with_sales"], points["redeemed"]) == ("2.38", "300", "110")
    # Of January's 200 points 160 will be redeemed and 110 were: 1.59 * 110 / 160 is 1.09.
    assert (points["recognised"], points["deferred"]) == ("1.09", "1.29")


def test_a_new_estimate_catches_up_and_allocates_nothing_anew(shop: str) -> None:
    [points] = asked(shop, "--as-of", "2025-05-01")["points"]
    assert points["redeemed_estimate"] == "90%"
    assert points["estimate_since"] == "2025-05-01"
    # 1.59 * 110 / 180 is 0.97.
    assert (points["allocated"], points["recognised"], points["deferred"]) == ("2.38", "0.97", "1.41")


def test_what_was_not_known_yet_is_left_out(any_shop: str) -> None:
    [points] = asked(any_shop, "--as-of", "2025-03-31", "--known-at", "2025-04-30")["points"]
    assert (points["redeemed"], points["recognised"]) == ("50", "0.50")


def test_points_that_expired_are_revenue_whether_or_not_anybody_ticked(any_shop: str) -> None:
    report = asked(any_shop, "--as-of", "2026-03-01")
    assert picked(report["totals"], "asset", "kind", "outstanding") == [
        ("USD", "paid", "105.00"),
        ("points", "adjusted", "30"),
    ]
    [points] = report["points"]
    assert (points["recognised"], points["deferred"]) == ("2.38", "0.00")
    with Engine.open(any_shop, clock=lambda: AT("2026-03-01T12:00")) as engine:
        list(engine.tick())
    assert asked(any_shop, "--as-of", "2026-03-01") == report


def test_breakage_comes_in_proportion_to_use(shop: str) -> None:
    # Of 100.00 10.00 will break, and half of the other 90.00 was used.
    [value] = asked(shop, "--as-of", "2025-03-31")["stored_value"]
    assert (value["breakage_in_advance"], value["outstanding"], value["liability"]) == ("5.00", "55.00", "50.00")
    assert value["jurisdiction"] == "UK"
    assert value["unclaimed"] == []


def test_points_of_a_return_take_their_part_of_the_price_along(shop: str) -> None:
    at = {day: asked(shop, "--as-of", day)["points"][0]["allocated"] for day in ("2025-03-01", "2025-03-02")}
    assert at == {"2025-03-01": "2.70", "2025-03-02": "2.38"}


def test_a_report_reads_like_sentences(shop: str) -> None:
    text = run("--db", shop, "liability", "--as-of", "2025-03-31", "--known-at", "2025-06-01").stdout
    assert text.startswith("Liability of Shop as of 2025-03-31 23:59, as known at 2025-06-01 23:59\n")
    assert "55.00 USD paid outstanding\n" in text
    assert "points: 1.29 USD of revenue deferred\n" in text
    assert "paid USD: a liability of 50.00 USD\n" in text


def test_an_empty_ledger_owes_nothing(sqlite_db: str) -> None:
    with Engine.open(sqlite_db, create=True) as engine:
        engine.put_text_in_force(HEAD + POINTS + VALUE + RESERVE)
    assert "No account holds anything." in run("--db", sqlite_db, "liability").stdout
    report = asked(sqlite_db)
    assert report["cohorts"] == []
    assert report["points"][0]["deferred"] == "0.00"


def test_unclaimed_property_counts_from_what_its_owner_did_last(sqlite_db: str) -> None:
    books(sqlite_db, HEAD + '[[plugin.stored_value]]\njurisdiction = "US-DE"\n')
    [value] = asked(sqlite_db, "--as-of", "2030-04-15")["stored_value"]
    assert picked(value["unclaimed"], "month", "due", "outstanding", "to_the_state") == [
        ("2030-03", True, "55.00", "55.00"),
        ("2030-05", False, "50.00", "50.00"),
    ]
    assert value["liability"] == "105.00"
    assert (
        "55.00 USD has been unclaimed since 2030-03"
        in run("--db", sqlite_db, "liability", "--as-of", "2030-04-15").stdout
    )


def test_the_reserve_is_of_the_balance_at_the_end_of_the_quarter_before(sqlite_db: str) -> None:
    books(sqlite_db, HEAD + RESERVE)
    reserve = asked(sqlite_db, "--as-of", "2025-05-15")["reserve"]
    assert reserve["share"] == "30%"
    assert reserve["required"] == "6.50"
    assert [row["before"] for row in reserve["quarters"]] == ["2024-07-01", "2024-10-01", "2025-01-01", "2025-04-01"]
    assert picked(reserve["quarters"][-1:], "before", "opening", "paid_in", "used", "closing") == [
        ("2025-04-01", "0.00", "100.00", "45.00", "55.00")
    ]


def test_points_that_went_to_a_friend_keep_their_part_of_the_price(sqlite_db: str) -> None:
    books(sqlite_db, HEAD + POINTS)
    with Engine.open(sqlite_db, clock=lambda: AT("2025-06-01")) as engine:
        gift = {"type": "transfer", "id": "x", "account": "ann", "at": "2025-05-25", "to": "ben"}
        outcome = engine.post({**gift, "asset": "points", "amount": "90"})
        assert outcome.accepted, outcome.objections
    before, after = (asked(sqlite_db, "--as-of", day)["points"][0] for day in ("2025-05-24", "2025-05-25"))
    assert after["allocated"] == before["allocated"]
    assert Decimal(after["recognised"]) + Decimal(after["deferred"]) == Decimal(after["allocated"])
    cohorts = asked(sqlite_db, "--as-of", "2025-05-31")["cohorts"]
    assert ("2025-05", "90") in picked(cohorts, "month", "outstanding")


def test_points_that_are_handed_on_again_do_so_too(sqlite_db: str) -> None:
    books(sqlite_db, HEAD + POINTS)
    with Engine.open(sqlite_db, clock=lambda: AT("2025-08-01")) as engine:
        for day, giver, to, amount in (("05-25", "ann", "ben", "90"), ("06-25", "ben", "cleo", "60")):
            gift = {"type": "transfer", "id": day, "account": giver, "at": f"2025-{day}", "to": to}
            outcome = engine.post({**gift, "asset": "points", "amount": amount})
            assert outcome.accepted, outcome.objections
    report = asked(sqlite_db, "--as-of", "2025-07-31")
    found = {(row["month"], row["kind"]): row for row in report["cohorts"] if row["asset"] == "points"}
    assert found["2025-06", "earned"]["outstanding"] == "60"
    # Of the 1.59 of January for 200 points 0.72 went with 90 of them, and of that 0.48 with 60 of these.
    assert (found["2025-05", "earned"]["deferred"], found["2025-06", "earned"]["deferred"]) == ("0.24", "0.48")
    [points] = report["points"]
    assert points["allocated"] == "2.38"
    assert Decimal(points["recognised"]) + Decimal(points["deferred"]) == Decimal("2.38")


def posted(db: str, text: str, *events: dict[str, Any]) -> None:
    """Let things happen to ann, under a program that she finds in force."""
    with Engine.open(db, create=True, clock=lambda: AT("2025-12-31")) as engine:
        engine.put_text_in_force(text)
        for number, event in enumerate(events):
            outcome = engine.post({"id": f"{number}", "account": "ann", **event})
            assert outcome.accepted, outcome.objections


def test_tax_and_what_points_paid_are_no_part_of_the_price(sqlite_db: str) -> None:
    pay = '[[plugin]]\nuse = "redemption"\n[[plugin.pay]]\npoints = "1"\nvalue = "1.00"\n'
    text = HEAD.replace('[[plugin]]\nuse = "refunds"', f'{pay}[[plugin]]\nuse = "refunds"', 1) + POINTS
    tenders = [{"kind": "points", "amount": "30.00"}, {"kind": "card", "amount": "90.00"}]
    posted(
        sqlite_db,
        text.replace('"floor(order.net)"', '"100 * order.net"').replace('"0.01"', '"0.10"'),
        {"type": "adjust", "at": "2025-01-01", "asset": "points", "amount": "30", "reason": "a start"},
        {"type": "purchase", "at": "2025-02-01", "amount": "120.00", "tax": "20.00", "tenders": tenders},
    )
    # Of 120.00 with 20.00 of tax 30.00 were points: 75.00 are the price, and 960.00 the points' own.
    [points] = asked(sqlite_db, "--as-of", "2025-02-28")["points"]
    assert points["allocated"] == "69.57"


def test_what_expired_is_not_breakage_once_more(sqlite_db: str) -> None:
    start = {"type": "adjust", "at": "2025-01-10", "amount": "100.00", "reason": "a start"}
    posted(
        sqlite_db,
        HEAD + VALUE.replace('jurisdiction = "UK"', 'jurisdiction = "UK"\nkinds = ["adjusted"]'),
        {**start, "expires": "2025-07-01"},
        start,
        {"type": "spend", "at": "2025-02-01", "amount": "90.00"},
    )
    # 20.00 of 200.00 will break, and half of the rest was used; then 10.00 have expired.
    in_advance = {
        day: asked(sqlite_db, "--as-of", day)["stored_value"][0]["breakage_in_advance"]
        for day in ("2025-06-30", "2025-07-02")
    }
    assert in_advance == {"2025-06-30": "10.00", "2025-07-02": "0.00"}


REFUNDED = """
[[plugin]]
use = "payouts"
packs = ["contract"]
fee = "10%"
[[plugin]]
use = "stored_value"
[[plugin.exchange]]
from = "USD"
to = "EUR"
rate = "0.5"
rounding = "half_up"
"""


def test_what_is_refunded_or_exchanged_was_not_used_and_brings_no_breakage(sqlite_db: str) -> None:
    text = HEAD.replace("[assets.USD]", "[assets.USD]\n[assets.EUR]") + VALUE + REFUNDED
    posted(
        sqlite_db,
        text,
        {"type": "topup", "account": "ben", "at": "2025-02-01", "amount": "100.00"},
        {"type": "spend", "account": "ben", "at": "2025-02-02", "amount": "45.00"},
        {"type": "topup", "at": "2025-02-03", "amount": "200.00"},
        {"type": "exchange", "at": "2025-02-04", "asset": "USD", "amount": "80.00", "to": "EUR"},
        {"type": "refund.requested", "id": "r", "at": "2025-02-05"},
        {"type": "refund.approved", "at": "2025-02-05", "about": "r"},
        {"type": "refund.paid", "at": "2025-02-05", "about": "r"},
    )
    [value] = asked(sqlite_db, "--as-of", "2025-02-28")["stored_value"]
    # 100.00 of ben's and the fee of 12.00 are in for good, and 57.00 of that were used: 11.20 x 57 / 100.80.
    assert (value["paid_in"], value["used"], value["outstanding"]) == ("112.00", "57.00", "55.00")
    assert value["breakage_in_advance"] == "6.33"
    told = run(
        "--db", sqlite_db, "liability", "journal", "csv", "--since", "2025-02-01", "--until", "2025-02-28"
    ).stdout
    assert "2025-02-05,refund,Liabilities:StoredValue:Paid,Equity:Books:Refunds,USD,108.00,book: refunds" in told
    assert "2025-02-05,fee,Liabilities:StoredValue:Paid,Equity:Books:Fees,USD,12.00,book: fees" in told
    assert "2025-02-04,exchanged,Liabilities:StoredValue:Paid,Equity:Exchange,USD,80.00,book: exchange" in told


def test_the_last_instant_of_a_period_is_in_it(sqlite_db: str) -> None:
    last = "2025-01-31T23:59:59.999999+00:00"
    posted(
        sqlite_db,
        HEAD + POINTS + VALUE,
        {"type": "topup", "at": "2025-01-10", "amount": "100.00"},
        {"type": "spend", "at": last, "amount": "45.00"},
        {"type": "purchase", "at": last, "amount": "200.00"},
    )
    report = asked(sqlite_db, "--as-of", "2025-01-31")
    assert report["stored_value"][0]["used"] == "45.00"
    assert report["points"][0]["allocated"] == "1.59"
    text = run(
        "--db", sqlite_db, "liability", "journal", "csv", "--since", "2025-01-01", "--until", "2025-02-28"
    ).stdout
    assert "2025-01-31,breakage," in text
    assert "2025-01-31,deferral," in text


HOUSEHOLD = """
[[plugin]]
use = "households"
share = "50"
spenders = "members"
"""


def test_the_points_of_a_household_have_their_part_of_the_price_of_a_members_sale(any_db: str) -> None:
    clock = [AT("2024-01-01")]
    with Engine.open(any_db, create=True, clock=lambda: clock[0]) as engine:
        engine.put_text_in_force(
            HEAD.replace('[[plugin]]\nuse = "points"', f'{HOUSEHOLD}[[plugin]]\nuse = "points"', 1) + POINTS
        )
        clock[0] = AT("2025-12-01")
        for event in (
            {"type": "account.opened", "account": "home", "at": "2025-01-01"},
            {"type": "account.opened", "account": "ann", "at": "2025-01-01"},
            {"type": "household.joined", "account": "ann", "to": "home", "at": "2025-01-01"},
            {"type": "purchase", "account": "ann", "at": "2025-02-01", "amount": "200.00"},
        ):
            outcome = engine.post({**event, "id": event["type"] + event["account"]})
            assert outcome.accepted, outcome.objections
        held = {account.ref: account.grants for account in grants_of_all(engine, sales=True)}
        assert {ref: [grant.units for grant in grants] for ref, grants in held.items()} == {"home": [100], "ann": [100]}
        assert [grant.sale.granted for [grant] in held.values() if grant.sale] == [{"points": 200}] * 2
    [points] = asked(any_db, "--as-of", "2025-02-28")["points"]
    # 200.00 * 0.80 / 201.60 is 0.794 for each hundred, and each has the cent that is left over of the three parts.
    assert points["granted_with_sales"] == "200"
    assert points["allocated"] == "1.60"


def test_a_lot_is_good_until_what_was_said_then(sqlite_db: str) -> None:
    books(sqlite_db, HEAD + POINTS)
    with Engine.open(sqlite_db, clock=lambda: AT("2025-06-01")) as engine:
        longer = {"type": "extend", "id": "e", "account": "ann", "at": "2025-05-25", "asset": "points"}
        assert engine.post({**longer, "until": "2027-06-30", "reason": "loyal"}).accepted
        ends = {
            day: {grant.expires_at for account in grants_of_all(engine, as_of=AT(day)) for grant in account.grants}
            for day in ("2025-05-24", "2025-05-26")
        }
    assert AT("2027-07-01") not in ends["2025-05-24"]
    assert AT("2026-02-01") in ends["2025-05-24"]
    assert AT("2027-07-01") in ends["2025-05-26"]


# The journal


def journal(db: str, kind: str, path: Path, since: str = "2025-01-01", until: str = "2025-06-30") -> Path:
    run("--db", db, "liability", "journal", kind, "--since", since, "--until", until, "--output", str(path))
    return path


@pytest.mark.parametrize(("since", "until"), [("2025-01-01", "2025-06-30"), ("2025-02-20", "2025-05-01")])
def test_the_real_tools_accept_the_journal(shop: str, tmp_path: Path, since: str, until: str) -> None:
    bean = journal(shop, "beancount", tmp_path / "books.beancount", since, until)
    checker = Path(sys.executable).parent / "bean-check"
    checked = subprocess.run([checker, bean], check=False, capture_output=True, text=True)
    assert not checked.returncode, checked.stdout + checked.stderr
    if which("hledger") is None:
        pytest.skip("hledger is not installed")
    ledger = journal(shop, "hledger", tmp_path / "books.journal", since, until)
    command = ["hledger", "-f", str(ledger), "check", "-s", "ordereddates", "assertions"]
    checked = subprocess.run(command, check=False, capture_output=True, text=True)
    assert not checked.returncode, checked.stdout + checked.stderr


def rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        yield from csv.DictReader(stream)


def test_the_entries_sum_to_the_export_of_the_ledger(any_shop: str, tmp_path: Path) -> None:
    with Engine.open(any_shop, clock=lambda: AT("2026-12-31")) as engine:
        list(engine.tick())
    run("--db", any_shop, "export", "csv", "--output", str(tmp_path / "ledger.csv"))
    ledger: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for row in rows(tmp_path / "ledger.csv"):
        for end, sign in (("from", 1), ("to", -1)):
            if not row[f"{end}_lot"]:
                ledger[row[end], row["asset"]] += sign * Decimal(row["amount"])
    entries: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    path = journal(any_shop, "csv", tmp_path / "entries.csv", "2025-01-01", "2026-12-31")
    for row in rows(path):
        if row["notes"].startswith("book: "):
            sign = 1 if row["credit"].startswith("Liabilities") else -1
            entries[row["notes"].removeprefix("book: "), row["asset"]] += sign * Decimal(row["amount"])
    assert {key: amount for key, amount in entries.items() if amount} == {
        key: amount for key, amount in ledger.items() if amount
    }


def test_deferral_recognition_and_a_change_of_estimates_have_their_own_days(shop: str, tmp_path: Path) -> None:
    path = journal(shop, "csv", tmp_path / "entries.csv")
    told = [
        (row["date"], row["what"], row["debit"], row["amount"]) for row in rows(path) if row["notes"] == "of: points"
    ]
    assert told == [
        ("2025-01-31", "deferral", "Income:Deferred", "1.59"),
        ("2025-02-28", "deferral", "Income:Deferred", "1.11"),
        ("2025-02-28", "recognition", "Liabilities:DeferredRevenue:Points", "0.50"),
        ("2025-03-31", "deferral taken back", "Liabilities:DeferredRevenue:Points", "0.32"),
        ("2025-03-31", "recognition", "Liabilities:DeferredRevenue:Points", "0.59"),
        ("2025-05-01", "estimate change", "Income:Points", "0.12"),
    ]
    breakage = [(row["date"], row["what"], row["amount"]) for row in rows(path) if row["notes"] == "of: USD"]
    assert breakage == [("2025-02-28", "breakage", "5.00")]


def test_a_change_of_what_will_not_be_used_is_caught_up_on_its_day(sqlite_db: str) -> None:
    more = '[[plugin.stored_value.estimate]]\nfrom = "2025-04-10"\nunused = "20%"\n'
    books(sqlite_db, HEAD + VALUE + more)
    text = run(
        "--db", sqlite_db, "liability", "journal", "csv", "--since", "2025-01-01", "--until", "2025-04-30"
    ).stdout
    money = [line for line in text.splitlines() if line.endswith("of: USD")]
    accounts = "Liabilities:ExpectedBreakage:USD1,Income:ExpectedBreakage,USD"
    # 10.00 * 45.00 / 90.00, and then 20.00 * 45.00 / 80.00.
    assert money == [
        f"2025-02-28,breakage,{accounts},5.00,of: USD",
        f"2025-04-10,estimate change,{accounts},6.25,of: USD",
    ]


def test_a_journal_is_printed_where_no_file_is_named(shop: str) -> None:
    text = run("--db", shop, "liability", "journal", "csv", "--since", "2025-02-20", "--until", "2025-02-20").stdout
    assert text.splitlines()[0] == "date,what,debit,credit,asset,amount,notes"
    assert "2025-02-20,redemption,Liabilities:StoredValue:Paid,Income:Sales,USD,45.00,book: sales" in text
    assert "2025-02-20,opening balance,Liabilities:StoredValue:Paid,Equity:Opening-Balances,USD,-100.00," in text


def test_a_period_comes_out_as_it_was_known(any_shop: str, tmp_path: Path) -> None:
    march = ("--since", "2025-03-01", "--until", "2025-03-31")
    then = run("--db", any_shop, "liability", "journal", "csv", *march, "--known-at", "2025-04-30").stdout
    now = run("--db", any_shop, "liability", "journal", "csv", *march).stdout
    late = "2025-03-20,redemption,Liabilities:Points:Earned,Income:Sales,points,60,book: sales"
    assert late in now
    assert late not in then
    wrong = run("--db", any_shop, "liability", "--as-of", "2025-03-31", "journal", "csv", *march, code=2)
    assert "--as-of and --known-at go with the report, not with journal" in wrong.stderr


def test_a_period_that_ends_before_it_begins_is_one_line(shop: str) -> None:
    wrong = run("--db", shop, "liability", "journal", "csv", "--since", "2025-02", "--until", "2025-01-01", code=1)
    assert wrong.stderr.startswith("Error: '2025-02' is not a date or time")
    wrong = run("--db", shop, "liability", "journal", "csv", "--since", "2025-02-02", "--until", "2025-01-01", code=1)
    assert wrong.stderr == (
        "Error: --since and --until: 2025-02-02 comes after 2025-01-01, so nothing lies between them\n"
    )
    wrong = run(
        "--db", shop, "liability", "journal", "csv", "--since", "2025-01-01", "--until", "2025-01-01", "--json", code=1
    )
    assert wrong.stderr == "Error: --json reports on a written file; name one with --output\n"


def test_an_unknown_format_of_entries_has_a_near_name(tmp_path: Path) -> None:
    program, day = load_program(HEAD).context, date(2025, 1, 1)
    with pytest.raises(InputError, match="did you mean 'hledger'"):
        write_entries(tmp_path / "x", "hleger", [], context=program, since=day, until=day, opening={}, closing={})


# The options


def mistake(options: str) -> str:
    with pytest.raises(ProgramError) as caught:
        load_program(HEAD + options)
    [line] = str(caught.value).splitlines()
    return line.partition(": ")[2]


FIRST = '[[plugin.points.estimate]]\nfrom = "2024-01-01"\n'
ESTIMATE = f'{FIRST}selling_price = "0.01"\nredeemed = "80%"\n'
IN = "[[plugin.stored_value]]\njurisdiction ="
UNUSED = '[[plugin.stored_value.estimate]]\nfrom = "2024-01-01"\nunused = "5%"\n'


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            f'[[plugin.points]]\nasset = "pionts"\n{ESTIMATE}',
            "'pionts' is not an asset of the program (did you mean 'points'?)",
        ),
        (f'[[plugin.points]]\nasset = "USD"\n{ESTIMATE}', "USD is money; put it under stored_value"),
        ("[[plugin.points]]\n", "estimate"),
        (f"[[plugin.points]]\n{FIRST}redeemed = '80%'\n", "the first needs a selling_price"),
        (f"[[plugin.points]]\n{ESTIMATE}".replace("80%", "0%"), "0% in number 1 would defer nothing"),
        (f"[[plugin.points]]\n{ESTIMATE}".replace("80%", "101%"), "redeemed"),
        (f"[[plugin.points]]\n{ESTIMATE}{ESTIMATE}", "each begins after the one before it"),
        (f"[[plugin.points]]\n{ESTIMATE}[[plugin.points]]\n{ESTIMATE}", "earned lots of points are there twice"),
        ('roundin = "floor"\n', "did you mean 'rounding'"),
        (f"{IN} 'US-DL'\n", "nothing is known of 'US-DL' (did you mean 'US-DE'?)"),
        (f"{IN} 'UK'\nasset = 'points'\n", "points is no currency; put it under points"),
        (f"{IN} 'CN'\n{UNUSED}", "CN knows no breakage: a card with a balance is activated again"),
        (f"{IN} 'US-DE'\n{UNUSED}", "unused value goes to the state and is never revenue (12 Del. C. 1133"),
        (f"{IN} 'US-CA'\n{UNUSED}", "or say exempt_as = 'no_expiry'"),
        (f"{IN} 'US-CA'\nexempt_as = 'paper'\n", "US-CA has no exemption 'paper'; it has no_expiry"),
        ('[plugin.reserve]\nissuer = "brnd"\n', "issuer"),
        ('[plugin.reserve]\nissuer = "brand"\ncovered = "-1.00"\n', "covered: it is not below zero"),
        ("ages = [6, 3]\n", "ages: each is larger than the one before it"),
        ('\n[[plugin]]\nuse = "liability"\n', "its command would be there twice"),
    ],
)
def test_a_mistake_is_one_line(options: str, told: str) -> None:
    assert told in mistake(options)


def test_an_exemption_lets_value_break(sqlite_db: str) -> None:
    books(sqlite_db, HEAD + f'[[plugin.stored_value]]\njurisdiction = "US-CA"\nexempt_as = "no_expiry"\n{UNUSED}')
    [value] = asked(sqlite_db, "--as-of", "2025-03-31")["stored_value"]
    assert value["breakage_in_advance"] == "2.37"  # 5.00 * 45.00 / 95.00


def test_the_part_of_a_state_does_not_break(sqlite_db: str) -> None:
    books(sqlite_db, HEAD + f'[[plugin.stored_value]]\njurisdiction = "US-AL"\n{UNUSED}')
    [value] = asked(sqlite_db, "--as-of", "2025-03-31")["stored_value"]
    assert value["breakage_in_advance"] == "0.92"  # of 2.00, which is 40% of 5.00: 2.00 * 45.00 / 98.00


def test_the_plugin_keeps_the_contract() -> None:
    check_plugin(
        Liability,
        {"points": [{"estimate": [{"from": "2024-01-01", "selling_price": "0.01", "redeemed": "80%"}]}]},
    )
