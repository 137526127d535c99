"""hold authorise | capture | void | change | list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from stampbook.cli.lazy import Tree
from stampbook.cli.naming import source_of
from stampbook.cli.posting import event_options, send
from stampbook.cli.running import REF, Run, command, complete_ref
from stampbook.cli.who import by_option

if TYPE_CHECKING:
    from stampbook.states import Past

_ASSET = click.option("--asset", metavar="CODE", help="What is counted; the program's currency where absent.")
_REASON = click.option("--reason", default="", metavar="TEXT", help="Why; stands in the statement.")
_BY = by_option()
_HOLD = click.argument("hold")
_SOURCE = click.option("--hold-source", metavar="NAME", help="Who authorised it; needed where two senders used one id.")


@click.group("hold", cls=Tree)
def hold() -> None:
    """Set value aside, capture it, release it, and list what is set aside."""


@command(
    "authorise",
    "hold authorise 1001 20.00 --id table-7",
    "hold authorise 1001 20.00 --id table-8 --lapses 2030-01-01T23:59 --store Graben --json",
    group=hold,
    takes_amount=True,
)
@REF
@click.argument("amount")
@_ASSET
@click.option("--partial", is_flag=True, help="As much of it as there is, where the program allows that.")
@click.option("--lapses", metavar="TIME", help="When it is released by itself; never where absent.")
@click.option("--store", default="", metavar="NAME", help="Where; value that is restricted to stores asks.")
@_REASON
@_BY
@event_options
def authorise(  # noqa: PLR0913, PLR0917 - its options
    run: Run,
    ref: str,
    amount: str,
    asset: str | None,
    partial: bool,  # noqa: FBT001 - click's
    lapses: str | None,
    store: str,
    reason: str,
    operator: str,
    **sent: str,
) -> None:
    """Set an amount aside.

    It cannot be spent otherwise until it is captured or released. Later commands name it by its --id.
    """
    fields: dict[str, Any] = {
        "amount": amount,
        "asset": asset,
        "partial": partial or None,
        "lapses_at": lapses,
        "store": store,
        "reason": reason,
        "operator": operator,
    }
    send(run, "hold.authorised", ref, **fields, **sent)


@command(
    "capture",
    "hold capture 1001 table-7",
    "hold capture 1001 table-7 12.50 --keep-rest",
    "hold capture 1001 table-7 12.50 --final --json",
    group=hold,
    takes_amount=True,
)
@REF
@_HOLD
@click.argument("amount", required=False)
@_ASSET
@click.option("--final/--keep-rest", default=None, help="Release the rest, or keep it for more; as the program says.")
@_SOURCE
@_REASON
@_BY
@event_options
def capture(  # noqa: PLR0913, PLR0917 - its options
    run: Run, ref: str, hold: str, amount: str | None, asset: str | None, final: bool | None,  # noqa: FBT001 - click's
    hold_source: str | None, reason: str, operator: str, **sent: str,
) -> None:  # fmt: skip
    """Take what was set aside: all of it, or AMOUNT.

    More than was set aside, a tip say, is taken only as far as the program allows.
    """
    _send(
        run,
        "hold.captured",
        ref,
        hold,
        hold_source,
        amount=amount,
        asset=asset,
        final=final,
        reason=reason,
        operator=operator,
        **sent,
    )


@command(
    "void",
    "hold void 1001 table-7 --reason 'guest left'",
    "hold void 1001 table-7 5.00 --json",
    group=hold,
    takes_amount=True,
)
@REF
@_HOLD
@click.argument("amount", required=False)
@_ASSET
@_SOURCE
@_REASON
@_BY
@event_options
def void(
    run: Run, ref: str, hold: str, amount: str | None, asset: str | None,
    hold_source: str | None, reason: str, operator: str, **sent: str,
) -> None:  # fmt: skip
    """Release what is set aside: all of it, or AMOUNT."""
    _send(
        run, "hold.voided", ref, hold, hold_source, amount=amount, asset=asset, reason=reason, operator=operator, **sent
    )


@command("change", "hold change 1001 table-7 35.00", group=hold, takes_amount=True)
@REF
@_HOLD
@click.argument("amount")
@_ASSET
@_SOURCE
@_REASON
@_BY
@event_options
def change(
    run: Run, ref: str, hold: str, amount: str, asset: str | None,
    hold_source: str | None, reason: str, operator: str, **sent: str,
) -> None:  # fmt: skip
    """Raise or lower what is set aside to AMOUNT."""
    _send(
        run,
        "hold.changed",
        ref,
        hold,
        hold_source,
        amount=amount,
        asset=asset,
        reason=reason,
        operator=operator,
        **sent,
    )


def _send(run: Run, kind: str, ref: str, hold: str, hold_source: str | None, *, operator: str, **fields: Any) -> None:
    found = hold_source or source_of(run, ref, hold)
    send(run, kind, ref, hold=hold, hold_source=found, operator=operator, **fields)


@command("list", "hold list", "hold list 1001", "hold list 1001 --json", group=hold)
@click.argument("ref", metavar="[ACCOUNT]", required=False, shell_complete=complete_ref)
def list_(run: Run, ref: str | None) -> None:
    """List what is set aside, and out of which lots: on ACCOUNT, or on all accounts."""
    from stampbook.states import Past
    from stampbook.store.reading import refs_with_holds

    refs = refs_with_holds(run.engine.store) if ref is None else [ref]
    rows = [row for each in refs for row in _open(Past(run.engine, each, None, None), each)]
    run.answer({"account": ref, "holds": rows}, lambda: _tell(ref, rows))


def _open(past: Past, ref: str) -> list[dict[str, Any]]:
    """Return the open holds of an account as plain data, in the order in which they were authorised."""
    from stampbook.ledger import authorised_by
    from stampbook.periods import NEVER

    entries = {entry.seq: entry for entry in past.entries}
    rows: list[dict[str, Any]] = []
    for number, each in sorted(past.account.holds.items()):
        entry = entries.get(authorised_by(number))
        if not each.left or entry is None:
            continue
        rows.append(
            {
                "account": ref,
                "hold": entry.id,
                "source": entry.source,
                "at": past.calendar.local(entry.at),
                "asset": each.asset,
                "amount": past.sum(each.asset, each.amount).text,
                "remaining": past.sum(each.asset, each.remaining).text,
                "captured": past.sum(each.asset, each.captured).text,
                "lapses_at": None if each.lapses_at == NEVER else past.calendar.local(each.lapses_at),
                "lots": [{"lot": lot, "amount": past.sum(each.asset, units).text} for lot, units in each.left],
            }
        )
    return rows


def _tell(ref: str | None, rows: list[dict[str, Any]]) -> None:
    from stampbook.amounts import counted
    from stampbook.cli.printing import moment

    if not rows:
        click.echo("Nothing is set aside." if ref is None else f"{ref}: nothing is set aside")
    for row in rows:
        until = "until it is captured or released" if row["lapses_at"] is None else f"until {moment(row['lapses_at'])}"
        of = "" if row["remaining"] == row["amount"] else f" of {counted(row['amount'], row['asset'])}"
        lots = " + ".join(f"{lot['amount']} of lot {lot['lot']}" for lot in row["lots"])
        told = f"{counted(row['remaining'], row['asset'])}{of} set aside on {moment(row['at'])} {until}"
        click.echo(f"{row['account']}: {told} ({row['hold']}): {lots}")
