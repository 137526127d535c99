"""What all schemes promise: an answer for everybody, equal for equal histories, whatever the order of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from stampbook.loading import load
from stampbook.population import Frames
from tests.plugins.histories import accounts, activity, buys, history, line, lines, movements, program, run

if TYPE_CHECKING:
    import random

AT = 500
DECLARED = '[attributes]\nregion = "text"\nborn = "text"\n[events.complaint]\n'
AGES = 'attribute = "born"\n[[plugin.age]]\nsegment = "adult"\nfrom = 18'
RULES = """
window = "120 days"
[[plugin.rule]]
segment = "solid"
when = "history.mean_order >= 2 and account.region != ''"
[[plugin.rule]]
segment = "costly"
when = "history.returned_share > 0.1 or history.discounted_share > 0.3 or history.net < 0"
[[plugin.rule]]
segment = "holds"
when = "account.stored_value > 3 or history.returns > 1 or history.days_since_first > 300"
"""
TRIED = [
    ("lifecycle", ""),
    ("lifecycle", 'rule = "lapse"'),
    ("lifecycle", 'least_gaps = 1\ncover = "66.67%"\nleast_limit = 1\nlost_after = "1.5"'),
    ("behaviour", 'complaints = ["complaint"]\ncomplaints_from = 1\nreturned_from = "33.3%"\ndiscounted_orders = 1'),
    ("balance", 'by = "both"\nwindow = "60 days"'),
    ("balance", 'amounts = ["5", "1"]'),
    ("preference", 'confidence = "50%"\nleast_orders = 1'),
    ("preference", 'of = "label"\nprefix = "brand:"\nconfidence = "50%"\nleast_orders = 1'),
    ("preference", 'of = "store"\nchoose = "lift"\nconfidence = "50%"\nleast_orders = 1'),
    ("attributes", 'attribute = "region"'),
    ("attributes", AGES),
    ("custom", RULES),
]
LABELS = ["", "sale", "brand:Acme", "sale\tbrand:Bell", "brand:Acme\tbrand:Bell", "brand:"]

ages = st.integers(0, AT) | st.integers(0, 60)
orders = st.tuples(
    ages,
    st.sampled_from([0, 1, 100, 250]),
    st.sampled_from([None, 0, 10]),
    st.sampled_from([None, "north", "south"]),
    st.sampled_from(["", "tea", "cake"]),
    st.sampled_from(LABELS),
    st.sampled_from([None, "whole", "part", "lonely"]),
)
moves = st.tuples(ages, st.sampled_from(["topup", "purchase", "expiry"]), st.sampled_from([500, 100, -100, -500]))
people = st.tuples(
    st.lists(orders, max_size=5),
    st.lists(moves, max_size=3),
    st.lists(ages, max_size=2),
    st.sampled_from([None, " ", "north", "south"]),
    st.sampled_from([None, "2008-05-16", "1990-02-28", "soon"]),
)


def told_of(populace: list[Any], twin: str) -> list[list[Any]]:
    """Return the rows of history, lines, accounts, movements and activity."""
    sold: list[Any] = []
    parts: list[Any] = []
    known: list[Any] = []
    moved: list[Any] = []
    happened: list[Any] = []
    for who, (bought, held, complained, region, born) in enumerate(populace):
        ref = f"{who}{twin}"
        known.append({"account": ref, "region": region, "born": born})
        moved += [(ref, AT - age, kind, amount) for age, kind, amount in held]
        happened += [(ref, AT - age, "complaint") for age in complained]
        for number, (age, amount, discount, store, category, labels, back) in enumerate(bought):
            event = f"e{number}"
            sold.append(buys(ref, AT - age, amount, event, discount=discount, store=store))
            parts.append({**line(ref, AT - age, category, amount, labels=labels), "event": event})
            if back is not None:
                about = None if back == "lonely" else event
                less = amount // 2 if back == "part" else amount
                sold.append(buys(ref, AT - age, less, f"r{number}", kind="return", about=about))
                parts.append({**parts[-1], "event": f"r{number}", "kind": "return", "about": about, "amount": less})
    return [sold, parts, known, moved, happened]


def seen(rows: list[list[Any]]) -> Frames:
    sold, parts, known, moved, happened = rows
    return Frames(history(sold), lines(parts), accounts(known, "region", "born"), movements(moved), activity(happened))


@pytest.mark.parametrize(("use", "options"), TRIED)
@settings(max_examples=25)
@given(populace=st.lists(people, min_size=1, max_size=4), chance=st.randoms(use_true_random=False))
def test_everybody_is_answered_twins_alike_in_any_order(
    use: str, options: str, populace: list[Any], chance: random.Random
) -> None:
    text = program(use, options, DECLARED)
    rows = [one + other for one, other in zip(told_of(populace, "x"), told_of(populace, "y"), strict=True)]
    found = run(text, seen(rows), AT)
    for part in rows:
        chance.shuffle(part)
    assert_frame_equal(run(text, seen(rows), AT), found, check_exact=True)

    def twins(letter: str) -> pl.DataFrame:
        return found.filter(pl.col("account").str.ends_with(letter)).drop("account")

    assert_frame_equal(twins("x"), twins("y"), check_exact=True)
    [(_, scheme)] = load(text).segmenters()
    assert all(scheme.reasons(row, {}) for row in found.to_dicts())
    assert not scheme.segment_names or set(found["segment"]) <= set(scheme.segment_names)
