from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, TypeVar

import narwhals as nw
import polars as pl
import pytest

from stampbook import Plugin, PluginConfig, hookimpl
from stampbook.errors import InputError, PeriodError, PluginError, StampbookError
from stampbook.population import HISTORY_COLUMNS
from stampbook.segments import (
    SegmentRun,
    check_result,
    definition,
    run_segments,
    share_table,
)

START = datetime(2025, 1, 1, tzinfo=UTC)
SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "account": pl.String,
    "at": pl.Datetime("us", "UTC"),
    "kind": pl.String,
    "amount": pl.Int64,
    "event": pl.String,
    "about": pl.String,
}
HISTORY = pl.LazyFrame(
    [
        ("bob", START, "purchase", 300, "1", None),
        ("ann", START + timedelta(days=1), "purchase", 1000, "2", None),
        ("ann", START + timedelta(days=2), "return", 400, "3", "2"),
        ("ann", START + timedelta(days=4), "purchase", 200, "4", None),
        ("cid", START + timedelta(days=5), "return", 50, "5", None),
        ("dan", START + timedelta(days=30), "purchase", 9999, "6", None),
    ],
    schema=SCHEMA,
    orient="row",
)
AT = START + timedelta(days=10)


class Options(PluginConfig):
    big: int = 500


