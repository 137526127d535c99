"""Exports against the real tools: Beancount's checker and hledger read them, and say what the account table says."""

from __future__ import annotations

import csv
import errno
import io
import os
import shutil
import sqlite3
import subprocess
import sys
from collections import defaultdict
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stampbook.amounts import Asset
from stampbook.engine import Engine
from stampbook.errors import InputError
from stampbook.exporting import FORMATS, export, format_of
from stampbook.exporting.chart import Chart, book_account, component, word_component
from stampbook.exporting.target import target_file
from stampbook.importing import import_file
from stampbook.periods import Calendar
from stampbook.store.reading import sql_session
from stampbook.store.streams import Span, journal_stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stampbook.store import Session

PROGRAM = """
[program]
name = 'A "quoted" \\ shop'
currency = "GBP"
time_zone = "Europe/London"
open_accounts = "on first event"

[assets.GBP]
[assets.points]
debt = true
on_close = "forfeit"
[assets.Stars_2]
decimals = 3

[metrics.spend]
sum = "order.net"
window = "12 months"

[[plugin]]
use = "tiers"
metric = "spend"
review = "calendar quarter"
[[plugin.level]]
name = "basic"
[[plugin.level]]
name = "gold"
reach = "300"
multiplier = "2"

[[plugin]]
use = "points"
expires = "2 months, end of month"
[[plugin.rule]]
name = "base"
earn = "floor(order.net)"

[[plugin]]
use = "refunds"
points_spent = "debt"
"""

NASTY = [
    "17850",
    "anna",
    "Anna",
    "Xanna",
    "X",
    "-",
    "--",
    "a b",
    "a:b",
    'say "hi"',
    "back\\slash",
    "张三",
    "🎉🎉",
    "a, date:2011-99-99",
    "[2011-01-32]",
    "; comment",
    "  edges  ",
    "%41",
    "-41-",
    "\u2028line",
    "é",
    "e\u0301",
    "Liabilities:Points:anna:Earned",
    "=1+1",
    "(code) *",
    "x" * 180,
]

CALENDAR = Calendar("Europe/London")


class Clock:
    """Moves on by a second at every look."""

    def __init__(self, start: str = "2011-06-01") -> None:
        self.now = CALENDAR.parse(start)

    def __call__(self) -> int:
        self.now += 1_000_000
        return self.now


def events() -> Iterator[list[dict[str, Any]]]:
    """Batches of what happens to every nasty ref, some of it late and some of it refused."""
    for number, ref in enumerate(NASTY):
        day = f"{number % 27 + 1:02d}"
        both = {"account": ref, "source": f"till, {ref[:40]}"}
        yield [
            {"type": "topup", "id": f"t{ref[:200]}", "at": f"2011-01-{day}T09:00", "amount": "30.05", **both},
            {
                "type": "purchase",
                "id": f"p{number}",
                "at": f"2011-02-{day}T23:30",
                "lines": [{"sku": "a", "quantity": "3", "unit_price": "7.33"}, {"sku": "b", "amount": "300.01"}],
                "tenders": [{"kind": "stored_value", "amount": "20.00"}, {"kind": "card", "amount": "302.00"}],
                **both,
            },
        ]
        spent = "600" if number % 2 else "1"
        yield [
            {"type": "spend", "id": f"s{number}", "at": f"2011-03-{day}", "asset": "points", "amount": spent, **both}
        ]
        late = [
            {"type": "return", "id": f"r{number}", "at": f"2011-04-{day}", "purchase": f"p{number}", "amount": "99.01"},
            {"type": "purchase", "id": f"late{number}", "at": f"2011-01-{day}T12:00", "amount": "10.00"},
            {"type": "spend", "id": f"no{number}", "at": f"2011-04-{day}", "amount": "9999.00"},
            {"type": "adjust", "id": f"a{number}", "at": f"2011-05-{day}", "amount": "0.125", "asset": "Stars_2",
             "reason": "sorry, [2011-01-32]"},
        ]  # fmt: skip
        yield [{**event, **both} for event in late]
        if number % 5 == 0:
            yield [{"type": "purchase", "id": f"z{number}", "at": "2011-09-01", "amount": "5.55", **both}]


