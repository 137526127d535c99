"""What rules may read: the names that conditions and formulas use, root by root, and what reads each."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from stampbook.expressions import Field as Name
from stampbook.expressions import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from stampbook.expressions import Scope

WITHOUT_REASON = frozenset({"account.opened", "account.described", "purchase", "segment.changed"})
"""The engine's own kinds of event that senders give no reason for."""


ON_SEGMENT = frozenset({"segment.changed"})
_OF_SEGMENT = {
    "scheme": "the scheme by which an account's segment changed",
    "segment": "the segment that it is in now",
    "before": "the segment that it was in, or ''",
}


class EventText(NamedTuple):
    """A text field of events that a plugin brings, which rules may read as ``event.NAME``.

    `about` says what it is, for docs and editors; `on` are the kinds of event that have it.
    """

    name: str
    about: str
    on: tuple[str, ...]


def vocabulary(
    decimals: int,
    metrics: Mapping[str, int],
    finest: int,
    balances: Mapping[str, int] | None = None,
) -> Scope:
    """Return the names that conditions and formulas may use.

    Args:
        decimals: of the program's currency: money is read in whole units.
        metrics: the decimals of each metric that the program declares.
        finest: the most decimals that an asset of the program has: an event's own amount may be of any.
        balances: the decimals of each asset.
    """

    def money(code: str, about: str) -> Name:
        return Name(Kind.NUMBER, code, decimals, about)

    return {
        "event": {
            "type": Name(Kind.TEXT, "event.type", about="kind of event, such as 'purchase' or 'topup'"),
            "id": Name(Kind.TEXT, "event.id", about="the sender's id"),
            "source": Name(Kind.TEXT, "event.source", about="who sent it"),
            "at": Name(Kind.INSTANT, "event.at", about="when it happened"),
            "amount": Name(
                Kind.NUMBER, "account.amount_of(event)", finest, "the amount of a top-up, spend or adjustment"
            ),
            **{
                name: Name(Kind.TEXT, _text_of(name), about=about, only=ON_SEGMENT)
                for name, about in _OF_SEGMENT.items()
            },
            "reason": Name(Kind.TEXT, _text_of("reason"), about="why, as its sender says, or ''", never=WITHOUT_REASON),
        },
        "order": {
            "gross": money("order.gross", "sum of the lines"),
            "discount": money("order.discount", "discount on the whole order"),
            "net": money("order.net", "lines less discount"),
            "tax": money("order.tax", "tax in the order"),
            "total": money("order.total", "what was paid for the order"),
            "net_of_tax": money("order.net_of_tax", "what was paid, less the tax in it or on top of it"),
            "stored_value": money("order.stored_value", "the part paid from stored value"),
            "paid_by_points": money("order.paid_by_points", "the part paid by tenders of kind 'points'"),
            "paid_outside": money("order.paid_outside", "the part that neither stored value nor points paid"),
            "paid_outside_net_of_tax": money("order.paid_outside_net_of_tax", "the same, less its share of the tax"),
            "quantity": Name(Kind.NUMBER, "order.quantity", 6, "pieces in all lines"),
            "line_count": Name(Kind.NUMBER, "order.line_count", about="number of lines"),
            "skus": Name(Kind.TEXTS, "order.skus", about="skus of all lines"),
            "categories": Name(Kind.TEXTS, "order.categories", about="categories of all lines"),
            "labels": Name(Kind.TEXTS, "order.labels", about="labels of all lines"),
            "tenders": Name(Kind.TEXTS, "order.tenders", about="kinds of the tenders that paid"),
            "channel": Name(Kind.TEXT, "order.channel", about="sales channel"),
            "store": Name(Kind.TEXT, "order.store", about="store"),
            "currency": Name(Kind.TEXT, "order.currency", about="currency of the order"),
        },
        "line": {
            "sku": Name(Kind.TEXT, "line.sku", about="sku"),
            "category": Name(Kind.TEXT, "line.category", about="category"),
            "kind": Name(Kind.TEXT, "line.kind", about="'goods', 'gift_card' or 'topup'"),
            "labels": Name(Kind.TEXTS, "line.labels", about="labels, such as 'sale'"),
            "quantity": Name(Kind.NUMBER, "line.quantity", 6, "pieces, or weight"),
            "unit_price": money("line.unit_price", "price of one"),
            "amount": money("line.amount", "what the line costs before the order's discount"),
            "discount": money("line.discount", "the line's share of the order's discount"),
            "net": money("line.net", "what the line costs after its share of the discount"),
            "net_of_tax": money("order.net_of_tax_of(line)", "the same, less its tax"),
            "paid_outside": money(
                "order.paid_outside_of(line)", "its share of what neither stored value nor points paid"
            ),
            "paid_outside_net_of_tax": money(
                "order.paid_outside_net_of_tax_of(line)", "the same, less its share of the tax"
            ),
        },
        "account": {
            "ref": Name(Kind.TEXT, "account.ref", about="the operator's name for the account"),
            "status": Name(Kind.TEXT, "account.status", about="'open', 'frozen' or 'closed'"),
            "opened_at": Name(Kind.INSTANT, "account.opened_at", about="when it was opened"),
            "tier": Name(Kind.TEXT, "account.text('tier')", about="its tier, this event counted, or ''"),
            "tier_since": since("tier", "since when it has its tier; the event's instant where it has none"),
            "household": Name(Kind.TEXT, "account.text('household')", about="the pool that it earns into, or ''"),
            "stored_value": money("account.currency_balance", "spendable balance in the program's currency"),
        },
        "metric": {
            name: Name(Kind.NUMBER, f"account.metric({name!r})", places, "declared in [metrics], before this event")
            for name, places in metrics.items()
        },
        "balance": {
            code: Name(Kind.NUMBER, f"account.balance({code!r})", places, "what may be spent of it, before this event")
            for code, places in (balances or {}).items()
        },
    }


