"""Refunds on the command line: a quote to read out, a request, its approval or rejection, its payment, and a list."""

from __future__ import annotations

import json
import os
import secrets
from typing import TYPE_CHECKING, Any, NoReturn

import click

from stampbook import Engine, EventError, by_option, database_url, unknown_account
from stampbook_payouts.telling import STATES, quote_lines, quoted, request_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from stampbook import Outcome

_SOURCE = "cli"
_AT_ONCE = 500
_OPEN = ("requested", "approved")

_DB = click.option("--db", metavar="DB", help="Database: a SQLite file, or postgresql://…")
_JSON = click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
_AT = click.option("--at", metavar="TIME", help="When it happened; now where absent.")
_ID = click.option("--id", "event_id", metavar="ID", help="Your id for it: the same id is never posted twice.")
_OPERATOR = by_option("Who does it.")
_REASON = click.option("--reason", metavar="TEXT", default="", help="Why; it is kept.")
_REQUEST_SOURCE = click.option("--source", metavar="NAME", default=None, help="Who sent the request.")


def _asking(function: Callable[..., None]) -> Callable[..., None]:
    """Add the options of a quote and of a request."""
    options = (
        click.option("--cause", type=click.Choice(["consumer", "operator", "neither"]), default="consumer",
                     show_default=True, help="Who made it necessary."),
        click.option("--pass", "about", metavar="ID", help="Of a session pack or period card: the event of its sale."),
        click.option("--rescinded", "rescinded_at", metavar="DATE", help="Since when interest runs."),
        click.option("--stopped", "stopped_at", metavar="DATE", help="Of a period card: when serving stopped."),
        click.option("--experienced", is_flag=True, help="The customer had had the same before, here or elsewhere."),
        click.option("--deduct", metavar="AMOUNT", help="What is kept, such as for gifts that were not given back."),
        click.option("--deduct-for", metavar="TEXT", help="What for."),
        click.option("--receipt", is_flag=True, help="The receipt is there."),
        _AT, _DB, _JSON,
    )  # fmt: skip
    for option in reversed(options):
        function = option(function)
    return function


def commands() -> click.Group:
    """Return the commands for refunds of the stored balance."""

    @click.group("refund")
    def refund() -> None:
        """Quote, request, approve, reject and pay refunds of the stored balance."""

    @refund.command("quote")
    @click.argument("account")
    @_asking
    def quote(account: str, db: str | None, *, as_json: bool, **asked: Any) -> None:
        """Say what ACCOUNT would get back, line by line; nothing is recorded."""
        with _opened(db) as engine:
            event = _event(engine, "refund.requested", account, f"quote-{secrets.token_hex(8)}", **asked)
            outcome = engine.preview(event)
        _answer(outcome, account, as_json=as_json, request=None)

    @refund.command("request")
    @click.argument("account")
    @_asking
    @_ID
    @_OPERATOR
    @_REASON
    def request(account: str, db: str | None, event_id: str | None, *, as_json: bool, **asked: Any) -> None:
        """Record that ACCOUNT wants its balance back, with the quote; nothing moves."""
        id_ = event_id or _new_id()
        with _opened(db) as engine:
            outcome = engine.post(_event(engine, "refund.requested", account, id_, **asked))
        _answer(outcome, account, as_json=as_json, request=id_)

    for name, kind, told in (
        ("approve", "refund.approved", "Agree to the quote of a REQUEST, so that it may be paid."),
        ("reject", "refund.rejected", "Do not agree to the quote of a REQUEST."),
        ("paid", "refund.paid", "Record that what a REQUEST was quoted is paid out; the account is emptied."),
    ):
        refund.add_command(_step(name, kind, told))

    @refund.command("show")
    @click.argument("request")
    @_REQUEST_SOURCE
    @_DB
    @_JSON
    def show(request: str, source: str | None, db: str | None, *, as_json: bool) -> None:
        """Say again what a REQUEST was quoted, line by line, and how far it is."""
        with _opened(db) as engine:
            account, of = _found(engine, source, request)
            [row] = [
                row for row in _requests(engine, account, None) if (row["request"], row["source"]) == (request, of)
            ]
        if as_json:
            click.echo(json.dumps(row, ensure_ascii=False))
            return
        for line in request_lines(row):
            click.echo(line)

    @refund.command("list")
    @click.argument("account", required=False)
    @click.option("--state", type=click.Choice(STATES), help="Only those in this state.")
    @click.option("--as-of", metavar="TIME", help="Which quotes still held then; now where absent.")
    @_DB
    @_JSON
    def list_(account: str | None, state: str | None, as_of: str | None, db: str | None, *, as_json: bool) -> None:
        """List requests for refunds, of ACCOUNT or of all, each with its quote and how far it is."""
        with _opened(db) as engine:
            rows = [row for row in _requests(engine, account, as_of) if state in {None, row["state"]}]
        if as_json:
            click.echo(json.dumps(rows, ensure_ascii=False))
            return
        for row in rows:
            until = f", holds until {row['valid_until']}" if row["state"] in _OPEN else ""
            click.echo(
                f"{row['request']}: account {row['account']}, {row['result']} {row['currency']}, {row['state']}{until}"
            )
        if not rows:
            click.echo("There is none." if state else "No refund was requested.")

    return refund


