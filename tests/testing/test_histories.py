"""Made-up histories: the same for the same seed, true to their parameters, and the same as frames and as events."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from stampbook import Engine
from stampbook.errors import InputError
from stampbook.histories import read_frames
from stampbook.periods import Calendar
from stampbook.population import Frames
from stampbook.run_frames import RunFrames
from stampbook.testing.histories import PROGRAM, Market, events, frames, write_events, write_parquet

if TYPE_CHECKING:
    from pathlib import Path

SMALL = Market(accounts=60, seed=3, block=25, days=200, returns=0.4, discounts=0.4, stored_value=0.2)
END = Calendar().parse("2026-01-01")
NAMES = Frames._fields


def taken(market: Market) -> dict[str, pl.DataFrame]:
    return {name: frame.collect() for name, frame in frames(market)._asdict().items()}


@pytest.fixture(scope="module")
def large() -> dict[str, pl.DataFrame]:
    return taken(Market(accounts=20_000, yearly=0, weekdays=(1,) * 7, arrivals=0.2))


def test_the_same_seed_gives_the_same_and_another_seed_another() -> None:
    first, again, other = taken(SMALL), taken(SMALL), taken(replace(SMALL, seed=4))
    for name in NAMES:
        assert_frame_equal(first[name], again[name])
        assert not first[name].equals(other[name])


def test_a_known_seed_gives_what_it_gave_on_every_machine() -> None:
    history = taken(SMALL)["history"]
    purchases = history.filter(kind="purchase")
    assert (history.height, purchases.height, purchases["amount"].sum()) == (383, 262, 809_956)
    assert purchases.row(0)[:5] == ("c00000014", datetime(2023, 1, 4, 10, 27, 7, tzinfo=UTC), "purchase", 4036, "p0-41")


def test_what_is_left_out_changes_nothing_of_the_rest(tmp_path: Path) -> None:
    whole = taken(SMALL)
    place = write_parquet(SMALL, tmp_path, names=["history"])
    assert list(place) == ["history"]
    assert_frame_equal(pl.read_parquet(place["history"] / "*.parquet"), whole["history"])
    fewer = taken(replace(SMALL, returns=0))
    assert_frame_equal(
        fewer["history"].filter(kind="purchase"), whole["history"].filter(kind="purchase"), check_row_order=False
    )


def test_frames_are_such_as_schemes_are_promised() -> None:
    population = RunFrames(frames(SMALL), SMALL.start.replace(year=2030))
    for name in NAMES:
        assert population.frame(name, "any").collect("polars").shape[0] > 0
    assert len(population.population("history")) == len(population.population("accounts")) == SMALL.accounts


def test_never_more_comes_back_than_was_paid_nor_before_it_nor_is_more_spent_than_is_there() -> None:
    made = taken(SMALL)
    history = made["history"]
    bought = history.filter(kind="purchase").select("account", about="event", paid="amount", paid_at="at")
    back = history.filter(kind="return").join(bought, on=["account", "about"], how="left")
    named = back.filter(pl.col("about").is_not_null())
    assert named.height
    assert named["paid"].null_count() == 0
    assert (named["at"] > named["paid_at"]).all()
    sums = named.group_by("about").agg(pl.col("amount").sum(), pl.col("paid").first())
    assert (sums["amount"] <= sums["paid"]).all()
    assert (history["amount"] > 0).all()
    moved = made["movements"].sort("account", "at").with_columns(held=pl.col("amount").cum_sum().over("account"))
    assert (moved["held"] >= 0).all()
    priced = made["lines"].group_by("event").agg(pl.col("amount").sum())
    told = priced.join(history.select("event", total="amount"), on="event")
    assert told.height == priced.height
    assert (told["amount"] == told["total"]).all()


def test_event_ids_are_unique_and_accounts_stand_in_one_block() -> None:
    ids = [event["id"] for event in events(SMALL)]
    assert len(ids) == len(set(ids)) > SMALL.accounts


def test_visits_and_amounts_have_the_moments_of_their_parameters(large: dict[str, pl.DataFrame]) -> None:
    market = Market(accounts=20_000)
    bought = large["history"].filter(kind="purchase")
    mean = market.p * market.gamma / (market.q - 1)
    of_accounts = bought.group_by("account").agg(pl.len(), pl.col("amount").mean())
    assert of_accounts["amount"].mean() == pytest.approx(mean, rel=0.05)
    # From an account's first purchase to its second: P(none within 30 days) is (alpha / (alpha + 30)) ** r.
    gaps = bought.sort("account", "at").with_columns(nth=pl.int_range(pl.len()).over("account"))
    first = gaps.filter(nth=0).select("account", since="at")
    soon = gaps.filter(nth=1).join(first, on="account").filter(pl.col("at") - pl.col("since") <= pl.duration(days=30))
    assert 1 - soon.height / market.accounts == pytest.approx(0.5**market.r, abs=0.02)
    # Of those who buy again, one in (a + b) / a drops out at once; some more do not come in the time that is left.
    again = of_accounts.filter(pl.col("len") >= 2)
    once = again.filter(pl.col("len") == 2).height / again.height
    assert market.a / (market.a + market.b) < once < 2 * market.a / (market.a + market.b)


def test_lifetimes_of_pareto_nbd_end_trade_as_they_should() -> None:
    market = Market(accounts=5_000, model="pareto/nbd", arrivals=0.01, yearly=0, weekdays=(1,) * 7)
    bought = taken(market)["history"].filter(kind="purchase")
    late = bought.filter(pl.col("at") > bought["at"].max() - pl.duration(days=60)).height / 60
    early = bought.filter(pl.col("at") < bought["at"].min() + pl.duration(days=67)).height / 67
    # The share still there after t days is (beta / (beta + t)) ** s: 0.28 of those at the start after 700 days.
    assert late / (early - market.accounts / 67) == pytest.approx(0.33, abs=0.06)


def test_trade_has_its_seasons_and_weekdays() -> None:
    market = Market(accounts=5_000, days=364 * 2, yearly=0.6, weekdays=(1, 1, 1, 1, 1, 3, 0), arrivals=1)
    at = taken(market)["history"].filter(kind="purchase")["at"]
    weekdays = at.dt.weekday().value_counts().sort("at")
    assert weekdays["at"].to_list() == [1, 2, 3, 4, 5, 6]
    assert weekdays["count"][5] == pytest.approx(3 * weekdays["count"][0], rel=0.1)
    december, june = (at.filter((at.dt.year() == 2023) & (at.dt.month() == month)).len() for month in (12, 6))
    assert december > 1.5 * june


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"accounts": 0}, "accounts is 0; it must be above 0"),
        ({"returns": 1.5}, "returns is 1.5; it must be a share from 0 to 1"),
        ({"weekdays": (1, 1)}, "weekdays are seven numbers"),
        ({"start": SMALL.start.replace(tzinfo=None)}, "has no time zone"),
    ],
)
def test_a_market_that_cannot_be_is_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        replace(SMALL, **changes)  # type: ignore[arg-type]  # wrong on purpose


def test_a_ledger_into_which_the_events_go_has_the_same_frames(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    market = replace(SMALL, lonely_returns=0.1)
    count = write_events(market, path)
    with Engine.open(str(tmp_path / "shop.db"), create=True, clock=lambda: END) as engine:
        engine.put_text_in_force(f"{PROGRAM}\n[metrics.spend]\nsum = 'order.net'\n")
        outcomes = engine.process(list(events(market)))
        assert [outcome for outcome in outcomes if not outcome.accepted] == []
        assert len(outcomes) == count == len(path.read_bytes().splitlines())
        read = read_frames(engine, END, NAMES)
        for name, made in taken(market).items():
            found = getattr(read.frames, name).collect()
            if name == "lines":  # a ledger spreads what came back by amount alone over the lines, as no pieces of them
                found = found.filter(pl.col("quantity") > 0)
            assert_frame_equal(found.select(made.columns).sort(made.columns), made.sort(made.columns))
