"""segments report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from stampbook.cli.running import Run, command

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stampbook.segment_report.parts import Section

_FOLDER = click.Path(path_type=Path, file_okay=False)


@command(
    "report",
    "segments report --html report.html --at 2025-03-31",
    "segments report --html report.html --at 2025-03-31 --from 2025-03-15 --scheme rfm",
    "segments report --at 2025-03-31 --pictures pictures --picture-format png",
    "segments report --at 2025-03-31 --tables tables --table-format parquet --json",
)
@click.option("--html", metavar="FILE", type=click.Path(path_type=Path), help="One page with all, which works offline.")
@click.option("--pictures", metavar="DIR", type=_FOLDER, help="Each picture as a file of its own.")
@click.option("--picture-format", type=click.Choice(["svg", "png"]), default="svg", show_default=True)
@click.option("--tables", metavar="DIR", type=_FOLDER, help="Each table as a file of its own, with all its rows.")
@click.option("--table-format", type=click.Choice(["csv", "parquet"]), default="csv", show_default=True)
@click.option("--at", metavar="TIME", help="As of when; a date means the end of that day. Now where absent.")
@click.option("--from", "since", metavar="TIME", help="Compare with this date. Three months before where absent.")
@click.option("--scheme", metavar="NAME", default="", help="Whose segments are mapped, and whose moves are told.")
def report(  # noqa: PLR0913, PLR0917 - an argument an option
    run: Run,
    html: Path | None,
    pictures: Path | None,
    picture_format: Literal["svg", "png"],
    tables: Path | None,
    table_format: Literal["csv", "parquet"],
    at: str | None,
    since: str | None,
    scheme: str,
) -> None:
    """Draw the segments: their revenue, who moved, who comes back, and how well models foretell it.

    All schemes of the program in force are run as of --at, as of --from and, for stages of life, as of six dates a
    month apart. Nothing is kept, so a database that may only be read will do. What the program has no scheme for is
    left out of the report, with a line that says which plugin to add.
    """
    from stampbook.cli.printing import progress
    from stampbook.cli.segment_findings import tell_other_program
    from stampbook.periods import instant_of
    from stampbook.segment_report.gathering import survey_of

    if html is None and pictures is None and tables is None:
        raise click.UsageError("name what is to be written: --html FILE, --pictures DIR or --tables DIR")
    with progress("reading the history") as show:
        survey = survey_of(
            run.engine,
            at=run.instant(at, end_of_day=True),
            since=run.instant(since, end_of_day=True),
            scheme=scheme,
            on_progress=lambda rows: show(rows, None),
        )
    tell_other_program(run, run.instant(at, end_of_day=True))
    # these need the extra that `survey_of` looks for
    from stampbook.segment_report.files import write_page, write_pictures, write_tables
    from stampbook.segment_report.sections import sections

    found = sections(survey)
    local = run.calendar.local
    data: dict[str, Any] = {"at": local(instant_of(survey.at)), "from": local(instant_of(survey.since))}
    if html is not None:
        write_page(survey, found, html)
        data["html"] = str(html)
    if pictures is not None:
        data["pictures"] = [str(path) for path in write_pictures(found, pictures, picture_format)]
    if tables is not None:
        data["tables"] = [str(path) for path in write_tables(found, tables, table_format, survey.currency)]
    data["left_out"] = {section.title: section.missing for section in found if section.missing}
    run.answer(data, lambda: _tell(data, found, {"pictures": pictures, "tables": tables}))


def _tell(data: dict[str, Any], found: Sequence[Section], folders: dict[str, Path | None]) -> None:
    from stampbook.cli.printing import counted

    if "html" in data:
        click.echo(f"{data['html']}: {counted(sum(not section.missing for section in found), 'section')}")
    for what, folder in folders.items():
        if what in data:
            click.echo(f"{folder}: {counted(len(data[what]), what[:-1])}")
    for title, why in data["left_out"].items():
        click.echo(f"Left out: {title}. {why}")
