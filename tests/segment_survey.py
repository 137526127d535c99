"""A made-up shop whose report has every section, with names that a page must not take for its own marks."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from stampbook.amounts import currency
from stampbook.loading import load
from stampbook.periods import instant_of
from stampbook.segment_report.gathering import survey
from stampbook.segment_report.survey import Judged, Survey
from stampbook.segments import SegmentRun

AT = datetime(2025, 12, 31, 12, tzinfo=UTC)
SCRIPT = "<script>alert('x')</script>"
CHINESE = "沉睡客户"
PROGRAM = f"""
[program]
name = "Tea & <b>cake</b>"
currency = "EUR"
time_zone = "Europe/Vienna"

[[plugin]]
use = "rfm"
grid = {{ 55 = "{SCRIPT}", 11 = "{CHINESE}" }}
"""
SCHEMA: dict[str, Any] = {
    "account": pl.String,
    "at": pl.Datetime("us", "UTC"),
    "kind": pl.String,
    "amount": pl.Int64,
    "event": pl.String,
    "about": pl.String,
}
VALUE_FINDINGS: dict[str, Any] = {
    "model": "bg_nbd",
    "horizon_days": 365,
    "warnings": ["how often and how much go together"],
    "fit": {"parameters": {"r": 0.243, "alpha": 4.414}, "errors": {"r": 0.012, "alpha": None}},
    "holdout": {
        "days": 90,
        "most": 7,
        "warnings": [],
        "by_frequency": [
            {
                "frequency": count,
                "accounts": 100 - 9 * count,
                "predicted": 0.2 + 0.4 * count,
                "actual": 0.25 + 0.45 * count,
            }
            for count in range(8)
        ],
    },
}
CHURN_FINDINGS: dict[str, Any] = {
    "warnings": [],
    "backtest": {
        "days": 90,
        "accounts": 400,
        "bought": 200,
        "scorers": [
            {"name": "days_since", "auc": 0.759, "brier": None, "chosen": False},
            {"name": "p_buys", "auc": 0.763, "brier": 0.151, "chosen": True},
        ],
        "calibration": [
            {"decile": tenth, "accounts": 40, "predicted": tenth / 11, "actual": tenth / 10} for tenth in range(1, 11)
        ],
        "roc": [[step / 20, (step / 20) ** 0.4] for step in range(21)],
    },
}


def history(accounts: int = 300, seed: int = 1) -> pl.LazyFrame:
    """Purchases over two years, and a return of every ninth."""
    chance = random.Random(seed)
    rows: list[tuple[Any, ...]] = []
    for number in range(accounts):
        at = AT - timedelta(days=chance.randint(1, 700))
        for count in range(1 + int(chance.expovariate(0.3))):
            if at > AT:
                break
            event = f"{number}-{count}"
            amount = int(chance.lognormvariate(8, 1)) + 1
            rows.append((f"c{number:04d}", at, "purchase", amount, event, None))
            if len(rows) % 9 == 0:
                rows.append((f"c{number:04d}", at + timedelta(hours=1), "return", amount // 2, f"r{event}", event))
            at += timedelta(days=chance.expovariate(1 / 60), hours=1)
    return pl.DataFrame(rows, schema=SCHEMA, orient="row").lazy()


def judged(scheme: str, frame: pl.DataFrame, at: datetime = AT, **findings: Any) -> Judged:
    run = SegmentRun(scheme, at, "d" * 64, frame, 1.0, len(frame), len(frame))
    return Judged(run, scheme, findings)


def plain() -> Survey:
    """The survey of a program that has RFM alone."""
    return survey(load(PROGRAM), history(), instant_of(AT))


def full() -> Survey:
    """A survey with every section: beside RFM, runs as lifecycle, ABC, lifetime value and churn make them."""
    base = plain()
    rfm = base.runs[0].run.frame
    stages = {1: "lost", 2: "at_risk", 3: "mature", 4: "growing", 5: "new"}

    def stage(letter: str) -> pl.DataFrame:
        return rfm.select("account", segment=pl.col(letter).replace_strict(stages, return_dtype=pl.String))

    dates = [AT - timedelta(days=30 * back) for back in (2, 1, 0)]
    value = rfm.select("account", segment=pl.lit("middle"), expected_value=pl.col("monetary").clip(0) // 3)
    classes = pl.when(pl.col("m") > 3).then(pl.lit("A")).when(pl.col("m") > 1).then(pl.lit("B")).otherwise(pl.lit("C"))
    return Survey(
        program=base.program,
        program_hash=base.program_hash,
        currency=currency("EUR"),
        zone=base.zone,
        at=base.at,
        since=base.since,
        history=base.history,
        runs=(
            *base.runs,
            judged("abc", rfm.select("account", segment=classes)),
            judged("lifecycle", stage("r")),
            judged("clv", value, **VALUE_FINDINGS),
            judged("churn", rfm.select("account", segment=pl.lit("watch")), **CHURN_FINDINGS),
        ),
        before=base.before,
        over_time=tuple(judged("lifecycle", stage(letter), at) for letter, at in zip("mfr", dates, strict=True)),
        left_out=3,
    )
