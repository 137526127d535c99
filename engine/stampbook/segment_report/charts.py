"""Pictures of a report's tables, as Altair charts of a width that the caller chooses: a page's, or a phone's."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import altair as alt
import polars as pl

from stampbook.segment_report.look import SERIES, fitting, ink_on, inline, shade, text_width
from stampbook.segment_report.treemap import Box, squarified

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NARROW: Final = 430
"""Below this width a picture is for a phone, and says less."""

_LINE: Final = 15
_LIFECYCLE: Final = ("new", "growing", "mature", "won_back", "at_risk", "lost")
_PERCENT: Final = alt.Scale(domain=[0, 100], nice=False)
_SHARE: Final = alt.Scale(domain=[0, 1], nice=False)
_FIFTHS: Final = alt.Axis(values=[0, 0.2, 0.4, 0.6, 0.8, 1], format=".1f")
_AS_GIVEN: Final = alt.Color("colour:N", scale=None, legend=None)


def heat_map(cells: pl.DataFrame, width: int) -> alt.TopLevelMixin:
    """Draw recency upwards and frequency to the right, the darker the more revenue; see `tables.grid`."""
    scores = {letter: range(1, max(5, _largest(cells[letter])) + 1) for letter in "rf"}
    step = (width - 60) / len(scores["f"])
    most = _largest(cells["revenue_percent"]) or 1
    rows = []
    for cell in cells.to_dicts():
        share = cell["revenue_percent"] or 0.0
        colour = shade(math.sqrt(max(share, 0) / most))  # the root sets small shares apart
        lines = [f"{cell['accounts']:,}", f"{share:.1f} %"]
        if width >= NARROW:
            lines.insert(0, fitting(cell["segment"], step - 8))
        lines = [line for line in lines if line and text_width(line) <= step]
        rows.append({"r": cell["r"], "f": cell["f"], "colour": colour, "ink": ink_on(colour), "lines": lines})
    level = alt.Axis(labelAngle=0)
    across = alt.Scale(domain=list(scores["f"]), padding=0.04)
    upwards = alt.Scale(domain=list(reversed(scores["r"])), padding=0.04)
    size = {"width": width - 60, "height": len(scores["r"]) * min(step, 62)}

    def base(some: list[dict[str, Any]]) -> alt.Chart:
        return alt.Chart(inline(some)).encode(
            x=alt.X("f:O", title="frequency", scale=across, axis=level),
            y=alt.Y("r:O", title="recency", scale=upwards, axis=level),
        )

    # The middle of a text is that of its first line, so texts of one, two and three lines are set apart.
    texts = [
        base(some)
        .mark_text(lineHeight=_LINE, baseline="middle", dy=-_LINE * (count - 1) / 2)
        .encode(text="lines:N", color=alt.Color("ink:N", scale=None, legend=None))
        for count in (1, 2, 3)
        if (some := [row for row in rows if len(row["lines"]) == count])
    ]
    return alt.layer(base(rows).mark_rect().encode(color=_AS_GIVEN), *texts).properties(**size)


def tree_map(segments: pl.DataFrame, width: int) -> alt.TopLevelMixin:
    """Draw a box a segment, as large as its number of accounts, the darker the more revenue."""
    height = 320
    rows = sorted(segments.to_dicts(), key=lambda row: (-row["accounts"], row["segment"]))
    most = max([row["revenue_percent"] or 0 for row in rows], default=0) or 1
    drawn = []
    for row, box in zip(rows, squarified([row["accounts"] for row in rows], Box(0, 0, width, height)), strict=True):
        share = row["revenue_percent"] or 0.0
        colour = shade(math.sqrt(max(share, 0) / most))  # the root sets small shares apart
        long, short = f"{share:.1f} % of revenue", f"{share:.1f} %"
        part = long if text_width(long) <= box.width - 8 else short
        lines = [fitting(row["segment"], box.width - 10), f"{row['accounts']:,}", part]
        lines = [line for line in lines if line and text_width(line) <= box.width - 8]
        drawn.append(
            {
                **_edges(box),
                "colour": colour,
                "ink": ink_on(colour),
                "lines": lines[: max(0, int((box.height - 8) // _LINE))],
            }
        )
    base = alt.Chart(inline(drawn)).encode(x=_pixels("x", width), y=_pixels("y", height, turned=True))
    boxes = base.mark_rect(stroke="currentColor", strokeWidth=1).encode(x2="x2:Q", y2="y2:Q", color=_AS_GIVEN)
    texts = base.mark_text(align="left", baseline="top", dx=5, dy=6, lineHeight=_LINE).encode(
        text="lines:N", color=alt.Color("ink:N", scale=None, legend=None)
    )
    return alt.layer(boxes, texts).properties(width=width, height=height)


def _edges(box: Box) -> dict[str, float]:
    return {"x": box.x, "x2": box.x + box.width, "y": box.y, "y2": box.y + box.height}


def _pixels(name: str, size: float, *, turned: bool = False) -> Any:
    domain = [size, 0] if turned else [0, size]
    channel = alt.Y if name.startswith("y") else alt.X
    return channel(f"{name}:Q", scale=alt.Scale(domain=domain, nice=False, zero=False), axis=None)


def pareto_curve(curve: pl.DataFrame, classes: pl.DataFrame, width: int) -> alt.TopLevelMixin:
    """Draw which share of revenue the best accounts bring, with the borders of classes; see `tables.pareto`."""
    line = alt.Chart(inline(curve.to_dicts())).encode(
        x=alt.X(
            "accounts_percent:Q",
            title="accounts, the most valuable first, %",
            scale=_PERCENT,
            axis=alt.Axis(tickCount=5),
        ),
        y=alt.Y("revenue_percent:Q", title="revenue, %", scale=_PERCENT),
    )
    end, marks = 0.0, []
    for row in classes.to_dicts():
        middle, end = end + row["accounts_percent"] / 2, end + row["accounts_percent"]
        marks.append({"class": row["class"], "middle": middle, "end": end, "of": 5})
    place = alt.X("middle:Q", scale=_PERCENT)
    marked = alt.Chart(inline(marks))
    borders = (
        alt.Chart(inline(marks[:-1]))
        .mark_rule(strokeDash=[4, 3], stroke="currentColor")
        .encode(x=alt.X("end:Q", scale=_PERCENT))
    )
    names = marked.mark_text(fontWeight="bold", fill="currentColor").encode(
        x=place, y=alt.Y("of:Q", scale=_PERCENT), text="class:N"
    )
    return alt.layer(
        line.mark_area(color=SERIES[0], opacity=0.18), line.mark_line(color=SERIES[0], strokeWidth=2.5), borders, names
    ).properties(width=width - 60, height=min(300, width - 60))


def cohort_triangle(cohorts: pl.DataFrame, width: int) -> alt.TopLevelMixin:
    """Draw a row a month of first purchase, the darker the more accounts bought again; see `tables.cohorts`."""
    last = 24 if width >= NARROW else 11
    newest = cohorts["cohort"].unique().sort().tail(last)
    shown = cohorts.filter(pl.col("cohort").is_in(newest.implode()), pl.col("months") <= last)
    again = shown.filter(pl.col("months") > 0)["percent"]
    most = _largest(again) or 1
    step = (width - 80) / (1 + _largest(shown["months"]))
    digits = ".1f" if step >= 36 else ".0f"  # noqa: PLR2004 - pixels
    rows = []
    for cell in shown.to_dicts():
        colour = shade(cell["percent"] / most if cell["months"] else 1)
        text = f"{cell['percent']:{digits}}"
        rows.append(
            {
                "cohort": f"{cell['cohort']:%Y-%m}",
                "months": cell["months"],
                "colour": colour,
                "ink": ink_on(colour),
                "text": text if text_width(text, 11) <= step - 1 else "",
            }
        )
    base = alt.Chart(inline(rows)).encode(
        x=alt.X("months:O", title="months since the first purchase", axis=alt.Axis(orient="top", labelAngle=0)),
        y=alt.Y("cohort:O", title=None),
    )
    boxes = base.mark_rect().encode(color=_AS_GIVEN).properties(width=width - 80, height=26 * max(1, len(newest)))
    texts = base.mark_text(fontSize=11).encode(text="text:N", color=alt.Color("ink:N", scale=None, legend=None))
    return alt.layer(boxes, texts)


def bars_over_time(parts: pl.DataFrame, zone: str, width: int) -> alt.TopLevelMixin:
    """Draw a bar an instant, divided by segment in percent of accounts; see `tables.over_time`."""
    names = ordered(parts["segment"].unique().to_list())
    colours = colours_of(names)
    rows, height = [], 300
    for at, bar in parts.sort("at").group_by("at", maintain_order=True):
        low = 0.0
        found = {row["segment"]: row for row in bar.to_dicts()}
        label = f"{parts.select(pl.lit(at[0]).dt.convert_time_zone(zone)).item():%Y-%m-%d}"
        for name in names:
            if name not in found:
                continue
            high = low + found[name]["percent"]
            text = f"{found[name]['percent']:.0f} %" if high - low >= 6 else ""  # noqa: PLR2004 - percent
            rows.append(
                {"at": label, "segment": name, "low": low, "high": high, "middle": (low + high) / 2, "text": text}
                | {"ink": ink_on(colours[name])}
            )
            low = high
    percent = alt.Scale(domain=[0, 100], nice=False)
    upright = width < NARROW
    base = alt.Chart(inline(rows)).encode(x=alt.X("at:O", title=None, axis=alt.Axis(labelAngle=-60 if upright else 0)))
    bars = base.mark_bar(stroke="currentColor", strokeWidth=0.5).encode(
        y=alt.Y("low:Q", title="accounts, %", scale=percent),
        y2="high:Q",
        color=_by_name(names, colours, columns=2 if upright else 4),
    )
    texts = base.mark_text(fontSize=11).encode(
        y=alt.Y("middle:Q", scale=percent), text="text:N", fill=alt.Fill("ink:N", scale=None, legend=None)
    )
    return alt.layer(bars, texts).properties(width=width - 60, height=height)


def predicted_and_actual(rows: pl.DataFrame, by: str, titles: tuple[str, str], width: int) -> alt.TopLevelMixin:
    """Draw what was foretold beside what came: two lines that differ in colour, dash and mark.

    Args:
        rows: `by`, predicted, actual.
        by: the column to the right.
        titles: what stands under the one axis and beside the other.
        width: of the picture, in pixels.
    """
    called = {"actual": "made", "predicted": "predicted"}
    values = [
        {"at": row[by], "what": name, "value": row[what]}
        for row in rows.to_dicts()
        for what, name in called.items()
        if row[what] is not None
    ]
    names = tuple(called.values())
    base = alt.Chart(inline(values)).encode(
        x=alt.X("at:O", title=titles[0], sort=rows[by].to_list(), axis=alt.Axis(labelAngle=0, labelOverlap=False)),
        y=alt.Y("value:Q", title=titles[1]),
        color=_by_name(names, dict(zip(names, SERIES, strict=False)), columns=2),
    )
    dashes = alt.StrokeDash("what:N", scale=alt.Scale(domain=names, range=[[1, 0], [6, 4]]), legend=None)
    marks = alt.Shape("what:N", scale=alt.Scale(domain=names, range=["circle", "square"]), legend=None)
    return alt.layer(
        base.mark_line(strokeWidth=2.5).encode(strokeDash=dashes, color=alt.Color("what:N", scale=_scale(names))),
        base.mark_point(filled=True, size=60).encode(shape=marks, color=_legend("what", names)),
    ).properties(width=width - 60, height=min(280, width - 60))


def roc_curve(rates: pl.DataFrame, width: int) -> alt.TopLevelMixin:
    """Draw the share of buyers that a score finds against the share of others that it takes for buyers."""
    size = min(320, width - 60)
    line = (
        alt.Chart(inline(rates.to_dicts()))
        .mark_line(color=SERIES[0], strokeWidth=2.5, interpolate="linear")
        .encode(
            x=alt.X("false_positive_rate:Q", title="share of the others taken for buyers", scale=_SHARE, axis=_FIFTHS),
            y=alt.Y("true_positive_rate:Q", title="share of the buyers found", scale=_SHARE, axis=_FIFTHS),
            order="false_positive_rate:Q",
        )
    )
    chance = (
        alt.Chart(inline([{"a": 0, "b": 0}, {"a": 1, "b": 1}]))
        .mark_line(stroke="currentColor", strokeDash=[4, 3], strokeWidth=1)
        .encode(x=alt.X("a:Q", scale=_SHARE), y=alt.Y("b:Q", scale=_SHARE))
    )
    return alt.layer(chance, line).properties(width=size, height=size)


def ordered(names: Sequence[str]) -> list[str]:
    """Return segments in the order of a life, and those that are no stage of one after them, by name."""
    places = {name: place for place, name in enumerate(_LIFECYCLE)}
    return sorted(names, key=lambda name: (places.get(name, len(places)), name))


def colours_of(names: Sequence[str]) -> dict[str, str]:
    """Return a colour for each name, by its place."""
    return {name: SERIES[place % len(SERIES)] for place, name in enumerate(names)}


def _by_name(names: Sequence[str], colours: Mapping[str, str], columns: int) -> alt.Color:
    scale = alt.Scale(domain=list(names), range=[colours[name] for name in names])
    return alt.Color("segment:N", scale=scale, legend=alt.Legend(columns=columns, symbolType="square"))


def _scale(names: Sequence[str]) -> alt.Scale:
    return alt.Scale(domain=list(names), range=list(SERIES[: len(names)]))


def _legend(field: str, names: Sequence[str]) -> alt.Color:
    return alt.Color(f"{field}:N", scale=_scale(names), legend=alt.Legend(columns=2))


def _largest(column: pl.Series) -> Any:
    return column.max() or 0