def fill(engine: Engine) -> None:
    engine.put_text_in_force(PROGRAM, file="shop.toml")
    for number, batch in enumerate(events()):
        engine.process(batch)
        if number == 20:
            list(engine.tick(CALENDAR.parse("2011-04-15"), batch_size=3))
        if number == 40:
            later = PROGRAM.replace("floor(order.net)", "floor(order.net) * 2")
            engine.put_text_in_force(later, effective_from=CALENDAR.parse("2011-04-20"), file="shop 2.toml")
    list(engine.tick(CALENDAR.parse("2011-08-15")))


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of refused rows go into the current folder."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    url = f"sqlite:///{tmp_path_factory.mktemp('books') / 'stampbook.db'}"
    with Engine.open(url, create=True, clock=Clock()) as opened:
        fill(opened)
        yield opened


def rows(session: Session, sql: str) -> list[tuple[Any, ...]]:
    return sql_session(session).rows(sql)


def lots(engine: Engine) -> dict[tuple[str, str, str], int]:
    """What the lots say: units by ref, kind and asset, without the zeros."""
    with engine.store.reader() as session:
        found = rows(
            session,
            "SELECT a.ref, l.kind, l.asset, sum(l.remaining) FROM lot l JOIN account a ON a.id = l.account_id "
            "GROUP BY a.ref, l.kind, l.asset",
        )
    return {(ref, kind, asset): int(units) for ref, kind, asset, units in found if units}


def heads(engine: Engine) -> dict[str, bytes]:
    with engine.store.reader() as session:
        return {
            ref: bytes(head)
            for ref, head in rows(session, "SELECT a.ref, c.head FROM account a JOIN chain c ON c.account_id = a.id")
        }


def expected(engine: Engine) -> dict[tuple[str, str], Decimal]:
    """What a journal must show: by account and commodity, owed amounts below zero."""
    chart = Chart({"GBP": Asset("GBP", 2), "points": Asset("points"), "Stars_2": Asset("Stars_2", 3)})
    return {
        (chart.lots(ref, kind, asset), chart.commodities[asset]): -Decimal(chart.amount(units, asset))
        for (ref, kind, asset), units in lots(engine).items()
    }


def bean_check(path: Path) -> None:
    command = Path(sys.executable).parent / "bean-check"
    run = subprocess.run([command, "--no-cache", path], check=False, capture_output=True, text=True)
    assert not run.returncode, (run.stdout + run.stderr)[:3000]


def hledger(path: Path, *arguments: str) -> str:
    command = shutil.which("hledger")
    if command is None:
        pytest.skip("hledger is not installed here: apt-get install hledger")
    run = subprocess.run(
        [command, "-f", path, *arguments], check=False, capture_output=True, text=True, env={"LC_ALL": "C.UTF-8"}
    )
    assert not run.returncode, (run.stdout + run.stderr)[:3000]
    return run.stdout


def hledger_check(path: Path) -> None:
    hledger(path, "check", "-s", "ordereddates", "assertions", "accounts", "commodities")


def beancount_balances(path: Path) -> dict[tuple[str, str], Decimal]:
    from beancount import loader
    from beancount.core.data import Transaction

    entries, errors, _ = loader.load_file(str(path))
    assert not errors
    found: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for entry in entries:
        if isinstance(entry, Transaction):
            for posting in entry.postings:
                assert posting.units is not None
                assert posting.units.number is not None
                found[posting.account, posting.units.currency] += posting.units.number
    return {key: amount for key, amount in found.items() if amount}


# The journals


