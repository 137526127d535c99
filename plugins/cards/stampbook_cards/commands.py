"""What operators do with cards on the command line. A PIN is typed unseen or read from a pipe, never an argument."""

from __future__ import annotations

import csv
import json
import os
import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn

import click

from stampbook import Engine, by_option, database_url
from stampbook_cards.card_numbers import account_of, made
from stampbook_cards.telling import card_state, sentences

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

    from stampbook import Outcome
    from stampbook_cards.config import CardsConfig

_SOURCE = "cards"
_AT_ONCE = 500

_DB = click.option("--db", metavar="DB", help="Database: a SQLite file, or postgresql://…")
_JSON = click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
_ID = click.option("--id", "event_id", metavar="ID", help="Your id for it: the same id is never posted twice.")
_OPERATOR = by_option("Who does it.")
_BY = by_option("Who does it; it is kept.", required=True)
_REASON = click.option("--reason", required=True, help="Why; it is kept.")
_PIN = click.option("--pin", "ask", is_flag=True, help="Ask for the PIN; it is not shown, and may come from a pipe.")


def commands(name: str, config: CardsConfig) -> click.Group:
    """Return the commands for the cards of a program.

    Args:
        name: of the table, under which the facts of a card are kept.
        config: its options.
    """

    @click.group("card")
    def card() -> None:
        """Issue, sell, claim, block, replace and look at cards."""

    for add in (_making, _selling, _claiming, _by_operators, _replacing, _looking):
        add(card, name, config)
    return card


def _making(card: click.Group, name: str, config: CardsConfig) -> None:
    @card.command("make")
    @click.argument("count", type=click.IntRange(1, 1_000_000))
    @click.argument("file", type=click.Path(dir_okay=False))
    @click.option("--pin-digits", type=click.IntRange(4, 12), help="Give each a PIN of so many digits.")
    def make(count: int, file: str, pin_digits: int | None) -> None:
        """Write COUNT new numbers, one a line, to a new FILE that only you can read; issue them afterwards."""
        draw = secrets.randbelow
        if count * 100 > 10 ** (config.length - 1 - len(config.prefix)):
            raise click.ClickException("so many numbers could be guessed: make them longer, or the prefix shorter")
        numbers = dict.fromkeys(made(config.prefix, config.length, config.check, draw) for _ in range(count))
        while len(numbers) < count:
            numbers[made(config.prefix, config.length, config.check, draw)] = None
        try:
            handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise click.ClickException(f"{file} cannot be written: {error.strerror}") from error
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as written:
            rows = csv.writer(written, lineterminator="\n")
            for number in numbers:
                rows.writerow([number] if pin_digits is None else [number, _digits(pin_digits)])
        told = "numbers" if pin_digits is None else "numbers with their PINs, which stand nowhere else"
        click.echo(f"{count} {told} in {file}; issue them with: stampbook card issue {file}")

    @card.command("issue")
    @click.argument("file", type=click.File(encoding="utf-8"))
    @click.option("--batch", metavar="NAME", default="", help="What they were printed or made as.")
    @_OPERATOR
    @_DB
    @_JSON
    def issue(file: TextIO, batch: str, operator: str, db: str | None, *, as_json: bool) -> None:
        """Issue the cards of a FILE, one a line: number, or number,pin. What was issued before stays as it is."""
        counts = {"issued": 0, "already": 0, "refused": 0}
        with _opened(db) as engine:
            for number, result, why in _issued(engine, name, [row for row in csv.reader(file) if row], batch, operator):
                counts[result] += 1
                if why:
                    click.echo(f"{number}: {why}", err=True)
        already = f", {counts['already']} there already" if counts["already"] else ""
        refused = f", {counts['refused']} refused" if counts["refused"] else ""
        click.echo(json.dumps(counts) if as_json else f"{counts['issued']} cards issued{already}{refused}")
        if counts["refused"]:
            click.get_current_context().exit(2)


