"""What the rules of a program earn on one event, rule by rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stampbook import NEVER, Award, ExpressionError, Note
from stampbook_points.rules import counted_parts, earned_by_lines, earned_by_order, weights_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from stampbook import AccountView, Event, Order
    from stampbook_points.ready import Ready


def awards_of(
    rules: Sequence[Ready],
    event: Event,
    order: Order | None,
    account: AccountView,
    readers: Mapping[str, Callable[..., dict[str, object]]],
    *,
    reckons: bool = False,
) -> list[Award | Note]:
    """Return an award for each rule that applies, and what those read that see only a part of the order.

    Args:
        rules: those that judge events of this kind.
        event: what happened.
        order: of a purchase.
        account: before the event.
        readers: by rule, what reads the fields that it names.
        reckons: whether returns ask how many parts of what was bought counted.

    Raises:
        ExpressionError: the condition or formula of a rule fails on this event.
    """
    wanted: list[Award | Note] = []
    at = event.at
    is_plain = True
    if order is not None:
        for line in order.lines:
            if line.kind != "goods":
                is_plain = False
    for rule in rules:
        name, asset, when, earn, per_line, rounding, kind, matures, expires, priority, group = rule[:11]
        part = order
        if order is not None and not (is_plain and rule.choice.of_kinds_only):
            part = rule.choice.narrowed(order)
            if part is None:
                continue
            if part is not order:
                wanted.append(Note(name, readers[name](event, part, None, account)))
        try:
            if per_line and part is not None:
                earned = earned_by_lines(when, earn, event, part, account, per_unit=rule.per_unit)
            else:
                earned = earned_by_order(when, earn, event, part, account)
        except ExpressionError as error:
            error.rule = name
            raise
        if earned is None:
            continue
        numerator, denominator, lines = earned
        if part is not order and part is not None and not lines:
            lines = weights_of(part)
        if numerator <= 0:
            continue
        parts: tuple[tuple[int, int, int], ...] = ()
        if reckons and rule.counts is not None:
            parts = counted_parts(rule.counts, event, part, account, lines if per_line else ())
        wanted.append(
            Award(
                name,
                asset,
                numerator,
                denominator,
                rounding,
                kind,
                at if matures is None else matures(at),
                NEVER if expires is None else expires(at, account),
                priority,
                group,
                lines,
                rule.rank,
                rule.on_completion,
                parts,
                rule.fixed,
            )
        )
    return wanted
