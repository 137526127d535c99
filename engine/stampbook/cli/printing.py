"""Tables for people, JSON for programs, bars for long work. Rich is loaded here and nowhere else."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Literal

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from rich.console import Console

    from stampbook.states import Sum

_PIPED_WIDTH = 500
"""Where no terminal says how wide it is, a row stays one line."""

_BETWEEN = 3
_SIDE_BY_SIDE = 16
"""A column of words that is narrower than this is not read but deciphered."""


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
    return Console(
        stderr=stderr,
        width=None if stream.isatty() else _PIPED_WIDTH,
        color_system=None if os.environ.get("NO_COLOR") else "auto",  # with bold it would be half honoured
        markup=False,
        highlight=False,
        emoji=False,
    )


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, right: Sequence[str] = (), indent: int = 0
) -> None:
    """Print a table; where the terminal is too narrow for one, each row as lines of its own.

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

    texts = [["" if cell is None else shown(cell) for cell in row] for row in rows]
    target = console()
    widths: Sequence[int | None] = [None] * len(columns)
    if target.is_terminal:
        widths = _widths(columns, texts, right, target.width - indent)
        if not widths:
            _print_rows(columns, texts, indent, target.width)
            return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for heading, width in zip(columns, widths, strict=True):
        is_number = heading in right
        justify: Literal["left", "right"] = "right" if is_number else "left"
        table.add_column(heading, justify=justify, no_wrap=is_number, width=width, overflow="fold")
    for row in texts:
        table.add_row(*map(Text, row))
    with _without_trailing_blanks() as write:
        write(Padding.indent(table, indent) if indent else table)


def _widths(columns: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str], room: int) -> list[int]:
    """Return the widths of columns in which all words stay whole; none where there is no room for that."""
    from rich.cells import cell_len

    wanted: list[int] = []
    widths: list[int] = []
    for place, heading in enumerate(columns):
        lines = [line for text in (heading, *(row[place] for row in rows)) for line in text.splitlines()]
        whole = max(map(cell_len, lines), default=0)
        words = max((cell_len(word) for line in lines for word in line.split()), default=0)
        widths.append(whole if heading in right else max(words, min(whole, _SIDE_BY_SIDE)))
        wanted.append(whole - widths[-1])
    spare = room - sum(widths) - _BETWEEN * (len(columns) - 1)
    if spare < 0:
        return []
    for others, place in enumerate(sorted(range(len(columns)), key=wanted.__getitem__)):
        more = min(wanted[place], spare // (len(columns) - others))  # who wants little gets it all
        widths[place] += more
        spare -= more
    return widths


def _print_rows(columns: Sequence[str], rows: Sequence[Sequence[str]], indent: int, width: int) -> None:
    for number, row in enumerate(rows):
        if number:
            click.echo()
        _print_lines(dict(zip((name or "state" for name in columns), row, strict=True)), indent, width)


def _print_lines(pairs: Mapping[str, str], indent: int, width: int | None) -> None:
    """Print names with their texts, which are folded at blanks where there is a width."""
    from rich.cells import cell_len

    name_width = max(map(len, pairs), default=0)
    room = None if width is None else max(width - indent - name_width - 2, _SIDE_BY_SIDE)
    for name, text in pairs.items():
        lines: list[str] = []
        for line in text.splitlines():
            lines.append("")
            for word in line.split(" "):
                longer = f"{lines[-1]} {word}" if lines[-1] else word
                if room is not None and lines[-1] and cell_len(longer) > room:
                    lines.append(word)
                else:
                    lines[-1] = longer
        for number, line in enumerate(lines):
            click.echo(f"{'':{indent}}{'' if number else name:<{name_width}}  {line}".rstrip())


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
    target = console()
    texts = {name: shown(value) for name, value in pairs.items() if value not in {None, ""}}
    _print_lines(texts, 0, target.width if target.is_terminal else None)


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


def grouped(number: str) -> str:
    """Return decimal text with its thousands set apart: "-1234.50" is "-1,234.50"."""
    whole, point, rest = number.partition(".")
    sign = "-" if whole.startswith("-") else ""
    return f"{sign}{int(whole.lstrip('-')):,}{point}{rest}"


def counted(count: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun: "1 account", "12,000 accounts"."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def one_or_more(amount: Sum) -> str:
    """Return an amount within a sentence: "2 points", and "1 point" where the asset's name is a plain plural."""
    name = amount.asset
    is_plural = name.islower() and name.endswith("s") and not name.endswith(("ss", "us", "is"))
    return f"1 {name[:-1]}" if is_plural and amount.text == "1" else str(amount)


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
