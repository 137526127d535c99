from __future__ import annotations

import math
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Literal

import narwhals as nw
import polars as pl
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

import stampbook_rfm
from stampbook import PluginError, net_purchases
from stampbook.periods import Calendar
from stampbook_rfm import Rfm, RfmConfig, rules
from stampbook_rfm.tables import STANDARD_GRID

if TYPE_CHECKING:
    import random

SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "account": pl.String,
    "at": pl.Datetime("us", "UTC"),
    "kind": pl.String,
    "amount": pl.Int64,
    "event": pl.String,
    "about": pl.String,
}
START = datetime(2025, 1, 1, tzinfo=UTC)
CDNOW_END = datetime(1998, 7, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Row:
    account: str
    at: datetime
    kind: Literal["purchase", "return"]
    amount: int
    event: str
    about: str | None = None


def day(number: float) -> datetime:
    return START + timedelta(days=number)


def buys(account: str, on_day: float, amount: int, event: str = "") -> Row:
    return Row(account, day(on_day), "purchase", amount, event or f"{account}@{on_day}")


def gives_back(account: str, on_day: float, amount: int, about: str | None = None) -> Row:
    return Row(account, day(on_day), "return", amount, f"{account}-{on_day}", about)


def rfm(program: Any = None, **options: Any) -> Rfm:
    return Rfm(RfmConfig(**options), name="rfm", program=program)


def frame_of(rows: list[Row]) -> pl.LazyFrame:
    return pl.LazyFrame([tuple(vars(row).values()) for row in rows], schema=SCHEMA, orient="row")


def segmented(history: list[Row] | pl.LazyFrame, at: datetime, program: Any = None, **options: Any) -> pl.DataFrame:
    native = frame_of(history) if isinstance(history, list) else history
    result = (
        rfm(program, **options).segment(net_purchases(nw.from_native(native), at), at).collect("polars").to_native()
    )
    assert isinstance(result, pl.DataFrame)
    return result.sort("account")


def raw(history: list[Row], at: datetime, program: Any = None, **options: Any) -> dict[str, tuple[Any, ...]]:
    result = segmented(history, at, program, **options)
    return {row[0]: row[1:] for row in result.select("account", "recency_days", "frequency", "monetary").rows()}


def scores_of(result: pl.DataFrame) -> dict[str, tuple[int, int, int]]:
    return {account: (r, f, m) for account, r, f, m in result.select("account", "r", "f", "m").rows()}


# ---- what counts --------------------------------------------------------------------------------


def test_a_purchase_and_a_part_of_it_returned() -> None:
    history = [buys("ann", 0, 100, "p1"), buys("ann", 3, 50, "p2"), gives_back("ann", 4, 30, "p1")]
    assert raw(history, day(10)) == {"ann": (7, 2, 120)}


def test_a_purchase_wholly_returned_counts_for_nothing() -> None:
    history = [buys("ann", 0, 100, "p1"), buys("ann", 3, 50, "p2")]
    history += [gives_back("ann", 4, 20, "p2"), gives_back("ann", 5, 30, "p2")]
    assert raw(history, day(10)) == {"ann": (10, 1, 100)}


def test_a_return_that_has_not_happened_yet_changes_nothing() -> None:
    history = [buys("ann", 0, 100, "p1"), gives_back("ann", 8, 100, "p1"), buys("bob", 9, 5)]
    assert raw(history, day(7)) == {"ann": (7, 1, 100)}


def test_a_return_that_names_no_purchase_lowers_the_monetary_value_only() -> None:
    history = [buys("ann", 0, 100), gives_back("ann", 1, 100), gives_back("ann", 2, 7, "who knows")]
    assert raw(history, day(10)) == {"ann": (10, 1, -7)}


def test_a_return_cannot_name_the_purchase_of_another_account() -> None:
    history = [buys("ann", 0, 100, "p1"), gives_back("bob", 1, 100, "p1")]
    assert raw(history, day(2)) == {"ann": (2, 1, 100), "bob": (None, 0, -100)}


def test_accounts_at_or_below_zero_are_kept_with_the_lowest_monetary_score() -> None:
    history = [buys(name, 0, 10) for name in "abcd"]
    history += [gives_back("a", 1, 11), gives_back("b", 1, 10), gives_back("c", 1, 4)]
    history += [gives_back("e", 1, 5)]
    result = segmented(history, day(2))
    assert result["monetary"].to_list() == [-1, 0, 6, 10, -5]
    assert result["m"].to_list() == [1, 1, 3, 4, 1]


def test_a_zero_amount_counts_by_option_and_never_once_it_was_returned() -> None:
    history = [
        buys("ann", 0, 0, "free"),
        buys("bob", 0, 0, "sent back"),
        gives_back("bob", 1, 0, "sent back"),
    ]
    assert raw(history, day(3)) == {"ann": (None, 0, 0), "bob": (None, 0, 0)}
    assert raw(history, day(3), count_zero_amounts=True) == {"ann": (3, 1, 0), "bob": (None, 0, 0)}


@pytest.mark.parametrize(("seconds", "days"), [(0, 0), (86_399.999999, 0), (86_400, 1), (172_799, 1), (172_800, 2)])
def test_recency_is_counted_in_whole_days_of_whole_seconds(seconds: float, days: int) -> None:
    assert raw([buys("ann", 0, 1)], START + timedelta(seconds=seconds))["ann"][0] == days


def test_a_purchase_at_the_very_instant_is_seen() -> None:
    assert raw([buys("ann", 0, 1)], START) == {"ann": (0, 1, 1)}
    assert raw([buys("ann", 0, 1)], START - timedelta(microseconds=1)) == {}


# ---- the window ---------------------------------------------------------------------------------


def test_the_window_starts_with_a_day_of_the_programs_time_zone() -> None:
    shanghai = SimpleNamespace(calendar=Calendar("Asia/Shanghai"))
    at = datetime(2025, 3, 10, 12, tzinfo=UTC)
    midnight = datetime(2025, 3, 8, 16, tzinfo=UTC)
    history = [
        Row("early", midnight - timedelta(microseconds=1), "purchase", 5, "1"),
        Row("sharp", midnight, "purchase", 5, "2"),
    ]
    assert rfm(shanghai, window="2 days").since(at) == midnight
    assert raw(history, at, shanghai, window="2 days") == {"early": (1, 0, 0), "sharp": (1, 1, 5)}


def test_outside_the_window_the_last_order_is_still_known_and_scores_nothing() -> None:
    utc = SimpleNamespace(calendar=Calendar("UTC"))
    history = [buys("old", 0, 900), *(buys(name, 300 + number, 10) for number, name in enumerate("abcd"))]
    result = segmented(history, day(365), utc, window="12 months")
    assert result.row(4, named=True) | {"segment": ""} == {
        "account": "old",
        "segment": "",
        "recency_days": 365,
        "frequency": 0,
        "monetary": 0,
        "r": 1,
        "f": 1,
        "m": 1,
        "fm": 1,
        "rfm": "111",
        "total": 3,
    }
    assert result["r"].to_list() == [1, 2, 3, 4, 1], "only the four in the window are each other's peers"


def test_a_return_leaves_the_window_together_with_its_purchase() -> None:
    utc = SimpleNamespace(calendar=Calendar("UTC"))
    history = [buys("ann", 0, 100, "old"), gives_back("ann", 40, 100, "old"), buys("ann", 50, 30)]
    history += [gives_back("ann", 45, 1), gives_back("ann", 1, 1)]
    assert raw(history, day(60), utc, window="30 days") == {"ann": (10, 1, 29)}


# ---- the scores ---------------------------------------------------------------------------------


def test_five_apart_score_one_to_five_and_recency_is_turned_round() -> None:
    history = [
        buys(name, number, 10 * number, f"{name}{k}") for number, name in enumerate("abcde", 1) for k in range(number)
    ]
    result = segmented(history, day(9))
    assert list(scores_of(result).values()) == [(n, n, n) for n in range(1, 6)]
    assert result["segment"].to_list() == [
        "hibernating",
        "hibernating",
        "need_attention",
        "loyal",
        "champions",
    ]


def test_one_customer_alone() -> None:
    result = segmented([buys("ann", 0, 100)], day(1))
    assert scores_of(result) == {"ann": (1, 1, 1)}


def test_nobody() -> None:
    assert segmented([], day(1)).is_empty()
    assert segmented([], day(1), scores="ntile").is_empty()
    assert scores_of(segmented([gives_back("ann", 0, 1)], day(1))) == {"ann": (1, 1, 1)}
    assert scores_of(segmented([gives_back("ann", 0, 1)], day(1), scores="ntile")) == {"ann": (1, 1, 1)}


def test_ntile_tears_equal_customers_apart_by_their_refs() -> None:
    history = [buys(name, 0, 10) for name in "gfedcba"]
    result = segmented(history, day(1), scores="ntile")
    assert result["f"].to_list() == [1, 1, 2, 2, 3, 4, 5]
    assert set(segmented(history, day(1))["f"]) == {1}


def test_types_and_columns_are_as_promised() -> None:
    result = segmented([buys("ann", 0, 100)], day(1))
    assert tuple(result.columns) == rules.RESULT_COLUMNS
    assert result.dtypes == [pl.String, pl.String, *[pl.Int64] * 3, *[pl.Int8] * 4, pl.String, pl.Int64]


# ---- against a model that knows no frames -------------------------------------------------------

ACCOUNTS = "abcdefg"


@st.composite
def histories(draw: st.DrawFn) -> list[Row]:
    """Many ties among few accounts; a return names a purchase, a stranger's purchase or nothing."""
    rows: list[Row] = []
    for number in range(draw(st.integers(0, 40))):
        account = draw(st.sampled_from(ACCOUNTS))
        at = day(draw(st.integers(0, 12))) + timedelta(microseconds=draw(st.sampled_from([0, 1, 43_200_000_000])))
        amount = draw(st.sampled_from([0, 1, 5, 5, 10, 10**12]))
        if not rows or draw(st.integers(0, 3)):
            rows.append(Row(account, at, "purchase", amount, f"e{number}"))
        else:
            about = draw(st.sampled_from([None, "unknown", *(row.event for row in rows)]))
            rows.append(Row(account, at, "return", amount, f"e{number}", about))
    return rows


Measures = tuple[int | None, int, int]


def naive_measures(rows: list[Row], at: datetime, *, since: datetime, count_zeros: bool) -> dict[str, Measures]:
    rows = [row for row in rows if row.at <= at]
    purchases = {(row.account, row.event): row for row in rows if row.kind == "purchase"}
    counted: dict[str, list[datetime]] = {row.account: [] for row in rows}
    net = dict.fromkeys(counted, 0)
    for row in rows:
        if row.kind == "return":
            named = purchases.get((row.account, row.about or ""), row)
            net[row.account] -= row.amount if named.at >= since else 0
        else:
            returns = [other.amount for other in rows if (other.account, other.about) == (row.account, row.event)]
            net[row.account] += row.amount if row.at >= since else 0
            if row.amount > sum(returns) or (count_zeros and row.amount == 0 and not returns):
                counted[row.account].append(row.at)
    return {
        account: (
            math.floor((at - max(moments)).total_seconds()) // 86_400 if moments else None,
            sum(moment >= since for moment in moments),
            net[account],
        )
        for account, moments in counted.items()
    }


def naive_scores(measured: dict[str, Measures], *, ntile: bool) -> dict[str, tuple[int, ...]]:
    active = sorted(account for account, (_, frequency, _) in measured.items() if frequency)
    scores = {account: [1, 1, 1] for account in measured}
    for index, sign in enumerate((-1, 1, 1)):
        worth = {account: sign * (measured[account][index] or 0) for account in active}
        ranking = sorted(active, key=worth.__getitem__)
        cuts = [worth[ranking[math.ceil(len(ranking) * k / 5) - 1]] for k in range(1, 5) if ranking]
        small, larger = divmod(len(active), 5)
        classes = [k + 1 for k in range(5) for _ in range(small + (k < larger))]
        for account, its_class in zip(ranking, classes, strict=True):
            below = 0 if index == 2 and worth[account] <= 0 else sum(cut < worth[account] for cut in cuts)
            scores[account][index] = its_class if ntile else 1 + below
    return {account: tuple(three) for account, three in scores.items()}


@given(
    rows=histories(),
    until=st.integers(0, 13),
    window=st.sampled_from(["lifetime", "4 days"]),
    count_zeros=st.booleans(),
    ntile=st.booleans(),
)
def test_the_frames_agree_with_the_naive_model(
    *, rows: list[Row], until: int, window: str, count_zeros: bool, ntile: bool
) -> None:
    at = day(until)
    since = START if window == "lifetime" else at - timedelta(days=3)
    measured = naive_measures(rows, at, since=since, count_zeros=count_zeros)
    scores = naive_scores(measured, ntile=ntile)
    result = segmented(
        rows,
        at,
        SimpleNamespace(calendar=Calendar("UTC")),
        window=window,
        count_zero_amounts=count_zeros,
        scores="ntile" if ntile else "tie_safe",
    )
    assert {row[0]: row[2:8] for row in result.rows()} == {who: measured[who] + scores[who] for who in measured}
    assert all(row["segment"] == STANDARD_GRID[f"{row['r']}{row['f']}"] for row in result.to_dicts())


@given(histories())
def test_every_account_stands_exactly_once(rows: list[Row]) -> None:
    assert segmented(rows, day(20))["account"].to_list() == sorted({row.account for row in rows})


@given(histories(), st.sampled_from(ACCOUNTS))
def test_equal_histories_score_equally(rows: list[Row], account: str) -> None:
    twin = [replace(row, account="twin") for row in rows if row.account == account]
    found = scores_of(segmented([*rows, *twin], day(20)))
    assert found.get("twin") == found.get(account)


@given(histories(), st.randoms(use_true_random=False), st.sampled_from(["tie_safe", "ntile"]))
def test_the_order_of_rows_changes_nothing(rows: list[Row], chance: random.Random, scores: str) -> None:
    shuffled = chance.sample(rows, len(rows))
    assert segmented(rows, day(20), scores=scores).equals(segmented(shuffled, day(20), scores=scores))


@given(histories(), st.sampled_from(ACCOUNTS), st.integers(0, 12), st.integers(0, 50))
def test_one_more_purchase_never_lowers_frequency_or_monetary(
    rows: list[Row], account: str, when: int, amount: int
) -> None:
    before = raw(rows, day(20)).get(account, (None, 0, 0))
    after = raw([*rows, buys(account, when, amount, "one more")], day(20))[account]
    assert after[1] >= before[1]
    assert after[2] >= before[2]


@given(histories())
def test_an_equal_value_scores_the_same_and_a_better_one_no_worse(rows: list[Row]) -> None:
    active = segmented(rows, day(20)).filter(pl.col("frequency") > 0)
    for value, letter, down in (
        ("recency_days", "r", True),
        ("frequency", "f", False),
        ("monetary", "m", False),
    ):
        assert active.select(value, letter).n_unique() == active[value].n_unique()
        assert active.sort(value, descending=down)[letter].is_sorted()


@given(histories())
def test_cut_points_give_every_score_again(rows: list[Row]) -> None:
    result = segmented(rows, day(20))
    cut = rules.cuts(nw.from_native(result.lazy()))
    for row in result.filter(pl.col("frequency") > 0).to_dicts():
        assert row["r"] == 1 + sum(c is not None and row["recency_days"] <= c for c in cut.r)
        assert row["f"] == 1 + sum(c is not None and row["frequency"] >= c for c in cut.f)
        assert row["m"] == 1 + sum(c is not None and row["monetary"] >= c for c in cut.m)


# ---- why ----------------------------------------------------------------------------------------


def test_a_person_is_told_why() -> None:
    cut = rules.Cuts(r=(180, 120, 60, 14), f=(2, 2, 4, 9), m=(5000, 9900, 20000, None))
    ann = {"recency_days": 143, "frequency": 1, "monetary": 20001, "r": 2, "f": 1, "m": 4}
    assert rules.reasons(ann, cut, lambda minor: f"{minor / 100:.2f} USD") == (
        "R=2: last order 143 days ago, cut at 120 for R=3",
        "F=1: 1 order, cut at 2 for F=3",
        "M=4: 200.01 USD net",
    )
    bob = {"recency_days": None, "frequency": 0, "monetary": -5, "r": 1, "f": 1, "m": 1}
    assert rules.reasons(bob, cut) == (
        "R=1: no order that counts, cut at 180 for R=2",
        "F=1: 0 orders, cut at 2 for F=3",
        "M=1: -5 net, cut at 5000 for M=2",
    )


def test_nobody_earned_a_score() -> None:
    nothing = (None, None, None, None)
    assert rules.cuts(nw.from_native(segmented([], day(1)).lazy())) == rules.Cuts(nothing, nothing, nothing)


# ---- CDNOW --------------------------------------------------------------------------------------


def cdnow(name: str) -> pl.LazyFrame:
    return (
        pl.scan_parquet(Path(__file__).parents[1] / "data" / f"cdnow_{name}.parquet")
        .with_row_index()
        .select(
            account="customer_id",
            at=pl.col("date").cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
            kind=pl.lit("purchase"),
            amount=(pl.col("dollar_value") * 100).round().cast(pl.Int64),
            event=pl.col("index").cast(pl.String),
            about=pl.lit(None, pl.String),
        )
    )


# Worked out in plain Python from sorted lists and explicit cut points, without a frame.
CDNOW_CELLS = {
    ("master", True): {
        "11": 4419, "13": 282, "14": 30, "15": 4, "21": 4150, "23": 470, "24": 85, "25": 7, "31": 3339,
        "33": 960, "34": 358, "35": 45, "43": 1801, "44": 1851, "45": 1068, "53": 566, "54": 1334, "55": 2801,
    },
    ("master", False): {
        "11": 4457, "13": 282, "14": 30, "15": 4, "21": 4292, "23": 484, "24": 86, "25": 8, "31": 3161,
        "33": 965, "34": 362, "35": 46, "41": 1, "43": 1783, "44": 1848, "45": 1071, "53": 565, "54": 1329,
        "55": 2796,
    },
    ("sample", True): {
        "11": 457, "13": 23, "14": 2, "21": 403, "23": 53, "24": 12, "25": 3, "31": 345, "33": 84, "34": 30,
        "35": 4, "43": 189, "44": 169, "45": 112, "53": 57, "54": 145, "55": 269,
    },
    ("sample", False): {
        "11": 461, "13": 23, "14": 2, "21": 400, "23": 53, "24": 12, "25": 3, "31": 344, "33": 87, "34": 32,
        "35": 4, "43": 186, "44": 167, "45": 115, "53": 57, "54": 145, "55": 266,
    },
}  # fmt: skip
CDNOW_MONETARY = {
    ("master", True): {1: 4817, 2: 4615, 3: 4710, 4: 4715, 5: 4713},
    ("master", False): {1: 4817, 2: 4656, 3: 4697, 4: 4700, 5: 4700},
    ("sample", True): {1: 481, 2: 462, 3: 472, 4: 471, 5: 471},
    ("sample", False): {1: 481, 2: 467, 3: 470, 4: 470, 5: 469},
}


@pytest.mark.parametrize(("name", "zeros"), CDNOW_CELLS)
def test_cdnow_falls_into_the_cells_that_were_counted_by_hand(*, name: str, zeros: bool) -> None:
    result = segmented(cdnow(name), CDNOW_END, count_zero_amounts=zeros)
    assert Counter(f"{r}{f}" for r, f, _ in scores_of(result).values()) == CDNOW_CELLS[name, zeros]
    assert Counter(result["m"]) == CDNOW_MONETARY[name, zeros]
    total = {"master": 250_031_563, "sample": 24_409_194}[name]
    assert result["monetary"].sum() == total


def test_cdnow_one_time_buyers_share_one_score_and_ntile_tears_them_apart() -> None:
    result = segmented(cdnow("master"), CDNOW_END, count_zero_amounts=True)
    once = result.filter(pl.col("frequency") == 1)
    assert len(once) == 11_908
    assert set(once["f"]) == {1}
    torn = segmented(cdnow("master"), CDNOW_END, count_zero_amounts=True, scores="ntile")
    assert Counter(torn.filter(pl.col("frequency") == 1)["f"]) == {1: 4714, 2: 4714, 3: 2480}


def test_cdnow_cut_points() -> None:
    result = segmented(cdnow("master"), CDNOW_END, count_zero_amounts=True)
    cut = rules.cuts(nw.from_native(result.lazy()))
    assert cut.f == (2, 2, 3, 5)
    assert cut.r == (512, 485, 432, 141)
    for column, letter, points in (("recency_days", "r", cut.r), ("monetary", "m", cut.m)):
        for score, point in enumerate(points, start=2):
            assert result.filter(pl.col(column) == point)[letter].unique().to_list() == [score]


# ---- options ------------------------------------------------------------------------------------


def test_the_standard_grid_is_whole_and_an_operator_renames_single_cells() -> None:
    scores = range(1, 6)
    cells = {(r, f, m): STANDARD_GRID[f"{r}{f}"] for r in scores for f in scores for m in scores}
    assert RfmConfig().names == cells
    renamed = RfmConfig(grid={"55": " 老顾客 ", "51": "welcome"})
    assert renamed.names == cells | {(5, 5, m): "老顾客" for m in scores} | {(5, 1, m): "welcome" for m in scores}
    history = [buys(name, n, 10, f"{name}{k}") for n, name in enumerate("abcde", 1) for k in range(n)]
    assert segmented(history, day(9), grid={"55": "老顾客"})["segment"].to_list()[-1] == "老顾客"


def test_one_name_may_fill_the_whole_grid() -> None:
    everyone = dict.fromkeys(STANDARD_GRID, "everyone")
    assert segmented([buys("ann", 0, 1)], day(1), grid=everyone)["segment"].to_list() == ["everyone"]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"grid": {"61": "x"}}, "61 is no cell of R x F with 5 classes"),
        ({"grid": {"05": "x"}}, "should match pattern"),
        ({"grid": {"55": " "}}, "at least 1 character"),
        ({"grid": ["55"]}, "valid dictionary"),
        ({"window": "a year or so"}, "not a window"),
        ({"window": 12}, "not text"),
        ({"scores": "quartile"}, "'tie_safe' or 'ntile'"),
        ({"windows": "12 months"}, "not permitted"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(pydantic.ValidationError, match=complaint):
        RfmConfig(**options)


def test_options_are_frozen_and_each_is_described_with_a_default_that_may_be_written() -> None:
    assert all(field.description for field in RfmConfig.model_fields.values())
    defaults = {key: field["default"] for key, field in RfmConfig.model_json_schema()["properties"].items()}
    assert RfmConfig(**defaults) == RfmConfig()
    assert RfmConfig().model_dump(mode="json") == defaults
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        RfmConfig().scores = "ntile"  # type: ignore[misc]


# ---- a small installation -----------------------------------------------------------------------


def test_without_the_extra_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(stampbook_rfm, "rules")
    monkeypatch.delitem(sys.modules, "stampbook_rfm.rules")
    monkeypatch.setitem(sys.modules, "narwhals", None)
    with pytest.raises(PluginError) as caught:
        rfm().segment(nw.from_native(frame_of([])), START)
    assert str(caught.value) == "rfm needs the analytics extra: pip install 'stampbook[analytics]'"


def test_importing_the_plugin_imports_no_frames() -> None:
    code = "import sys, stampbook_rfm; print({'narwhals', 'polars'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
