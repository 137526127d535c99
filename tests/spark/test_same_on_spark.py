"""Every bundled scheme says on a local Spark what it says on one machine, to the last value."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from importlib.metadata import entry_points
from importlib.util import find_spec
from itertools import chain
from typing import TYPE_CHECKING, Any

import pytest
from polars.testing import assert_frame_equal

from stampbook import Engine
from stampbook.loading import load
from stampbook.parquet import scanned
from stampbook.periods import Calendar
from stampbook.segments import run_segments, share_table
from stampbook.testing.histories import PROGRAM, Market, events, write_parquet
from tests.cli.shop import data

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from stampbook.spark import Spark

pytestmark = [
    pytest.mark.skipif(not find_spec("pyspark"), reason="PySpark is not in this environment; `make test-spark` has it"),
    pytest.mark.skipif(not shutil.which("java"), reason="Spark needs a Java of 17 or later on this machine"),
    pytest.mark.filterwarnings("ignore::FutureWarning:pyspark"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:pyspark"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # PySpark leaves sockets to its own end
    pytest.mark.timeout(900),
]

MASTER = "local[2]"
AT = datetime(2024, 6, 30, 22, tzinfo=UTC)
MARKET = Market(accounts=150, seed=5, returns=0.2, lonely_returns=0.02, discounts=0.3, stored_value=0.1)

CONDITION = """
[[plugin.rule]]
when = "(history.mean_order >= 20 or history.returned_share > 0.1) and account.region != ''"
segment = "some"
"""
OPTIONS: Mapping[str, tuple[str, ...]] = {
    "rfm": ("", "window = '12 months'", "scores = 'ntile'", "count_zero_amounts = true"),
    "abc": ("", "by = 'metric.spend'", "by = 'metric.spend'\nwindow = '90 days'"),
    "attributes": (
        "attribute = 'region'",
        "[[plugin.rule]]\nwhen = \"account.region != 'north'\"\nsegment = 'elsewhere'",
    ),
    "balance": ("", "amounts = ['50', '10']\nby = 'both'"),
    "behaviour": ("", "returned_from = '20%'\ndiscounted_orders = 1"),
    "custom": (CONDITION, "[[plugin.rule]]\nwhen = 'metric.spend >= 20'\nsegment = 'some'"),
    "lifecycle": ("", "rule = 'lapse'"),
    "preference": ("", "of = 'label'\nconfidence = '60%'", "of = 'channel'", "choose = 'lift'\nleast_orders = 1"),
}
"""Tables of options, as TOML, with which a scheme is tried; every other is tried with its defaults."""


def schemes() -> Iterator[tuple[str, str]]:
    for name in sorted(point.name for point in entry_points(group="stampbook.plugins")):
        [point] = entry_points(group="stampbook.plugins", name=name)
        if callable(getattr(point.load(), "segment", None)):
            for options in OPTIONS.get(name, ("",)):
                yield name, options


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return {name: str(place) for name, place in write_parquet(MARKET, tmp_path_factory.mktemp("market")).items()}


@pytest.fixture(scope="module")
def session() -> Iterator[Spark]:
    from stampbook.spark import spark

    with spark(MASTER) as session:
        yield session


@pytest.mark.parametrize(("scheme", "options"), list(schemes()))
def test_a_scheme_says_the_same_on_spark(scheme: str, options: str, places: dict[str, str], session: Spark) -> None:
    metrics = "[metrics.spend]\nsum = 'order.net'"
    registry = load(f"{PROGRAM}\n{metrics}\n[[plugin]]\nuse = '{scheme}'\n{options}\n")
    [here] = run_segments(registry.segmenters(), scanned(places), AT, [scheme])
    [there] = run_segments(registry.segmenters(), session.read(places), AT, [scheme])
    assert there.frame.height == here.accounts > 0
    assert_frame_equal(there.frame, here.frame, check_exact=True)
    assert (there.rows, there.definition) == (here.rows, here.definition)


def test_frames_of_this_machine_are_handed_over(places: dict[str, str], session: Spark) -> None:
    registry = load(f"{PROGRAM}\n[[plugin]]\nuse = 'rfm'\n")
    given = scanned({"history": places["history"]})
    [here] = run_segments(registry.segmenters(), given, AT)
    handed = session.handed_over(given)
    [there] = run_segments(registry.segmenters(), handed, AT)
    assert_frame_equal(there.frame, here.frame, check_exact=True)
    assert_frame_equal(share_table(there, handed.history), share_table(here, given.history), abs_tol=1e-9)


def answered(*arguments: str) -> Any:
    [made] = data("segments", "run", *arguments)
    return made


def test_the_command_line_runs_a_ledger_and_parquet_on_spark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, places: dict[str, str]
) -> None:
    monkeypatch.delenv("STAMPBOOK_DB", raising=False)
    answers = {}
    variants = {"polars": (), "spark": ("--engine", "spark", "--master", MASTER)}
    for (name, engine), source in chain.from_iterable(
        ((variant, ()), (variant, ("--history", places["history"]))) for variant in variants.items()
    ):
        folder = tmp_path / f"{name}{len(source)}"
        folder.mkdir()
        monkeypatch.chdir(folder)
        with Engine.open("sqlite:///stampbook.db", create=True, clock=lambda: Calendar().parse("2025-01-01")) as books:
            books.put_text_in_force(f"{PROGRAM}\n[[plugin]]\nuse = 'rfm'\n")
            books.process(list(events(MARKET)))
        answers[name, len(source)] = answered("--at", "2024-06-30T22:00", *engine, *source)
    first = answers["polars", 0]
    assert first["segments"]
    for made in answers.values():
        assert (made["rows"], made["segments"]) == (first["rows"], first["segments"])
