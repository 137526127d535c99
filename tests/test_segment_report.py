"""The report on segments: its numbers against the plain way to work them out, and the page that it becomes."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import narwhals as nw
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stampbook import Plugin, PluginConfig, hookimpl
from stampbook.loading import load
from stampbook.periods import Calendar, instant_of
from stampbook.segment_report import findings, look, tables
from stampbook.segment_report.gathering import months_before, survey
from stampbook.segment_report.page import page
from stampbook.segment_report.sections import sections
from stampbook.segment_report.treemap import Box, squarified
from stampbook.segments import share_table
from tests.segment_survey import (
    AT,
    CHINESE,
    CHURN_FINDINGS,
    SCHEMA,
    SCRIPT,
    VALUE_FINDINGS,
    full,
    history,
    judged,
    plain,
)

DOCS = Path(__file__).parents[1] / "docs"
ACCOUNTS = st.sampled_from(["ann", "bob", "cid", "dan"])
START = datetime(2025, 1, 30, 22, 30, tzinfo=UTC)
"""Half an hour before February in Vienna, and half a month's walk from others."""


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    for number in range(draw(st.integers(1, 12))):
        account, amount = draw(ACCOUNTS), draw(st.integers(1, 1000))
        at = START + timedelta(hours=draw(st.integers(0, 4000)))
        rows.append((account, at, "purchase", amount, str(number), None))
        if draw(st.booleans()):
            rows.append(
                (account, at + timedelta(days=1), "return", draw(st.integers(1, amount)), f"r{number}", str(number))
            )
    if draw(st.booleans()):
        rows.append((draw(ACCOUNTS), START, "return", draw(st.integers(1, 500)), "lonely", None))
    return rows


def frame(rows: list[tuple[Any, ...]]) -> pl.LazyFrame:
    return pl.DataFrame(rows, schema=SCHEMA, orient="row").lazy()


def net(rows: list[tuple[Any, ...]]) -> Counter[str]:
    totals: Counter[str] = Counter()
    for account, _, kind, amount, _, _ in rows:
        totals[account] += amount if kind == "purchase" else -amount
    return totals


@given(histories())
def test_a_pareto_curve_rises_to_all_of_what_was_bought(rows: list[tuple[Any, ...]]) -> None:
    curve = tables.pareto(tables.worth(frame(rows), AT))
    totals = net(rows)
    assert dict(curve.select("account", "revenue").iter_rows()) == dict(totals)
    assert curve["revenue"].to_list() == sorted(totals.values(), reverse=True)
    assert curve["cumulative_revenue"][-1] == sum(max(0, total) for total in totals.values())
    together = curve["revenue_percent"].to_list()
    assert together == sorted(together, key=lambda share: share or 0)
    classes = tables.classes(curve)
    assert classes["accounts"].sum() == len(totals)
    assert classes["revenue"].sum() == sum(totals.values())


def test_the_account_that_crosses_a_border_is_in() -> None:
    worth = pl.DataFrame({"account": ["a", "b", "c", "d", "e"], "revenue": [79, 2, 14, 5, -3]})
    found = tables.classes(tables.pareto(worth))
    assert dict(found.select("class", "accounts").iter_rows()) == {"A": 2, "B": 1, "C": 2}
    # exactly at the border, the next account is out
    worth = pl.DataFrame({"account": ["a", "b", "c"], "revenue": [80, 15, 5]})
    assert dict(tables.classes(tables.pareto(worth)).select("class", "accounts").iter_rows()) == {
        "A": 1,
        "B": 1,
        "C": 1,
    }


