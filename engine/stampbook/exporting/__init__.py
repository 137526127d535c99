"""Taking the ledger out: journals for Beancount and hledger, tables, and the events themselves.

==========  ==========================================================================================
beancount   a Beancount journal: see `stampbook.exporting.accounting`
hledger     the same for hledger
csv         one row a posting
parquet     the same with types, compressed
jsonl       every event as it came, with its outcome and hash; `stampbook.importing` reads it back
==========  ==========================================================================================

All of an export is one state of the ledger, however long it takes and whatever is written meanwhile. A file is
written whole or not at all: until the last byte is on the disk, one of that name stays as it was.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from stampbook.errors import InputError, near
from stampbook.exporting.accounting import write_journal
from stampbook.exporting.beside import Beside
from stampbook.exporting.tables import write_csv, write_jsonl, write_parquet
from stampbook.exporting.target import binary_stream, target_file, text_target, unwritable
from stampbook.periods import NEVER
from stampbook.store.streams import Span, count_entries

if TYPE_CHECKING:
    from collections.abc import Callable

    from stampbook.amounts import Asset
    from stampbook.engine import Engine
    from stampbook.store import Session

FORMATS = ("beancount", "hledger", "csv", "jsonl", "parquet")

_EXTENSIONS = {
    ".beancount": "beancount",
    ".bean": "beancount",
    ".hledger": "hledger",
    ".journal": "hledger",
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}
_PROGRESS_EVERY = 5000


def format_of(path: Path) -> str:
    """Return the format that a file's name asks for.

    Raises:
        InputError: its extension is none that is known.
    """
    try:
        return _EXTENSIONS[path.suffix.lower()]
    except KeyError:
        message = f"{path}: the extension says no format; use one of {', '.join(_EXTENSIONS)} or name the format"
        raise InputError(message) from None


def export(
    engine: Engine,
    target: Path | TextIO,
    format: str,  # noqa: A002 - the word that people use
    *,
    since: int | None = None,
    until: int | None = None,
    on_progress: Callable[[int, int | None], None] | None = None,
) -> int:
    """Write the ledger out and return how many transactions (journals), postings (tables) or lines (jsonl) there are.

    Args:
        engine: an open ledger.
        target: a file, or an open text stream such as standard output.
        format: one of `FORMATS`.
        since: leave out events that happened before this instant (a journal then begins with opening balances).
        until: leave out events that happened at this instant or later.
        on_progress: told how many journal entries are done and how many there are.

    Raises:
        InputError: the format is unknown or the file cannot be written; nothing of it was.
    """
    if format not in FORMATS:
        message = f"{format!r} is no format of an export{near(format, FORMATS)}; one of {', '.join(FORMATS)}"
        raise InputError(message)
    span = Span(-NEVER if since is None else since, NEVER if until is None else until)
    with engine.store.reader() as session:
        total = count_entries(session, span)
        tick = _ticker(on_progress, total)
        count = _write(engine, session, target, format, span, tick)
    if on_progress is not None:
        on_progress(total, total)
    return count


def _ticker(on_progress: Callable[[int, int | None], None] | None, total: int) -> Callable[[], None]:
    done = 0

    def tick() -> None:
        nonlocal done
        done += 1
        if on_progress is not None and not done % _PROGRESS_EVERY:
            on_progress(done, total)

    return tick


def _write(
    engine: Engine,
    session: Session,
    target: Path | TextIO,
    kind: str,
    span: Span,
    tick: Callable[[], None],
) -> int:
    context = engine.registry().context
    programs = session.kept()
    assets: dict[str, Asset] = {}
    for program in programs:
        assets |= engine.judge_of(program.hash).context.assets
    beside = Beside(engine, session)
    if kind == "parquet":
        return _parquet(session, target, assets, span, tick, beside)
    with text_target(target) as stream:
        if kind == "csv":
            return write_csv(
                session, stream, assets=assets, calendar=context.calendar, span=span, tick=tick, beside=beside
            )
        if kind == "jsonl":
            return write_jsonl(session, stream, programs=programs, assets=assets, span=span, tick=tick)
        return write_journal(
            session, stream, dialect=kind, context=context, assets=assets, span=span, tick=tick, beside=beside
        )


def _parquet(
    session: Session,
    target: Path | TextIO,
    assets: dict[str, Asset],
    span: Span,
    tick: Callable[[], None],
    beside: Beside,
) -> int:
    if isinstance(target, Path):
        with target_file(target) as temporary:
            return write_parquet(session, temporary, assets=assets, span=span, tick=tick, beside=beside)
    out = binary_stream(target)
    try:
        with tempfile.TemporaryDirectory(prefix="stampbook-") as folder:
            path = Path(folder) / "export.parquet"
            count = write_parquet(session, path, assets=assets, span=span, tick=tick, beside=beside)
            with path.open("rb") as made:
                while piece := made.read(1 << 20):
                    out.write(piece)
    except OSError as error:
        raise unwritable(error, "the export") from error
    return count


__all__ = ["FORMATS", "export", "format_of"]
