"""What operators do with codes on the command line: load a pool, look at a code, make one void."""

from __future__ import annotations

import json
import os
import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from stampbook import NEVER, Engine, EventError, by_option, database_url
from stampbook_redemption.vouchers import account_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

_SOURCE = "vouchers"
_AT_ONCE = 500

_DB = click.option("--db", metavar="DB", help="Database: a SQLite file, or postgresql://…")
_JSON = click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
_OPERATOR = by_option("Who does it.")


def commands(name: str, asset: str) -> click.Group:
    """Return the commands for the codes of a program.

    Args:
        name: of the table, under which the facts of a code are kept.
        asset: what counts the uses of a code.
    """

    @click.group("vouchers")
    def vouchers() -> None:
        """Load, look at and void the codes of vouchers."""

    @vouchers.command("load")
    @click.argument("series")
    @click.argument("file", type=click.File(encoding="utf-8"))
    @_OPERATOR
    @_DB
    @_JSON
    def load(series: str, file: TextIO, operator: str, db: str | None, *, as_json: bool) -> None:
        """Put the codes of a list, one a line, into a SERIES; what is there already stays as it is."""
        codes = list(dict.fromkeys(line.strip() for line in file if line.strip()))
        with _opened(db) as engine:
            counts = {"loaded": 0, "already": 0, "refused": 0}
            for code, result, why in _loaded(engine, name, series, codes, operator):
                counts[result] += 1
                if why:
                    click.echo(f"{code}: {why}", err=True)
        if as_json:
            click.echo(json.dumps(counts))
        else:
            told = f"{counts['loaded']} codes loaded into {series}"
            click.echo(f"{told}, {counts['already']} were there already, {counts['refused']} refused")
        if counts["refused"]:
            click.get_current_context().exit(2)

    @vouchers.command("show")
    @click.argument("code")
    @_DB
    @_JSON
    def show(code: str, db: str | None, *, as_json: bool) -> None:
        """Say of which series a CODE is, whose, how often it may still be used, and until when."""
        with _opened(db) as engine:
            state = _state(engine, name, asset, code)
        if as_json:
            click.echo(json.dumps(state))
            return
        for key, value in state.items():
            if value not in {None, ""}:
                click.echo(f"{key.replace('_', ' ')}: {value}")

    @vouchers.command("void")
    @click.argument("code")
    @click.option("--reason", required=True, help="Why; it is kept.")
    @_OPERATOR
    @_DB
    def void(code: str, reason: str, operator: str, db: str | None) -> None:
        """Make a CODE void: nobody can use it any more."""
        event = {"type": "voucher.voided", "reason": reason}
        with _opened(db) as engine:
            if not _known(engine, name, [account_of(code)]).get(account_of(code)):
                raise click.ClickException(f"there is no code {code!r}")
            outcome = engine.post({**event, **_sent(account_of(code), operator)})
        for objection in outcome.objections:
            click.echo(f"Refused: {objection.code}: {objection.message}", err=True)
        if not outcome.accepted:
            click.get_current_context().exit(2)
        click.echo(f"{code} is void: {reason}")

    return vouchers


def _opened(db: str | None) -> Engine:
    root: str | None = click.get_current_context().find_root().obj
    return Engine.open(database_url(db or root, os.environ))


def _sent(ref: str, operator: str) -> dict[str, Any]:
    """Return what every event of these commands says: its own id, its account, its time, and who sends it."""
    id_, now = f"vouchers-{secrets.token_hex(8)}", datetime.now(UTC).isoformat()
    sent = {"id": id_, "source": _SOURCE, "account": ref, "at": now}
    return {**sent, "operator": operator} if operator else sent


def _known(engine: Engine, name: str, refs: list[str]) -> dict[str, str]:
    """Return for those accounts that are there of which series their code is, or an empty text."""
    with engine.store.reader() as session:
        accounts = session.accounts(refs)
        session.fill(accounts.values(), None)
    facts = {ref: account.facts.get(f"{name}.series", ()) for ref, account in accounts.items()}
    return {ref: found[-1].value if found else "" for ref, found in facts.items()}


def _loaded(engine: Engine, name: str, series: str, codes: list[str], operator: str) -> Iterator[tuple[str, str, str]]:
    """Yield each code with what became of it and, where it was refused, why."""
    for first in range(0, len(codes), _AT_ONCE):
        some = codes[first : first + _AT_ONCE]
        refs = dict.fromkeys(account_of(code) for code in some)
        there = _known(engine, name, list(refs))
        openings = [{"type": "account.opened", **_sent(ref, "")} for ref in refs if ref not in there]
        engine.process(openings)
        new: list[str] = []
        for code in some:
            of = there.get(account_of(code))
            if not of:
                new.append(code)
            elif of == series:
                yield code, "already", ""
            else:
                yield code, "refused", f"it is there already, of series {of!r}"
        events = [
            {"type": "voucher.loaded", "series": series, "code": code, **_sent(account_of(code), operator)}
            for code in new
        ]
        for code, outcome in zip(new, engine.process(events), strict=True):
            why = "; ".join(each.message for each in outcome.objections) or str(outcome.error or "")
            yield code, "loaded" if outcome.accepted else "refused", why


def _state(engine: Engine, name: str, asset: str, code: str) -> dict[str, Any]:
    """Return what is known of a code now.

    Raises:
        EventError: there is no such code.
    """
    ref, now = account_of(code), engine.clock()
    context = engine.registry().context
    with engine.store.reader() as session:
        account = session.accounts([ref]).get(ref)
        if account is None:
            message = f"there is no code {code!r}"
            raise EventError(message)
        session.fill([account], None)
    told = {
        key: facts[-1] for key in ("series", "holder", "void", "uses") if (facts := account.facts.get(f"{name}.{key}"))
    }
    if "series" not in told:
        message = f"account {ref!r} is of no code"
        raise EventError(message)
    until = told["series"].until
    held = sum(hold.remaining for hold in account.holds.values() if hold.asset == asset)
    return {
        "code": code,
        "account": ref,
        "series": told["series"].value,
        "holder": told["holder"].value if "holder" in told else None,
        "uses": told["uses"].value,
        "uses_left": context.asset(asset).text(account.balance(asset, now)),
        "set_aside": context.asset(asset).text(held),
        "good_until": None if until >= NEVER else context.calendar.iso(until),
        "void": told["void"].value if "void" in told else None,
    }