def test_the_books_are_worth_testing(engine: Engine) -> None:
    held = lots(engine)
    assert {ref for ref, _, _ in held} == set(NASTY)
    assert {kind for _, kind, _ in held} >= {"paid", "adjusted", "debt"}
    with engine.store.reader() as session:
        counts = dict(rows(session, "SELECT accepted, count(*) FROM journal GROUP BY accepted"))
        types = {kind for (kind,) in rows(session, "SELECT DISTINCT type FROM journal")}
    assert counts[0] >= len(NASTY)
    assert "expiry" in types


def test_bean_check_accepts_the_beancount_journal(engine: Engine, tmp_path: Path) -> None:
    target = tmp_path / "books.beancount"
    assert export(engine, target, "beancount") > 100
    bean_check(target)
    text = target.read_text(encoding="utf-8")
    for month in ("02", "03", "04", "05"):
        assert f"2011-{month}-01 balance Liabilities:Points  " in text
        assert f"2011-{month}-01 balance Liabilities:StoredValue  " in text


def test_the_beancount_journal_says_what_the_lots_say(engine: Engine, tmp_path: Path) -> None:
    target = tmp_path / "books.beancount"
    export(engine, target, "beancount")
    found = beancount_balances(target)
    customers = {key: amount for key, amount in found.items() if key[0].startswith("Liabilities:")}
    assert customers == expected(engine)
    totals: dict[str, Decimal] = defaultdict(Decimal)
    for (_, commodity), amount in found.items():
        totals[commodity] += amount
    assert set(totals.values()) == {Decimal(0)}


@pytest.mark.parametrize("place", [0, 3, -1])
def test_bean_check_finds_one_unit_that_is_wrong(engine: Engine, tmp_path: Path, place: int) -> None:
    target = tmp_path / "books.beancount"
    export(engine, target, "beancount")
    lines = target.read_text(encoding="utf-8").splitlines()
    asserted = [number for number, line in enumerate(lines) if " balance " in line and "GBP" in line]
    words = lines[asserted[place]].split()
    words[3] = str(Decimal(words[3]) + Decimal("0.01"))
    lines[asserted[place]] = " ".join(words)
    target.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(AssertionError, match="Balance failed"):
        bean_check(target)


def test_hledger_accepts_its_journal(engine: Engine, tmp_path: Path) -> None:
    target = tmp_path / "books.journal"
    assert export(engine, target, "hledger") > 100
    hledger_check(target)


def test_the_hledger_journal_says_what_the_lots_say(engine: Engine, tmp_path: Path) -> None:
    target = tmp_path / "books.journal"
    export(engine, target, "hledger")
    text = hledger(target, "balance", "--flat", "--no-total", "--layout=bare", "-O", "csv", "Liabilities")
    found = {
        (row["account"], row["commodity"]): Decimal(row["balance"])
        for row in csv.DictReader(io.StringIO(text))
        if Decimal(row["balance"])
    }
    assert found == expected(engine)


def test_hledger_finds_one_unit_that_is_wrong(engine: Engine, tmp_path: Path) -> None:
    target = tmp_path / "books.journal"
    export(engine, target, "hledger")
    text = target.read_text(encoding="utf-8")
    head, amount, tail = text.rpartition(" GBP = ")
    number, _, rest = tail.partition(" ")
    target.write_text(f"{head}{amount}{Decimal(number) + Decimal('0.01')} {rest}", encoding="utf-8")
    with pytest.raises(AssertionError, match="assertion"):
        hledger_check(target)


@pytest.mark.parametrize(("since", "until"), [("2011-02-15", None), (None, "2011-03-10"), ("2011-02-15", "2011-04-02")])
def test_a_part_of_the_time_begins_with_opening_balances(
    engine: Engine, tmp_path: Path, since: str | None, until: str | None
) -> None:
    start, end = (CALENDAR.parse(day) if day else None for day in (since, until))
    whole, bean, ledger = tmp_path / "whole.beancount", tmp_path / "part.beancount", tmp_path / "part.journal"
    export(engine, bean, "beancount", since=start, until=end)
    export(engine, ledger, "hledger", since=start, until=end)
    bean_check(bean)
    hledger_check(ledger)
    export(engine, whole, "beancount", until=end)
    part, all_of_it = beancount_balances(bean), beancount_balances(whole)
    assert {k: v for k, v in part.items() if k[0].startswith("Liab")} == {
        k: v for k, v in all_of_it.items() if k[0].startswith("Liab")
    }


