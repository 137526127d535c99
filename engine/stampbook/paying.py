"""How a purchase is paid by what the account has: stored value, and what plugins take for its tenders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stampbook.amounts import LARGEST
from stampbook.errors import PluginError
from stampbook.holding import check_used, named, parts
from stampbook.holding import pay as pay_with
from stampbook.ledger import SALES, Objection

if TYPE_CHECKING:
    from stampbook.draft import Draft
    from stampbook.orders import Order
    from stampbook.proposals import Payment


def pay_for(draft: Draft, order: Order) -> None:
    """Draw what pays for an order; what the order itself earns and pays for it is left for `pay_late`."""
    stored = order.stored_value
    hold = getattr(draft.event, "hold", None)
    if draft.registry.has_payers and order.tenders:
        _ask(draft, order)
    if hold is not None and not any(_is_held(draft, payment.asset) for _, payment in draft.payments):
        if "stored_value" not in order.tenders:
            check_used(draft)
        elif named(draft, order.currency) is not None:
            pay_with(draft, order.currency, stored, SALES, "purchase")
            stored = 0
    if draft.objections:
        return
    if stored:
        pay_with(draft, order.currency, stored, SALES, "purchase")
    late = []
    for plugin, payment in draft.payments:
        if payment.of_this_order and not _is_held(draft, payment.asset):
            late.append((plugin, payment))
        else:
            pay_with(draft, payment.asset, payment.amount, SALES, payment.rule or plugin)
    draft.payments = late
    if draft.holds:
        check_used(draft)


def pay_late(draft: Draft) -> None:
    """Draw what may be paid by what the order itself earned."""
    if draft.objections:
        return
    draft.spends_opened = True
    for plugin, payment in draft.payments:
        draft.draw(payment.asset, payment.amount, SALES, payment.rule or plugin)


def _ask(draft: Draft, order: Order) -> None:
    """Ask plugins what pays; of one asset all parts go together, so that a lot pays once."""
    payments: dict[str, tuple[str, Payment]] = {}
    rest = order.total - order.stored_value
    for plugin, payment in draft.registry.pay(draft.event, order, draft.view):
        if isinstance(payment, Objection):
            draft.objections.append(payment._replace(plugin=plugin))
            continue
        _check(draft, plugin, payment, order.currency, rest)
        rest -= payment.value
        name, known = payments.get(payment.asset, (plugin, None))
        if known is not None:
            amount, value = known.amount + payment.amount, known.value + payment.value
            both = known.of_this_order and payment.of_this_order
            payment = known._replace(amount=amount, value=value, of_this_order=both)  # noqa: PLW2901 - the two in one
        payments[payment.asset] = (name, payment)
    draft.payments = list(payments.values())
    if payments:
        draft.memo["paid"] = [(it.asset, it.value, it.amount) for _, it in draft.payments]


def _is_held(draft: Draft, asset: str) -> bool:
    """Whether the event names a hold of an asset that has something left."""
    return getattr(draft.event, "hold", None) is not None and any(part.asset == asset for part in parts(draft))


def _check(draft: Draft, plugin: str, payment: Payment, currency: str, rest: int) -> None:
    if payment.asset not in draft.registry.context.assets or payment.asset == currency:
        message = f"plugin {plugin!r} pays with {payment.asset!r}, which is no asset besides the money of the order"
    elif type(payment.amount) is not int or not 0 < payment.amount <= LARGEST:
        message = f"plugin {plugin!r} pays with {payment.amount!r} {payment.asset}, which is no amount above zero"
    elif type(payment.value) is not int or not 0 < payment.value <= rest:
        message = f"plugin {plugin!r} pays {payment.value!r} of an order of which {rest} is not paid otherwise"
    else:
        return
    raise PluginError(message)
