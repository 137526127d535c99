"""`stampbook liability`: the report as of an instant, and the journal of a period."""

from __future__ import annotations

import json
import os
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stampbook import ENTRY_FORMATS, Engine, InputError, database_url, write_entries
from stampbook_liability.books import period
from stampbook_liability.report import liability
from stampbook_liability.telling import tell

if TYPE_CHECKING:
    from stampbook import Calendar
    from stampbook_liability.report import Terms

_DB = click.option("--db", metavar="DB", help="Database: a SQLite file, or postgresql://…")
_JSON = click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
_DATE = len("2025-01-31")


def commands(terms: Terms) -> click.Group:
    """Return the commands for a program's liability."""

    @click.group("liability", invoke_without_command=True)
    @click.option("--as-of", metavar="TIME", help="As it was then; a date means the end of that day. Now where absent.")
    @click.option("--known-at", metavar="TIME", help="As far as was known then: what was recorded later is left out.")
    @_DB
    @_JSON
    @click.pass_context
    def report(
        context: click.Context, as_of: str | None, known_at: str | None, db: str | None, *, as_json: bool
    ) -> None:
        """Say what customers may still ask for: by asset, kind, month of grant and age, and what it means in money.

        Points with their deferred revenue under the program's estimates; stored value with the breakage that the law
        allows, with what becomes unclaimed property and when; the reserve of a Chinese issuer.
        """
        if context.invoked_subcommand is not None:
            if as_of or known_at:
                raise click.UsageError(
                    f"--as-of and --known-at go with the report, not with {context.invoked_subcommand}"
                )
            return
        with _opened(db) as engine:
            found = liability(engine, terms, as_of=_end(terms.calendar, as_of), known_at=_end(terms.calendar, known_at))
        if as_json:
            click.echo(json.dumps(found, indent=2, ensure_ascii=False))
        else:
            click.echo("\n".join(tell(found)))

    @report.command("journal")
    @click.argument("format", type=click.Choice(ENTRY_FORMATS))
    @click.option("--since", metavar="TIME", required=True, help="From here on.")
    @click.option("--until", metavar="TIME", required=True, help="Up to here; a date means the end of that day.")
    @click.option(
        "--output", "-o", metavar="FILE", type=click.Path(path_type=Path), help="Where to; printed where absent."
    )
    @click.option("--known-at", metavar="TIME", help="As far as was known then: a period as it was written before.")
    @_DB
    @_JSON
    def journal(
        format: str,  # noqa: A002 - the word of the command line
        since: str,
        until: str,
        output: Path | None,
        known_at: str | None,
        db: str | None,
        *,
        as_json: bool,
    ) -> None:
        """Write a period for the finance system, as a journal for beancount or hledger, or as CSV.

        Issue, redemption and expiry are day by day what the ledger moved, so that the sums by book are its own.
        Deferral, recognition and breakage follow at the end of each month, changes of estimates on their day.
        """
        calendar = terms.calendar
        first, last = calendar.parse(since), _end(calendar, until)
        if last is None or first > last:
            raise InputError(f"--since and --until: {since} comes after {until}, so nothing lies between them")
        if as_json and output is None:
            raise InputError("--json reports on a written file; name one with --output")
        with _opened(db) as engine:
            made = period(engine, terms, first, last, _end(calendar, known_at))
        count = write_entries(
            sys.stdout if output is None else output,
            format,
            made.entries,
            context=terms.program,
            since=date.fromordinal(calendar.day(first)),
            until=date.fromordinal(calendar.day(last)),
            opening=made.opening,
            closing=made.closing,
        )
        if as_json:
            click.echo(json.dumps({"file": str(output), "format": format, "entries": count}))
        elif output is not None:
            click.echo(f"{output}: {count} {'entry' if count == 1 else 'entries'}")

    return report


def _opened(db: str | None) -> Engine:
    root = click.get_current_context().find_root().obj
    named = db or (click.get_current_context().parent or click.get_current_context()).params.get("db") or root
    return Engine.open(database_url(named, os.environ))


def _end(calendar: Calendar, text: str | None) -> int | None:
    """Read a date or time; a date alone means its last instant."""
    if text is None:
        return None
    instant = calendar.parse(text)
    return calendar.start_of(calendar.day(instant) + 1) - 1 if len(text.strip()) <= _DATE else instant
