"""Imports of real files: every format, every kind of bad row, and as often as one likes."""

from __future__ import annotations

import gzip
import io
import re
import sys
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import polars as pl
import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import strategies as st

from stampbook.engine import Engine
from stampbook.errors import InputError, ProgramError, StampbookError
from stampbook.importing import ImportSummary, import_file
from stampbook.importing.fields import Cell
from stampbook.importing.fields import Test as Condition
from stampbook.importing.files import opened
from stampbook.importing.mapping import parse_mapping, read_mapping
from stampbook.importing.rows import LONGEST_LINE
from stampbook.importing.shaping import LARGEST_GROUP, Shaper
from stampbook.store.reading import sql_session
from tests.effort import examples

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel

    from stampbook.engine import Outcome

PROGRAM = """
[program]
name = "Shop"
currency = "GBP"
time_zone = "Europe/London"
open_accounts = "on first event"
unknown_returns = "accept"

[assets.points]

[[plugin]]
use = "points"
[[plugin.rule]]
name = "base"
earn = "floor(order.net)"

[[plugin]]
use = "refunds"
"""


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.chdir(tmp_path)
    with Engine.open("stampbook.db", create=True, clock=lambda: 1_700_000_000_000_000) as made:
        made.put_text_in_force(PROGRAM)
        yield made


def purchase(number: int, **more: Any) -> dict[str, Any]:
    event = {"type": "purchase", "id": f"p{number}", "account": f"c{number % 7}", "at": "2025-01-31", "amount": "10.00"}
    return {**event, **more}


def lines(*rows: object) -> bytes:
    return b"".join((row if isinstance(row, bytes) else orjson.dumps(row)) + b"\n" for row in rows)


def write(name: str, content: bytes | str) -> Path:
    path = Path(name)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def kept(summary: ImportSummary) -> list[dict[str, Any]]:
    assert summary.refused_file is not None
    return [orjson.loads(line) for line in Path(summary.refused_file).read_bytes().splitlines()]


def recorded(engine: Engine) -> list[dict[str, Any]]:
    """Return the events that were sent, in the order of accounts and their journals."""
    with engine.store.reader() as session:
        found = sql_session(session).rows(
            "SELECT payload FROM journal WHERE source <> 'stampbook' ORDER BY account_id, seq"
        )
    return [orjson.loads(row[0]) for row in found]


def heads(engine: Engine) -> dict[str, bytes]:
    with engine.store.reader() as session:
        return {ref: bytes(head) for ref, head in sql_session(session).rows("SELECT ref, head FROM account")}


def counts(summary: ImportSummary) -> tuple[int, int, int, int, int, int]:
    """Return read, accepted, refused, replayed, malformed and skipped."""
    events = (summary.accepted, summary.refused, summary.replayed, summary.malformed)
    return (summary.read, *events, summary.skipped)


# JSON Lines


def test_events_come_in_and_come_in_again(engine: Engine) -> None:
    path = write("day.jsonl", lines(*map(purchase, range(20))))
    first = import_file(engine, path, batch_size=3)
    assert counts(first) == (20, 20, 0, 0, 0, 0)
    assert first.refused_file is None
    assert first.seconds > 0
    before = heads(engine)
    again = import_file(engine, path)
    assert counts(again) == (20, 0, 0, 20, 0, 0)
    assert heads(engine) == before


