"""Who went from where to where between two dates, as bands between two columns of segments."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import altair as alt

from stampbook.segment_report.charts import NARROW, colours_of
from stampbook.segment_report.look import OTHER, fitting, inline
from stampbook.segment_report.tables import ABSENT

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

OTHERS: Final = "others"
"""What segments are together for which a picture has no room."""

_MOST: Final = 16
_HEIGHT: Final = 420
_BETWEEN: Final = 13
_THICK: Final = 12
_AS_GIVEN: Final = alt.Color("colour:N", scale=None, legend=None)
_STEPS: Final = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


class _Node(NamedTuple):
    name: str
    accounts: int
    top: float
    height: float


def alluvial(flow: pl.DataFrame, order: Sequence[str], width: int) -> alt.TopLevelMixin:
    """Draw bands from the segments before, on the left, to those after, as thick as they have accounts.

    Args:
        flow: before, after, accounts; see `tables.flow`.
        order: of the segments, from above.
        width: of the picture, in pixels.
    """
    sizes: Counter[tuple[str, str]] = Counter()
    for before, after, accounts in flow.select("before", "after", "accounts").iter_rows():
        sizes[_name(before, order), _name(after, order)] += accounts
    rows = [(before, after, accounts) for (before, after), accounts in sizes.items()]
    names = list(dict.fromkeys([*order[:_MOST], OTHERS, ABSENT]))
    sides = [
        _side([(before, accounts) for before, _, accounts in rows], names),
        _side([(after, accounts) for _, after, accounts in rows], names),
    ]
    room = 184 if width >= NARROW else 96
    left, right = room, width - room
    colours = colours_of(order[:_MOST]) | {OTHERS: OTHER, ABSENT: OTHER}
    return alt.layer(
        _bands(rows, names, sides, (left + _THICK, right - _THICK), colours, width),
        _blocks(sides, (left, right - _THICK), colours, width),
        _labels(sides[0], left - 6, "right", room - 10, width),
        _labels(sides[1], right + 6, "left", room - 10, width),
    ).properties(width=width, height=_HEIGHT)


def _name(segment: str | None, order: Sequence[str]) -> str:
    if segment is None:
        return ABSENT
    return segment if segment in order[:_MOST] else OTHERS


def _side(parts: list[tuple[str, int]], names: list[str]) -> dict[str, _Node]:
    sizes = dict.fromkeys(names, 0)
    for name, accounts in parts:
        sizes[name] += accounts
    present = [name for name in names if sizes[name]]
    free = _HEIGHT - _BETWEEN * len(present)
    total = sum(sizes.values()) or 1
    nodes, top = {}, _BETWEEN / 2
    for name in present:
        height = free * sizes[name] / total
        nodes[name] = _Node(name, sizes[name], top, height)
        top += height + _BETWEEN
    return nodes


def _bands(
    rows: list[tuple[str, str, int]],
    names: list[str],
    sides: list[dict[str, _Node]],
    ends: tuple[float, float],
    colours: dict[str, str],
    width: int,
) -> alt.Chart:
    place = {name: number for number, name in enumerate(names)}
    used = [dict.fromkeys(names, 0.0), dict.fromkeys(names, 0.0)]
    values: list[dict[str, Any]] = []
    for number, (before, after, accounts) in enumerate(sorted(rows, key=lambda row: (place[row[0]], place[row[1]]))):
        tops, heights = [], []
        for side, name in enumerate((before, after)):
            node = sides[side][name]
            heights.append(node.height * accounts / node.accounts)
            tops.append(node.top + used[side][name])
            used[side][name] += heights[side]
        for step in _STEPS:
            part = step * step * (3 - 2 * step)
            top = tops[0] + (tops[1] - tops[0]) * part
            high = heights[0] + (heights[1] - heights[0]) * part
            x = ends[0] + (ends[1] - ends[0]) * step
            values.append({"band": number, "x": x, "y": top, "y2": top + high, "colour": colours[before]})
    chart: alt.Chart = (
        alt.Chart(inline(values))
        .mark_area(interpolate="monotone", opacity=0.5)
        .encode(
            x=_x("x", width),
            y=_y("y"),
            y2="y2:Q",
            detail="band:N",
            color=_AS_GIVEN,
        )
    )
    return chart


def _blocks(sides: list[dict[str, _Node]], ends: tuple[float, float], colours: dict[str, str], width: int) -> alt.Chart:
    values = [
        {"x": x, "x2": x + _THICK, "y": node.top, "y2": node.top + node.height, "colour": colours[node.name]}
        for side, x in zip(sides, ends, strict=True)
        for node in side.values()
    ]
    chart: alt.Chart = (
        alt.Chart(inline(values)).mark_rect().encode(x=_x("x", width), x2="x2:Q", y=_y("y"), y2="y2:Q", color=_AS_GIVEN)
    )
    return chart


def _labels(side: dict[str, _Node], x: float, align: Any, room: float, width: int) -> alt.Chart:
    values = []
    for node in side.values():
        number = f"{node.accounts:,}"
        name = fitting(node.name, room - 7 * (len(number) + 1))
        values.append({"x": x, "y": node.top + node.height / 2, "text": f"{name} {number}"})
    chart: alt.Chart = (
        alt.Chart(inline(values))
        .mark_text(align=align, baseline="middle", fill="currentColor")
        .encode(x=_x("x", width), y=_y("y"), text="text:N")
    )
    return chart


def _x(name: str, width: int) -> alt.X:
    return alt.X(f"{name}:Q", axis=None, scale=alt.Scale(domain=[0, width], nice=False, zero=False))


def _y(name: str) -> alt.Y:
    return alt.Y(f"{name}:Q", axis=None, scale=alt.Scale(domain=[_HEIGHT, 0], nice=False, zero=False))