@given(histories())
def test_cohorts_count_who_bought_in_which_local_month(rows: list[tuple[Any, ...]]) -> None:
    at = START + timedelta(days=200)
    back: Counter[str] = Counter()
    for row in rows:
        if row[2] == "return" and row[5] is not None:
            back[row[5]] += row[3]
    months: dict[str, set[int]] = defaultdict(set)
    for account, moment, kind, amount, event, _ in rows:
        if kind == "purchase" and amount > back[event]:
            local = moment.astimezone(ZoneInfo("Europe/Vienna"))
            months[account].add(local.year * 12 + local.month)
    expected: Counter[tuple[int, int]] = Counter()
    for bought in months.values():
        expected.update((min(bought), month - min(bought)) for month in bought)
    found = tables.cohorts(frame(rows), at, "Europe/Vienna")
    active = {(row["cohort"].year * 12 + row["cohort"].month, row["months"]): row["active"] for row in found.to_dicts()}
    assert {key: count for key, count in active.items() if count} == dict(expected)
    last = at.astimezone(ZoneInfo("Europe/Vienna"))
    for cohort in {cohort for cohort, _ in expected}:
        assert (cohort, last.year * 12 + last.month - cohort) in active  # a row goes on to the month of the report


@given(
    st.dictionaries(
        st.text("abcdef", min_size=1), st.tuples(st.sampled_from("xyz"), st.sampled_from("xyzw") | st.none())
    )
)
def test_a_flow_loses_nobody(places: dict[str, tuple[str, str | None]]) -> None:
    after = {account: now for account, (now, _) in places.items()}
    before = {account: then for account, (_, then) in places.items() if then is not None}
    schema = {"account": pl.String, "segment": pl.String}
    earlier, later = (
        judged("s", pl.DataFrame(list(some.items()), schema=schema, orient="row")) for some in (before, after)
    )
    revenue = pl.DataFrame(
        {"account": list(after), "revenue": range(len(after))}, schema={"account": pl.String, "revenue": pl.Int64}
    )
    flow = tables.flow(earlier, later)
    counted = Counter((before.get(account), now) for account, now in after.items())
    assert {(row["before"], row["after"]): row["accounts"] for row in flow.to_dicts()} == dict(counted)
    names = tables.by_revenue(flow, later, revenue)
    matrix = tables.transitions(flow, names)
    assert matrix[tables.ALL].sum() == len(after)
    sums = {name: matrix[tables.TO + name].sum() for name in names}
    assert {name: count for name, count in sums.items() if count} == dict(Counter(after.values()))
    moved = tables.moved(earlier, later, revenue)
    assert set(moved["account"]) == {account for account, now in after.items() if before.get(account) != now}
    assert moved["revenue"].to_list() == sorted(moved["revenue"], reverse=True)


def test_cells_and_segments_add_up_to_the_whole() -> None:
    made = full()
    run = made.runs[0]
    revenue = tables.worth(made.history, made.at)
    cells = tables.grid(run, revenue)
    assert cells["accounts"].sum() == len(run.run.frame)
    assert cells["revenue"].sum() == revenue["revenue"].sum()
    assert sum(cells["revenue_percent"]) == pytest.approx(100)
    assert set(cells.filter(r=5, f=5)["segment"]) == {SCRIPT}
    shares = share_table(run.run, made.history)
    assert tables.segment_table(run, made.history).equals(shares)
    valued = tables.segment_table(run, made.history, made.runs[3])
    assert valued.drop("mean_expected_value").equals(shares)
    values = made.runs[3].run.frame.join(run.run.frame.select("account", name="segment"), on="account")
    for row in valued.to_dicts():
        assert row["mean_expected_value"] == pytest.approx(values.filter(name=row["segment"])["expected_value"].mean())


def test_a_cell_of_several_segments_is_named_by_the_largest() -> None:
    run = judged(
        "s", pl.DataFrame({"account": ["a", "b", "c"], "segment": ["x", "y", "y"], "r": [1] * 3, "f": [1] * 3})
    )
    cells = tables.grid(run, pl.DataFrame({"account": ["a", "b", "c"], "revenue": [1, 2, 3]}))
    assert cells["segment"].to_list() == ["y …"]


@given(st.lists(st.integers(1, 10_000), min_size=1, max_size=12), st.integers(50, 900), st.integers(50, 900))
def test_a_tree_map_fills_its_room_in_proportion(sizes: list[int], width: int, height: int) -> None:
    sizes.sort(reverse=True)
    boxes = squarified(sizes, Box(0, 0, width, height))
    for size, box in zip(sizes, boxes, strict=True):
        assert box.width * box.height == pytest.approx(size * width * height / sum(sizes))
        assert box.x > -0.01
        assert box.x + box.width < width + 0.01
        assert box.y > -0.01
        assert box.y + box.height < height + 0.01