BAD_LINES: dict[str, tuple[bytes, str, str]] = {
    "cut off": (b'{"type":"purchase",', "invalid_json", "not JSON: "),
    "no JSON": (b"hello", "invalid_json", "(column 1)"),
    "invalid UTF-8": (b'{"type":"purchase","id":"\xff"}', "invalid_utf8", "byte 26 of the line"),
    "half a character pair": (b'{"id":"\\ud800"}', "invalid_json", "not JSON"),
    "a list": (b"[1]", "not_an_object", "write one event a line"),
    "a number": (b"1", "not_an_object", ""),
    "too deep": (b"[" * 3000, "invalid_json", "not JSON"),
    "too long": (b'{"id":"' + b"x" * LONGEST_LINE + b'"}', "too_long", f"longer than {LONGEST_LINE} bytes"),
    "no event": (b'{"a":1}', "invalid_event", "type: missing"),
    "no amount": (b'{"type":"topup","id":"x","account":"a","at":"2025-01-01"}', "invalid_event", "amount: missing"),
    "too exact": (orjson.dumps(purchase(90, amount=1.001)), "invalid_event", "more than 2 decimals"),
    "more digits than a float": (
        orjson.dumps(purchase(93)).replace(b'"10.00"', b"3.80000000000000000001"),
        "inexact_number",
        "the number '3.80000000000000000001' has more digits than a JSON number is read with; write it in quotes",
    ),
    "a float that was added up": (
        orjson.dumps(purchase(94, amount=0.1 + 0.2)),
        "invalid_event",
        "'0.30000000000000004' is a float, with more than 2 decimals; send decimal text such as '0.30'",
    ),
    "a key twice": (b'{"id":"x","amount":"1.00","amount":"100.00"}', "duplicate_key", "the key 'amount' stands twice"),
    "a key twice inside": (b'{"lines":[{"sku":"a"},{"sku":"b","sku":"c"}]}', "duplicate_key", "the key 'sku' stands"),
    "a key twice in two spellings": (b'{"id" : "x", "\\u0069d" : "y"}', "duplicate_key", "the key 'id' stands twice"),
    "a key twice beside a list": (b'{"a":["x","y"],"b":1,"b":2}', "duplicate_key", "the key 'b' stands twice"),
    "too deep for a second look": (
        b'{"a":' * 900 + b'{"b":1,"b":2}' + b"}" * 900,
        "duplicate_key|invalid_json",
        "",
    ),
    "no text as id": (orjson.dumps(purchase(91, id=7)), "invalid_event", "id"),
    "other content": (orjson.dumps(purchase(1, amount="11.00")), "other_content", "another amount"),
    "an event in an event": (b'{"event":7}', "not_an_object", "no event"),
    "deep inside": (orjson.dumps(purchase(92)).replace(b'"10.00"', b"[" * 900 + b"]" * 900), "invalid_event", "amount"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_LINES)
def test_a_bad_line_is_kept_with_its_reason_and_the_rest_goes_on(engine: Engine, case: str) -> None:
    bad, code, message = BAD_LINES[case]
    path = write("day.jsonl", b"\n" + lines(purchase(1), bad, b"  ", purchase(2)))
    for _ in range(2):
        summary = import_file(engine, path)
        assert (summary.read, summary.malformed, summary.accepted + summary.replayed) == (3, 1, 2)
        [row] = kept(summary)
        assert (row["row"], row["line"], row["status"]) == (2, 3, "malformed")
        assert row["reasons"][0]["code"] in code.split("|")
        assert summary.reasons == {row["reasons"][0]["code"]: 1}
        assert message in row["reasons"][0]["message"]
        assert len(orjson.dumps(row)) < 40_000


@pytest.mark.parametrize(
    "text",
    [
        '{"type" : "topup", "id" : "x", "account" : "a", "at" : "2025-01-01", "amount" : "3.80"}',
        '{"type":"topup","id":"x","account":"a","at":"2025-01-01","amount":3.80}',
        '{"type":"topup","id":"x","account":"a","at":"2025-01-01","amount":3.8000000000000000000000}',
        '{"type":"topup","id":"x","account":"a","at":"2025-01-01","amount":"3.80","reason":"said \\"yes\\": and left"}',
        '{"type":"topup","id":"x","account":"12345678901234567890","at":"2025-01-01","amount":"3.80"}',
    ],
    ids=["blanks", "a number", "zeros", "quotes in text", "a long number as text"],
)
def test_a_line_that_is_looked_at_twice_is_read_all_the_same(engine: Engine, text: str) -> None:
    assert counts(import_file(engine, write("day.jsonl", text)))[:2] == (1, 1)
    [event] = recorded(engine)
    assert event["id"] == "x"
    assert float(event["amount"]) == 3.8


def test_a_mapping_counts_with_all_digits_of_json(engine: Engine) -> None:
    row = '{"n":"%s","who":"ann","when":"31/01/2025","a":%s}'
    rounded, plain = write("rounded.toml", minimal('{ column = "a", round = 2 }')), write("plain.toml", minimal())
    assert import_file(engine, write("a.jsonl", row % (1, "2.00499999999999999999")), mapping=rounded).accepted == 1
    assert recorded(engine)[0]["amount"] == "2.00"
    summary = import_file(engine, write("b.jsonl", row % (2, "3.80000000000000000001")), mapping=plain)
    assert "'3.80000000000000000001' has more than 2 decimals" in kept(summary)[0]["reasons"][0]["message"]


def test_refusals_are_kept_once_and_again_when_replayed(engine: Engine) -> None:
    spend = {"type": "spend", "id": "s", "account": "c1", "at": "2025-02-01", "amount": "5.00"}
    path = write("day.jsonl", lines(purchase(1), spend, spend))
    first = import_file(engine, path)
    assert counts(first) == (3, 1, 1, 1, 0, 0)
    assert first.refused_file == "day.jsonl.refused.jsonl"
    told = kept(first)
    assert [row["reasons"][0]["code"] for row in told] == ["insufficient_balance"] * 2
    assert told[0] == {
        "row": 2,
        "line": 2,
        "status": "refused",
        "reasons": [{"code": "insufficient_balance", "message": told[0]["reasons"][0]["message"]}],
        "event": spend,
    }
    again = import_file(engine, path)
    assert counts(again) == (3, 0, 0, 3, 0, 0)
    assert kept(again) == told


def test_mended_rows_leave_no_file_and_a_mended_copy_can_be_imported(engine: Engine) -> None:
    path = write("day.jsonl", lines(purchase(1), purchase(2, amount="ten")))
    summary = import_file(engine, path)
    [row] = kept(summary)
    row["event"]["amount"] = "10.00"
    mended = write("mended.jsonl", lines(row))
    assert counts(import_file(engine, mended)) == (1, 1, 0, 0, 0, 0)
    write("day.jsonl", lines(purchase(1), purchase(2)))
    summary = import_file(engine, path)
    assert counts(summary) == (2, 0, 0, 2, 0, 0)
    assert summary.refused_file is None
    assert not Path("day.jsonl.refused.jsonl").exists()


def test_a_file_that_was_named_for_refused_rows_is_left_alone_when_there_are_none(engine: Engine) -> None:
    precious = write("precious.txt", "keep me")
    import_file(engine, write("day.jsonl", lines(purchase(1))), refused=precious)
    assert precious.read_text() == "keep me"


def test_the_file_for_refused_rows_is_not_the_file_itself(engine: Engine) -> None:
    path = write("day.jsonl", lines(purchase(1, amount="x")))
    with pytest.raises(InputError, match="name another for refused rows"):
        import_file(engine, path, refused=Path("./day.jsonl"))
    with pytest.raises(InputError, match="for refused rows"):
        import_file(engine, path, refused=Path("missing/folder.jsonl"))


def test_standard_input(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines(purchase(1), b"x"))))
    told: list[tuple[int, int | None]] = []
    summary = import_file(engine, "-", on_progress=lambda done, total: told.append((done, total)))
    assert counts(summary) == (2, 1, 0, 0, 1, 0)
    assert summary.refused_file == "stdin.refused.jsonl"
    assert told[-1][1] is None
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    with pytest.raises(InputError, match="standard input is empty"):
        import_file(engine, "-")


