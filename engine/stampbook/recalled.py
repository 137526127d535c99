"""Earlier events of accounts that were merged: what is told of one, and what is read from that on the other account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from stampbook.earlier import Earlier, Elsewhere
from stampbook.ledger import SALES, MetricChange, Posting
from stampbook.orders import Line, Order
from stampbook.refunding import Past, Recorded

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from stampbook.account import Account
    from stampbook.event_base import Event
    from stampbook.event_reading import EventReader
    from stampbook.events import EarlierRecalled
    from stampbook.ledger import Entry
    from stampbook.vocabulary import Context

_ORDER = ("gross", "discount", "net", "tax", "total", "quantity", "stored_value", "channel", "store", "paid_by_points")


def told(
    account: Account, entries: Sequence[Entry], order: Order | None, context: Context, day: int, kinds: Iterable[str]
) -> dict[str, Any]:
    """Return what an account that was merged tells of an earlier event, as plain data.

    Args:
        account: it, with all lots that the event moved, and what expired of them.
        entries: the event's entry, followed by those of the accepted events that named it since.
        order: what was bought, if it is a purchase.
        context: of the program that judges what now names the event.
        day: the local day of that.
        kinds: of the events that named it since.
    """
    entry = entries[0]
    effects = orjson.loads(entry.effects)
    later = [
        {
            "kind": kind,
            "at": each.at,
            "memo": orjson.loads(each.effects).get("memo", {}),
            "postings": [[*posting] for posting in each.postings if posting.source == SALES],
        }
        for each, kind in zip(entries[1:], kinds, strict=True)
    ]
    ends = {end for posting in entry.postings for end in (posting.source, posting.destination) if isinstance(end, int)}
    ends |= {into for each in later for _, _, into, _ in each["memo"].get("matured", ())}
    lots = [account.lots[number] for number in sorted(ends) if number in account.lots]
    there = [(name, on) for name, on, _ in effects.get("metrics", ()) if _counts_there(account, context, day, name, on)]
    return {
        "at": entry.at,
        "event": orjson.loads(entry.payload),
        "memo": effects.get("memo", {}),
        "metrics": effects.get("metrics", []),
        "postings": [[*posting] for posting in entry.postings],
        "later": later,
        "lots": [[lot.number, *lot.terms] for lot in lots],
        "expired": [[lot.number, gone] for lot in lots if (gone := account.expired.get(lot.number, 0)) > 0],
        "there": there,
        "order": None if order is None else _order_data(order),
    }


def _counts_there(account: Account, context: Context, day: int, metric: str, on: int) -> bool:
    """Whether what a metric counted on a day was left on the account, or is outside its window by now."""
    base = metric.partition(":")[0]
    if base not in context.windows:
        return True
    counter = account.metrics.counters.get(metric)
    if counter is not None and counter.days.get(on):
        return True
    first = context.first_day(base, day)
    return on < min(first, context.needed_days.get(base, first))


def _order_data(order: Order) -> dict[str, Any]:
    return {
        "currency": order.currency,
        "lines": [[*line] for line in order.lines],
        "tenders": order.tenders,
        "tendered": order.tendered,
        "line_taxes": order.line_taxes,
        **{name: getattr(order, name) for name in _ORDER},
    }


def _order(data: dict[str, Any]) -> Order:
    lines = tuple([Line(*line)._replace(labels=tuple(line[-1])) for line in data["lines"]])
    taxes = data["line_taxes"]
    return Order(
        data["currency"],
        lines,
        tenders=tuple(data["tenders"]),
        tendered=tuple([(kind, asset, amount) for kind, asset, amount in data.get("tendered", ())]),
        line_taxes=None if taxes is None else tuple(taxes),
        **{name: data[name] for name in _ORDER},
    )


def _elsewhere(event: EarlierRecalled) -> Elsewhere:
    data = event.told
    lots: dict[int, tuple[str, str, int, int, int]] = {lot[0]: tuple(lot[1:]) for lot in data["lots"]}
    expired: dict[int, int] = dict(map(tuple, data["expired"]))
    there = frozenset((name, day) for name, day in data["there"])
    return Elsewhere(tuple(event.path), event.position, lots, expired, there)


def _postings(rows: Iterable[Any]) -> tuple[Posting, ...]:
    return tuple([Posting(*row) for row in rows])


def recalled_purchase(event: EarlierRecalled, seq: int) -> Past | None:
    """Return what is known of a purchase of an account that was merged into this one; None where it is none.

    Args:
        event: what was recalled.
        seq: its place in this account's journal, by which later events name the purchase.
    """
    data = event.told
    if data["order"] is None:
        return None
    effects = {"memo": data["memo"], "metrics": data["metrics"]}
    purchase = Recorded(seq, data["at"], _postings(data["postings"]), effects)
    returns = [Recorded(0, each["at"], _postings(each["postings"]), {"memo": each["memo"]}) for each in data["later"]]
    return Past(purchase, _order(data["order"]), tuple(returns), elsewhere=_elsewhere(event))


def recalled_earlier(event: EarlierRecalled, seq: int, reader: EventReader) -> Earlier:
    """Return what is known of an event of an account that was merged into this one.

    Args:
        event: what was recalled.
        seq: its place in this account's journal.
        reader: of the program.
    """
    data = event.told
    named: Event = reader.read(data["event"], own=True)
    return Earlier(
        named,
        seq,
        _postings(data["postings"]),
        tuple([MetricChange(*change) for change in data["metrics"]]),
        tuple([each["kind"] for each in data["later"]]),
        data["memo"].get("remembered", {}),
        _elsewhere(event),
    )
