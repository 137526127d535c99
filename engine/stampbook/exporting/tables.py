"""The ledger as tables: one row a posting, as CSV or Parquet; and the events as JSON Lines."""

from __future__ import annotations

import csv
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import orjson

from stampbook.errors import InputError
from stampbook.periods import NEVER, moment_of
from stampbook.store.streams import Journalled, Span, journal_stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from stampbook.amounts import Asset
    from stampbook.exporting.beside import Beside
    from stampbook.ledger import End, Posting
    from stampbook.periods import Calendar
    from stampbook.store import Session
    from stampbook.store.programs import KeptProgram

ROWS_AT_ONCE = 50_000
"""How many rows a row group of a Parquet file has."""

COLUMNS = (
    "recorded_at", "at", "account", "seq", "type", "source", "event", "program", "posting", "asset", "amount",
    "from", "from_lot", "to", "to_lot", "rule",
)  # fmt: skip
"""`from` and `to` are the name of a book or the kind of a lot, whose number stands beside it."""


def write_csv(
    session: Session,
    stream: TextIO,
    *,
    assets: Mapping[str, Asset],
    calendar: Calendar,
    span: Span,
    tick: Callable[[], None],
    beside: Beside,
) -> int:
    """Write one row a posting, in the order of recording, and return how many; times are local, with their offset."""
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    count = 0
    for item in journal_stream(session, "recorded", span):
        tick()
        for place, posting in enumerate((*item.entry.postings, *beside.of(item.entry)), 1):
            times = (calendar.iso(item.entry.recorded_at), calendar.iso(item.entry.at))
            writer.writerow((*times, *_cells(item, place, posting, assets[posting.asset].text(posting.amount))))
            count += 1
    return count


def _cells(item: Journalled, place: int, posting: Posting, amount: object) -> tuple[Any, ...]:
    entry = item.entry
    ends = (*_end(item, posting.source), *_end(item, posting.destination))
    known = (item.ref, entry.seq, entry.type, entry.source, entry.id, entry.program)
    return (*known, place, posting.asset, amount, *ends, posting.rule)


def _end(item: Journalled, end: End) -> tuple[str, int | None]:
    return (item.kinds[end], end) if isinstance(end, int) else (end, None)


def write_parquet(
    session: Session, path: Path, *, assets: Mapping[str, Asset], span: Span, tick: Callable[[], None], beside: Beside
) -> int:
    """Write the rows of `write_csv` with typed columns: `units` (smallest units) and `decimals` for `amount`.

    The rows are written piece by piece into a folder beside the file and then drawn together.

    Raises:
        InputError: Polars is not installed, or the file cannot be written.
    """
    try:
        import polars as pl
    except ImportError:
        message = "writing Parquet needs Polars; run: pip install 'stampbook[analytics]'"
        raise InputError(message) from None
    text, whole, time = pl.String(), pl.Int64(), pl.Datetime("us", "UTC")
    kinds = {"recorded_at": time, "at": time, "seq": whole, "posting": pl.Int16(), "amount": whole}
    kinds |= {"from_lot": whole, "to_lot": whole}
    schema = {"units" if name == "amount" else name: kinds.get(name, text) for name in COLUMNS}
    schema["decimals"] = pl.Int8()
    count = 0
    try:
        with tempfile.TemporaryDirectory(prefix=".stampbook-", dir=path.parent) as folder:
            pieces = [Path(folder) / "0.parquet"]
            pl.DataFrame(schema=schema).write_parquet(pieces[0])
            for chunk in _chunks(_typed_rows(session, assets, span, tick, beside), ROWS_AT_ONCE):
                pieces.append(Path(folder) / f"{len(pieces)}.parquet")
                pl.DataFrame(chunk, schema=schema, orient="row").write_parquet(pieces[-1], compression="lz4")
                count += len(chunk)
            pl.scan_parquet(pieces).sink_parquet(path, compression="zstd", row_group_size=ROWS_AT_ONCE)
    except pl.exceptions.PolarsError as error:
        message = f"{path} was not written: {str(error).splitlines()[0]}"
        raise InputError(message) from error
    return count


def _typed_rows(
    session: Session, assets: Mapping[str, Asset], span: Span, tick: Callable[[], None], beside: Beside
) -> Iterator[tuple[Any, ...]]:
    for item in journal_stream(session, "recorded", span):
        tick()
        for place, posting in enumerate((*item.entry.postings, *beside.of(item.entry)), 1):
            cells = _cells(item, place, posting, posting.amount)
            yield (item.entry.recorded_at, item.entry.at, *cells, assets[posting.asset].decimals)


def _chunks(rows: Iterable[tuple[Any, ...]], size: int) -> Iterator[list[tuple[Any, ...]]]:
    chunk: list[tuple[Any, ...]] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def write_jsonl(
    session: Session,
    stream: TextIO,
    *,
    programs: Iterable[KeptProgram],
    assets: Mapping[str, Asset],
    span: Span,
    tick: Callable[[], None],
) -> int:
    """Write the programs and every journal entry, a line each, in the order of recording; return how many lines.

    ``event`` is what the sender sent, so importing the file anywhere sends the same events again. The rest says what
    came of it and when it was recorded, by which `stampbook.importing` can build the same ledger anew, hash for hash.
    """
    waiting = sorted(programs, key=lambda program: program.recorded_at)
    count = 0
    for item in journal_stream(session, "recorded", span):
        tick()
        while waiting and waiting[0].recorded_at <= item.entry.recorded_at:
            stream.write(_program_line(waiting.pop(0)))
            count += 1
        stream.write(_event_line(item, assets))
        count += 1
    for program in waiting:
        stream.write(_program_line(program))
        count += 1
    return count


def _event_line(item: Journalled, assets: Mapping[str, Asset]) -> str:
    entry = item.entry
    rest: dict[str, Any] = {
        "status": "accepted" if entry.accepted else "refused",
        "seq": entry.seq,
        "at": moment_of(entry.at).isoformat(),
        "recorded_at": moment_of(entry.recorded_at).isoformat(),
        "program": entry.program,
        "hash": entry.hash.hex(),
    }
    if entry.postings:
        rest["postings"] = [
            {
                "asset": posting.asset,
                "amount": assets[posting.asset].text(posting.amount),
                "from": posting.source,
                "to": posting.destination,
                "rule": posting.rule,
            }
            for posting in entry.postings
        ]
    if not entry.accepted:
        objections = orjson.loads(entry.trace).get("objections", ())
        rest["objections"] = [{"code": code, "message": message} for code, message, *_ in objections]
    return f'{{"event":{entry.payload.decode()},{orjson.dumps(rest).decode()[1:]}\n'


def _program_line(program: KeptProgram) -> str:
    always = program.effective_from <= -NEVER
    data = {
        "program": program.hash,
        "file": program.file,
        "content": program.content,
        "effective_from": None if always else moment_of(program.effective_from).isoformat(),
        "recorded_at": moment_of(program.recorded_at).isoformat(),
    }
    return orjson.dumps(data).decode() + "\n"