def test_compressed_files_are_read_through(engine: Engine) -> None:
    path = write("day.jsonl.gz", gzip.compress(lines(*map(purchase, range(1000)))))
    assert import_file(engine, path).accepted == 1000
    others = lines(*(purchase(number, source="other") for number in range(1000)))
    cut = write("cut.jsonl.gz", gzip.compress(others)[:-20])
    before = len(recorded(engine))
    with pytest.raises(InputError, match=r"cut\.jsonl\.gz: the compressed file is cut off or damaged"):
        import_file(engine, cut)
    assert len(recorded(engine)) > before  # what came before the cut is committed
    with pytest.raises(InputError, match="cut off or damaged"):
        import_file(engine, write("no.csv.gz", b"no gzip"))


def test_a_limit_and_progress(engine: Engine) -> None:
    path = write("day.jsonl", lines(*map(purchase, range(50))))
    told: list[tuple[int, int | None]] = []
    assert import_file(engine, path, limit=10, on_progress=lambda *now: told.append(now)).read == 10
    import_file(engine, path, on_progress=lambda *now: told.append(now))
    assert told[-1] == (path.stat().st_size, path.stat().st_size)


def test_rows_that_time_brought_are_skipped(engine: Engine) -> None:
    own = {"type": "expiry", "id": "expiry:c1:2", "source": "stampbook", "account": "c1", "at": "2025-01-01", "lot": 1}
    program = {"program": "ab12", "file": "x", "content": "", "effective_from": None, "recorded_at": "2025-01-01"}
    path = write("books.jsonl", lines(program, {"event": own, "hash": "ff"}, {"event": purchase(1), "hash": "ff"}))
    summary = import_file(engine, path)
    assert counts(summary) == (3, 1, 0, 0, 0, 2)
    assert summary.reasons == {"skipped: brought by time": 1, "skipped: a program": 1}


# Files that are wrong as a whole


def _parquet() -> bytes:
    stream = io.BytesIO()
    pl.DataFrame([purchase(number) for number in range(100)]).write_parquet(stream)
    return stream.getvalue()


WRONG_FILES: dict[str, tuple[str, bytes, str]] = {
    "an empty JSON Lines": ("a.jsonl", b"", "a.jsonl is empty; there is nothing to import"),
    "nothing but blank lines": ("a.jsonl", b"\n\n \n", "a.jsonl is empty"),
    "an empty CSV": ("a.csv", b"", "a.csv is empty"),
    "a CSV of blank lines": ("a.csv", b"\n\n", "a.csv has no header line: it is empty"),
    "a CSV whose header is broken": ("a.csv", b'"type,id\n1,2\n', "a.csv has no header line: line 1: not CSV"),
    "a CSV of other columns": (
        "a.csv",
        b"id,Total\n1,2\n",
        "no column 'type', 'account', 'at', so its rows are not events",
    ),
    "a column twice": ("a.csv", b"type,id,id\n1,2,3\n", "line 1: column 'id' appears twice"),
    "an empty Parquet": ("a.parquet", b"", "no whole Parquet file"),
    "a truncated Parquet": ("a.parquet", _parquet()[:900], "no whole Parquet file"),
    "no Parquet at all": ("a.parquet", b"hello, world", "no whole Parquet file"),
    "a Parquet by another name": ("a.jsonl", _parquet(), "is a Parquet file; name it .parquet"),
    "an unknown extension": ("a.xlsx", b"PK", "the extension says no format"),
    "JSON that is not lines": ("a.json", b"[]", "write one event a line and name it .jsonl"),
    "UTF-16": ("a.csv", "type,id\n".encode("utf-16"), "is UTF-16; save it as UTF-8"),
}


@pytest.mark.parametrize("case", WRONG_FILES)
def test_a_file_that_is_wrong_is_one_line(engine: Engine, case: str) -> None:
    name, content, message = WRONG_FILES[case]
    with pytest.raises(InputError) as caught:
        import_file(engine, write(name, content))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not recorded(engine)


def test_a_file_that_is_not_there(engine: Engine) -> None:
    for name in ("no.jsonl", "no.csv", "no.parquet"):
        with pytest.raises(InputError, match=rf"^there is no file {name}$"):
            import_file(engine, name)
    with pytest.raises(InputError, match=r"^\. is a folder; name a file in it$"):
        import_file(engine, ".")
    Path("folder.csv").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        import_file(engine, "folder.csv")
    Path("folder.parquet").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        import_file(engine, "folder.parquet")
    with pytest.raises(InputError, match="did you mean 'parquet'"):
        import_file(engine, "no.csv", format="parket")


# CSV


CSV_HEAD = "type,id,account,at,amount,reason\n"


def test_csv_with_the_columns_of_events(engine: Engine) -> None:
    text = CSV_HEAD + 'purchase,1,a,2025-01-31,"12.50",\nadjust,2,a,2025-01-31,3.00,"so, ""he"" said\nin two lines"\n'
    summary = import_file(engine, write("day.csv", b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode()))
    assert counts(summary) == (2, 2, 0, 0, 0, 0)
    first, second = recorded(engine)
    assert first == {"type": "purchase", "id": "1", "account": "a", "at": "2025-01-31", "amount": "12.50"}
    assert second["reason"] == 'so, "he" said\r\nin two lines'


def test_tabs_by_extension(engine: Engine) -> None:
    text = CSV_HEAD + "purchase,1,a,2025-01-31,1.00,\n"
    assert import_file(engine, write("day.tsv", text.replace(",", "\t"))).accepted == 1