def test_an_empty_ledger_is_an_empty_journal(tmp_path: Path) -> None:
    with Engine.open(str(tmp_path / "empty.db"), create=True) as empty:
        empty.put_text_in_force(PROGRAM)
        for format_ in FORMATS:
            assert export(empty, tmp_path / f"empty.{format_}", format_) == (1 if format_ == "jsonl" else 0)
    bean_check(tmp_path / "empty.beancount")
    hledger_check(tmp_path / "empty.hledger")
    assert pl.read_parquet(tmp_path / "empty.parquet").is_empty()


def test_a_clock_that_turns_back_over_midnight_keeps_the_dates_in_order(tmp_path: Path) -> None:
    # In St. John's of 2010 the clock went from 00:01 back to 23:01 of the day before.
    program = PROGRAM.replace("Europe/London", "America/St_Johns")
    with Engine.open(str(tmp_path / "late.db"), create=True) as late:
        late.put_text_in_force(program)
        for number, at in enumerate(("2010-11-07T02:30:30Z", "2010-11-07T02:31:30Z", "2010-11-07T04:00:00Z")):
            late.post({"type": "topup", "id": f"{number}", "account": "a", "at": at, "amount": "1.00"})
        export(late, tmp_path / "late.journal", "hledger")
        export(late, tmp_path / "late.beancount", "beancount")
    hledger_check(tmp_path / "late.journal")
    bean_check(tmp_path / "late.beancount")
    days = [line[:10] for line in (tmp_path / "late.journal").read_text().splitlines() if " * topup" in line]
    assert days == ["2010-11-07"] * 3


# Names


@given(st.lists(st.text(min_size=1), unique=True, min_size=2, max_size=6))
def test_two_refs_never_share_a_name(refs: list[str]) -> None:
    names = [component(ref) for ref in refs]
    assert len(set(names)) == len(refs)
    assert all(
        name.isascii() and name.replace("-", "").isalnum() and name[0] in "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
        for name in names
    )


@given(st.lists(st.text("Xxaz09-_Z ", min_size=1, max_size=5), unique=True, min_size=2, max_size=12))
@example(["x9", "9", "X9", "xx9", "x-9", "x_9"])
@example(["gift_cards", "gift-cards", "Gift-Cards", "gift--cards", "giftCards", "gift__cards"])
def test_neither_do_two_kinds_of_lot_or_books(kinds: list[str]) -> None:
    assert len({word_component(kind) for kind in kinds}) == len(kinds)
    assert len({book_account(kind) for kind in kinds}) == len(kinds)
    assert len({component(kind) for kind in kinds}) == len(kinds)


def test_names_that_people_know() -> None:
    assert [component(ref) for ref in ("17850", "anna", "C-7", "张", "X")] == [
        "17850",
        "Xanna",
        "C--7",
        "X-5f20-",
        "XX",
    ]
    assert [word_component(kind) for kind in ("paid", "gift_card", "Paid")] == ["Paid", "Gift-Card", "XPaid"]
    assert [book_account(book) for book in ("refunds", "fees", "late-fees", "Xrefunds", "退款")] == [
        "Equity:Books:Refunds",
        "Equity:Books:Fees",
        "Equity:Books:Late--Fees",
        "Equity:Books:XXXrefunds",
        "Equity:Books:XX-9000--6b3e-",
    ]


