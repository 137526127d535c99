"""What runs found out besides segments, in the one shape that a report draws: plain data, as JSON holds it.

A run of customer lifetime value::

    {"parameters": {"r": 0.243, …},
     "holdout": [{"frequency": 0, "accounts": 1411, "predicted": 0.212, "actual": 0.233}, …]}

where `frequency` counts repeat purchases up to the holdout, and `predicted` and `actual` are purchases an account in
it. A run of churn, where scorers were tried on a holdout, and `calibration` and `roc` are those of the one chosen::

    {"backtest": {"scorers": [{"name": "p_buys", "auc": 0.747, "brier": 0.151}, …],
                  "calibration": [{"decile": 1, "accounts": 236, "predicted": 0.04, "actual": 0.03}, …],
                  "roc": [[0.0, 0.0], [0.01, 0.08], …, [1.0, 1.0]]}}

What is not there is left out of a report; what is there and does not have this shape is left out as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Mapping

_WHOLE, _REAL, _TEXT = pl.Int64, pl.Float64, pl.String


def holdout(findings: Mapping[str, Any]) -> pl.DataFrame | None:
    """Return purchases predicted and made in the holdout: frequency, accounts, predicted, actual."""
    columns = {"frequency": _WHOLE, "accounts": _WHOLE, "predicted": _REAL, "actual": _REAL}
    found = _rows(findings.get("holdout"), columns)
    return None if found is None else found.sort("frequency")


def parameters(findings: Mapping[str, Any]) -> pl.DataFrame | None:
    """Return the parameters that were fitted: parameter, value."""
    given = findings.get("parameters")
    if not isinstance(given, dict):
        return None
    rows = [{"parameter": str(name), "value": value} for name, value in given.items() if _is_number(value)]
    return _rows(rows, {"parameter": _TEXT, "value": _REAL})


def scorers(findings: Mapping[str, Any]) -> pl.DataFrame | None:
    """Return how well each scorer foretold who would buy: name, auc, brier; the best first."""
    found = _rows(_backtest(findings).get("scorers"), {"name": _TEXT, "auc": _REAL, "brier": _REAL})
    return None if found is None else found.sort(["auc", "name"], descending=[True, False], nulls_last=True)


def calibration(findings: Mapping[str, Any]) -> pl.DataFrame | None:
    """Return the share foretold to buy and that which did, by tenths: decile, accounts, predicted, actual."""
    columns = {"decile": _WHOLE, "accounts": _WHOLE, "predicted": _REAL, "actual": _REAL}
    found = _rows(_backtest(findings).get("calibration"), columns)
    return None if found is None else found.sort("decile")


def roc(findings: Mapping[str, Any]) -> pl.DataFrame | None:
    """Return the receiver operating characteristic: false_positive_rate, true_positive_rate, from 0, 0 to 1, 1."""
    pairs = _backtest(findings).get("roc")
    if not isinstance(pairs, list):
        return None
    names = ("false_positive_rate", "true_positive_rate")
    rows = [dict(zip(names, pair, strict=False)) for pair in pairs if isinstance(pair, (list, tuple))]
    found = _rows(rows, dict.fromkeys(names, _REAL))
    return None if found is None else found.sort(names)


def _backtest(findings: Mapping[str, Any]) -> Mapping[str, Any]:
    given = findings.get("backtest")
    return given if isinstance(given, dict) else {}


def _rows(rows: object, columns: Mapping[str, Any]) -> pl.DataFrame | None:
    """Return rows as a frame of just these columns; None where there are none of that shape."""
    if not isinstance(rows, list) or not all(isinstance(row, dict) and set(columns) <= set(row) for row in rows):
        return None
    for row in rows:
        if any(not _fits(row[name], kind) for name, kind in columns.items()):
            return None
    if not rows:
        return None
    return pl.DataFrame([{name: row[name] for name in columns} for row in rows], schema=dict(columns))


def _fits(value: object, kind: Any) -> bool:
    if kind == _TEXT:
        return isinstance(value, str)
    if kind == _WHOLE:
        return isinstance(value, int) and not isinstance(value, bool)
    return value is None or _is_number(value)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