GOOD = b"purchase,g%d,a,2025-01-31,1.00,\n"
BAD_CSV: dict[str, tuple[bytes, str, str]] = {
    "too few columns": (b"purchase,1,a\n", "ragged", "it has 3 columns, the header has 6"),
    "too many columns": (b"purchase,1,a,2025-01-31,1,000.00,\n", "ragged", "it has 7 columns"),
    "invalid UTF-8": (b"purchase,\xff,a,2025-01-31,1.00,\n", "invalid_utf8", "character 10 of the row"),
    "text after a quote": (b'purchase,"1"x,a,2025-01-31,1.00,\n', "invalid_csv", "not CSV"),
    "a quote that never ends": (b'purchase,"1,a,2025-01-31,1.00,\n', "invalid_csv", "not CSV"),
    "a very long line": (b"purchase," + b"x" * (2 << 20) + b",a,2025-01-31,1.00,\n", "too_long", "longer than"),
    "a NUL": (b"purchase,\x00,a,2025-01-31,1.00,\n", "invalid_event", "id"),
}


@pytest.mark.parametrize("case", BAD_CSV)
def test_a_bad_row_is_kept_with_its_line_and_the_rest_goes_on(engine: Engine, case: str) -> None:
    bad, code, message = BAD_CSV[case]
    text = CSV_HEAD.encode() + GOOD % 1 + b"\n" + bad + GOOD % 2 + GOOD % 3
    summary = import_file(engine, write("day.csv", text))
    assert counts(summary) == (4, 3, 0, 0, 1, 0)
    [row] = kept(summary)
    assert (row["row"], row["line"]) == (2, 4)
    assert row["reasons"][0]["code"] == code
    assert message in row["reasons"][0]["message"]


def test_line_numbers_count_lines_inside_of_quotes(engine: Engine) -> None:
    text = CSV_HEAD + 'adjust,1,a,2025-01-31,3.00,"one\ntwo\nthree"\nbad\n'
    assert kept(import_file(engine, write("day.csv", text)))[0]["line"] == 5


# Parquet


def test_parquet_with_lines_inside(engine: Engine) -> None:
    rows = [purchase(1, amount=None, lines=[{"sku": "a", "quantity": 2, "unit_price": 1.25}]), purchase(2, lines=None)]
    pl.DataFrame(rows).write_parquet("day.parquet")
    told: list[tuple[int, int | None]] = []
    assert counts(import_file(engine, "day.parquet", on_progress=lambda *now: told.append(now))) == (2, 2, 0, 0, 0, 0)
    assert told[-1] == (2, 2)
    assert {"sku": "a", "quantity": 2, "unit_price": 1.25} in [
        line for e in recorded(engine) for line in e.get("lines", ())
    ]


def test_parquet_with_typed_times(engine: Engine) -> None:
    rows = [purchase(number) for number in range(3)]
    frame = pl.DataFrame(rows).with_columns(pl.col("at").str.to_datetime("%Y-%m-%d"))
    frame.write_parquet("day.parquet")
    assert import_file(engine, "day.parquet").accepted == 3
    assert recorded(engine)[0]["at"] == "2025-01-31T00:00:00"


def test_a_parquet_that_is_damaged_inside_ends_in_one_line(engine: Engine) -> None:
    whole = bytearray(_parquet())
    for place in range(20, 400):
        whole[place] ^= 0x5A
    with pytest.raises(InputError, match=r"row 1: it and those after it cannot be read|no whole Parquet file"):
        import_file(engine, write("day.parquet", bytes(whole)))


# Mapping files


SHOPIFY = """
group_by = "Name"

[[skip]]
when = { column = "Financial Status", is = ["voided", "pending"] }
reason = "not paid"
whole_group = true

[[skip]]
when = { column = "Email", empty = true }
reason = "no customer"
whole_group = true

[[event]]
type = "purchase"
id = "Name"
source = { value = "shopify" }
account = "Email"
at = { column = "Paid at", format = "%Y-%m-%d %H:%M:%S %z" }
currency = "Currency"
discount = { column = "Discount Amount", default = "0" }
channel = { value = "online" }

[event.lines]
sku = "Lineitem sku"
quantity = "Lineitem quantity"
unit_price = "Lineitem price"
"""

SHOPIFY_ROWS = """\
Name,Email,Financial Status,Paid at,Currency,Discount Amount,Lineitem quantity,Lineitem name,Lineitem price,Lineitem sku
#1001,ann@example.org,paid,2025-01-05 10:12:33 +0000,GBP,2.50,2,Mug,10.00,MUG
#1001,ann@example.org,,,,,1,"Spoon, silver",5.00,SPOON
#1002,bob@example.org,voided,,GBP,,1,Mug,10.00,MUG
#1002,bob@example.org,,,,,1,Mug,10.00,MUG
#1003,,paid,2025-01-06 10:12:33 +0000,GBP,,1,Mug,10.00,MUG
#1004,ann@example.org,partially_refunded,2025-01-07 23:30:00 -0500,GBP,,1,Mug,10.00,
"""


def test_orders_of_a_web_shop(engine: Engine) -> None:
    summary = import_file(engine, write("orders.csv", SHOPIFY_ROWS), mapping=write("shopify.toml", SHOPIFY))
    assert counts(summary) == (6, 2, 0, 0, 0, 3)
    assert summary.reasons == {"skipped: not paid": 2, "skipped: no customer": 1}
    first, second = recorded(engine)
    assert first == {
        "type": "purchase",
        "id": "#1001",
        "source": "shopify",
        "account": "ann@example.org",
        "at": "2025-01-05T10:12:33+00:00",
        "currency": "GBP",
        "discount": "2.50",
        "channel": "online",
        "lines": [
            {"sku": "MUG", "quantity": "2", "unit_price": "10.00"},
            {"sku": "SPOON", "quantity": "1", "unit_price": "5.00"},
        ],
    }
    assert second["at"] == "2025-01-07T23:30:00-05:00"
    assert second["lines"] == [{"quantity": "1", "unit_price": "10.00"}]


