"""topup, spend, adjust, extend, return, transfer, exchange; post for every other kind: events of operators."""

from __future__ import annotations

from typing import Any

import click

from stampbook.cli.naming import source_of
from stampbook.cli.posting import check_brought, event_options, send
from stampbook.cli.running import REF, Run, command
from stampbook.cli.who import by_option

_ASSET = click.option("--asset", metavar="CODE", help="What is counted; the program's currency where absent.")
_REASON = click.option("--reason", default="", metavar="TEXT", help="Why; stands in the statement.")
_BY = by_option()
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
@click.option("--tender", metavar="NAME", help="How it is paid: cash, card, bank transfer, …")
@click.option(
    "--debt", type=click.Choice(["keep", "repay"]), help="What it does with what is owed; as the program says."
)
@click.option("--buyer", type=click.Choice(["person", "organisation"]), help="Who buys.")
@click.option("--sale-total", metavar="AMOUNT", help="What all comes to that is bought in one go.")
@click.option("--identity", metavar="ID", help="Where it is kept who the buyer is; never the name itself.")
@_REASON
@_BY
@event_options
def topup(run: Run, ref: str, amount: str, asset: str | None, reason: str, operator: str, **sent: Any) -> None:
    """Pay money in for stored value.

    AMOUNT is in whole units, such as 50.00, of the program's currency. The amount becomes a lot of its own, of
    the kind "paid". What the program grants for top-ups is posted with it. Laws on prepaid cards may ask who pays
    much in one go, and how: --tender, --buyer, --sale-total and --identity say so.

    What the account owes stays owed unless the program says otherwise (topup_debt); with --debt repay the top-up
    repays it first, and the rest may be spent.
    """
    send(run, "topup", ref, amount=amount, currency=asset, reason=reason, operator=operator, **sent)


@command(
    "spend",
    "spend 1001 4.50",
    "spend 1001 20 --asset points --reason 'free coffee' --id till-3-881",
    takes_amount=True,
)
@REF
@_AMOUNT
@_ASSET
@click.option("--partial", is_flag=True, help="As much of it as there is, where the program allows that.")
@_REASON
@_BY
@event_options
def spend(
    run: Run,
    ref: str,
    amount: str,
    asset: str | None,
    partial: bool,  # noqa: FBT001 - click's
    reason: str,
    operator: str,
    **sent: str,
) -> None:
    """Spend stored value or points.

    AMOUNT is in whole units of the asset. It is drawn from the account's lots in the program's spend order; if
    they do not hold that much, the event is refused, nothing moves, and the exit code is 2. With --partial as much is
    drawn as there is, and it is told what is left to pay.
    """
    fields: dict[str, Any] = {"amount": amount, "asset": asset, "partial": partial or None}
    send(run, "spend", ref, **fields, reason=reason, operator=operator, **sent)


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
def adjust(
    run: Run, ref: str, amount: str, asset: str | None, reason: str, operator: str, expires: str, **sent: str
) -> None:
    """Grant or take value by hand, for a stated reason.

    AMOUNT above zero grants, below zero takes. The reason and the name are
    kept for ever and stand in the customer's statement.
    """
    send(run, "adjust", ref, amount=amount, asset=asset, reason=reason, operator=operator, expires=expires, **sent)


@command(
    "extend",
    "extend 1001 points --until 2025-12-31 --reason 'closed for works' --by anna --at 2025-04-20",
    "extend 1005 points --until 2025-12-24T18:00 --lot 1 --reason 'our mistake' --at 2025-04-20 --json",
)
@REF
@click.argument("asset")
@click.option("--until", required=True, metavar="TIME", help="Until when; a date means the end of that day.")
@click.option("--lot", "lots", metavar="N", type=int, multiple=True, help="Only this lot; may be given several times.")
@click.option("--reason", required=True, metavar="TEXT", help="Why; stands in the statement.")
@_BY
@event_options
def extend(
    run: Run, ref: str, asset: str, until: str, lots: tuple[int, ...], reason: str, operator: str, **sent: str
) -> None:
    """Make what an account holds good for longer, for a stated reason.

    Lots that end later anyway stay as they are: nothing is ever shortened. What has expired already is gone; grant
    it again with adjust.
    """
    send(run, "extend", ref, asset=asset, until=until, lots=lots, reason=reason, operator=operator, **sent)


