"""Pure arithmetic of earning: what one rule earns, exactly, and which lines earned it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from stampbook import AccountView, Condition, Event, Formula, Order


class Earned(NamedTuple):
    """An exact ratio of whole units, and pairs of line number and weight where lines earned it."""

    numerator: int
    denominator: int
    lines: tuple[tuple[int, int], ...] = ()


def earned_by_order(
    when: Condition | None, earn: Formula, event: Event, order: Order | None, account: AccountView
) -> Earned | None:
    """Return what a rule earns on the whole event, or None where its condition does not hold."""
    if when is not None and not when.test(event, order, None, account, None):
        return None
    return Earned(*earn.ratio(event, order, None, account, None))


def earned_by_lines(
    when: Condition | None, earn: Formula, event: Event, order: Order, account: AccountView
) -> Earned | None:
    """Return the exact sum of what a rule earns on the lines of an order, or None where no line counts."""
    parts: list[tuple[int, int, int]] = []
    denominator = 1
    for line in order.lines:
        if when is None or when.test(event, order, line, account, None):
            top, bottom = earn.ratio(event, order, line, account, None)
            parts.append((line.number, top, bottom))
            if denominator % bottom:
                denominator *= bottom
    if not parts:
        return None
    lines = tuple((number, top * (denominator // bottom)) for number, top, bottom in parts)
    return Earned(sum(weight for _, weight in lines), denominator, lines)