SQUARE = """
delimiter = ";"
encoding = "latin-1"
group_by = ["Transaction ID", "Event Type"]

[[skip]]
when = { column = "Customer ID", empty = true }
reason = "no customer"

[[event]]
when = { column = "Event Type", is = "Refund" }
type = "return"
id = { template = "refund-{Transaction ID}" }
account = "Customer ID"
at = { template = "{Date} {Time}", format = "%m/%d/%y %H:%M:%S" }
amount = { column = "Net Sales", strip = "£,", absolute = true, sum = true }
reason = "Notes"

[[event]]
type = "purchase"
id = "Transaction ID"
account = "Customer ID"
at = { template = "{Date} {Time}", format = "%m/%d/%y %H:%M:%S" }
amount = { column = "Net Sales", strip = "£,", sum = true }
store = "Location"
"""

SQUARE_ROWS = """\
Date;Time;Item;Net Sales;Transaction ID;Event Type;Location;Customer ID;Notes
01/31/25;09:15:00;Café;£1,003.50;T1;Payment;Zürich;C1;
01/31/25;09:15:00;Tea;£0.50;T1;Payment;Zürich;C1;
02/01/25;10:00:00;Café;-£3.50;T1;Refund;Zürich;C1;cold
02/01/25;10:00:00;Café;£3.50;T2;Payment;Zürich;;
"""


def test_items_of_a_till(engine: Engine) -> None:
    path = write("items.csv", SQUARE_ROWS.encode("latin-1"))
    summary = import_file(engine, path, mapping=write("square.toml", SQUARE))
    assert counts(summary) == (4, 2, 0, 0, 0, 1)
    bought, refunded = recorded(engine)
    assert (bought["amount"], bought["store"], bought["at"]) == ("1004.00", "Zürich", "2025-01-31T09:15:00")
    assert (refunded["id"], refunded["amount"], refunded["reason"]) == ("refund-T1", "3.50", "cold")


RETAIL = """
group_by = "InvoiceNo"

[[skip]]
when = { column = "CustomerID", empty = true }
reason = "no customer"

[[skip]]
when = [{ column = "UnitPrice", below = 0 }, { column = "Quantity", is_not = "0" }]
reason = "bad debt"

[[event]]
when = { column = "InvoiceNo", starts_with = "C" }
type = "return"
id = "InvoiceNo"
account = "CustomerID"
at = "InvoiceDate"
purchase = { template = "before {InvoiceNo}" }
amount = { column = "Quantity", times = "UnitPrice", sum = true, absolute = true, round = 2 }

[[event]]
type = "purchase"
id = "InvoiceNo"
account = "CustomerID"
at = "InvoiceDate"

[event.lines]
sku = "StockCode"
quantity = "Quantity"
unit_price = { column = "UnitPrice", round = 2 }
"""


def retail_frame() -> pl.DataFrame:
    rows = [
        ("536365", "85123A", 6, 2.55, 17850),
        ("536365", "71053", 6, 3.39, 17850),
        ("536366", "22633", 6, 1.85, None),
        ("C536379", "D", -1, 27.5, 14527),
        ("C536379", "22556", -12, 1.65, 14527),
        ("A563186", "B", 1, -11062.06, 1),
        ("536370", "PADS", 3, 0.001, 12583),
        ("536370", "22728", 24, 3.75, 12583),
    ]
    frame = pl.DataFrame(rows, schema=["InvoiceNo", "StockCode", "Quantity", "UnitPrice", "CustomerID"], orient="row")
    return frame.with_columns(pl.lit("2010-12-01T08:26").str.to_datetime().alias("InvoiceDate"), Country=pl.lit("UK"))


def test_invoices_of_a_year(engine: Engine) -> None:
    retail_frame().write_parquet("retail.parquet")
    summary = import_file(engine, "retail.parquet", mapping=write("retail.toml", RETAIL))
    assert counts(summary) == (8, 3, 0, 0, 0, 2)
    assert summary.reasons == {"skipped: no customer": 1, "skipped: bad debt": 1}
    by_id = {event["id"]: event for event in recorded(engine)}
    assert by_id["536365"] == {
        "type": "purchase",
        "id": "536365",
        "account": "17850",
        "at": "2010-12-01T08:26:00",
        "lines": [
            {"sku": "85123A", "quantity": "6", "unit_price": "2.55"},
            {"sku": "71053", "quantity": "6", "unit_price": "3.39"},
        ],
    }
    assert by_id["C536379"]["amount"] == "47.30"
    assert by_id["536370"]["lines"][0]["unit_price"] == "0.00"


def test_the_same_rows_are_the_same_events_in_every_format(engine: Engine) -> None:
    frame = retail_frame()
    mapping = read_mapping(write("retail.toml", RETAIL), engine.registry().reader.kinds)
    frame.write_parquet("retail.parquet")
    frame.write_csv("retail.csv", datetime_format="%Y-%m-%dT%H:%M:%S")
    frame.with_columns(pl.col("InvoiceDate").dt.strftime("%Y-%m-%dT%H:%M:%S")).write_ndjson("retail.jsonl")
    made: list[list[Any]] = []
    for kind in ("parquet", "csv", "jsonl"):
        with opened(f"retail.{kind}", kind) as rows:
            made.append(
                [(item.number, item.event, item.skipped) for item in Shaper(mapping, rows.columns).shaped(rows)]
            )
    assert made[0] == made[1] == made[2]


MINIMAL = """
[[event]]
type = "topup"
id = "n"
account = "who"
at = { column = "when", format = "%d/%m/%Y" }
amount = AMOUNT
"""


def minimal(amount: str = '"a"') -> str:
    return MINIMAL.replace("AMOUNT", amount)


