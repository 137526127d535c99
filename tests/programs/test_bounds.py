"""What a formula can come to, whatever happens."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stampbook.bounds import range_of
from stampbook.expressions import Field, Kind, compile_formula
from stampbook.periods import Calendar


@pytest.mark.parametrize(
    "text",
    [
        "0",
        "-1.5",
        "0 - order.net",
        "-order.net * 2 / 3",
        "-2 * line.quantity",
        "min(0, metric.x)",
        "0 * metric.x",
        "round(-order.net, 2) // 3",
        "-1 if order.net > 5 else 0",
        "floor(-order.tax) - abs(metric.x)",
        "order.net / -2",
    ],
)
def test_what_is_never_above_zero(text: str) -> None:
    assert range_of(text).high <= 0


@pytest.mark.parametrize(
    "text",
    [
        "order.net",
        "5 - order.net",
        "order.gross - order.net",
        "-metric.x",
        "max(-order.net, metric.x)",
        "0 - event.amount",
        "-(-order.net)",
        "1e-3",
        "order.net if order.net > 5 else 0",
        "order.net % -3",
        "days_since(account.opened_at) * 0.1",
    ],
)
def test_what_may_be_above_zero(text: str) -> None:
    assert range_of(text).high > 0


SCOPE = {
    "order": {"net": Field(Kind.NUMBER, "order['net']", 2), "tax": Field(Kind.NUMBER, "order['tax']", 2)},
    "metric": {"x": Field(Kind.NUMBER, "account['x']", 2)},
}
NUMBERS = st.sampled_from(["0", "1", "2.5", "100", "order.net", "order.tax", "metric.x"])
FORMULAS = st.recursive(
    NUMBERS,
    lambda inner: st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from(["+", "-", "*", "/", "//", "%"]), inner),
        st.builds("{}({})".format, st.sampled_from(["floor", "ceil", "round", "abs", "-"]), inner),
        st.builds("{}({}, {})".format, st.sampled_from(["min", "max"]), inner, inner),
        st.builds("({} if {} > {} else {})".format, inner, inner, inner, inner),
    ),
    max_leaves=6,
)
CENTS = st.integers(0, 10**6)


@given(FORMULAS, CENTS, CENTS, st.integers(-(10**6), 10**6))
def test_no_value_lies_outside_of_its_bounds(text: str, net: int, tax: int, counted: int) -> None:
    from stampbook.errors import ExpressionError

    try:
        formula = compile_formula(text, SCOPE, Calendar())
        numerator, denominator = formula.ratio(None, {"net": net, "tax": tax}, None, {"x": counted}, None)
    except ExpressionError:
        return
    low, high = range_of(text)
    assert low * denominator <= numerator <= high * denominator
