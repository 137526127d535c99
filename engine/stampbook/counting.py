"""Metrics that count events or sum what they say: how much an event adds, line by line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stampbook.amounts import LARGEST, divide, split
from stampbook.errors import InvariantError
from stampbook.ledger import MetricChange

if TYPE_CHECKING:
    from stampbook.draft import Draft
    from stampbook.orders import Order


def count(draft: Draft) -> list[MetricChange]:
    """Return what an event adds to metrics that count or sum, and remember which lines of it counted how much.

    Raises:
        InvariantError: I1: a metric would leave the range of amounts.
    """
    event = draft.event
    tables = draft.registry.metrics.get(event.type)
    if not tables:
        return []
    changes: list[MetricChange] = []
    view, whole, day = draft.view, draft.order, draft.view.day
    places = draft.registry.context.metric_decimals
    for name, table, choice in tables:
        order = whole if choice is None or whole is None else choice.narrowed(whole)
        if order is None and whole is not None:
            continue
        numerator, denominator = 0, 1
        counting: list[tuple[int, int, int]] = []
        for line in order.lines if table.per == "line" and order is not None else (None,):
            if table.when is not None and not table.when.test(event, order, line, view, None):
                continue
            top, bottom = (1, 1) if table.sum is None else table.sum.ratio(event, order, line, view, None)
            if line is not None:
                counting.append((line.number, top, bottom))
            if bottom == denominator:
                numerator += top
            else:
                numerator, denominator = numerator * bottom + top * denominator, denominator * bottom
        delta = divide(numerator * 10 ** places[name], denominator, table.rounding)
        if abs(delta) > LARGEST:
            raise InvariantError("I1", f"metric {name} would count {delta}, beyond the range of amounts")
        if delta:
            changes.append(MetricChange(name, day, delta))
            if counting:
                weights = [top * (denominator // bottom) for _, top, bottom in counting]
                if min(weights) >= 0:  # otherwise a return undoes its share of the whole order
                    shares = zip(counting, split(delta, weights), strict=True)
                    parts = [(number, units) for (number, _, _), units in shares]
                    draft.memo.setdefault("counted", []).append((name, day, parts))
            elif order is not whole and order is not None:
                draft.memo.setdefault("counted_of_part", []).append((name, day, delta, weights_of(order)))
    return changes


def weights_of(order: Order) -> list[tuple[int, int]]:
    """Return by line the weights of what a part of an order counted as a whole, so that a return knows its share."""
    weights = [(line.number, line.net) for line in order.lines]
    return weights if any(weight for _, weight in weights) else [(line.number, 1) for line in order.lines]
