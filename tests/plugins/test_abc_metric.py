"""ABC by a metric of the program: what it counted in the window, whoever counted it, less what was taken off."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stampbook import Engine, ProgramError
from stampbook.histories import read_frames
from stampbook.loading import load
from stampbook.periods import Calendar
from stampbook.segmenting import reasons, segment
from stampbook.segments import run_segments
from stampbook.store.segment_runs import members
from tests.cli.shop import data, one_line, run
from tests.effort import examples

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VIENNA = Calendar("Europe/Vienna")
AT = VIENNA.parse
NOW = AT("2025-06-01")
PROGRAM = """
[program]
name = "Shop"
currency = "EUR"
time_zone = "Europe/Vienna"
open_accounts = "on first event"

[assets.points]

[metrics.visits]
count = true
window = "30 days"

[metrics.spend]
sum = "order.net - order.tax"

[metrics.litres]
sum = "order.quantity"
decimals = 1

[metrics.earned]
granted = "points"

[metrics.points]
granted = "points"

[metrics.categories]
distinct = "line.category"
per = "line"

[metrics.paid_in]
on = ["topup"]
sum = "event.amount"

[limits.most]
per = "account"
window = "calendar month"
asset = "points"
max = "1000"

[[plugin]]
use = "stored_value"

[[plugin]]
use = "refunds"

[[plugin]]
use = "merging"
later_events = "forward"