AMOUNTS: dict[str, tuple[str, str, str | None]] = {
    "as it is": ('"a"', "12.50", "12.50"),
    "signs": ('{ column = "a", strip = "$, " }', "$ 1,234.50", "1234.50"),
    "a decimal comma": ('{ column = "a", decimal_comma = true }', "1.234,50", "1234.50"),
    "cents": ('{ column = "a", divide = 100 }', "1250", "12.50"),
    "rounded": ('{ column = "a", round = 2 }', "12.345", "12.35"),
    "rounded from half": ('{ column = "a", round = 0 }', "2.5", "3"),
    "without its sign": ('{ column = "a", absolute = true }', "-5", "5"),
    "by default": ('{ column = "a", default = "7" }', "", "7"),
    "rounded by default": ('{ column = "a", round = 2, default = "7" }', "", "7.00"),
    "constant": ("{ value = 5 }", "", "5"),
    "product": ('{ column = "a", times = "n" }', "0.1", "0.3"),
    "no number": ('{ column = "a", round = 2 }', "ten", None),
    "huge": ('{ column = "a", round = 2 }', "1e999999999", None),
    "empty": ('"a"', "", None),
}


@pytest.mark.parametrize("case", AMOUNTS)
def test_numbers_of_a_mapping(engine: Engine, case: str) -> None:
    how, given_, wanted = AMOUNTS[case]
    path = write("tops.csv", f'n,who,when,a\n3,ann,31/01/2025,"{given_}"\n')
    summary = import_file(engine, path, mapping=write("map.toml", minimal(how)))
    if wanted is None:
        [row] = kept(summary)
        assert row["reasons"][0]["code"] == "bad_cell"
        assert "column 'a': " in row["reasons"][0]["message"]
        assert row["event"] == {"n": "3", "who": "ann", "when": "31/01/2025", "a": given_}
    else:
        assert summary.accepted == 1, kept(summary)
        assert recorded(engine)[0]["amount"] == wanted


def test_a_time_that_is_written_otherwise(engine: Engine) -> None:
    path = write("tops.csv", "n,who,when,a\n3,ann,2025-01-31,1\n")
    [row] = kept(import_file(engine, path, mapping=write("map.toml", minimal())))
    assert row["reasons"] == [
        {"code": "bad_cell", "message": "column 'when': '2025-01-31' is no time written as '%d/%m/%Y'"}
    ]


MISTAKES = """
group_bye = "x"
encoding = "utf-99"

[[skip]]
when = { column = "a" }

[[event]]
type = "purchas"

[[event]]
type = "purchase"
id = { column = "a", value = "b" }
acount = "c"
at = { column = "d", round = 2 }
amount = { column = "e", divide = 30 }
channel = { column = "f", format = "%d" }
store = 5
tenders = "g"

[event.lines]
skuu = "h"
quantity = { column = "i", sum = true }

[[event]]
type = "topup"
when = { column = "a", starts_with = "x" }
id = "a"
account = "a"
at = "a"
amount = { template = "no column" }
lines = "no"
"""


def test_every_mistake_of_a_mapping_at_once(engine: Engine) -> None:
    with pytest.raises(ProgramError) as caught:
        read_mapping(write("map.toml", MISTAKES), engine.registry().reader.kinds)
    told = str(caught.value)
    for place in (
        "map.toml:2: group_bye: no such key (did you mean 'group_by'?)",
        "map.toml:3: encoding: no encoding 'utf-99' of text",
        "map.toml:6: skip[1].when: a condition states something",
        "map.toml:9: event[1].type: 'purchas' is no kind of event (did you mean 'purchase'?)",
        "map.toml:13: event[2].id: a field has either a column, a template or a value",
        "map.toml:14: event[2].acount: no such field (did you mean 'account'?)",
        "map.toml:15: event[2].at: at is no number",
        "map.toml:16: event[2].amount: divide is a power of ten such as 100, not 30",
        "map.toml:17: event[2].channel: channel is no time",
        "map.toml:18: event[2].store: write the name of a column",
        "map.toml:19: event[2].tenders: tenders cannot come from a column",
        "map.toml:22: event[2].lines.skuu: no such field (did you mean 'sku'?)",
        "map.toml:23: event[2].lines.quantity: a line is made of one row",
        "event[2].account: missing",
        "event[2]: it has no `when`",
        "map.toml:31: event[3].amount: a template names at least one column",
        "map.toml:32: event[3].lines: such an event has no lines",
    ):
        assert place in told, told


def test_a_mapping_is_judged_to_its_end_whatever_else_is_wrong(engine: Engine) -> None:
    text = """
[[event]]
type = "purchas"
when = { column = "a", below = "x" }
idd = "a"
id = { colum = "a" }
account = "b"
at = { column = "c", divide = 30, round = 9 }

[[event]]
type = "xyz"
when = 5
id = { column = "a", template = "b" }

[[event]]
when = { column = "a", is = 0.5 }
account = { default = 5 }
"""
    with pytest.raises(ProgramError) as caught:
        read_mapping(write("map.toml", "\ufeff" + text), engine.registry().reader.kinds)
    assert str(caught.value).splitlines() == [
        "map.toml:3: event[1].type: 'purchas' is no kind of event (did you mean 'purchase'?)",
        "map.toml:4: event[1].when.below: 'x' is not a whole number; write it without quotes",
        "map.toml:5: event[1].idd: no such field (did you mean 'id'?)",
        "map.toml:6: event[1].id.colum: no such key (did you mean 'column'?)",
        "map.toml:8: event[1].at: divide is a power of ten such as 100, not 30",
        "map.toml:8: event[1].at.round: 9 is more than 6",
        *[line for line in str(caught.value).splitlines() if line.startswith("map.toml:11: ")],
        "map.toml:12: event[2].when: 5 is not a list; write it in [ ]",
        "map.toml:13: event[2].id: a field has either a column, a template or a value",
        "map.toml:15: event[3].type: missing",
        "map.toml:16: event[3].when.is: 0.5 is not a list; write it in [ ]",
        "map.toml:17: event[3].account: a field has either a column, a template or a value",
        "map.toml:17: event[3].account.default: 5 is not text; write it in quotes",
    ]