def test_both_tools_accept_the_names_of_books(tmp_path: Path) -> None:
    names = [book_account(book) for book in ("refunds", "late-fees", "gift_cards", "X", "退款", "b2b", "a:b", "9")]
    opened = "".join(f"2025-01-01 open {name}\n" for name in names)
    legs = "".join(f"  {name}  {1 if number % 2 else -1} EUR\n" for number, name in enumerate(names))
    (tmp_path / "books.beancount").write_text(f'{opened}\n2025-01-02 * "all"\n{legs}')
    bean_check(tmp_path / "books.beancount")
    declared = "".join(f"account {name}\n" for name in names)
    (tmp_path / "books.hledger").write_text(f"commodity 1000.00 EUR\n{declared}\n2025-01-02 all\n{legs}")
    hledger_check(tmp_path / "books.hledger")


@given(st.lists(st.from_regex(r"\A[A-Za-z][A-Za-z0-9_]{0,30}\Z"), unique=True, min_size=1, max_size=12))
def test_two_assets_never_share_a_commodity(codes: list[str]) -> None:
    names = Chart({code: Asset(code) for code in codes}).commodities
    assert len(set(names.values())) == len(codes)


def test_assets_that_differ_in_case_only(tmp_path: Path) -> None:
    program = PROGRAM.replace("[assets.Stars_2]", "[assets.POINTS]\n[assets.P]\n[assets.Stars_2]")
    with Engine.open(str(tmp_path / "case.db"), create=True) as books:
        books.put_text_in_force(program)
        for asset in ("points", "POINTS", "P", "Stars_2"):
            grant = {"asset": asset, "amount": "7", "reason": "test"}
            books.post({"type": "adjust", "id": asset, "account": "a", "at": "2011-01-01", **grant})
        export(books, tmp_path / "case.beancount", "beancount")
        export(books, tmp_path / "case.journal", "hledger")
    bean_check(tmp_path / "case.beancount")
    hledger_check(tmp_path / "case.journal")
    assert len(beancount_balances(tmp_path / "case.beancount")) == 8


# Tables


def test_the_csv_sums_to_the_lots(engine: Engine, tmp_path: Path) -> None:
    target = tmp_path / "books.csv"
    count = export(engine, target, "csv")
    with target.open(encoding="utf-8", newline="") as stream:
        found = list(csv.DictReader(stream))
    assert len(found) == count
    sums: dict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    for row in found:
        for end, sign in (("from", -1), ("to", 1)):
            if row[f"{end}_lot"]:
                sums[row["account"], row[end], row["asset"]] += sign * Decimal(row["amount"])
    decimals = {"GBP": 2, "points": 0, "Stars_2": 3}
    assert {key: int(amount * 10 ** decimals[key[2]]) for key, amount in sums.items() if amount} == lots(engine)


def test_the_parquet_file_has_the_rows_of_the_csv(engine: Engine, tmp_path: Path) -> None:
    export(engine, tmp_path / "books.csv", "csv")
    count = export(engine, tmp_path / "books.parquet", "parquet")
    frame = pl.read_parquet(tmp_path / "books.parquet")
    with (tmp_path / "books.csv").open(encoding="utf-8", newline="") as stream:
        written = list(csv.DictReader(stream))
    assert frame.height == count == len(written)
    for typed, text in zip(frame.iter_rows(named=True), written, strict=True):
        assert Asset("", typed["decimals"]).text(typed["units"]) == text["amount"]
        assert typed["at"].timestamp() * 1_000_000 == CALENDAR.parse(text["at"])
        assert (typed["account"], typed["event"], typed["from"], typed["to"]) == (
            text["account"], text["event"], text["from"], text["to"],
        )  # fmt: skip


# JSON Lines and back


def test_every_line_says_what_came_of_an_event(engine: Engine, tmp_path: Path) -> None:
    target = tmp_path / "books.jsonl"
    lines = export(engine, target, "jsonl")
    found = [orjson.loads(line) for line in target.read_bytes().splitlines()]
    assert len(found) == lines
    assert [line["file"] for line in found if "program" in line and "content" in line] == ["shop.toml", "shop 2.toml"]
    refused = next(line for line in found if line.get("status") == "refused")
    assert refused["objections"][0]["code"] == "insufficient_balance"
    moved = next(line for line in found if line.get("postings"))
    assert moved["postings"][0] == {"asset": "GBP", "amount": "30.05", "from": "cash", "to": 1, "rule": "topup"}