class Size(Plugin[Options]):
    """Spenders of `big` minor units and more are big."""

    Config = Options

    @hookimpl
    def segment(self, history: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
        bought = nw.when(nw.col("kind") == "purchase").then(nw.col("amount")).otherwise(0)
        big = nw.col("spent") >= self.config.big
        return (
            history.with_columns(spent=bought)
            .group_by("account")
            .agg(nw.col("spent").sum())
            .with_columns(segment=nw.when(big).then(nw.lit("big")).otherwise(nw.lit("small")))
        )


class Silent(Plugin[Options]):
    Config = Options


class Kept(Plugin[Options]):
    """Tells what was kept of purchases: the frame that is worked out once for all that name it."""

    Config = Options

    @hookimpl
    def segment(self, purchases: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
        kept = nw.when(nw.col("counted")).then(1).otherwise(0)
        return (
            purchases.with_columns(orders=kept)
            .group_by("account")
            .agg(nw.col("orders", "amount", "net").sum(), returned=nw.col("returned").max())
            .with_columns(segment=nw.lit(str(self.config.big)))
        )


Answer = Callable[[nw.LazyFrame[Any]], Any]


class Saying(Plugin[Options]):
    """Answers whatever the test wants."""

    Config = Options
    answer: Answer

    @hookimpl
    def segment(self, history: nw.LazyFrame[Any], at: datetime) -> Any:
        assert at.tzinfo is UTC
        return self.answer(history)


P = TypeVar("P", bound=Plugin[Any])


def build(kind: type[P], name: str = "size", **options: Any) -> P:
    program: Any = None
    return kind(Options(**options), name=name, program=program)


def saying(answer: Answer) -> list[tuple[str, Plugin[Any]]]:
    plugin = build(Saying, "odd")
    plugin.answer = answer
    return [("odd", plugin)]


def run_size(**options: Any) -> SegmentRun:
    [run] = run_segments([("size", build(Size, **options))], HISTORY, AT)
    return run


def test_every_account_up_to_the_instant_gets_its_segment() -> None:
    run = run_size()
    assert run.frame.rows() == [("ann", "big", 1200), ("bob", "small", 300), ("cid", "small", 0)]
    assert run.frame.columns == ["account", "segment", "spent"]
    assert (run.scheme, run.at, run.rows, run.accounts) == ("size", AT, 5, 3)
    assert run.took_ms > 0


def test_purchases_come_net_of_returns_to_one_scheme_and_to_several() -> None:
    expected = [("ann", 2, 1200, 800, 400), ("bob", 1, 300, 300, None), ("cid", 0, 0, -50, 50)]
    for schemes in (["one"], ["one", "two"], ["one", "size", "two"]):
        plugins = [(name, build(Size if name == "size" else Kept, name)) for name in schemes]
        runs = [run for run in run_segments(plugins, HISTORY, AT) if run.scheme != "size"]
        assert [run.frame.drop("segment").rows() for run in runs] == [expected] * len(runs)
        assert all((run.rows, run.accounts) == (5, 3) for run in runs)


def test_a_plugin_without_the_hook_is_passed_over_and_order_is_kept() -> None:
    plugins = [("b", build(Size)), ("quiet", build(Silent)), ("a", build(Size))]
    assert [run.scheme for run in run_segments(plugins, HISTORY, AT)] == ["b", "a"]
    assert [run.scheme for run in run_segments(plugins, HISTORY, AT, {"a"})] == ["a"]
    assert run_segments([("quiet", build(Silent))], HISTORY, AT) == []


def test_an_unknown_scheme_is_named_with_its_neighbour() -> None:
    with pytest.raises(PluginError, match=r"no segmentation scheme 'sise' \(did you mean 'size'\?\)"):
        run_segments([("size", build(Size))], HISTORY, AT, ["sise"])
    with pytest.raises(PluginError, match="the program has none"):
        run_segments([("quiet", build(Silent))], HISTORY, AT, ["quiet"])


def test_the_future_is_hidden_even_from_a_plugin_that_does_not_look_at_the_clock() -> None:
    seen: list[pl.DataFrame] = []

    def look(history: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
        seen.append(history.collect("polars").to_native())
        return history.select("account").unique().with_columns(segment=nw.lit("x"))

    run_segments(saying(look), HISTORY, AT)
    assert seen[0]["at"].max() == START + timedelta(days=5)


def test_the_same_instant_in_another_zone_is_the_same_run() -> None:
    east = AT.astimezone(timezone(timedelta(hours=8)))
    [run] = run_segments([("size", build(Size))], HISTORY, east)
    assert run.at == AT
    assert run.at.tzinfo is UTC
    assert run.frame.equals(run_size().frame)


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(PeriodError, match="has no time zone"):
        run_segments([("size", build(Size))], HISTORY, AT.replace(tzinfo=None))


def test_an_empty_history_gives_an_empty_run() -> None:
    [run] = run_segments([("size", build(Size))], HISTORY.clear(), AT)
    assert run.frame.is_empty()
    assert (run.rows, run.accounts) == (0, 0)
    assert share_table(run, HISTORY.clear()).is_empty()


def test_a_narwhals_history_gives_the_same() -> None:
    [run] = run_segments([("size", build(Size))], nw.from_native(HISTORY), AT)
    assert run.frame.equals(run_size().frame)


@pytest.mark.parametrize("zone", ["Europe/Vienna", "America/St_Johns"])
def test_a_history_in_another_zone_says_the_same(zone: str) -> None:
    told = HISTORY.with_columns(pl.col("at").dt.convert_time_zone(zone))
    [run] = run_segments([("size", build(Size))], told, AT)
    assert run.frame.equals(run_size().frame)
    assert share_table(run, told).equals(share_table(run_size(), HISTORY))


def test_the_order_of_rows_does_not_show() -> None:
    [run] = run_segments([("size", build(Size))], HISTORY.reverse(), AT)
    assert run.frame.equals(run_size().frame)


# ---- what a definition is -----------------------------------------------------------------------


class Namesake(Size):
    """The same arithmetic, as far as anyone can tell."""


def test_a_definition_changes_with_whatever_changes_its_meaning(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = definition("size", build(Size))
    assert plain == run_size().definition == definition("size", build(Size, big=500))
    assert len(plain) == 64
    others = [
        definition("other", build(Size)),
        definition("size", build(Size, big=501)),
        definition("size", build(Namesake)),
    ]
    monkeypatch.setattr(Size, "definition_version", 2, raising=False)
    others.append(definition("size", build(Size)))
    assert len({plain, *others}) == 5


def test_a_definition_is_the_same_on_every_machine() -> None:
    class Fixed(Size):
        __module__ = "shop_size"
        __qualname__ = "Fixed"

    expected = "c30084ac74f3c34e903666b02f2eaee87a3b215236dd8193ac332183dc54980a"
    assert definition("size", build(Fixed)) == expected


# ---- a history that is none ---------------------------------------------------------------------


@pytest.mark.parametrize("column", HISTORY_COLUMNS)
def test_a_history_lacks_a_column(column: str) -> None:
    with pytest.raises(InputError, match=f"history: no column '{column}'"):
        run_segments([("size", build(Size))], HISTORY.drop(column), AT)


@pytest.mark.parametrize(
    ("column", "complaint"),
    [
        (pl.col("amount").cast(pl.Float64), "'amount' is Float64, not Int64"),
        (pl.col("at").dt.replace_time_zone(None), "'at' has no time zone"),
        (pl.col("about").cast(pl.Int64), "'about' is Int64, not String"),
    ],
)
def test_a_history_has_a_column_of_another_type(column: pl.Expr, complaint: str) -> None:
    with pytest.raises(InputError, match=f"history: column {complaint}"):
        run_segments([("size", build(Size))], HISTORY.with_columns(column), AT)


# ---- answers that break the contract ------------------------------------------------------------

ONE_EACH = {"account": ["ann", "bob", "cid"], "segment": ["x", "x", "y"]}


def lazy(**columns: Any) -> nw.LazyFrame[Any]:
    return nw.from_native(pl.LazyFrame(ONE_EACH | columns))


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (None, "segment returned NoneType, not a narwhals LazyFrame"),
        (pl.LazyFrame(ONE_EACH), "segment returned LazyFrame of polars, not a narwhals LazyFrame"),
        (lazy().select("account"), "segment returned no column 'segment'"),
        (lazy().rename({"segment": "segments"}), "no column 'segment' (did you mean 'segments'?)"),
        (lazy(segment=[1, 2, 3]), "column 'segment' is Int64, not String"),
        (lazy(score=[[1], [2], [3]]), "column 'score' is List(Int64), not a number"),
        (lazy(score=[1.0, float("nan"), None]), "column 'score' holds NaN"),
        (lazy(account=["ann", "bob", "bob"]), "account 'bob' has 2 rows instead of one"),
        (lazy(account=["ann", "bob", "zoe"]), "account 'zoe' is not in the history"),
        (lazy(account=["ann", "bob", None]), "account None is not in the history"),
        (
            lazy().filter(nw.col("account") == "bob"),
            "account 'ann' of the history has no segment (and 1 more)",
        ),
        (lazy().head(0), "account 'ann' of the history has no segment (and 2 more)"),
        (lazy(segment=["x", None, " "]), "account 'bob' has an empty segment (and 1 more)"),
        (lazy().select("account", segment=nw.col("colour")), "segment failed with ColumnNotFoundError: "),
    ],
)
def test_a_broken_promise_names_the_plugin_and_a_witness(answer: Any, complaint: str) -> None:
    with pytest.raises(PluginError) as caught:
        run_segments(saying(lambda _: answer), HISTORY, AT)
    assert str(caught.value).startswith("plugin 'odd': ")
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_bug_of_a_plugin_keeps_its_traceback_and_says_whose_it_is() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        run_segments(saying(lambda _: 1 // 0), HISTORY, AT)
    assert caught.value.__notes__ == ["in the segment hook of plugin 'odd'"]


def test_scores_may_be_of_every_plain_type() -> None:
    scores = {
        "a": [1, None, 3],
        "b": [1.5, None, 2.0],
        "c": [True, False, None],
        "d": ["x", "", None],
        "e": [AT] * 3,
    }
    frame = check_result("odd", lazy(**scores), pl.Series(ONE_EACH["account"]))
    assert frame.columns == ["account", "segment", *scores]


# ---- what segments are worth --------------------------------------------------------------------


def test_the_share_table() -> None:
    table = share_table(run_size(), HISTORY)
    assert table.to_dicts() == [
        {
            "segment": "big",
            "accounts": 1,
            "accounts_percent": pytest.approx(100 / 3),
            "revenue": 800,
            "revenue_percent": pytest.approx(100 * 800 / 1050),
            "orders": 2,
            "mean_order_value": 600.0,
            "mean_recency_days": 6.0,
        },
        {
            "segment": "small",
            "accounts": 2,
            "accounts_percent": pytest.approx(200 / 3),
            "revenue": 250,
            "revenue_percent": pytest.approx(100 * 250 / 1050),
            "orders": 1,
            "mean_order_value": 300.0,
            "mean_recency_days": 10.0,
        },
    ]


def test_shares_of_nothing_are_unknown_rather_than_infinite() -> None:
    returns = HISTORY.filter(pl.col("kind") == "return")
    [run] = run_segments([("size", build(Size))], returns, AT)
    assert share_table(run, returns).to_dicts() == [
        {
            "segment": "small",
            "accounts": 2,
            "accounts_percent": 100.0,
            "revenue": -450,
            "revenue_percent": None,
            "orders": 0,
            "mean_order_value": None,
            "mean_recency_days": None,
        }
    ]


# ---- a small installation -----------------------------------------------------------------------


def test_without_the_extra_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(StampbookError) as caught:
        run_segments([("size", build(Size))], HISTORY, AT)
    assert str(caught.value) == "segments need the analytics extra: pip install 'stampbook[analytics]'"