def test_a_parquet_that_lacks_a_column_tells_all_that_it_has(engine: Engine) -> None:
    frame = pl.DataFrame({"n": ["3"], "customer": ["ann"], "When": ["31/01/2025"], "a": ["1"]})
    frame.write_parquet("sales.parquet")
    with pytest.raises(InputError) as caught:
        import_file(engine, "sales.parquet", mapping=write("map.toml", minimal()))
    told = str(caught.value)
    assert "no column 'when' (did you mean 'When'?), which map.toml" in told
    assert told.endswith("Its columns are: 'n', 'customer', 'When', 'a'")


def test_a_column_that_the_file_lacks(engine: Engine) -> None:
    with pytest.raises(InputError) as caught:
        import_file(
            engine, write("orders.csv", SHOPIFY_ROWS.replace("Email", "E-mail")), mapping=write("map.toml", SHOPIFY)
        )
    told = str(caught.value)
    assert told.startswith("orders.csv: no column 'Email' (did you mean 'E-mail'?), which map.toml")
    assert "Its columns are: 'Name', 'E-mail'" in told
    assert "\n" not in told


def test_rows_of_one_event_that_stand_apart(engine: Engine) -> None:
    text = SHOPIFY_ROWS + "#1001,ann@example.org,paid,2025-01-05 10:12:33 +0000,GBP,2.50,1,Cup,9.00,CUP\n"
    summary = import_file(engine, write("orders.csv", text), mapping=write("map.toml", SHOPIFY))
    [row] = kept(summary)
    assert row["row"] == 7
    assert row["reasons"][0]["code"] == "other_content"
    assert "rows of one event must stand together: sort the file by 'Name'" in row["reasons"][0]["message"]


def test_a_row_that_cannot_be_read_takes_its_neighbours_along(engine: Engine) -> None:
    ragged = SHOPIFY_ROWS.replace(',1,"Spoon, silver"', ",1,Spoon, silver")
    path, mapping = write("orders.csv", ragged), write("map.toml", SHOPIFY)
    summary = import_file(engine, path, mapping=mapping)
    assert counts(summary) == (6, 1, 0, 0, 2, 3)
    told = kept(summary)
    assert [(row["row"], row["reasons"][0]["code"]) for row in told] == [(2, "ragged"), (1, "incomplete")]
    assert "row 2 beside it cannot be read and may belong to it" in told[1]["reasons"][0]["message"]
    write("orders.csv", SHOPIFY_ROWS)
    assert counts(import_file(engine, path, mapping=mapping)) == (6, 1, 0, 1, 0, 3)
    assert sum(len(event["lines"]) for event in recorded(engine)) == 3


def test_an_unreadable_row_between_two_events_may_belong_to_either(engine: Engine) -> None:
    rows = "n,who,when,a\n1,ann,01/01/2025,1\n1,ann,01/01/2025,1\nbroken\n2,bob,01/01/2025,1\n3,bob,01/01/2025,1\n"
    summary = import_file(engine, write("t.csv", rows), mapping=write("map.toml", 'group_by = "n"\n' + minimal()))
    assert [row["reasons"][0]["code"] for row in kept(summary)] == ["ragged", "incomplete", "incomplete"]
    assert [event["id"] for event in recorded(engine)] == ["3"]


def test_an_event_of_two_accounts(engine: Engine) -> None:
    rows = "n,who,when,a\n1,ann,01/01/2025,1\n1,bob,01/01/2025,1\n"
    summary = import_file(engine, write("t.csv", rows), mapping=write("map.toml", 'group_by = "n"\n' + minimal()))
    assert "is another account than 'ann' in the same event" in kept(summary)[0]["reasons"][0]["message"]


def test_an_event_of_too_many_rows(engine: Engine) -> None:
    rows = "n,who,when,a\n" + "1,ann,01/01/2025,1\n" * (LARGEST_GROUP + 5)
    summary = import_file(engine, write("t.csv", rows), mapping=write("map.toml", 'group_by = "n"\n' + minimal()))
    assert counts(summary) == (LARGEST_GROUP + 5, 0, 0, 0, 1, 0)
    assert summary.reasons == {"too_many_rows": 1}


def test_a_row_for_which_there_is_no_event(engine: Engine) -> None:
    mapping = minimal() + 'when = { column = "a", is_not = "1" }\n'
    summary = import_file(
        engine, write("t.csv", "n,who,when,a\n1,ann,01/01/2025,1\n"), mapping=write("m.toml", mapping)
    )
    assert summary.reasons == {"no_event": 1}


@pytest.mark.parametrize("encoding", ["utf-16", "gb18030", "cp1252", "shift_jis", "utf-8-sig"])
def test_encodings_by_name(engine: Engine, encoding: str) -> None:
    text = (
        "n,who,when,a\n1,ann,01/01/2025,1\n2,née,01/01/2025,1\n"
        if encoding != "shift_jis"
        else ("n,who,when,a\n1,ann,01/01/2025,1\n2,東京,01/01/2025,1\n")
    )
    mapping = write("m.toml", f'encoding = "{encoding}"\n' + minimal())
    path = write("t.csv", text.encode(encoding))
    assert import_file(engine, path, mapping=mapping).accepted == 2
    survives(engine, write("t.csv", text.encode(encoding)[:-9] + b"\xff\xd8\xfe"), mapping=mapping)


def test_what_is_no_encoding_or_delimiter(engine: Engine) -> None:
    for line in ('encoding = "hex"', 'encoding = "a\\u0000b"', "delimiter = '\"'", 'delimiter = "ab"'):
        with pytest.raises(ProgramError, match=r"m\.toml:1: (encoding|delimiter)"):
            read_mapping(write("m.toml", f"{line}\n" + minimal()), engine.registry().reader.kinds)