def test_colours_stand_out_on_light_and_on_dark() -> None:
    for colour in (*look.SERIES, look.OTHER):
        assert look.contrast(colour, look.LIGHT) >= 3
        assert look.contrast(colour, look.DARK) >= 3
    assert len(set(look.SERIES)) == len(look.SERIES)
    for step in range(101):
        shade = look.shade(step / 100)
        assert look.contrast(look.ink_on(shade), shade) >= 4.5
    assert all(look.contrast(look.shade(k / 6), look.shade((k + 1) / 6)) > 1.2 for k in range(6))


@pytest.mark.parametrize(
    ("instant", "months", "expected"),
    [
        ("2025-03-31T23:59:59.999999", 1, "2025-02-28T23:59:59.999999"),
        ("2025-02-28T23:59:59.999999", 2, "2024-12-31T23:59:59.999999"),
        ("2025-05-31T10:15", 3, "2025-02-28T10:15"),
        ("2025-04-05T10:15", 1, "2025-03-05T10:15"),
    ],
)
def test_months_are_counted_back_on_the_local_calendar(instant: str, months: int, expected: str) -> None:
    vienna = Calendar("Europe/Vienna")
    assert months_before(vienna.parse(instant), months, vienna) == vienna.parse(expected)


def test_findings_become_tables() -> None:
    holdout = findings.holdout(VALUE_FINDINGS)
    assert holdout is not None
    assert holdout["frequency"].to_list() == [*map(str, range(7)), "7+"]
    fitted = findings.parameters(VALUE_FINDINGS)
    assert fitted is not None
    assert fitted.rows() == [("purchases", "r", 0.243, 0.012), ("purchases", "alpha", 4.414, None)]
    assert findings.warnings(VALUE_FINDINGS) == ("This run: how often and how much go together.",)
    scorers = findings.scorers(CHURN_FINDINGS)
    assert scorers is not None
    assert scorers.select("name", "chosen").rows() == [("p_buys", "yes"), ("days_since", "")]


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"holdout": []},
        {"holdout": "none"},
        {"holdout": {"by_frequency": [{"frequency": 1}], "warnings": 3}},
        {"holdout": {"by_frequency": [{"frequency": "1", "accounts": 1, "predicted": 1.0, "actual": 1.0}]}},
        {"fit": [1], "value": {"parameters": 3}},
        {"fit": {"parameters": {"r": 1.0}, "errors": {"r": "x"}}},
        {"backtest": 3},
        {"backtest": {"roc": [[1, "x"]], "scorers": None, "calibration": {}}},
    ],
)
def test_findings_of_another_shape_are_left_out(broken: dict[str, Any]) -> None:
    for read in (findings.holdout, findings.parameters, findings.scorers, findings.calibration, findings.roc):
        assert read(broken) is None
    assert findings.warnings(broken) == ()


