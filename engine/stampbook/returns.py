"""How much of a purchase comes back: from a return event to money by line, never above what was bought."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stampbook.amounts import amount_text, currency, portion, split
from stampbook.event_fields import QUANTITY_DECIMALS
from stampbook.ledger import Message, Objection
from stampbook.refund_plans import ReturnedLine

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stampbook.events import Return, ReturnLine
    from stampbook.orders import Line, Order
    from stampbook.refund_plans import RefundPlan, RefundRequest
    from stampbook.refunding import Past

Came = tuple[int, int, int]
"""A line's number, the quantity of it that came back (millionths) and the value of it, in money units."""


def line_values(order: Order) -> list[int]:
    """Return what each line cost, tax that came on top shared out; the values sum to the order's total."""
    values = [line.net for line in order.lines]
    added = order.total - order.net
    if added:
        weights = values if any(values) else [1] * len(values)
        values = [value + share for value, share in zip(values, split(added, weights), strict=True)]
    return values


def measure(
    event: Return, order: Order, earlier: Iterable[Came]
) -> tuple[list[ReturnedLine], list[Came], list[Objection]]:
    """Return what comes back by line.

    Args:
        event: the return.
        order: the purchase that it names.
        earlier: what came back by earlier returns.

    Returns:
        each line with its value, what came back before and what comes back now; what this return brings, to be
        remembered; and objections: ``nothing_left``, ``no_such_line``, ``over_return``.
    """
    values = line_values(order)
    quantities, returned = [0] * len(values), [0] * len(values)
    for number, quantity, value in earlier:
        quantities[number - 1] += quantity
        returned[number - 1] += value
    objections: list[Objection] = []
    now: dict[int, tuple[int, int]] = {}
    if event.amount is not None:
        left = [value - before for value, before in zip(values, returned, strict=True)]
        if event.amount > sum(left):
            objections.append(_over_money(event.amount, sum(left), order))
        else:
            now = {place: (0, share) for place, share in enumerate(split(event.amount, left)) if share}
    elif event.lines:
        for asked in event.lines:
            _line(asked, order, values, _State(quantities, returned, now), objections)
    else:
        for place, line in enumerate(order.lines):
            rest = (line.quantity - quantities[place], values[place] - returned[place])
            if rest[1] > 0 or (rest[0] > 0 and not values[place]):
                now[place] = rest
        if not now:
            objections.append(Objection("nothing_left", "all of that purchase came back before"))
    lines = []
    for place, line in enumerate(order.lines):
        quantity, value = now.get(place, (0, 0))
        part, whole = returned[place] + value, values[place]
        pieces = quantities[place] + quantity
        if not whole or pieces * whole > part * line.quantity:
            part, whole = pieces, line.quantity
        lines.append(ReturnedLine(place + 1, values[place], returned[place], value, part, whole))
    came = [(place + 1, quantity, value) for place, (quantity, value) in sorted(now.items())]
    return lines, came, objections


def is_all_back(past: Past) -> bool:
    """Whether all of a purchase has come back: the value of each line, and each piece of those that cost nothing."""
    came = [back for later in past.returns for back in later.memo.get("came", ())]
    for place, (line, value) in enumerate(zip(past.order.lines, line_values(past.order), strict=True), start=1):
        quantity, back = (sum(each[part] for each in came if each[0] == place) for part in (1, 2))
        if back < value or (not value and quantity < line.quantity):
            return False
    return True


class _State:
    __slots__ = ("now", "quantities", "returned")

    def __init__(self, quantities: list[int], returned: list[int], now: dict[int, tuple[int, int]]) -> None:
        self.quantities = quantities
        self.returned = returned
        self.now = now

    def quantity(self, place: int) -> int:
        return self.quantities[place] + self.now.get(place, (0, 0))[0]

    def value(self, place: int) -> int:
        return self.returned[place] + self.now.get(place, (0, 0))[1]

    def add(self, place: int, quantity: int, value: int) -> None:
        before = self.now.get(place, (0, 0))
        self.now[place] = (before[0] + quantity, before[1] + value)