DOC = Path(__file__).parents[1] / "docs" / "importing.md"


def test_the_example_of_the_docs(engine: Engine) -> None:
    page = DOC.read_text(encoding="utf-8")
    blocks = dict(re.findall(r"<!-- (orders\.\w+) -->\n```\w+\n(.*?)```\n", page, re.DOTALL))
    summary = import_file(
        engine, write("orders.csv", blocks["orders.csv"]), mapping=write("m.toml", blocks["orders.toml"])
    )
    assert recorded(engine) == [orjson.loads(event) for event in re.split(r"\n(?=\{)", blocks["orders.events"])]
    assert counts(summary) == (5, 2, 0, 0, 0, 2)
    assert summary.reasons == {"skipped: not paid": 1, "skipped: no customer": 1}


@pytest.mark.parametrize("model", [Cell, Condition], ids=["fields", "conditions"])
def test_the_docs_name_every_key(model: type[BaseModel]) -> None:
    page = DOC.read_text(encoding="utf-8")
    for name, key in model.model_fields.items():
        assert f"| `{key.alias or name}` |" in page or f"`{key.alias or name}`" in page


# Interruptions


@pytest.mark.parametrize("stop", [KeyboardInterrupt, MemoryError])
def test_an_import_that_is_stopped_leaves_whole_batches_and_goes_on(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, stop: type[BaseException]
) -> None:
    path = write("day.jsonl", lines(*map(purchase, range(30)), b"bad"))
    process, calls = engine.process, 0

    def interrupted(events: Any) -> list[Outcome]:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise stop
        return process(events)

    with monkeypatch.context() as patch:
        patch.setattr(engine, "process", interrupted)
        with pytest.raises(stop):
            import_file(engine, path, batch_size=7)
    assert len(recorded(engine)) == 14
    summary = import_file(engine, path, batch_size=7, refused=Path("refused.jsonl"))
    assert (summary.accepted, summary.replayed, summary.malformed) == (16, 14, 1)
    with Engine.open("other.db", create=True, clock=engine.clock) as other:
        other.put_text_in_force(PROGRAM)
        import_file(other, path, refused=Path("refused.jsonl"))
        assert heads(other) == heads(engine)


# Memory


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_rows_are_read_in_flat_memory(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"big.{kind}"
    row = (
        b'{"type":"purchase","id":"1","account":"a","amount":"10.00"}\n' if kind == "jsonl" else b"purchase,1,a,10.00\n"
    )
    path.write_bytes(row * 60_000)
    tracemalloc.start()
    with opened(str(path), kind) as rows:
        number = sum(1 for _ in rows)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert number >= 59_999
    assert peak < 3 << 20


# Any bytes at all


FUZZ = examples(60, suppress_health_check=[HealthCheck.function_scoped_fixture])
PIECES = st.sampled_from(
    [b'"', b",", b"\n", b"\r", b"\x00", b"\xff", b"{", b"}", b'"type":', b"purchase", b"1.0", b"\xef\xbb\xbf"]
)
MANY = st.one_of(st.binary(max_size=200), st.lists(PIECES, max_size=60).map(b"".join))


def survives(engine: Engine, path: Path, **options: Any) -> None:
    try:
        summary = import_file(engine, path, **options)
    except StampbookError as error:
        told = str(error)
    else:
        told = ""
        assert summary.read >= summary.malformed
    assert "\n" not in told


@FUZZ
@given(MANY)
def test_any_bytes_as_json_lines(engine: Engine, content: bytes) -> None:
    survives(engine, write("fuzz.jsonl", content))


@FUZZ
@given(MANY)
def test_any_bytes_as_csv(engine: Engine, content: bytes) -> None:
    survives(engine, write("fuzz.csv", CSV_HEAD.encode() + content))
    survives(engine, write("fuzz.csv", content))
    survives(
        engine, write("map.csv", b"n,who,when,a\n" + content), mapping=write("m.toml", 'group_by = "n"\n' + minimal())
    )


@FUZZ
@given(st.integers(0, 2000), st.binary(min_size=1, max_size=8))
@example(4, b"\xff" * 8)
def test_any_damage_to_a_parquet(engine: Engine, place: int, noise: bytes) -> None:
    whole = _parquet()
    place %= len(whole)
    survives(engine, write("fuzz.parquet", whole[:place] + noise + whole[place + len(noise) :]))


@FUZZ
@given(MANY)
def test_any_bytes_as_gzip(engine: Engine, content: bytes) -> None:
    survives(engine, write("fuzz.jsonl.gz", gzip.compress(content)[: len(content) + 5]))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(
    ["type", "id", "account", "at", "amount", "lines", "source", "currency", "event", "purchase", "tenders"]
)
VALUES = JSON | st.sampled_from(
    ["purchase", "return", "topup", "adjust", "account.opened", "2025-01-01", "1.00", "a", "GBP"]
)


@FUZZ
@given(st.lists(st.dictionaries(KEYS, VALUES, max_size=8), min_size=1, max_size=6))
def test_any_objects_as_events(engine: Engine, rows: list[dict[str, Any]]) -> None:
    path = write("fuzz.jsonl", lines(*rows))
    survives(engine, path)
    before = heads(engine)
    assert import_file(engine, path).accepted == 0
    assert heads(engine) == before


@FUZZ
@given(st.text(max_size=120) | st.lists(st.sampled_from(MISTAKES.split()), max_size=30).map(" ".join))
def test_any_text_as_a_mapping(text: str) -> None:
    try:
        parse_mapping(text, "map.toml", {})
    except ProgramError as error:
        assert error.mistakes  # noqa: PT017 - most texts are wrong
