"""Sending one event of an operator: its id, its time, what became of it, and what the account holds after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from stampbook.cli.running import Run, fail, refuse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from stampbook.outcomes import Outcome

SOURCE = "cli"


def event_options(function: Callable[..., None]) -> Callable[..., None]:
    """Add the options of every command that sends an event."""
    for option in (
        click.option("--at", metavar="TIME", help="When it happened; now where absent."),
        click.option("--id", "event_id", metavar="ID", help="Your id for it: the same id is never posted twice."),
        click.option("--source", metavar="NAME", default=SOURCE, show_default=True, help="Who sends it."),
    ):
        function = option(function)
    return function


def check_brought(run: Run, kind: str, plugin: str) -> None:
    """End the command with a line on what to do where no plugin of the program in force brings a kind of event."""
    if kind not in run.engine.registry().reader.kinds:
        from stampbook.discovery import how_to_use

        fail(f"the program in force knows no {kind}: {how_to_use(plugin)}")


def send(run: Run, kind: str, ref: str, *, event_id: str | None, at: str | None, source: str, **fields: object) -> None:
    """Post an event, say what became of it, and end with the exit code that belongs to it.

    Raises:
        EventError: it is malformed, or its id was used with other content; nothing was recorded.
    """
    made = None if event_id else _new_id()
    event: dict[str, Any] = {"type": kind, "id": event_id or made, "source": source, "account": ref}
    event.update((name, value) for name, value in fields.items() if value or value is False)
    event["at"] = at or _time_of_first_try(run, source, event_id) or _now(run)
    outcome = _posted(run, event, made)
    if made is not None and outcome.accepted:
        run.note(f"Note: the event has the id {made}. If you have to try again, add --id {made}, lest it counts twice.")
    data = _data(run, outcome)
    run.answer(data, lambda: _tell(run, outcome, data))
    if not outcome.accepted:
        refuse(outcome)


def _new_id() -> str:
    import secrets

    return f"cli-{secrets.token_hex(8)}"


def _posted(run: Run, event: Mapping[str, Any], made: str | None) -> Outcome:
    """Post an event; where nobody knows whether it was committed, a made id is told with the error."""
    from stampbook.errors import StoreError

    engine = run.engine
    hint = "" if made is None else f"; to try again, add --id {made}, lest it counts twice"
    try:
        return engine.post(event)
    except StoreError as error:
        fail(f"{error}{hint}")
    except KeyboardInterrupt:
        fail(f"stopped before the database had answered{hint}")


def _now(run: Run) -> str:
    from stampbook.periods import moment_of

    return moment_of(run.engine.clock()).isoformat()


def _time_of_first_try(run: Run, source: str, event_id: str | None) -> str | None:
    """Return when an event of that id was first said to happen, so that a second try says the same."""
    if event_id is None:
        return None
    import orjson

    from stampbook.replay import find_entry

    for _, entry in find_entry(run.engine, source, event_id):
        first: str = orjson.loads(entry.payload)["at"]
        return first
    return None


def _data(run: Run, outcome: Outcome) -> dict[str, Any]:
    from stampbook.errors import UnknownAccountError
    from stampbook.states import account_state

    data: dict[str, Any] = {
        "status": outcome.status,
        "type": outcome.type,
        "source": outcome.source,
        "id": outcome.id,
        "account": outcome.account,
        "seq": outcome.seq,
        "replayed": outcome.replayed,
        "objections": [
            {"code": objection.code, "message": objection.message, "plugin": objection.plugin}
            for objection in outcome.objections
        ],
    }
    try:
        state = account_state(run.engine, outcome.account)
    except UnknownAccountError:
        return data
    assets = run.engine.registry().context.assets
    data["postings"] = [
        {
            "asset": posting.asset,
            "amount": assets[posting.asset].text(posting.amount),
            "source": posting.source,
            "destination": posting.destination,
            "rule": posting.rule,
        }
        for posting in outcome.postings
    ]
    data["remembered"] = outcome.memo.get("remembered", {})
    if outcome.in_part:
        data["in_part"] = [
            {
                "asset": part.asset,
                "asked": assets[part.asset].text(part.asked),
                "paid": assets[part.asset].text(part.paid),
                "left": assets[part.asset].text(part.left),
                "rest": part.rest,
            }
            for part in outcome.in_part
        ]
    if outcome.type == "account.closed" and (lines := _reckoning(run, outcome)):
        data["paid_out"] = lines
    if outcome.exchange is not None:
        data["exchange"] = outcome.exchange
    data["account_status"] = state.status
    data["available"] = {holding.asset: holding.available.text for holding in state.holdings}
    return data


def _reckoning(run: Run, outcome: Outcome) -> list[dict[str, str]]:
    """Return how what closing an account pays out was worked out, line by line; nothing where it was at par."""
    import orjson

    from stampbook.replay import find_entry

    entries = [entry for _, entry in find_entry(run.engine, outcome.source, outcome.id)]
    found = orjson.loads(entries[0].trace).get("paid_out", ()) if entries else ()
    return [{"name": name, "text": text} for name, text in found]


def _tell(run: Run, outcome: Outcome, data: dict[str, Any]) -> None:
    if not outcome.accepted:
        return
    from stampbook.statements import statement

    line = next((line for line in statement(run.engine, outcome.account).lines if line.seq == outcome.seq), None)
    words = outcome.type if line is None else line.words
    again = " (posted before; nothing was posted again)" if outcome.replayed else ""
    click.echo(f"{outcome.account}: {words}{again}")
    for part in line.parts if line is not None else ():
        click.echo(f"  {part.amount.signed} {part.kind}")
    for each in data.get("paid_out", ()):
        click.echo(f"  {each['name'].replace('_', ' ')}: {each['text']}")
    from stampbook.amounts import counted

    available = ", ".join(counted(text, asset) for asset, text in data.get("available", {}).items())
    if available:
        click.echo(f"  available now: {available}")
