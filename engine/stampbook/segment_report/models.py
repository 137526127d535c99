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
    Column("frequency", "repeat purchases before"),
    Column("accounts", "accounts", "count"),
    Column("predicted", "purchases an account, predicted", "number"),
    Column("actual", "purchases an account, made", "number"),
)
_PARAMETER_COLUMNS = (
    Column("of", "of"),
    Column("parameter", "parameter"),
    Column("value", "value", "number"),
    Column("error", "standard error", "number"),
)
_SCORER_COLUMNS = (
    Column("name", "score"),
    Column("auc", "AUC", "number"),
    Column("brier", "Brier score", "number"),
    Column("chosen", "chosen"),
)
_DECILE_COLUMNS = (
    Column("decile", "tenth"),
    Column("accounts", "accounts", "count"),
    Column("predicted", "predicted to buy, %", "percent"),
    Column("actual", "bought, %", "percent"),
)


def value_section(value: Judged | None) -> Section:
    """Return the section on customer lifetime value: purchases predicted and made, by those made before."""
    title = "Lifetime value: predicted and made"
    if value is None:
        missing = 'No scheme of this program foretells purchases: add [[plugin]] use = "clv" to it.'
        return Section("value", title, missing=missing)
    tables: list[Table] = []
    pictures: tuple[Picture, ...] = ()
    text = (
        f"The scheme {value.scheme} had no holdout, so nothing shows whether its forecast comes true: the history is "
        "too short for one, or the program asks for none."
    )
    rows = findings.holdout(value.findings)
    if rows is not None:
        foretold, came = _total(rows, "predicted"), _total(rows, "actual")
        days = findings.whole(value.findings, "holdout", "days")
        past = "a holdout" if days is None else f"the last {days:,} days"
        text = (
            f"For {past}, the scheme {value.scheme} foretold {foretold:,.0f} purchases from what was known before, and "
            f"{came:,.0f} were made{_beyond(foretold, came)}. Only accounts that had bought before count here."
        )
        titles = ("repeat purchases before", "purchases an account")
        picture = Picture(
            "value_holdout",
            "Purchases an account in the holdout, by how often it had bought again before.",
            f"Two lines, predicted and made, over {len(rows)} frequencies. {text}",
            partial(charts.predicted_and_actual, rows, "frequency", titles),
        )
        pictures = (picture,)
        tables.append(Table("value_holdout", "Purchases in the holdout.", _HOLDOUT_COLUMNS, rows))
    fitted = findings.parameters(value.findings)
    if fitted is not None:
        caption = f"Parameters that {value.scheme} found: those of value are for money in the smallest unit."
        tables.append(Table("value_parameters", caption, _PARAMETER_COLUMNS, fitted, folded=True))
    return Section("value", title, text, pictures, tuple(tables), notes=findings.warnings(value.findings))


def _total(rows: pl.DataFrame, column: str) -> float:
    return float((rows[column] * rows["accounts"]).sum())


def _beyond(foretold: float, came: float) -> str:
    """Say by how many percent more or less came than was foretold."""
    share = 100 * (came / foretold - 1) if foretold else 0
    if round(abs(share), 1) == 0:
        return ""
    return f", {abs(share):,.1f} % {'more' if share > 0 else 'less'} than foretold"


def churn_section(survey: Survey) -> Section:
    """Return the section on churn: how well scores tell who will buy again, and whether to believe them."""
    title = "Churn: how well it is foretold"
    run = next((run for run in survey.runs if "backtest" in run.findings), survey.made_by("churn"))
    if run is None:
        missing = 'No scheme of this program warns of those about to leave: add [[plugin]] use = "churn" to it.'
        return Section("churn", title, missing=missing)
    notes = findings.warnings(run.findings)
    scorers, rates, deciles = (found(run.findings) for found in (findings.scorers, findings.roc, findings.calibration))
    if scorers is None and rates is None and deciles is None:
        missing = f"The scheme {run.scheme} found no holdout to try its scores on: the history may be too short."
        return Section("churn", title, missing=missing, notes=notes)
    pictures: list[Picture] = []
    tables: list[Table] = []
    chosen = None if scorers is None else next(iter(scorers.filter(chosen="yes").to_dicts()), None)
    if scorers is not None:
        caption = (
            "Scores tried on the holdout. AUC, of the order: 0.5 is chance, 1 is perfect. Brier score, of the chances: "
            f"0 is perfect{_without_score(run)}."
        )
        tables.append(Table("churn_scorers", caption, _SCORER_COLUMNS, scorers))
    if rates is not None:
        named = "the chosen score" if chosen is None else f"the score {chosen['name']}"
        picture = Picture(
            "churn_roc",
            f"Buyers found by {named} against others taken for buyers, as its limit is lowered. The dashed line is "
            "chance.",
            f"Receiver operating characteristic of {named} of {run.scheme}, {len(rates)} points.",
            partial(charts.roc_curve, rates),
        )
        pictures.append(picture)
        points = (
            Column("false_positive_rate", "false positives", "number"),
            Column("true_positive_rate", "true positives", "number"),
        )
        tables.append(Table("churn_roc", "The points of the curve.", points, rates, shown=0))
    if deciles is not None:
        percents = deciles.with_columns(predicted=100 * deciles["predicted"], actual=100 * deciles["actual"])
        picture = Picture(
            "churn_calibration",
            "Accounts foretold to buy and those that did, by tenths of the accounts, from the least likely on. What "
            "was foretold was learnt before.",
            f"Two lines, predicted and made, over {len(deciles)} tenths.",
            partial(charts.predicted_and_actual, percents, "decile", ("tenth of accounts", "of its accounts, %")),
        )
        pictures.append(picture)
        tables.append(Table("churn_calibration", "Predicted and made by tenths.", _DECILE_COLUMNS, percents))
    return Section("churn", title, _tried(run, chosen), tuple(pictures), tuple(tables), notes=notes)


def _tried(run: Judged, chosen: dict[str, object] | None) -> str:
    """Say on whom scores were tried, and which was chosen."""
    text = f"Scores of the scheme {run.scheme}."
    accounts, bought, days = (findings.whole(run.findings, "backtest", name) for name in ("accounts", "bought", "days"))
    if accounts and bought is not None and days is not None:
        share = f"{bought:,} ({100 * bought / accounts:.1f} %)"
        text += f" Of {accounts:,} accounts known {days:,} days before, {share} bought since."
    return text if chosen is None else f"{text} The score {chosen['name']} was chosen."


def _without_score(run: Judged) -> str:
    """Say which Brier score needs no score at all, so that others can be told from it."""
    accounts, bought = (findings.whole(run.findings, "backtest", name) for name in ("accounts", "bought"))
    if not accounts or bought is None:
        return ""
    rate = bought / accounts
    return f", and {rate * (1 - rate):.3f} is what one gets by giving everybody the same chance"
