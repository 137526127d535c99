"""The sections of a report, in order, out of a survey; what a program has no scheme for is named with what to add."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Final

import polars as pl

from stampbook.segment_report import charts, tables
from stampbook.segment_report.alluvial import alluvial
from stampbook.segment_report.findings import whole
from stampbook.segment_report.models import churn_section, value_section
from stampbook.segment_report.parts import Column, Picture, Section, Table

if TYPE_CHECKING:
    from stampbook.segment_report.survey import Judged, Survey

LARGEST_MATRIX: Final = 25
"""Of how many segments a matrix is still shown; the file has any."""

FIRST_MOVED: Final = 20
"""How many of those who moved stand on the page; the file has all."""


def sections(survey: Survey) -> list[Section]:
    """Return the sections of a report. Reading the history happens here, drawing only when a picture is asked for."""
    revenue = tables.worth(survey.history, survey.at)
    value = next((run for run in survey.runs if "expected_value" in run.run.frame.columns), None)
    return [
        _grid(survey, revenue),
        _segments(survey, value),
        _flow(survey, revenue),
        _pareto(survey, revenue),
        _cohorts(survey),
        _lifecycle(survey),
        value_section(value),
        churn_section(survey),
    ]


def _grid(survey: Survey, revenue: pl.DataFrame) -> Section:
    title = "Recency and frequency"
    run = survey.grid()
    if not len(revenue):
        return Section("grid", title, missing="Nothing was bought up to this instant.")
    if run is None:
        missing = 'No scheme of this program scores recency and frequency: add [[plugin]] use = "rfm" to it.'
        return Section("grid", title, missing=missing)
    cells = tables.grid(run, revenue)
    best = cells.sort("revenue_percent", descending=True, nulls_last=True).row(0, named=True)
    said = f"recency {best['r']} and frequency {best['f']} ({best['segment']}) with {_percent(best['revenue_percent'])}"
    picture = Picture(
        "recency_frequency",
        "Accounts by their scores for recency and frequency, the highest best: how many, and which share of revenue "
        "they bring. The darker, the more revenue.",
        f"Heat map of {len(cells)} cells. Most of the revenue comes from {said}, {best['accounts']:,} accounts.",
        partial(charts.heat_map, cells),
    )
    columns = (
        Column("r", "recency", "count"),
        Column("f", "frequency", "count"),
        Column("segment", "segment"),
        *_accounts_and_revenue(survey),
    )
    table = Table("recency_frequency", "The cells that hold an account, the best first.", columns, cells, folded=True)
    return Section("grid", title, f"Scores of the scheme {run.scheme}.", (picture,), (table,))


def _accounts_and_revenue(survey: Survey) -> tuple[Column, ...]:
    return (
        Column("accounts", "accounts", "count"),
        Column("accounts_percent", "accounts, %", "percent"),
        Column("revenue", f"revenue, {survey.currency.code}", "money"),
        Column("revenue_percent", "revenue, %", "percent"),
    )


def _segments(survey: Survey, value: Judged | None) -> Section:
    title = "Segments"
    leading = survey.leading()
    if leading is None or not len(leading.run.frame):
        return Section("segments", title, missing="No account was put into a segment as of this instant.")
    code = survey.currency.code
    columns: tuple[Column, ...] = (
        Column("segment", "segment"),
        *_accounts_and_revenue(survey),
        Column("orders", "orders", "count"),
        Column("mean_order_value", f"average order, {code}", "money"),
        Column("mean_recency_days", "days since last order", "days"),
    )
    text = ""
    if value is None:
        text = 'For the lifetime value of each segment, add [[plugin]] use = "clv" to the program.'
    else:
        days = whole(value.findings, "horizon_days")
        ahead = "still to come" if days is None else f"of the next {days:,} days"
        text = f"Expected value is the mean of what {value.scheme} foretells of an account: the value {ahead}."
        columns += (Column("mean_expected_value", f"expected value, {code}", "money"),)
    found = {run.scheme: tables.segment_table(run, survey.history, value) for run in survey.runs}
    largest = found[leading.scheme].sort(["accounts", "segment"], descending=[True, False]).row(0, named=True)
    picture = Picture(
        "segments",
        f"Segments of {leading.scheme}: the larger, the more accounts; the darker, the more revenue.",
        f"Tree map of {len(found[leading.scheme])} segments. The largest is {largest['segment']} with "
        f"{largest['accounts']:,} accounts and {_percent(largest['revenue_percent'])} of revenue.",
        partial(charts.tree_map, found[leading.scheme]),
    )
    shown = tuple(
        Table(f"segments_{file_name(scheme)}", f"Segments of {scheme}, by revenue.", columns, frame)
        for scheme, frame in found.items()
    )
    return Section("segments", title, text, (picture,), shown)


def _flow(survey: Survey, revenue: pl.DataFrame) -> Section:
    title = "Who moved"
    after = survey.leading()
    before = None if after is None else survey.earlier(after.scheme)
    if after is None or before is None or not len(before.run.frame):
        missing = "There were no accounts as of the earlier date: name a later one with --from."
        return Section("moves", title, missing=missing)
    flow, moved = tables.flow(before, after), tables.moved(before, after, revenue)
    stayed = flow.filter(pl.col("before") == pl.col("after"))["accounts"].sum()
    known = flow.filter(pl.col("before").is_not_null())["accounts"].sum()
    came = flow.filter(pl.col("before").is_null())["accounts"].sum()
    text = (
        f"Of {known:,} accounts that {after.scheme} knew then, {stayed:,} are in the segment they were in; "
        f"{came:,} have come since."
    )
    names = tables.by_revenue(flow, after, revenue)
    counts = [Column(tables.TO + name, name, "count") for name in names]
    picture = Picture(
        "flow",
        f"From the segments of {_day(survey, before)} on the left to those of {_day(survey, after)} on the right; "
        "the thicker a band, the more accounts.",
        f"Flow between segments. {text}",
        partial(alluvial, flow, names),
    )
    shown = (
        Table(
            "flow_matrix",
            f"Accounts by their segment on {_day(survey, before)} (rows) and on {_day(survey, after)} (columns).",
            (Column("before", "from ↓ to →"), *counts, Column(tables.ALL, tables.ALL, "count")),
            tables.transitions(flow, names),
            shown=None if len(names) <= LARGEST_MATRIX else 0,
        ),
        Table(
            "moved",
            "Accounts whose segment changed, those of most revenue first.",
            (
                Column("account", "account"),
                Column("before", "before"),
                Column("after", "after"),
                Column("revenue", f"revenue, {survey.currency.code}", "money"),
            ),
            moved,
            shown=FIRST_MOVED,
        ),
        Table(
            "flow",
            "How many went from each segment to each.",
            (
                Column("before", "before"),
                Column("after", "after"),
                Column("accounts", "accounts", "count"),
                Column("percent", "of those before, %", "percent"),
            ),
            flow,
            shown=0,
        ),
    )
    return Section("moves", title, text, (picture,), shown)


def _pareto(survey: Survey, revenue: pl.DataFrame) -> Section:
    title = "Who brings the revenue"
    if not len(revenue):
        return Section("pareto", title, missing="Nothing was bought up to this instant.")
    run = survey.made_by("abc", by="revenue")
    curve = tables.pareto(revenue)
    classes = tables.classes(curve, run)
    text = (
        f"Borders are those of the scheme {run.scheme}."
        if run
        else (
            "The borders of A and B are the customary ones, 80 and 95 % of revenue; an account that crosses one is in. "
            'For borders of your own, and a class for each account, add [[plugin]] use = "abc" to the program.'
        )
    )
    first = classes.row(0, named=True)
    picture = Picture(
        "pareto",
        "Which share of revenue the most valuable accounts bring, from the first to the last.",
        f"Pareto curve. The {_percent(first['accounts_percent'])} of accounts in class {first['class']} bring "
        f"{_percent(first['revenue_percent'])} of revenue.",
        partial(charts.pareto_curve, tables.thinned(curve), classes),
    )
    code = survey.currency.code
    all_of_it = (
        Column("rank", "rank", "count"),
        Column("account", "account"),
        Column("revenue", f"revenue, {code}", "money"),
        Column("cumulative_revenue", f"together, {code}", "money"),
        Column("accounts_percent", "accounts, %", "percent"),
        Column("revenue_percent", "revenue, %", "percent"),
    )
    shown = (
        Table(
            "classes",
            "Classes of accounts by revenue.",
            (Column("class", "class"), *_accounts_and_revenue(survey)),
            classes,
        ),
        Table("pareto", "Accounts by revenue.", all_of_it, curve, shown=0),
    )
    return Section("pareto", title, text, (picture,), shown)


def _cohorts(survey: Survey) -> Section:
    title = "Who comes back"
    cohorts = tables.cohorts(survey.history, survey.at, survey.zone)
    if not len(cohorts):
        return Section("cohorts", title, missing="Nothing was bought, or kept, up to this instant.")
    next_month = cohorts.filter(pl.col("months") == 1)
    again = 100 * int(next_month["active"].sum()) / max(1, int(next_month["accounts"].sum()))
    picture = Picture(
        "cohorts",
        "Of the accounts that first bought in a month, how many percent bought so many months later.",
        f"Retention triangle of {cohorts['cohort'].n_unique()} months of first purchase. In the month after it, "
        f"{again:.1f} % bought again.",
        partial(charts.cohort_triangle, cohorts),
    )
    columns = (
        Column("cohort", "first purchase", "date"),
        Column("months", "months since", "count"),
        Column("accounts", "accounts", "count"),
        Column("active", "of them bought", "count"),
        Column("percent", "%", "percent"),
        Column("revenue", f"revenue, {survey.currency.code}", "money"),
    )
    sizes = cohorts.filter(pl.col("months") == 0).select("cohort", "accounts", "revenue")
    shown = (
        Table(
            "cohort_sizes",
            "How many accounts first bought in each month, and for how much then.",
            (columns[0], columns[2], columns[5]),
            sizes,
            folded=True,
        ),
        Table("cohorts", "Who bought how many months after the first purchase.", columns, cohorts, shown=0),
    )
    text = "A purchase counts of which something was kept. The last month of each row may not be over yet."
    return Section("cohorts", title, text, (picture,), shown)


def _lifecycle(survey: Survey) -> Section:
    title = "Lifecycle over time"
    if not survey.over_time:
        missing = (
            'No scheme of this program tells the stages of a customer\'s life: add [[plugin]] use = "lifecycle" to it.'
        )
        return Section("lifecycle", title, missing=missing)
    parts = tables.over_time(survey.over_time)
    if not len(parts):
        return Section("lifecycle", title, missing="There were no accounts at any of the dates.")
    last = parts.filter(pl.col("at") == pl.col("at").max()).sort("accounts", descending=True).row(0, named=True)
    picture = Picture(
        "lifecycle",
        "Stages of the accounts' lives at several dates, in percent of the accounts that there were.",
        f"Stacked bars at {parts['at'].n_unique()} dates. At the last, most accounts are {last['segment']}: "
        f"{_percent(last['percent'])}.",
        partial(charts.bars_over_time, parts, survey.zone),
    )
    dated = parts.with_columns(pl.col("at").dt.convert_time_zone(survey.zone).dt.date())
    columns = (
        Column("at", "as of", "date"),
        Column("segment", "stage"),
        Column("accounts", "accounts", "count"),
        Column("percent", "%", "percent"),
    )
    table = Table("lifecycle", "How many accounts were in each stage.", columns, dated, folded=True)
    return Section("lifecycle", title, f"Stages of the scheme {survey.over_time[0].scheme}.", (picture,), (table,))


def file_name(scheme: str) -> str:
    """Return the name of a scheme as part of a file's: letters, digits, and lines for all else."""
    return re.sub(r"\W+", "_", scheme)


def _percent(value: float | None) -> str:
    return "no share" if value is None else f"{value:.1f} %"


def _day(survey: Survey, judged: Judged) -> str:
    from zoneinfo import ZoneInfo

    return f"{judged.run.at.astimezone(ZoneInfo(survey.zone)):%Y-%m-%d}"
