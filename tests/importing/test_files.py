"""Imports of real files: every format, every kind of bad row, and as often as one likes."""

from __future__ import annotations

import gzip
import io
import sys
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import polars as pl
import pytest

from stampbook.engine import Engine
from stampbook.errors import InputError
from stampbook.importing import import_file
from stampbook.importing.files import opened
from stampbook.importing.rows import LONGEST_LINE

if TYPE_CHECKING:
    from stampbook.engine import Outcome

from tests.importing.shop import (
    CSV_HEAD,
    PROGRAM,
    counts,
    heads,
    kept,
    lines,
    minimal,
    purchase,
    recorded,
    whole_parquet,
    write,
)

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
    "a truncated Parquet": ("a.parquet", whole_parquet()[:900], "no whole Parquet file"),
    "no Parquet at all": ("a.parquet", b"hello, world", "no whole Parquet file"),
    "a Parquet by another name": ("a.jsonl", whole_parquet(), "is a Parquet file; name it .parquet"),
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
    whole = bytearray(whole_parquet())
    for place in range(20, 400):
        whole[place] ^= 0x5A
    with pytest.raises(InputError, match=r"row 1: it and those after it cannot be read|no whole Parquet file"):
        import_file(engine, write("day.parquet", bytes(whole)))


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
