"""Tables for people, JSON for programs, bars for long work. Rich is loaded here and nowhere else."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from rich.console import Console

_PIPED_WIDTH = 500
"""Where no terminal says how wide it is, a row stays one line."""


def print_json(data: object) -> None:
    """Print data as indented JSON: amounts as decimal text, times as ISO 8601."""
    import orjson

    click.echo(orjson.dumps(plain(data), option=orjson.OPT_INDENT_2).decode())


def plain(value: object) -> Any:  # noqa: PLR0911 - one case a kind of value
    """Return a value of the engine as plain data."""
    to_plain = getattr(value, "to_plain", None)
    if to_plain is not None:
        return to_plain()
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    names: tuple[str, ...] | None = getattr(value, "_fields", None)
    if isinstance(value, tuple) and names is not None:
        return {name: plain(item) for name, item in zip(names, value, strict=True)}
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    return value


def console(*, stderr: bool = False) -> Console:
    """Return a console that neither folds rows where nobody looks, nor reads marks in names as its own."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else _PIPED_WIDTH
    return Console(stderr=stderr, width=width, markup=False, highlight=False, emoji=False)


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, right: Sequence[str] = (), indent: int = 0
) -> None:
    """Print a table.

    Args:
        columns: headings.
        rows: cells; None is an empty one.
        right: headings of columns of numbers.
        indent: how many blanks stand before each row.
    """
    from rich import box
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for heading in columns:
        is_number = heading in right
        table.add_column(heading, justify="right" if is_number else "left", no_wrap=is_number, overflow="fold")
    for row in rows:
        table.add_row(*(Text("" if cell is None else shown(cell)) for cell in row))
    with _without_trailing_blanks() as write:
        write(Padding.indent(table, indent) if indent else table)


@contextmanager
def _without_trailing_blanks() -> Iterator[Callable[[Any], None]]:
    """Yield a function that prints what Rich renders, without the blanks that fill up its last column."""
    target = console()
    if target.is_terminal:
        yield target.print
        return

    def write(renderable: Any) -> None:
        with target.capture() as capture:
            target.print(renderable)
        click.echo("\n".join(line.rstrip() for line in capture.get().splitlines()))

    yield write


def print_pairs(pairs: Mapping[str, object]) -> None:
    """Print names with their values, one a line; empty values are left out."""
    shown_pairs = {name: shown(value) for name, value in pairs.items() if value not in {None, ""}}
    width = max(map(len, shown_pairs), default=0)
    for name, text in shown_pairs.items():
        click.echo(f"{name:<{width}}  {text}")


def shown(value: object) -> str:
    """Return a value as a person reads it."""
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, float):
        return f"{value:.1f}"
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        return ", ".join(map(shown, value))
    return str(value)


def moment(value: datetime | None) -> str:
    """Return a local time to the minute, with seconds where it has some."""
    if value is None:
        return ""
    return value.strftime("%Y-%m-%d %H:%M:%S" if value.second or value.microsecond else "%Y-%m-%d %H:%M")


def counted(count: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun: "1 account", "12,000 accounts"."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def _show_nothing(done: int, total: int | None = None) -> None:
    """Take what a bar would show."""


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int | None], None]]:
    """Yield a function that shows how much is done, of how much; a bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield _show_nothing
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    parts = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*parts, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)

        def show(done: int, total: int | None = None) -> None:
            bar.update(task, completed=done, total=total)

        yield show