def _line(asked: ReturnLine, order: Order, values: list[int], state: _State, objections: list[Objection]) -> None:
    places = _places(asked, order.lines)
    if not places:
        what = f"line {asked.line}" if asked.line is not None else f"line of sku {asked.sku!r}"
        objections.append(Objection("no_such_line", f"the purchase has no {what}"))
        return
    if asked.amount is not None:
        rest = asked.amount
        for place in places:
            take = min(rest, values[place] - state.value(place))
            if take > 0:
                state.add(place, 0, take)
                rest -= take
        if rest:
            objections.append(_over_money(asked.amount, asked.amount - rest, order))
        return
    there = sum([order.lines[place].quantity - state.quantity(place) for place in places])
    rest = there if asked.quantity is None else asked.quantity
    if not there or rest > there:
        objections.append(_over_pieces(asked.quantity, there))
        return
    for place in places:
        take = min(rest, order.lines[place].quantity - state.quantity(place))
        if take <= 0:
            continue
        pieces = order.lines[place].quantity - state.quantity(place)
        value = portion(values[place] - state.value(place), take, pieces, 0)
        state.add(place, take, value)
        rest -= take


def _places(asked: ReturnLine, lines: tuple[Line, ...]) -> list[int]:
    if asked.line is not None:
        return [asked.line - 1] if asked.line <= len(lines) else []
    return [place for place, line in enumerate(lines) if line.sku == asked.sku]


def _over_money(amount: int, left: int, order: Order) -> Objection:
    money = currency(order.currency)
    text = f"{amount_text(amount, money)} is more than the {amount_text(left, money)} that has not come back yet"
    return Objection("over_return", text)


def _over_pieces(pieces: int | None, left: int) -> Objection:
    count, rest = (f"{units / 10**QUANTITY_DECIMALS:g}" for units in (pieces or 0, left))
    if not left:
        return Objection("over_return", "all pieces of that line came back before")
    return Objection("over_return", f"{count} pieces are more than the {rest} that have not come back yet")


def settle_share(amount: int, by_line: tuple[tuple[int, int], ...], request: RefundRequest) -> int:
    """Return how much of a grant belongs to all that has come back so far, the return at hand included.

    Args:
        amount: the whole grant.
        by_line: pairs of line number and the part of the grant that it earned; empty for the whole order.
        request: the return.
    """
    if not by_line:
        return portion(amount, request.part, request.whole, 0)
    lines = {line.line: line for line in request.lines}
    return sum(portion(part, lines[number].part, lines[number].whole, 0) for number, part in by_line)


def told_of_return(past: Past, request: RefundRequest, plan: RefundPlan) -> list[tuple[int, Message]]:
    """Return what a return tells the accounts to which its purchase sent something: pairs of place and message.

    The units of each are rounded cumulatively over all that came back so far, so all returns together tell the whole.
    """
    told = past.told()
    messages: list[tuple[int, Message]] = []
    completed_at = next((later.at for later in past.returns if "matured" in later.memo), None)
    for place, (to, kind, data, by_line, *on_completion) in enumerate(past.purchase.memo.get("sent", ())):
        due = plan.shared.get(place)
        if due is None:
            due = settle_share(data["units"], tuple(map(tuple, by_line)), request) - told[place]
        since = {"completed_at": completed_at} if on_completion and completed_at is not None else {}
        if due > 0:
            messages.append((place, Message(to, kind, {**data, **since, "units": due}, required=False)))
    return messages


def gone_elsewhere(past: Past, now: Iterable[tuple[int, Message]]) -> list[tuple[str, int, int]]:
    """Return what rules granted to other accounts: the rule, what has come back of it by now, and all of it.

    Args:
        past: the purchase, with its earlier returns.
        now: what a return tells them: pairs of place and message.
    """
    memo, told = past.purchase.memo, past.told()
    for place, message in now:
        told[place] += message.data["units"]
    sent = memo.get("sent", ())
    rules = {place: data.get("rule") for place, (_, _, data, *_) in enumerate(sent)}
    rules.update(memo.get("shared", ()))
    return [(rule, told[place], sent[place][2]["units"]) for place, rule in rules.items() if isinstance(rule, str)]


def told_of_completion(past: Past) -> list[Message]:
    """Return what the completion of a purchase tells those to whom it sent something: what has not come back."""
    told = past.told()
    return [
        Message(to, on_completion[0], {**data, "units": data["units"] - told[place]}, required=False)
        for place, (to, _, data, _, *on_completion) in enumerate(past.purchase.memo.get("sent", ()))
        if on_completion and data["units"] > told[place]
    ]
