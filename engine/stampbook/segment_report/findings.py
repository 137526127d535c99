"""What runs found out besides segments, in the shape that a report draws: plain data, as JSON holds it.

A run of customer lifetime value, whose money is in the smallest unit::

    {"model": "bg_nbd", "horizon_days": 365, "warnings": ["…"],
     "fit": {"parameters": {"r": 0.243, …}, "errors": {"r": 0.012, …}},
     "value": {"parameters": {"p": 6.25, …}, "errors": {"p": 1.19, …}},
     "holdout": {"days": 90, "predicted": 299.1, "actual": 328.8, "most": 7, "warnings": [],
                 "by_frequency": [{"frequency": 0, "accounts": 1411, "predicted": 0.212, "actual": 0.233}, …]}}

where `frequency` counts repeat purchases up to the holdout, that of `most` standing for all from there on, and
`predicted` and `actual` of a row are purchases an account in it. A run of churn, where scorers were tried on a holdout,
and `calibration` and `roc` are those of the one chosen::

    {"warnings": ["…"],
     "backtest": {"days": 90, "accounts": 2357, "bought": 1120,
                  "scorers": [{"name": "p_buys", "auc": 0.747, "brier": 0.151, "chosen": true}, …],
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


def warnings(findings: Mapping[str, Any]) -> tuple[str, ...]:
    """Return in sentences what a run said is not as it should be: in itself, and in its holdout."""
    said = []
    for begin, part in (("This run: ", findings), ("The run of the holdout: ", _part(findings, "holdout"))):
        given = part.get("warnings")
        texts = [text for text in given if isinstance(text, str)] if isinstance(given, list) else []
        if texts:
            said.append(f"{begin}{'; '.join(texts)}.")
    return tuple(said)


def whole(findings: Mapping[str, Any], *path: str) -> int | None:
    """Return a whole number that stands at a path; None where there is none."""
    value: object = findings
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def holdout(findings: Mapping[str, Any]) -> pl.DataFrame | None:
    """Return purchases in the holdout: frequency (text, the last such as "7+"), accounts, predicted, actual."""
    columns = {"frequency": _WHOLE, "accounts": _WHOLE, "predicted": _REAL, "actual": _REAL}
    found = _rows(_part(findings, "holdout").get("by_frequency"), columns)
    if found is None:
        return None
    most, counted = whole(findings, "holdout", "most"), pl.col("frequency").cast(_TEXT)
    last = pl.col("frequency") == (-1 if most is None else most)
    return found.sort("frequency").with_columns(
        frequency=pl.when(last).then(pl.format("{}+", counted)).otherwise(counted)
    )


def parameters(findings: Mapping[str, Any]) -> pl.DataFrame | None:
    """Return the parameters that were fitted: of ("purchases" or "value"), parameter, value, error."""
    rows = [
        {"of": of, "parameter": str(name), "value": value, "error": _part(_part(findings, part), "errors").get(name)}
        for part, of in (("fit", "purchases"), ("value", "value"))
        for name, value in _part(_part(findings, part), "parameters").items()
        if _is_number(value)
    ]
    return _rows(rows, {"of": _TEXT, "parameter": _TEXT, "value": _REAL, "error": _REAL})


def scorers(findings: Mapping[str, Any]) -> pl.DataFrame | None:
    """Return how well each scorer foretold who would buy: name, auc, brier, chosen ("yes" or empty); the best first."""
    given = _part(findings, "backtest").get("scorers")
    rows = [{**row, "chosen": "yes" if row.get("chosen") is True else ""} for row in _dicts(given)]
    found = _rows(rows, {"name": _TEXT, "auc": _REAL, "brier": _REAL, "chosen": _TEXT})
    return None if found is None else found.sort(["auc", "name"], descending=[True, False], nulls_last=True)


def calibration(findings: Mapping[str, Any]) -> pl.DataFrame | None:
    """Return the share foretold to buy and that which did, by tenths: decile, accounts, predicted, actual."""
    columns = {"decile": _WHOLE, "accounts": _WHOLE, "predicted": _REAL, "actual": _REAL}
    found = _rows(_part(findings, "backtest").get("calibration"), columns)
    return None if found is None else found.sort("decile")


def roc(findings: Mapping[str, Any]) -> pl.DataFrame | None:
    """Return the receiver operating characteristic: false_positive_rate, true_positive_rate, from 0, 0 to 1, 1."""
    pairs = _part(findings, "backtest").get("roc")
    if not isinstance(pairs, list):
        return None
    names = ("false_positive_rate", "true_positive_rate")
    rows = [dict(zip(names, pair, strict=False)) for pair in pairs if isinstance(pair, (list, tuple))]
    found = _rows(rows, dict.fromkeys(names, _REAL))
    return None if found is None else found.sort(names)


def _part(findings: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    given = findings.get(name)
    return given if isinstance(given, dict) else {}


def _dicts(given: object) -> list[dict[str, Any]]:
    return [row for row in given if isinstance(row, dict)] if isinstance(given, list) else []


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
