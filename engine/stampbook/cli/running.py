"""What commands share: the options of all of them, the ledger that they open, examples in their help."""

from __future__ import annotations

from functools import update_wrapper
from typing import TYPE_CHECKING, Any, NoReturn

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from stampbook.engine import Engine
    from stampbook.outcomes import Outcome
    from stampbook.periods import Calendar

REFUSED = 2
"""The exit code of a refusal; click's bad usage has the same."""


class Run:
    """One run of a command: which database, and whether a person or a program reads the answer."""

    def __init__(self, db: str | None, *, as_json: bool) -> None:
        self.db = db
        self.as_json = as_json
        self._engine: Engine | None = None

    @property
    def engine(self) -> Engine:
        """The ledger; opened when it is first asked for, closed when the command ends."""
        if self._engine is None:
            self._engine = engine_of(self.db)
            click.get_current_context().call_on_close(self._engine.close)
        return self._engine

    @property
    def calendar(self) -> Calendar:
        """The calendar of the program in force now."""
        return self.engine.registry().context.calendar

    def answer(self, data: object, tell: Callable[[], None]) -> None:
        """Print `data` as JSON for a program, or let `tell` print it for a person."""
        if self.as_json:
            from stampbook.cli.printing import print_json

            print_json(data)
        else:
            tell()

    def note(self, text: str) -> None:
        """Tell a person something on the side, where it is not in the way of what is printed."""
        click.echo(text, err=True)

    def instant(self, text: str | None, *, end_of_day: bool = False) -> int | None:
        """Read a date or time in the program's zone; a date alone means its first instant, or its last.

        "yesterday" is the date before today's, in that zone.

        Raises:
            PeriodError: neither a date nor a time.
        """
        if text is None:
            return None
        calendar = self.calendar
        if text == "yesterday":
            instant = calendar.start_of(calendar.day(self.engine.clock()) - 1)
        else:
            instant = calendar.parse(text)
        is_date = len(text.strip()) <= len("2025-01-31")
        return calendar.start_of(calendar.day(instant) + 1) - 1 if is_date and end_of_day else instant

    def span(self, since: str | None, until: str | None, *, names: str) -> tuple[int | None, int | None]:
        """Read the two ends of a stretch of time, both of them in it.

        Args:
            since: its first date or time.
            until: its last; a date means the end of that day.
            names: what the two are called, for the line that says that they are the wrong way round.

        Raises:
            PeriodError: neither a date nor a time.
        """
        first, last = self.instant(since), self.instant(until, end_of_day=True)
        if first is not None and last is not None and first > last:
            fail(f"{names}: {since} comes after {until}, so nothing lies between them")
        return first, last


def engine_of(db: str | None, *, create: bool = False) -> Engine:
    """Open the ledger of a database: the one given, `STAMPBOOK_DB`, or a file in the current folder."""
    import os

    from stampbook.engine import Engine
    from stampbook.store import database_url

    return Engine.open(database_url(db, os.environ), create=create)


class Taught(click.Command):
    """A command whose help ends with examples; the tests run each of them."""

    def __init__(self, *args: Any, examples: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = tuple(examples)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if self.examples:
            with formatter.section("Examples"):
                for example in self.examples:
                    formatter.write(f"{'':{formatter.current_indent}}stampbook {example}\n")
        super().format_epilog(ctx, formatter)


_DB = click.option("--db", metavar="DB", help="Database: a SQLite file, or postgresql://…")
_JSON = click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")


def command(
    name: str, *examples: str, group: click.Group | None = None, needs_db: bool = True, takes_amount: bool = False
) -> Callable[[Callable[..., None]], Taught]:
    """Make a command of a function whose first argument is its `Run`.

    Args:
        name: as it is typed.
        examples: for its help, without the leading "stampbook".
        group: the group that it belongs to, if any.
        needs_db: whether it takes --db.
        takes_amount: whether an argument may look like an option: -5.00.
    """

    def decorate(function: Callable[..., None]) -> Taught:
        def run(*, as_json: bool, db: str | None = None, **arguments: Any) -> None:
            root: str | None = click.get_current_context().find_root().obj
            function(Run(db or root, as_json=as_json), **arguments)

        callback = _JSON(update_wrapper(run, function))
        if needs_db:
            callback = _DB(callback)
        settings = {"ignore_unknown_options": takes_amount}
        made = click.command(name, cls=Taught, examples=examples, context_settings=settings)(callback)
        if group is not None:
            group.add_command(made)
        return made

    return decorate


def fail(message: str) -> NoReturn:
    """End the command with one line and exit code 1."""
    click.echo(f"Error: {message}", err=True)
    click.get_current_context().exit(1)


def refuse(outcome: Outcome) -> NoReturn:
    """End the command with the objections of a refusal and its exit code."""
    for objection in outcome.objections:
        by = f" (plugin {objection.plugin})" if objection.plugin else ""
        click.echo(f"Refused: {objection.code}: {objection.message}{by}", err=True)
    click.get_current_context().exit(REFUSED)


def complete_ref(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:  # noqa: ARG001 - click's signature
    """Complete the ref of an account, for the shell; silent where there is no ledger to ask."""
    from stampbook.errors import StampbookError
    from stampbook.store.reading import refs_like

    try:
        with engine_of(context.params.get("db") or context.find_root().obj) as engine:
            return refs_like(engine.store, incomplete)
    except StampbookError:
        return []


REF = click.argument("ref", metavar="ACCOUNT", shell_complete=complete_ref)
