"""What `segments run` says of a run besides its segments: how well it foretold, and which program judged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

    from stampbook.cli.running import Run


def tell_findings(found: Mapping[str, Any]) -> None:
    """Print as tables what a run found out: how its holdout and its back-test came out."""
    from stampbook.segment_report import findings

    holdout, scorers, calibration = findings.holdout(found), findings.scorers(found), findings.calibration(found)
    if holdout is not None:
        columns = {"frequency": "repeat purchases before", "predicted": "predicted each", "actual": "made each"}
        _table(holdout, columns, ("predicted", "actual"))
    if scorers is not None:
        _table(scorers, {"name": "score", "auc": "AUC", "brier": "Brier"}, ("auc", "brier"))
    if calibration is not None:
        percents = calibration.with_columns(
            predicted=100 * calibration["predicted"], actual=100 * calibration["actual"]
        )
        columns = {"decile": "tenth", "predicted": "predicted to buy %", "actual": "bought %"}
        _table(percents, columns, ("predicted", "actual"), places=1)


def _table(frame: pl.DataFrame, called: Mapping[str, str], numbers: tuple[str, ...], places: int = 3) -> None:
    from stampbook.cli.printing import print_table

    headings = [called.get(name, name) for name in frame.columns]

    def written(name: str, value: object) -> object:
        if isinstance(value, float) and name in numbers:
            return f"{value:,.{places}f}"
        return f"{value:,}" if isinstance(value, int) else value

    rows = [[written(name, value) for name, value in row.items()] for row in frame.to_dicts()]
    print_table(headings, rows, right=[called.get(name, name) for name in (*numbers, "accounts")])
    click.echo()


def tell_other_program(run: Run, at: int | None) -> None:
    """Say so where the program in force then lacks schemes of the one in force now: it is the one that judges."""
    from stampbook.cli.printing import moment

    if at is None:
        return
    then, now = run.engine.registry(at), run.engine.registry()
    names = [name for name, _ in then.segmenters()]
    missing = [name for name, _ in now.segmenters() if name not in names]
    if missing:
        instant = moment(run.calendar.local(at))
        run.note(
            f"Judged by {then.context.name} ({then.hash[:12]}), in force at {instant}. It has no "
            f"{', '.join(missing)} yet; to judge the past by a newer program: stampbook apply PROGRAM --from TIME"
        )