class Told(Plugin[PluginConfig]):
    """A scheme that tells what it found out besides."""

    @hookimpl
    def segment(self, history: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
        return history.select("account").unique().with_columns(segment=nw.lit("all"))

    def findings(self, result: pl.DataFrame, at: datetime) -> dict[str, Any]:
        return CHURN_FINDINGS if len(result) and at == AT else {}


def test_a_plugin_tells_what_it_found_out_besides() -> None:
    program = "[program]\nname = 'x'\ncurrency = 'EUR'\n[[plugin]]\nuse = 'told'\n"
    found = sections(survey(load(program, plugins={"told": Told}), history(30), instant_of(AT)))
    churn = next(section for section in found if section.id == "churn")
    assert [picture.name for picture in churn.pictures] == ["churn_roc", "churn_calibration"]
    assert churn.text == (
        "Scores of the scheme told. Of 400 accounts known 90 days before, 200 (50.0 %) bought since. "
        "The score p_buys was chosen."
    )


class Reader(HTMLParser):
    """What a page is made of: its marks, their attributes, and what is said of missing parts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.marks: Counter[str] = Counter()
        self.given: list[tuple[str, str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.marks[tag] += 1
        self.given.extend((tag, name, value or "") for name, value in attrs)


@pytest.fixture(scope="module")
def whole() -> str:
    made = full()
    return page(made, sections(made))


def test_the_page_is_well_made(whole: str) -> None:
    read = Reader(whole)
    assert read.marks["h1"] == read.marks["main"] == read.marks["nav"] == 1
    assert read.marks["figure"] == read.marks["figcaption"] == 9
    assert read.marks["table"] == read.marks["caption"] >= 12
    assert read.marks["svg"] == 18
    assert sum(tag == "svg" and name == "aria-label" and len(value) > 20 for tag, name, value in read.given) == 18
    ids = [value for _, name, value in read.given if name == "id"]
    assert len(ids) == len(set(ids))
    assert {value[1:] for _, name, value in read.given if name == "href"} <= set(ids)
    assert ("html", "lang", "en") in read.given
    assert "As of" in whole
    assert "d" * 64 in whole
    assert "Left out, in other currencies" in whole
    assert "add [[plugin]]" not in whole


def test_the_page_names_no_address_and_runs_nothing(whole: str) -> None:
    read = Reader(whole)
    assert not read.marks.keys() & {"script", "iframe", "object", "embed", "link", "img", "form", "base"}
    assert not [attribute for attribute in read.given if attribute[1].startswith("on")]
    addresses = set(re.findall(r"[a-z]+://[^\"'<\s]*", whole))
    assert addresses == {"http://www.w3.org/2000/svg"}  # a name, not an address
    assert "default-src 'none'" in whole


def test_names_from_data_are_text(whole: str) -> None:
    assert SCRIPT not in whole
    assert "&lt;script&gt;alert(" in whole
    assert "Tea &amp; &lt;b&gt;cake&lt;/b&gt;" in whole
    assert CHINESE in whole


def test_the_order_of_rows_never_shows() -> None:
    made = plain()
    shuffled = made.history.collect().sample(fraction=1, shuffle=True, seed=7).lazy()
    other = replace(made, history=shuffled)
    assert page(other, sections(other)) == page(made, sections(made))


def test_what_a_program_has_no_scheme_for_is_named_with_what_to_add() -> None:
    made = plain()
    text = page(made, sections(made))
    for plugin in ("abc", "clv", "churn", "lifecycle"):
        assert f"add [[plugin]] use = &quot;{plugin}&quot;" in text
    assert Reader(text).marks["figure"] == 5


def test_nothing_bought_yet_makes_a_page_that_says_so() -> None:
    made = plain()
    long_ago = datetime(2000, 1, 1, tzinfo=UTC)
    empty = made.runs[0].run.frame.clear()
    runs = (judged("rfm", empty, long_ago),)
    other = replace(made, at=long_ago, runs=runs, before=runs)
    text = page(other, sections(other))
    assert Reader(text).marks["figure"] == 0
    assert "Nothing was bought" in text


def test_segments_may_be_called_anything_and_be_many() -> None:
    names = ["before", "after", "all together", "not there yet", "others", "to x", "a\tb", "=1+1", "x" * 80, "'\"&<>"]
    names += [f"s{number:03d}" for number in range(120)]
    then = pl.DataFrame({"account": [f"c{number}" for number in range(len(names))], "segment": names})
    now = then.with_columns(segment=pl.col("segment").reverse())
    made = plain()
    other = replace(made, runs=(judged("any/../scheme", now),), before=(judged("any/../scheme", then),))
    found = sections(other)
    text = page(other, found)
    assert "&quot;&amp;&lt;&gt;" in text
    assert len(text) < 2_000_000
    written = {table.name: table.frame for section in found for table in section.tables}
    assert written["flow_matrix"][tables.ALL].sum() == len(names)
    assert all(re.fullmatch(r"\w+", name) for name in written)


def test_the_docs_show_each_picture_that_they_name() -> None:
    text = (DOCS / "segments.md").read_text(encoding="utf-8")
    named = re.findall(r"!\[([^\]]+)\]\(pictures/(\w+\.svg)\)", text)
    assert {name for _, name in named} == {path.name for path in (DOCS / "pictures").iterdir()}
    assert all(len(alt) > 30 for alt, _ in named)
    assert all(path.stat().st_size < 60_000 for path in (DOCS / "pictures").iterdir())
