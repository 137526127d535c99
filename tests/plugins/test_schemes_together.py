"""Schemes that run together share what they look at; each must say what it says alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from stampbook import load_program
from stampbook.population import Frames
from stampbook.segments import run_segments
from stampbook.testing.histories import Market, frames
from tests.effort import examples
from tests.plugins.buying import END, PROGRAM, Row, frame, histories

if TYPE_CHECKING:
    from datetime import datetime

    import polars as pl


OF_ORDERS = {
    "rfm": "",
    "abc": "",
    "lifecycle": "least_gaps = 2",
    "spending": "",
    "behaviour": "complaints = []",
    "preference": "of = 'store'",
}
OF_ALL = OF_ORDERS | {
    "churn": "",
    "balance": "",
    "preference": "least_orders = 1",
    "attributes": "attribute = 'region'",
    "custom": "[[plugin.rule]]\nwhen = \"history.orders >= 3 and account.region != ''\"\nsegment = 'regular'",
}
HEAD = PROGRAM.removesuffix("[[plugin]]\n") + "\n[attributes]\nregion = 'text'\n"


def said(schemes: dict[str, str], seen: Frames, at: datetime) -> dict[str, pl.DataFrame]:
    tables = "".join(f"\n[[plugin]]\nuse = '{scheme}'\n{options}\n" for scheme, options in schemes.items())
    return {run.scheme: run.frame for run in run_segments(load_program(HEAD + tables).segmenters(), seen, at)}


def assert_alike(schemes: dict[str, str], seen: Frames, at: datetime) -> None:
    together = said(schemes, seen, at)
    assert together.keys() == schemes.keys()
    for scheme, options in schemes.items():
        [(_, alone)] = said({scheme: options}, seen, at).items()
        assert together[scheme].equals(alone), scheme


@given(histories())
@examples(25)
def test_schemes_say_together_what_each_says_alone(rows: list[Row]) -> None:
    assert_alike(OF_ORDERS, Frames(frame(rows)), END)


@pytest.mark.parametrize("accounts", [1, 400])
def test_schemes_say_of_a_market_together_what_each_says_alone(accounts: int) -> None:
    market = Market(accounts=accounts)
    assert_alike(OF_ALL, frames(market), market.start.replace(year=2024, month=7))
