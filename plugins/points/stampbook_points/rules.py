"""Pure arithmetic of earning: what one rule earns, exactly, and which lines earned it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from stampbook import AccountView, Event, Order

    Test = Callable[..., bool]
    Ratio = Callable[..., tuple[int, int]]

Earned = tuple[int, int, tuple[tuple[int, int], ...]]
"""Numerator and denominator of whole units, and pairs of line number and weight where lines earned it."""


def earned_by_order(
    when: Test | None, earn: Ratio, event: Event, order: Order | None, account: AccountView
) -> Earned | None:
    """Return what a rule earns on the whole event, or None where its condition does not hold."""
    if when is not None and not when(event, order, None, account, None):
        return None
    numerator, denominator = earn(event, order, None, account, None)
    return numerator, denominator, ()


def weights_of(order: Order) -> tuple[tuple[int, int], ...]:
    """Return by line the weights of what a part of an order earned as a whole, so that a return knows its share."""
    weights = [(line.number, line.net) for line in order.lines]
    return tuple(weights if any(weight for _, weight in weights) else [(line.number, 1) for line in order.lines])


def earned_by_lines(
    when: Test | None, earn: Ratio, event: Event, order: Order, account: AccountView, *, per_unit: bool = False
) -> Earned | None:
    """Return the exact sum of what a rule earns on the lines of an order, or None where no line counts.

    With `per_unit` a line earns so much for each piece, or part of one.
    """
    parts: list[tuple[int, int, int]] = []
    denominator = 1
    for line in order.lines:
        if when is None or when(event, order, line, account, None):
            top, bottom = earn(event, order, line, account, None)
            if per_unit:
                top, bottom = top * line.quantity, bottom * 10**6
            parts.append((line.number, top, bottom))
            if denominator % bottom:
                denominator *= bottom
    if not parts:
        return None
    lines = tuple((number, top * (denominator // bottom)) for number, top, bottom in parts)
    return sum(weight for _, weight in lines), denominator, lines


def counted_parts(
    count: Ratio, event: Event, order: Order | None, account: AccountView, lines: tuple[tuple[int, int], ...]
) -> tuple[tuple[int, int, int], ...]:
    """Return how many equal parts of what was bought a rule counts: line number (0 for the order), and a ratio.

    Args:
        count: the formula of it.
        event: what happened.
        order: the lines that count.
        account: before the event.
        lines: those that earned it, where each line is judged by itself.
    """
    if not lines or order is None:
        return ((0, *count(event, order, None, account, None)),)
    earned = {number for number, weight in lines if weight > 0}
    return tuple(
        (line.number, *count(event, order, line, account, None)) for line in order.lines if line.number in earned
    )
