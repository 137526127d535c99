"""The sections on models: whether what was foretold of purchases and of churn came true on a holdout."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from stampbook.segment_report import charts, findings
from stampbook.segment_report.parts import Column, Picture, Section, Table

if TYPE_CHECKING:
    import polars as pl

    from stampbook.segment_report.survey import Judged, Survey

_HOLDOUT_COLUMNS = (
    Column("frequency", "repeat purchases before", "count"),
    Column("accounts", "accounts", "count"),
    Column("predicted", "predicted an account", "number"),
    Column("actual", "actual an account", "number"),
)
_DECILE_COLUMNS = (
    Column("decile", "tenth", "count"),
    Column("accounts", "accounts", "count"),
    Column("predicted", "share predicted", "number"),
    Column("actual", "share that bought", "number"),
)


def value_section(value: Judged | None) -> Section:
    """Return the section on customer lifetime value: purchases predicted and made, by those made before."""
    title = "Lifetime value: predicted and actual"
    if value is None:
        missing = 'No scheme of this program foretells purchases: add [[plugin]] use = "clv" to it.'
        return Section("value", title, missing=missing)
    tables: list[Table] = []
    pictures: tuple[Picture, ...] = ()
    text = f"The scheme {value.scheme} says nothing of a holdout, so nothing shows whether its forecast comes true."
    rows = findings.holdout(value.findings)
    if rows is not None:
        foretold, came = _total(rows, "predicted"), _total(rows, "actual")
        text = (
            f"The scheme {value.scheme} was fitted to what was known before a holdout: it foretold {foretold:,.0f} "
            f"purchases in it, and {came:,.0f} were made."
        )
        titles = ("repeat purchases before", "purchases an account")
        picture = Picture(
            "value_holdout",
            "Purchases an account in the holdout, by how often it had bought again before.",
            f"Two lines, predicted and actual, over {len(rows)} frequencies. {text}",
            partial(charts.predicted_and_actual, rows, "frequency", titles),
        )
        pictures = (picture,)
        tables.append(Table("value_holdout", "Purchases in the holdout.", _HOLDOUT_COLUMNS, rows))
    fitted = findings.parameters(value.findings)
    if fitted is not None:
        columns = (Column("parameter", "parameter"), Column("value", "value", "number"))
        tables.append(Table("value_parameters", f"Parameters that {value.scheme} found.", columns, fitted))
    return Section("value", title, text, pictures, tuple(tables))


def _total(rows: pl.DataFrame, column: str) -> float:
    return float((rows[column] * rows["accounts"]).sum())


def churn_section(survey: Survey) -> Section:
    """Return the section on churn: how well scores tell who will buy again, and whether to believe them."""
    title = "Churn: how well it is foretold"
    run = next((run for run in survey.runs if "backtest" in run.findings), survey.made_by("churn"))
    if run is None:
        missing = 'No scheme of this program warns of those about to leave: add [[plugin]] use = "churn" to it.'
        return Section("churn", title, missing=missing)
    scorers, rates, deciles = (found(run.findings) for found in (findings.scorers, findings.roc, findings.calibration))
    if scorers is None and rates is None and deciles is None:
        missing = f"The scheme {run.scheme} found no holdout to try its scores on: the history may be too short."
        return Section("churn", title, missing=missing)
    pictures: list[Picture] = []
    tables: list[Table] = []
    if scorers is not None:
        columns = (Column("name", "score"), Column("auc", "AUC", "number"), Column("brier", "Brier score", "number"))
        caption = "Scores tried on the holdout. AUC: 0.5 is a coin, 1 is perfect. Brier score: 0 is perfect."
        tables.append(Table("churn_scorers", caption, columns, scorers))
    if rates is not None:
        picture = Picture(
            "churn_roc",
            "Buyers found against others taken for buyers, as the score's limit is lowered. The dashed line is chance.",
            f"Receiver operating characteristic of the chosen score of {run.scheme}, {len(rates)} points.",
            partial(charts.roc_curve, rates),
        )
        pictures.append(picture)
        points = (
            Column("false_positive_rate", "false positives", "number"),
            Column("true_positive_rate", "true positives", "number"),
        )
        tables.append(Table("churn_roc", "The points of the curve.", points, rates, shown=0))
    if deciles is not None:
        picture = Picture(
            "churn_calibration",
            "Share of accounts foretold to buy and share that did, by tenths of the accounts from the least likely on.",
            f"Two lines, predicted and actual, over {len(deciles)} tenths.",
            partial(charts.predicted_and_actual, deciles, "decile", ("tenth of accounts", "share that buys")),
        )
        pictures.append(picture)
        tables.append(Table("churn_calibration", "Predicted and actual by tenths.", _DECILE_COLUMNS, deciles))
    return Section("churn", title, f"Scores of the scheme {run.scheme}.", tuple(pictures), tuple(tables))