[[plugin]]
use = "points"
[[plugin.rule]]
name = "base"
earn = "floor(order.net)"
"""


def by(*metrics: str, more: str = "") -> str:
    """Return the program with a scheme for each metric, named like it."""
    tables = (f'[[plugin]]\nuse = "abc"\nname = "by_{name}"\nby = "metric.{name}"\n{more}\n' for name in metrics)
    return PROGRAM + "\n".join(tables)


def opened(url: str, text: str) -> Engine:
    engine = Engine.open(url, create=True, clock=lambda: NOW)
    engine.put_text_in_force(text)
    return engine


def tell(engine: Engine, *events: dict[str, Any]) -> None:
    for outcome in engine.process([{"id": f"e{number}", **event} for number, event in enumerate(events)]):
        assert outcome.accepted, outcome


def values(engine: Engine, metric: str, at: str = "2025-06-01") -> dict[str, int]:
    """Return what the scheme of a metric says of the value of each account, run anew over the ledger."""
    instant = AT(at)
    registry = engine.registry(instant)
    wanted = {"accounts", "counts"}
    frames = read_frames(engine, instant, wanted).frames
    [made] = run_segments(registry.segmenters(), frames, VIENNA.local(instant), [f"by_{metric}"])
    return dict(made.frame.select("account", "value").iter_rows())


def bought(account: str, at: str, amount: str, event: str, *lines: tuple[str, str]) -> dict[str, Any]:
    told: dict[str, Any] = {"type": "purchase", "id": event, "account": account, "at": at}
    if lines:
        return {**told, "lines": [{"category": category, "amount": price} for category, price in lines]}
    return {**told, "amount": amount}


@pytest.fixture
def engine(any_db: str) -> Iterator[Engine]:
    with opened(any_db, by("visits", "spend", "litres", "earned", "points", "categories", "paid_in")) as engine:
        yield engine


def test_a_return_takes_off_and_only_once_it_has_happened(engine: Engine) -> None:
    tell(
        engine,
        bought("ann", "2025-02-01", "100.00", "a1"),
        bought("ann", "2025-03-01", "20.00", "a2"),
        bought("bob", "2025-03-01", "50.00", "b1"),
        {"type": "return", "account": "ann", "at": "2025-04-01", "purchase": "a1", "amount": "80.00"},
    )
    assert values(engine, "spend", "2025-03-31") == {"ann": 12_000, "bob": 5_000}
    assert values(engine, "spend") == {"ann": 4_000, "bob": 5_000}
    assert values(engine, "earned") == {"ann": 40, "bob": 50}
    assert values(engine, "visits", "2025-02-28") == {"ann": 1}  # bob is not there yet
    assert values(engine, "visits") == {"ann": 2, "bob": 1}  # its own window of 30 days does not matter


def test_a_return_counts_on_the_day_of_its_purchase(any_db: str) -> None:
    with opened(any_db, by("spend", more='window = "30 days"')) as engine:
        tell(
            engine,
            bought("ann", "2025-02-01", "100.00", "old"),
            bought("ann", "2025-05-20", "7.00", "new"),
            {"type": "return", "account": "ann", "at": "2025-05-25", "purchase": "old", "amount": "80.00"},
            bought("bob", "2025-05-02T23:59", "5.00", "b1"),
            bought("bob", "2025-05-03T00:00", "3.00", "b2"),  # the first of 30 days up to 1 June, in Vienna
        )
        assert values(engine, "spend") == {"ann": 700, "bob": 300}


def test_who_never_bought_has_a_class_by_a_metric_of_something_else(engine: Engine) -> None:
    tell(
        engine,
        {"type": "account.opened", "account": "cid", "at": "2025-01-01"},
        {"type": "topup", "account": "ann", "at": "2025-01-02", "amount": "50.00"},
        bought("bob", "2025-01-03", "9.00", "b1"),
    )
    [made], _ = segment(engine, at=NOW, schemes=["by_paid_in"])
    assert {each.account: each.segment for each in members(engine.store, "by_paid_in", NOW)} == {
        "ann": "A", "bob": "C", "cid": "C",
    }  # fmt: skip
    assert made.run.accounts == 3


def test_different_values_are_counted_once_and_while_something_of_them_is_left(engine: Engine) -> None:
    tell(
        engine,
        bought("ann", "2025-02-01", "", "a1", ("tea", "3.00"), ("cake", "4.00")),
        bought("ann", "2025-02-03", "", "a2", ("tea", "3.00")),
        bought("bob", "2025-02-03", "", "b1", ("tea", "3.00")),
        {"type": "return", "account": "ann", "at": "2025-03-01", "purchase": "a1", "lines": [{"line": 2}]},
    )
    assert values(engine, "categories", "2025-02-28") == {"ann": 2, "bob": 1}
    assert values(engine, "categories") == {"ann": 1, "bob": 1}


def test_what_a_merged_account_counted_is_its_heirs_once_even_beyond_the_metrics_window(engine: Engine) -> None:
    tell(
        engine,
        bought("old", "2025-01-10", "", "o1", ("tea", "10.00")),  # out of the window of visits by the merger
        bought("old", "2025-03-20", "", "o2", ("cake", "20.00")),
        bought("new", "2025-03-21", "", "n1", ("tea", "40.00")),
        {"type": "account.merged", "account": "old", "at": "2025-04-01", "to": "new"},
        {"type": "return", "account": "new", "at": "2025-04-02", "purchase": "o2", "amount": "5.00"},
    )
    assert values(engine, "spend", "2025-03-31") == {"new": 4_000, "old": 3_000}
    assert values(engine, "spend") == {"new": 6_500}
    assert values(engine, "visits") == {"new": 3}
    assert values(engine, "categories") == {"new": 2}


@pytest.mark.parametrize("metrics", ["move", "leave"])
def test_a_merger_gives_the_heir_everything_and_its_undoing_gives_it_back(any_db: str, metrics: str) -> None:
    merging = f'use = "merging"\nundo = "90 days"\nmetrics = "{metrics}"'
    with opened(any_db, by("spend").replace('use = "merging"', merging)) as engine:
        tell(
            engine,
            bought("old", "2025-03-20", "20.00", "o1"),
            bought("new", "2025-03-21", "40.00", "n1"),
            {"type": "account.merged", "account": "old", "at": "2025-04-01", "to": "new"},
            {"type": "return", "account": "new", "at": "2025-04-02", "purchase": "o1", "amount": "5.00"},
            {"type": "account.unmerged", "account": "new", "at": "2025-05-01", "to": "old"},
        )
        assert values(engine, "spend", "2025-04-01") == {"new": 6_000}
        assert values(engine, "spend", "2025-04-30") == {"new": 5_500}
        assert values(engine, "spend") == {"new": 4_000, "old": 1_500}


def test_limits_are_no_metrics_to_look_at(engine: Engine) -> None:
    tell(engine, bought("ann", "2025-02-01", "100.00", "a1"))
    frame = read_frames(engine, NOW, {"counts"}).frames.counts
    assert isinstance(frame, pl.LazyFrame)
    assert set(frame.collect()["metric"]) == {"visits", "spend", "litres", "earned", "points"}


def test_reasons_tell_money_as_money_and_all_else_by_its_name(engine: Engine) -> None:
    tell(
        engine,
        {"type": "purchase", "account": "ann", "at": "2025-02-01", "lines": [{"amount": "40.50", "quantity": "1.5"}]},
        {"type": "topup", "account": "ann", "at": "2025-01-02", "amount": "50.00"},
    )
    segment(engine, at=NOW)
    said = {name.removeprefix("by_"): each.partition(", rank")[0] for name, [each] in reasons(engine, "ann").items()}
    assert said == {
        "visits": "A: 1 visit",
        "spend": "A: 40.50 EUR of spend",
        "litres": "A: 1.5 litres",
        "earned": "A: 40 points of earned",
        "points": "A: 40 points",
        "categories": "C: 0 categories, which brings nothing",
        "paid_in": "A: 50.00 paid_in",
    }


def test_the_command_line_runs_shows_and_explains_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STAMPBOOK_DB", "sqlite:///stampbook.db")
    with opened("sqlite:///stampbook.db", by("spend")) as engine:
        tell(engine, bought("ann", "2025-02-01", "90.00", "a1"), bought("bob", "2025-02-01", "10.00", "b1"))
    [made] = data("segments", "run", "--at", "2025-05-31")
    assert {row["segment"]: row["accounts"] for row in made["segments"]} == {"A": 1, "B": 1}
    shown = run("segments", "show", "--scheme", "by_spend", "--segment", "A").output
    assert "9000" in shown
    assert "A: 90.00 EUR of spend, rank 1" in run("segments", "explain", "ann").output


def test_a_report_draws_no_borders_of_another_measure_on_the_curve_of_revenue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STAMPBOOK_DB", "sqlite:///stampbook.db")
    with opened("sqlite:///stampbook.db", by("paid_in")) as engine:
        tell(
            engine,
            bought("ann", "2025-02-01", "90.00", "a1"),
            bought("bob", "2025-02-01", "10.00", "b1"),
            {"type": "topup", "account": "bob", "at": "2025-02-02", "amount": "5.00"},
        )
    run("segments", "report", "--at", "2025-05-31", "--tables", "tables", "--table-format", "csv")
    classes = pl.read_csv(tmp_path / "tables" / "classes.csv")
    assert dict(classes.select("class", "accounts").iter_rows()) == {"A": 1, "B": 1}
    assert classes["revenue"].to_list() == sorted(classes["revenue"].to_list(), reverse=True)


def test_a_draft_may_go_by_a_metric_that_the_other_program_does_not_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STAMPBOOK_DB", "sqlite:///stampbook.db")
    with opened("sqlite:///stampbook.db", by("spend")) as engine:
        tell(engine, bought("ann", "2025-02-01", "90.00", "a1"), bought("bob", "2025-02-01", "10.00", "b1"))
    head = PROGRAM[: PROGRAM.index("[assets.points]")]
    (tmp_path / "left.toml").write_text(f'{head}\n[[plugin]]\nuse = "abc"\nname = "by_spend"\nby = "orders"\n')
    (tmp_path / "right.toml").write_text(by("spend"))
    drafts = ("--left-program", "left.toml", "--program", "right.toml")
    compared = run("segments", "compare", "by_spend", "--at", "2025-05-31", *drafts, "--json").output
    [cells] = json.loads(compared)["matrix"].values()
    assert {name: cell["accounts"] for name, cell in cells.items()} == {"A": 1, "B": 1}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("metric.spent", "metric 'spent' is not declared under [metrics], which has visits, spend"),
        ("metric.spent", "did you mean 'spend'"),
        ("metric.most", "metric 'most' is not declared"),
        ("metric.", "metric '' is not declared"),
        ("spend", "write metric.spend"),
        ("revenu", "did you mean 'revenue'"),
    ],
)
def test_an_unknown_metric_is_named_with_a_near_one(value: str, said: str, tmp_path: Path) -> None:
    text = PROGRAM + f'[[plugin]]\nuse = "abc"\nby = "{value}"\n'
    with pytest.raises(ProgramError) as error:
        load(text)
    [mistake] = error.value.mistakes
    assert said in mistake.message
    assert mistake.key.endswith("by")
    (tmp_path / "shop.toml").write_text(text)
    checked = run("check", str(tmp_path / "shop.toml"), code=1)
    assert said in " ".join(checked.output.split())


def test_margins_are_not_for_metrics() -> None:
    with pytest.raises(ProgramError, match=r"margins: they belong to by = 'margin'"):
        load(by("spend", more='margins = { "*" = "30%" }'))


def test_parquet_without_the_frame_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STAMPBOOK_DB", "sqlite:///stampbook.db")
    with opened("sqlite:///stampbook.db", by("spend")) as engine:
        tell(engine, bought("ann", "2025-02-01", "90.00", "a1"))
        frames = read_frames(engine, NOW, {"accounts", "counts"}).frames
    for name, frame in frames._asdict().items():
        if frame is not None:
            (tmp_path / "all" / name).mkdir(parents=True)
            frame.collect().write_parquet(tmp_path / "all" / name / "1.parquet")
    at = ("segments", "run", "--at", "2025-05-31", "--history", "all")
    assert data(*at)[0]["segments"][0]["accounts"] == 1
    told = frames.counts
    assert isinstance(told, pl.LazyFrame)
    for wrong, said in (
        (told.with_columns(day=pl.lit(None, pl.Date)), "counts: 1 row has no day (account ann"),
        (told.with_columns(metric=pl.lit(None, pl.String)), "counts: 1 row has no metric (account ann"),
        (told.with_columns(amount=pl.lit(None, pl.Int64)), "counts: 1 row has no amount (account ann"),
        (told.with_columns(day=pl.col("day").cast(pl.String)), "counts: column 'day' is String, not Date"),
    ):
        wrong.filter(pl.col("metric").fill_null("spend") == "spend").head(1).collect().write_parquet(
            tmp_path / "all" / "counts" / "1.parquet"
        )
        assert said in one_line(*at)
    (tmp_path / "all" / "counts" / "1.parquet").unlink()
    (tmp_path / "all" / "counts").rmdir()
    monkeypatch.setenv("STAMPBOOK_DB", "sqlite:///other.db")
    with opened("sqlite:///other.db", by("spend")):
        pass
    assert "scheme 'by_spend' looks at counts, of which there are none here" in one_line(*at)


@examples(40)
@given(orders=st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 60), st.integers(0, 3)), max_size=12))
def test_a_ledger_counts_as_a_naive_list_does(
    orders: list[tuple[str, int, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Each order is of so much, and so many quarters of it come back by and by."""
    with opened(f"sqlite:///{tmp_path_factory.mktemp('db') / 'l.db'}", by("spend", "visits")) as engine:
        spent, visits = Counter[str](), Counter[str]()
        for number, (ref, quarters, back) in enumerate(orders):
            order = bought(ref, f"2025-02-{number + 1:02}", f"{quarters}.00", f"p{number}")
            given_back = [
                {"type": "return", "id": f"r{number}-{part}", "account": ref, "at": f"2025-03-{part + 1:02}",
                 "purchase": f"p{number}", "amount": f"{quarters / 4:.2f}"}
                for part in range(back)
            ]  # fmt: skip
            tell(engine, order, *given_back)
            spent[ref] += 25 * quarters * (4 - back)
            visits[ref] += 1
        assert values(engine, "spend") == spent
        assert values(engine, "visits") == visits