def _selling(card: click.Group, name: str, _: CardsConfig) -> None:
    for command, kind, told in (
        ("activate", "card.activated", "Sell a card: AMOUNT, which was paid for it, is on it from now on."),
        ("topup", "card.topped_up", "Put AMOUNT more, which was paid, on a card that is active."),
    ):

        @card.command(command, help=told)
        @click.argument("number")
        @click.argument("amount")
        @click.option("--tender", required=True, help="What paid for it: cash, card, …")
        @click.option("--store", default="", help="Where.")
        @click.option("--buyer", type=click.Choice(["person", "organisation"]), help="Who buys.")
        @click.option("--sale-total", metavar="AMOUNT", help="What all cards come to that are bought in one go.")
        @click.option("--identity", metavar="ID", help="Where it is kept who the buyer is; never the name itself.")
        @_OPERATOR
        @_ID
        @_DB
        @_JSON
        @click.pass_context
        def sell(ctx: click.Context, /, number: str, db: str | None, *, as_json: bool, **fields: Any) -> None:
            kind = _KIND_OF[str(ctx.info_name)]
            _send(db, name, kind, number, as_json=as_json, **fields)

        _KIND_OF[command] = kind


_KIND_OF: dict[str, str] = {}
"""The kind of event of commands that differ in nothing else."""


def _claiming(card: click.Group, name: str, _: CardsConfig) -> None:
    @card.command("claim")
    @click.argument("number")
    @click.argument("account")
    @click.option("--moves", "value", flag_value="moves", help="Its money moves to the account.")
    @click.option(
        "--stays", "value", flag_value="stays", help="Its money stays on it; it is registered for the account."
    )
    @_PIN
    @_OPERATOR
    @_ID
    @_DB
    @_JSON
    def claim(number: str, account: str, db: str | None, *, ask: bool, as_json: bool, **fields: Any) -> None:
        """Claim a card for the ACCOUNT of a customer."""
        _send(db, name, "card.claimed", number, as_json=as_json, to=account, pin=_asked() if ask else None, **fields)

    @card.command("balance")
    @click.argument("number")
    @_PIN
    @_ID
    @_DB
    @_JSON
    def balance(number: str, db: str | None, *, ask: bool, as_json: bool, **fields: Any) -> None:
        """Tell the bearer of a card what is on it; a wrong PIN is counted."""
        _send(db, name, "card.enquired", number, as_json=as_json, pin=_asked() if ask else None, **fields)


def _by_operators(card: click.Group, name: str, _: CardsConfig) -> None:
    for command, kind, told in (
        ("block", "card.blocked", "Block a card that was lost or stolen."),
        ("unblock", "card.unblocked", "Let a blocked card be used again."),
        ("unlock", "card.unlocked", "Let PINs be tried again after too many wrong ones."),
        ("reactivate", "card.reactivated", "Make a card good again whose time is over."),
    ):

        @card.command(command, help=told)
        @click.argument("number")
        @_REASON
        @_BY
        @_ID
        @_DB
        @_JSON
        @click.pass_context
        def done(ctx: click.Context, /, number: str, db: str | None, *, as_json: bool, **fields: Any) -> None:
            _send(db, name, _KIND_OF[str(ctx.info_name)], number, as_json=as_json, **fields)

        _KIND_OF[command] = kind


def _replacing(card: click.Group, name: str, _: CardsConfig) -> None:
    @card.command("replace")
    @click.argument("number")
    @click.argument("new")
    @_REASON
    @_BY
    @_ID
    @_DB
    @_JSON
    def replace(number: str, new: str, db: str | None, *, as_json: bool, **fields: Any) -> None:
        """Give all that a card has to a NEW one that was not sold yet; the old one is dead for ever."""
        _send(db, name, "card.replaced", number, as_json=as_json, to=account_of(new), **fields)

    @card.command("pin")
    @click.argument("number")
    @_REASON
    @_BY
    @_ID
    @_DB
    @_JSON
    def pin(number: str, db: str | None, *, as_json: bool, **fields: Any) -> None:
        """Give a card another PIN, which is asked for; the card is unlocked."""
        _send(db, name, "card.pin_set", number, as_json=as_json, pin=_asked(), **fields)