@command(
    "return",
    "return 1001 sale-3",
    "return 1001 sale-1 --line 1 --reason 'cold'",
    "return 1001 sale-3 --amount 12.00 --id return-7 --json",
)
@REF
@click.argument("purchase")
@click.option("--line", "lines", metavar="N[=QTY]", multiple=True, help="This line of it, or so many pieces of it.")
@click.option(
    "--sku", "skus", metavar="SKU[=QTY]", multiple=True, help="The line of this sku, or so many pieces of it."
)
@click.option("--amount", metavar="AMOUNT", help="So much money of it, whatever came back.")
@click.option("--purchase-source", metavar="NAME", help="Who sent the purchase; needed where two senders used one id.")
@_REASON
@event_options
def return_(
    run: Run, ref: str, purchase: str, lines: tuple[str, ...], skus: tuple[str, ...], amount: str | None,
    purchase_source: str | None, reason: str, **sent: str,
) -> None:  # fmt: skip
    """Take back a purchase: all that remains of it, some lines, or an amount.

    What comes back by which means, and what becomes of points, the program says; it is told line by line.
    """
    named = [_counted("line", text) for text in lines] + [_counted("sku", text) for text in skus]
    source = purchase_source or source_of(run, ref, purchase)
    fields: dict[str, Any] = {"purchase": purchase, "purchase_source": source, "lines": named, "amount": amount}
    send(run, "return", ref, reason=reason, **fields, **sent)


def _counted(key: str, text: str) -> dict[str, Any]:
    name, equals, quantity = text.rpartition("=")
    if not equals:
        name, quantity = text, ""
    if key == "line" and not name.isdigit():
        message = f"--line {text}: write the number of the line, or 2=1 for one piece of line 2"
        raise click.UsageError(message)
    named: dict[str, Any] = {key: int(name) if key == "line" else name}
    return {**named, "quantity": quantity} if quantity else named


@command(
    "transfer",
    "transfer 1001 1002 10 --asset points",
    "transfer 1001 1002 10 --asset points --id gift-1 --reason 'birthday' --json",
    takes_amount=True,
)
@REF
@click.argument("to")
@_AMOUNT
@_ASSET
@_REASON
@_BY
@event_options
def transfer(
    run: Run, ref: str, to: str, amount: str, asset: str | None, reason: str, operator: str, **sent: str
) -> None:
    """Give value of one account to another, with the terms of its lots.

    The program says what may be given, how much and for which fee, in a table of the plugin "transfers".
    """
    check_brought(run, "transfer", "transfers")
    send(run, "transfer", ref, to=to, amount=amount, asset=asset, reason=reason, operator=operator, **sent)


@command(
    "exchange",
    "exchange 1001 50.00 --asset EUR --to CHF --rate 0.94",
    "exchange 1001 20.00 --to CHF --reason 'asked for it' --json",
    takes_amount=True,
)
@REF
@_AMOUNT
@_ASSET
@click.option("--to", metavar="ASSET", required=True, help="What comes for it.")
@click.option(
    "--rate", metavar="NUMBER", help="The rate that the customer was told; where it is another, it is refused."
)
@_REASON
@_BY
@event_options
def exchange(
    run: Run,
    ref: str,
    amount: str,
    asset: str | None,
    to: str,
    rate: str | None,
    reason: str,
    operator: str,
    **sent: str,
) -> None:
    """Change one asset of an account into another, at the program's rate.

    What may be changed, at which rate and how it is rounded stands in [[plugin.exchange]] of the plugin "stored_value".
    """
    check_brought(run, "exchange", "stored_value")
    asset = asset or run.engine.registry().context.currency.code
    send(run, "exchange", ref, amount=amount, asset=asset, to=to, rate=rate, reason=reason, operator=operator, **sent)


@command(
    "post",
    "post purchase 1001 amount=4.90 store=Graben --id till-3-882",
    'post purchase 1001 \'lines=[{"sku": "TEA", "amount": "3.20"}]\' --at 2025-04-20T10:00 --json',
)
@click.argument("kind", metavar="TYPE")
@REF
@click.argument("fields", metavar="[KEY=VALUE]...", nargs=-1)
@event_options
def post(run: Run, kind: str, ref: str, fields: tuple[str, ...], **sent: Any) -> None:
    """Post an event of any kind.

    TYPE is a kind of the engine's, of a plugin's, or declared by the program: purchase, transfer, account.merged. Its
    keys stand in docs/programs.md and in the pages of the plugins. A VALUE is text; true and false, and what begins
    with [ or {, are read as JSON.
    """
    send(run, kind, ref, **dict(map(_field, fields)), **sent)


_RESERVED = {"type", "id", "event_id", "source", "account", "at"}


def _field(text: str) -> tuple[str, Any]:
    import orjson

    key, equals, value = text.partition("=")
    if not equals or not key:
        message = f"{text!r} is no KEY=VALUE, such as amount=4.90"
        raise click.UsageError(message)
    if key in _RESERVED:
        message = f"{key} has a place of its own: TYPE REF, --id, --source, --at"
        raise click.UsageError(message)
    if value in {"true", "false"} or value.startswith(("[", "{")):
        try:
            return key, orjson.loads(value)
        except orjson.JSONDecodeError as error:
            message = f"{key}: what begins with [ or {{ is read as JSON: {error}"
            raise click.UsageError(message) from None
    return key, value