def test_importing_as_recorded_makes_the_same_hashes(engine: Engine, any_db: str, tmp_path: Path) -> None:
    target = tmp_path / "books.jsonl"
    export(engine, target, "jsonl")
    with Engine.open(any_db, create=True) as copy:
        half = import_file(copy, target, as_recorded=True, limit=150)
        assert half.read == 150
        summary = import_file(copy, target, as_recorded=True)
        assert heads(copy) == heads(engine)
        assert lots(copy) == lots(engine)
        assert summary.malformed == 0
        assert summary.replayed + half.replayed > 0
        again = import_file(copy, target, as_recorded=True)
        assert (again.accepted, again.refused) == (0, 0)
        assert heads(copy) == heads(engine)
        second = tmp_path / "again.jsonl"
        export(copy, second, "jsonl")
        for format_ in ("beancount", "csv"):
            export(engine, tmp_path / f"one.{format_}", format_)
            export(copy, tmp_path / f"two.{format_}", format_)
            one, two = ((tmp_path / f"{name}.{format_}").read_bytes().splitlines() for name in ("one", "two"))
            assert sorted(one) == sorted(two)
        bean_check(tmp_path / "two.beancount")
    assert sorted(second.read_bytes().splitlines()) == sorted(target.read_bytes().splitlines())


def test_importing_as_events_makes_the_same_postings(tmp_path: Path) -> None:
    def batches(books: Engine) -> None:
        books.put_text_in_force(PROGRAM)
        for batch in events():
            books.process(batch)

    target = tmp_path / "books.jsonl"
    with Engine.open(str(tmp_path / "one.db"), create=True, clock=lambda: CALENDAR.parse("2012-01-01")) as books:
        batches(books)
        export(books, target, "jsonl")
        kept, held = heads(books), lots(books)
    with Engine.open(str(tmp_path / "two.db"), create=True, clock=lambda: CALENDAR.parse("2012-01-01")) as copy:
        copy.put_text_in_force(PROGRAM)
        import_file(copy, target)
        assert heads(copy) == kept
        assert lots(copy) == held


def test_a_line_that_is_none_of_an_export_ends_an_import_as_recorded(sqlite_db: str, tmp_path: Path) -> None:
    target = tmp_path / "books.jsonl"
    target.write_text('{"type": "purchase"}\n', encoding="utf-8")
    with (
        Engine.open(sqlite_db, create=True) as books,
        pytest.raises(InputError, match="line 1: it is not a line of an"),
    ):
        import_file(books, target, as_recorded=True)


# Targets


def test_a_stream_gets_the_same_text(engine: Engine, tmp_path: Path) -> None:
    for format_ in ("beancount", "hledger", "csv", "jsonl"):
        stream = io.StringIO()
        export(engine, stream, format_)
        export(engine, tmp_path / "file", format_)
        assert stream.getvalue().encode() == (tmp_path / "file").read_bytes()


def test_parquet_goes_to_the_bytes_of_a_stream(engine: Engine) -> None:
    stream = io.TextIOWrapper(io.BytesIO())
    count = export(engine, stream, "parquet")
    stream.buffer.seek(0)
    assert pl.read_parquet(stream.buffer).height == count
    with pytest.raises(InputError, match="not text; name a file"):
        export(engine, io.StringIO(), "parquet")


def test_progress_ends_at_the_whole(engine: Engine, tmp_path: Path) -> None:
    told: list[tuple[int, int | None]] = []
    export(engine, tmp_path / "books.csv", "csv", on_progress=lambda done, total: told.append((done, total)))
    assert told[-1][0] == told[-1][1]
    assert told[-1][0] > 0