def _looking(card: click.Group, name: str, _: CardsConfig) -> None:
    @card.command("show")
    @click.argument("number")
    @_DB
    @_JSON
    def show(number: str, db: str | None, *, as_json: bool) -> None:
        """Say what is on a card, until when it is good, and what became of it."""
        with _opened(db) as engine:
            _say(engine, name, number, as_json=as_json)


def _opened(db: str | None) -> Engine:
    root: str | None = click.get_current_context().find_root().obj
    return Engine.open(database_url(db or root, os.environ))


def _asked() -> str:
    return str(click.prompt("PIN", hide_input=True, err=True))


def _digits(count: int) -> str:
    return "".join(str(secrets.randbelow(10)) for _ in range(count))


def _event(kind: str, ref: str, event_id: str | None, **fields: Any) -> dict[str, Any]:
    sent = {"type": kind, "id": event_id or f"card-{secrets.token_hex(8)}", "source": _SOURCE, "account": ref}
    sent.update((key, value) for key, value in fields.items() if value)
    return {**sent, "at": datetime.now(UTC).isoformat()}


def _time_of_first_try(engine: Engine, event_id: str | None) -> str | None:
    """Return when an event of that id was first said to happen, so that a second try says the same."""
    if event_id is None:
        return None
    with engine.store.reader() as session:
        return next((json.loads(entry.payload)["at"] for _, entry in session.find(_SOURCE, event_id)), None)


def _send(
    db: str | None, name: str, kind: str, number: str, *, as_json: bool, event_id: str | None, **fields: Any
) -> None:
    """Post an event of a card and say how the card stands; end with exit code 2 where it is refused."""
    with _opened(db) as engine:
        event = _event(kind, account_of(number), event_id, **fields)
        event["at"] = _time_of_first_try(engine, event_id) or event["at"]
        outcome = engine.post(event)
        if not outcome.accepted:
            _refuse(outcome, as_json=as_json)
        remembered = outcome.memo.get("remembered", {})
        _say(engine, name, number, as_json=as_json, event=outcome.id, **({"told": remembered} if remembered else {}))


def _say(engine: Engine, name: str, number: str, *, as_json: bool, **more: Any) -> None:
    state = card_state(engine, name, number)
    if as_json:
        click.echo(json.dumps({**state, **more}))
        return
    for sentence in sentences(state):
        click.echo(sentence)


def _refuse(outcome: Outcome, *, as_json: bool) -> NoReturn:
    told = [{"code": each.code, "message": each.message} for each in outcome.objections]
    if as_json:
        click.echo(json.dumps({"status": outcome.status, "event": outcome.id, "objections": told}))
    for each in told:
        click.echo(f"Refused: {each['code']}: {each['message']}", err=True)
    click.get_current_context().exit(2)


def _issued(
    engine: Engine, name: str, rows: list[list[str]], batch: str, operator: str
) -> Iterator[tuple[str, str, str]]:
    """Yield each number with what became of it and, where it was refused, why."""
    for first in range(0, len(rows), _AT_ONCE):
        some = {account_of(row[0].strip()): row for row in rows[first : first + _AT_ONCE]}
        with engine.store.reader() as session:
            there = session.accounts(list(some))
            session.fill(there.values(), None)
        new = [ref for ref in some if ref not in there or f"{name}.state" not in there[ref].facts]
        yield from ((some[ref][0], "already", "") for ref in some if ref not in new)
        engine.process([_event("account.opened", ref, None) for ref in new if ref not in there])
        events = [_of_row(ref, some[ref], batch, operator) for ref in new]
        for ref, outcome in zip(new, engine.process(events), strict=True):
            why = "; ".join(each.message for each in outcome.objections) or str(outcome.error or "")
            yield some[ref][0], "issued" if outcome.accepted else "refused", why


def _of_row(ref: str, row: list[str], batch: str, operator: str) -> dict[str, Any]:
    pin = row[1].strip() if len(row) > 1 else None
    return _event("card.issued", ref, None, pin=pin, batch=batch, operator=operator)
