"""Metrics that count how many different texts there were: which values an event counts, line by line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stampbook.counting import weights_of
from stampbook.ledger import MetricChange
from stampbook.metrics import SEPARATOR

if TYPE_CHECKING:
    from stampbook.draft import Draft

_NUL = "\x00"


def count_values(draft: Draft) -> list[MetricChange]:
    """Return what an event adds to metrics of different values: one for each line, or event, that has the value.

    What each line counted is remembered, so that a return of the line undoes it.
    """
    event, whole, view = draft.event, draft.order, draft.view
    changes: list[MetricChange] = []
    for name, table, choice in draft.registry.distinct.get(event.type, ()):
        if table.distinct is None:
            continue
        order = whole if choice is None or whole is None else choice.narrowed(whole)
        if order is None and whole is not None:
            continue
        counted: dict[str, list[tuple[int, int]]] = {}
        for line in order.lines if table.per == "line" and order is not None else (None,):
            if table.when is not None and not table.when.test(event, order, line, view, None):
                continue
            value = table.distinct.value(event, order, line, view, None).replace(_NUL, "")
            if value:
                counted.setdefault(value, []).append((line.number if line is not None else 0, 1))
        for value, parts in counted.items():
            metric = f"{name}{SEPARATOR}{value}"
            changes.append(MetricChange(metric, view.day, len(parts)))
            if table.per != "line" and order is not whole and order is not None:
                draft.memo.setdefault("counted_of_part", []).append((metric, view.day, 1, weights_of(order)))
            elif table.per == "line":
                draft.memo.setdefault("counted", []).append((metric, view.day, parts))
    return changes