def test_formats_by_name() -> None:
    assert [format_of(Path(name)) for name in ("a.BEAN", "a.journal", "a.parquet", "a.ndjson", "a.csv")] == [
        "beancount", "hledger", "parquet", "jsonl", "csv",
    ]  # fmt: skip
    with pytest.raises(InputError, match="the extension says no format"):
        format_of(Path("books.xls"))


def test_an_unknown_format_has_a_near_name(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="did you mean 'beancount'"):
        export(engine, tmp_path / "x", "bencount")


@pytest.mark.parametrize("format_", FORMATS)
def test_nowhere_to_write_is_one_line(engine: Engine, tmp_path: Path, format_: str) -> None:
    with pytest.raises(InputError, match=r"books\.out was not written: there is no such folder$"):
        export(engine, tmp_path / "missing" / "books.out", format_)
    with pytest.raises(InputError, match="is a folder; name a file in it"):
        export(engine, tmp_path, format_)


@pytest.mark.parametrize("format_", FORMATS)
def test_a_file_that_grows_too_large_leaves_the_old_one(engine: Engine, tmp_path: Path, format_: str) -> None:
    target = tmp_path / "books.out"
    target.write_text("as it was", encoding="utf-8")
    code = """
import resource, signal, sys
from pathlib import Path
from stampbook.engine import Engine
from stampbook.exporting import export
from stampbook.errors import InputError
engine = Engine.open(sys.argv[1])
import polars
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    export(engine, Path(sys.argv[2]), sys.argv[3])
except InputError as error:
    assert "\\n" not in str(error), error
    print(error)
    sys.exit(7)
"""
    copy = tmp_path / "books.db"
    with (
        closing(sqlite3.connect(engine.store.url.removeprefix("sqlite:///"))) as books,
        closing(sqlite3.connect(copy)) as new,
    ):
        books.backup(new)
    run = subprocess.run(
        [sys.executable, "-c", code, copy, target, format_], check=False, capture_output=True, text=True
    )
    assert run.returncode == 7, run.stdout + run.stderr
    assert "was not written" in run.stdout
    assert target.read_text(encoding="utf-8") == "as it was"
    assert [path.name for path in tmp_path.iterdir() if "part" in path.name or path.name.startswith(".")] == []


def test_a_pipe_is_written_to_and_not_replaced(engine: Engine, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE) as reader:
        count = export(engine, pipe, "csv")
        text = reader.communicate()[0]
    assert text.count(b"\n") >= count
    assert pipe.is_fifo()
    with pytest.raises(InputError, match="no ordinary file"):
        export(engine, pipe, "parquet")


def test_a_full_disk_says_so(tmp_path: Path) -> None:
    target = tmp_path / "books.csv"
    with (
        pytest.raises(InputError, match="was not written: the disk is full; make room and try again"),
        target_file(target),
    ):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_a_new_file_has_the_usual_permissions_and_an_old_one_keeps_its_own(engine: Engine, tmp_path: Path) -> None:
    export(engine, tmp_path / "new.csv", "csv")
    usual = tmp_path / "usual"
    usual.touch()
    assert (tmp_path / "new.csv").stat().st_mode == usual.stat().st_mode
    (tmp_path / "new.csv").chmod(0o600)
    export(engine, tmp_path / "new.csv", "csv")
    assert (tmp_path / "new.csv").stat().st_mode & 0o777 == 0o600


def test_books_are_exported_after_they_were_verified(sqlite_db: str) -> None:
    from stampbook.verifying import verify

    with Engine.open(sqlite_db, create=True) as engine:
        engine.put_text_in_force('[program]\nname = "E"\ncurrency = "EUR"\ntime_zone = "UTC"\n')
        engine.post({"type": "account.opened", "id": "o", "account": "ann", "at": "2025-01-01"})
        assert verify(engine).ok
        with engine.store.reader() as session:
            assert [found.entry.id for found in journal_stream(session, "recorded", Span())] == ["o"]
