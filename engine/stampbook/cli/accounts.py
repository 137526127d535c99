"""account open | list | show | freeze | unfreeze | close."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from stampbook.cli.lazy import Tree
from stampbook.cli.posting import event_options, send
from stampbook.cli.running import REF, Run, command
from stampbook.cli.who import by_option

if TYPE_CHECKING:
    from datetime import datetime

    from stampbook.states import AccountState

_REASON = click.option("--reason", default="", metavar="TEXT", help="Why; stands in the statement.")
_BY = by_option()


@click.group("account", cls=Tree)
def account() -> None:
    """Open, list, show, freeze, unfreeze and close accounts."""


@command("open", "account open 2001", "account open 2002 --at 2025-01-01 --id signup-2002", group=account)
@REF
@event_options
def open_(run: Run, ref: str, **sent: str) -> None:
    """Open an account.

    ACCOUNT is your own name for it, such as the number on a card. Do not use a customer's name or mail address:
    the journal keeps it for ever.
    """
    send(run, "account.opened", ref, **sent)


_LOTS = click.option("--lot", "lots", metavar="N", type=int, multiple=True, help="Only this lot; several are allowed.")


@command(
    "freeze",
    "account freeze 1001 --reason 'card reported lost' --by anna",
    "account freeze 1001 --lot 1 --reason 'payment disputed' --by anna",
    group=account,
)
@REF
@_LOTS
@_REASON
@_BY
@event_options
def freeze(run: Run, ref: str, lots: tuple[int, ...], reason: str, operator: str, **sent: str) -> None:
    """Freeze an account: customers can no longer move value on it.

    Time goes on, expiries included, and an operator can still adjust, unfreeze or close it. With --lot only
    what that lot holds can no longer be used; such a freeze needs a reason.
    """
    send(run, "lots.frozen" if lots else "account.frozen", ref, lots=lots, reason=reason, operator=operator, **sent)


@command("unfreeze", "account unfreeze 1004 --reason 'card found' --by anna", group=account)
@REF
@_LOTS
@_REASON
@_BY
@event_options
def unfreeze(run: Run, ref: str, lots: tuple[int, ...], reason: str, operator: str, **sent: str) -> None:
    """Open a frozen account again, or with --lot let a frozen lot be used again."""
    send(run, "lots.unfrozen" if lots else "account.unfrozen", ref, lots=lots, reason=reason, operator=operator, **sent)


@command(
    "close",
    "account close 1005 --reason 'moved away'",
    "account close 1006 --reason 'shop closes' --cause operator --means 'bank transfer' --json",
    group=account,
)
@REF
@_REASON
@click.option(
    "--cause",
    type=click.Choice(["consumer", "operator", "neither"]),
    help="Who made it necessary, where the law asks that of what is paid out; the customer where absent.",
)
@click.option(
    "--means", metavar="TEXT", default="", help="How it is paid out: back to the original means where absent."
)
@click.option("--reference", metavar="TEXT", default="", help="By what payment.")
@_BY
@event_options
def close(
    run: Run, ref: str, reason: str, cause: str | None, means: str, reference: str, operator: str, **sent: str
) -> None:
    """Close an account for ever.

    Refused while it holds money, or anything else that the program says must not be lost; points are forfeit unless
    the program says otherwise. Where it says that closing pays out, it is told what goes back to the customer.
    """
    paid: dict[str, Any] = {"cause": cause, "means": means, "reference": reference}
    send(run, "account.closed", ref, reason=reason, operator=operator, **paid, **sent)


@command(
    "list",
    "account list",
    "account list --status frozen",
    "account list --limit 2 --after 1001 --json",
    group=account,
)
@click.option("--status", type=click.Choice(["open", "frozen", "closed"]), help="Only those of this status.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="How many at most.")
@click.option("--after", default="", metavar="ACCOUNT", help="Go on behind this one.")
def list_(run: Run, status: str | None, limit: int, after: str) -> None:
    """List accounts in the order of their names, a page at a time, with what each can spend now."""
    from stampbook.store.reading import accounts_page, count_accounts

    engine = run.engine
    context, now = engine.registry().context, engine.clock()
    local = context.calendar.local
    found = accounts_page(engine.store, status=status or "", after=after, limit=limit + 1)
    counts = count_accounts(engine.store)
    rows = [
        {
            "account": each.ref,
            "status": each.status,
            "opened_at": local(each.opened_at),
            "last_event_at": local(each.clock),
            "available": {code: asset.text(each.balance(code, now)) for code, asset in context.assets.items()},
            "facts": {
                name: fact.value
                for name in sorted(each.facts)
                if name[0] != "_" and (fact := each.fact(name, now)) and fact.value
            },
        }
        for each in found[:limit]
    ]
    following = rows[-1]["account"] if len(found) > limit else None
    data = {"accounts": rows, "next": following, "counts": counts}
    run.answer(data, lambda: _tell_list(data, list(context.assets)))


def _tell_list(data: dict[str, Any], assets: list[str]) -> None:
    from stampbook.cli.printing import counted, moment, print_table

    names = sorted({name for row in data["accounts"] for name in row["facts"]})
    if data["accounts"]:
        print_table(
            ["account", "status", "opened", "last event", *assets, *names],
            [
                [
                    row["account"],
                    row["status"],
                    f"{row['opened_at']:%Y-%m-%d}",
                    moment(row["last_event_at"]),
                    *(row["available"][asset] for asset in assets),
                    *(row["facts"].get(name, "") for name in names),
                ]
                for row in data["accounts"]
            ],
            right=assets,
        )
    total = sum(data["counts"].values())
    by_status = ", ".join(f"{count:,} {status}" for status, count in sorted(data["counts"].items()))
    click.echo(f"{len(data['accounts']):,} of {counted(total, 'account')}{f' ({by_status})' if by_status else ''}")
    if data["next"] is not None:
        click.echo(f"More: stampbook account list --after {data['next']}")


@command(
    "show",
    "account show 1001",
    "account show 1001 --as-of 2025-03-31",
    "account show 1001 --as-of 2025-03-31 --known-at 2025-04-02T12:00 --json",
    group=account,
)
@REF
@click.option("--as-of", metavar="TIME", help="As it was then; a date means the end of that day. Now where absent.")
@click.option("--known-at", metavar="TIME", help="As far as was known then: what was recorded later is left out.")
def show(run: Run, ref: str, as_of: str | None, known_at: str | None) -> None:
    """Show an account: balances with their lots and terms, tier, metrics, segments, and what expires next.

    --as-of says which moment you ask about, --known-at what you knew: a sale that a till sent in three days
    late is in the first and not in the second. A moment to come shows what time will bring.
    """
    from stampbook.states import account_state

    state = account_state(
        run.engine,
        ref,
        as_of=run.instant(as_of, end_of_day=True),
        known_at=run.instant(known_at, end_of_day=True),
    )
    run.answer(state, lambda: tell_state(state))


def tell_state(state: AccountState) -> None:
    """Print the state of an account."""
    from stampbook.cli.printing import moment, print_pairs, print_table

    click.echo(f"Account {state.ref} of {state.program}")
    print_pairs(
        {
            "status": state.status,
            "opened": state.opened_at,
            "as of": state.as_of,
            "known at": state.known_at,
            "events": f"{state.events}, the last on {moment(state.last_event_at)}",
            **{fact.name: f"{fact.value}, since {moment(fact.since)} ({fact.reason})" for fact in state.facts},
            **{segment.scheme: f"{segment.segment}, since {moment(segment.since)}" for segment in state.segments},
        }
    )
    if state.holdings:
        click.echo()
        parts = ["available", "pending", "held", "owed"]
        print_table(
            ["asset", *parts],
            [[holding.asset, *(getattr(holding, part).text for part in parts)] for holding in state.holdings],
            right=parts,
        )
    lots = [lot for holding in state.holdings for lot in holding.lots]
    if lots:
        click.echo()
        print_table(
            ["lot", "kind", "remaining", "held", "", "from", "good until", "came with"],
            [
                [
                    lot.number,
                    lot.kind,
                    lot.remaining,
                    lot.held if lot.held.units else None,
                    f"{lot.condition}, {lot.only}" if lot.only else lot.condition,
                    lot.effective_at,
                    "for ever" if lot.expires_at is None else last_moment(lot.expires_at),
                    lot.origin,
                ]
                for lot in lots
            ],
            right=["lot", "remaining", "held"],
        )
    if state.metrics:
        click.echo()
        print_table(
            ["metric", "value", "window", "from", "to"],
            [[m.name, m.value, m.window, m.first_day, m.last_day] for m in state.metrics],
            right=["value"],
        )
    if state.expiring:
        click.echo()
        for expiring in state.expiring:
            click.echo(f"{expiring}.")
    if state.progress:
        click.echo()
        for progress in state.progress:
            click.echo(f"{progress}.")


def last_moment(end: datetime) -> str:
    """Write the last moment before an end: its day, where the end is a midnight."""
    from datetime import timedelta

    from stampbook.cli.printing import moment

    before = end - timedelta(microseconds=1)
    return f"{before:%Y-%m-%d}" if (end.hour, end.minute) == (0, 0) else moment(end)