def since(fact: str, about: str) -> Name:
    """Return how expressions read since when a fact has its value."""
    return Name(Kind.INSTANT, f"account.since({fact!r})", about=about)


def event_texts(texts: Iterable[EventText]) -> dict[str, Name]:
    """Return how expressions read texts of events that plugins bring; several may have one of the same name."""
    names: dict[str, Name] = {}
    for text in texts:
        known = names.get(text.name)
        only, about = frozenset(text.on), text.about
        if known is not None:
            only, about = only | known.only, known.about
        names[text.name] = Name(Kind.TEXT, _text_of(text.name), about=about, only=only)
    return names


def with_declared(event: Mapping[str, Name], declared: Mapping[str, Name], kinds: Iterable[str]) -> dict[str, Name]:
    """Return the names of events with those that a program declares of its own kinds.

    Texts of one name are one name, whoever's event has them; of another kind, that of the program counts.
    """
    names = {**event, **declared}
    for name, own in declared.items():
        known = event.get(name)
        if known is not None and known.code == _text_of(name) and own.kind == Kind.TEXT:
            only = known.only and known.only | own.only
            names[name] = replace(known, only=only, about=own.about or known.about, values=())
    if names["reason"].code == _text_of("reason"):
        has = declared["reason"].only if "reason" in declared else frozenset[str]()
        names["reason"] = replace(names["reason"], never=WITHOUT_REASON | (frozenset(kinds) - has))
    return names


def _text_of(name: str) -> str:
    return f"account.text_of(event, {name!r})"


_ODD = 7
"""Decimals that no number has but money in a currency of so many."""

ORDER_MONEY = frozenset(
    f"{root}.{name}"
    for root in ("order", "line")
    for name, field in vocabulary(_ODD, {}, 0)[root].items()
    if field.scale == _ODD
)
"""What of an order and of its lines is money of the program's currency, and no count."""
