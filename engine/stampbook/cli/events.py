"""topup, spend, adjust: events that an operator sends by hand."""

from __future__ import annotations

import click

from stampbook.cli.posting import event_options, send
from stampbook.cli.running import REF, Run, command

_ASSET = click.option("--asset", metavar="CODE", help="What is counted; the program's currency where absent.")
_REASON = click.option("--reason", default="", metavar="TEXT", help="Why; stands in the statement.")
_BY = click.option("--by", default="", metavar="NAME", help="Who does it; stands in the statement.")
_AMOUNT = click.argument("amount")


@command(
    "topup",
    "topup 1001 50.00",
    "topup 1001 50.00 --id receipt-4711 --by anna",
    "topup 1001 20 --id receipt-4712 --at 2025-03-01T09:30 --json",
    takes_amount=True,
)
@REF
@_AMOUNT
@_ASSET
@_REASON
@_BY
@event_options
def topup(run: Run, ref: str, amount: str, asset: str | None, reason: str, by: str, **sent: str) -> None:
    """Pay money in for stored value.

    AMOUNT is in whole units, such as 50.00, of the program's currency. The amount becomes a lot of its own, of
    the kind "paid". What the program grants for top-ups is posted with it.
    """
    send(run, "topup", ref, amount=amount, currency=asset, reason=reason, operator=by, **sent)


@command(
    "spend",
    "spend 1001 4.50",
    "spend 1001 20 --asset points --reason 'free coffee' --id till-3-881",
    takes_amount=True,
)
@REF
@_AMOUNT
@_ASSET
@_REASON
@_BY
@event_options
def spend(run: Run, ref: str, amount: str, asset: str | None, reason: str, by: str, **sent: str) -> None:
    """Spend stored value or points.

    AMOUNT is in whole units of the asset. It is drawn from the account's lots in the program's spend order; if
    they do not hold that much, the event is refused, nothing moves, and the exit code is 2.
    """
    send(run, "spend", ref, amount=amount, asset=asset, reason=reason, operator=by, **sent)


@command(
    "adjust",
    "adjust 1001 100 --asset points --reason 'broken cup, sorry' --by anna",
    "adjust 1001 100 --asset points --reason 'anniversary' --expires 2027-12-31T23:59",
    "adjust 1001 -5.00 --reason 'typing error of yesterday' --by anna",
    takes_amount=True,
)
@REF
@_AMOUNT
@_ASSET
@click.option("--reason", required=True, metavar="TEXT", help="Why; stands in the statement.")
@_BY
@click.option("--expires", metavar="TIME", help="Until when a grant is good; for ever where absent.")
@event_options
def adjust(run: Run, ref: str, amount: str, asset: str | None, reason: str, by: str, expires: str, **sent: str) -> None:
    """Grant or take value by hand, for a stated reason.

    AMOUNT above zero grants, below zero takes. The reason and the name are
    kept for ever and stand in the customer's statement.
    """
    send(run, "adjust", ref, amount=amount, asset=asset, reason=reason, operator=by, expires=expires, **sent)