def _step(name: str, kind: str, told: str) -> click.Command:
    """Return the command of a step that names a request."""

    @click.command(name, help=told)
    @click.argument("request")
    @_REQUEST_SOURCE
    @_ID
    @_AT
    @_OPERATOR
    @_REASON
    @_DB
    @_JSON
    def step(
        request: str, source: str | None, event_id: str | None, db: str | None, *, as_json: bool, **more: Any
    ) -> None:
        with _opened(db) as engine:
            account, of = _found(engine, source, request)
            named = {"about": request, "about_source": of, **more}
            outcome = engine.post(_event(engine, kind, account, event_id or _new_id(), **named))
        _answer(outcome, account, as_json=as_json, request=request)

    if name == "paid":
        for option in (
            click.option(
                "--means", metavar="TEXT", help="How all of it is paid; each part as it was paid in where absent."
            ),
            click.option("--reference", metavar="TEXT", help="By what payment."),
        ):
            step = option(step)
    return step


def _opened(db: str | None) -> Engine:
    root: str | None = click.get_current_context().find_root().obj
    return Engine.open(database_url(db or root, os.environ))


def _new_id() -> str:
    return f"refund-{secrets.token_hex(6)}"


def _event(engine: Engine, kind: str, account: str, id_: str, **fields: Any) -> dict[str, Any]:
    """Return an event of these commands; what was not said is left out."""
    calendar = engine.registry().context.calendar
    at = fields.pop("at", None) or _time_of_first_try(engine, id_) or calendar.iso(engine.clock())
    said = {name: value for name, value in fields.items() if value not in {None, "", False}}
    return {"type": kind, "id": id_, "source": _SOURCE, "account": account, "at": at, **said}


def _time_of_first_try(engine: Engine, id_: str) -> str | None:
    """Return when an event of that id was first said to happen, so that a second try says the same."""
    with engine.store.reader() as session:
        return next((json.loads(entry.payload)["at"] for _, entry in session.find(_SOURCE, id_)), None)


def _found(engine: Engine, source: str | None, request: str) -> tuple[str, str]:
    """Return the account and the source of a request.

    Raises:
        EventError: there is none, or there are several.
    """
    with engine.store.reader() as session:
        found = [each for each in session.find(source, request) if each[1].type == "refund.requested"]
    if len(found) == 1:
        return found[0][0], found[0][1].source
    sources = ", ".join(sorted(entry.source for _, entry in found))
    message = (
        f"several sources sent a request {request!r}; say which with --source: {sources}"
        if found
        else f"no refund {request!r} was requested; see: stampbook refund list"
    )
    raise EventError(message)


def _answer(outcome: Outcome, account: str, *, as_json: bool, request: str | None) -> None:
    """Say what became of an event; end with exit code 2 where it was refused."""
    remembered = outcome.memo.get("remembered", {})
    if as_json:
        data: dict[str, Any] = {"status": outcome.status, "account": account, "request": request, "id": outcome.id}
        data["replayed"] = outcome.replayed
        data["objections"] = [{"code": each.code, "message": each.message} for each in outcome.objections]
        data["quote"] = quoted(remembered) if remembered else None
        click.echo(json.dumps(data, ensure_ascii=False))
    elif outcome.accepted:
        for line in quote_lines(outcome.type, account, request, remembered):
            click.echo(line)
    if not outcome.accepted:
        _refuse(outcome, as_json=as_json)


def _refuse(outcome: Outcome, *, as_json: bool) -> NoReturn:
    for objection in () if as_json else outcome.objections:
        click.echo(f"Refused: {objection.code}: {objection.message}", err=True)
    click.get_current_context().exit(2)


def _requests(engine: Engine, account: str | None, as_of: str | None) -> Iterator[dict[str, Any]]:
    """Yield all requests, account by account; only accounts of which one was ever requested are read whole."""
    calendar = engine.registry().context.calendar
    now = engine.clock() if as_of is None else calendar.parse(as_of)
    with engine.store.reader() as session:
        refs = session.refs() if account is None else [account]
        for first in range(0, len(refs), _AT_ONCE):
            accounts = session.accounts(refs[first : first + _AT_ONCE])
            if account is not None and account not in accounts:
                raise unknown_account(engine, account)
            session.fill(accounts.values(), None)
            for ref, found in accounts.items():
                if "refund" in found.facts:
                    for row in _requests_of(session, ref):
                        if row["state"] in _OPEN and calendar.parse(row["valid_until"]) <= now:
                            row["state"] = "lapsed"
                        yield row


def _requests_of(session: Any, ref: str) -> Iterator[dict[str, Any]]:
    rows: dict[int, dict[str, Any]] = {}
    for entry in session.journal(ref):
        if not entry.accepted or not entry.type.startswith("refund."):
            continue
        state = entry.type.removeprefix("refund.")
        if state == "requested":
            remembered = json.loads(entry.effects)["memo"]["remembered"]
            asked = json.loads(entry.payload)
            rows[entry.seq] = {
                "request": entry.id,
                "source": entry.source,
                "account": ref,
                "at": asked["at"],
                "cause": asked.get("cause", "consumer"),
                "state": state,
                **quoted(remembered),
            }
        elif entry.about in rows:
            rows[entry.about]["state"] = state
            if state == "paid":
                paid = quoted(json.loads(entry.effects)["memo"]["remembered"])
                rows[entry.about].update({name: paid[name] for name in ("shares", "means") if name in paid})
    yield from rows.values()
