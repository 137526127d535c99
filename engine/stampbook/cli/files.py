"""import and export: events in, books out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from stampbook.cli.running import Run, command, fail

if TYPE_CHECKING:
    from stampbook.importing import ImportSummary

_FILE = click.Path(path_type=Path)
_INPUTS = ("jsonl", "csv", "parquet")
_COUNTED = {"csv": "posting", "parquet": "posting", "jsonl": "line"}
_OUTPUTS = ("beancount", "hledger", "csv", "jsonl", "parquet")


@command(
    "import",
    "import events.jsonl",
    "import events.jsonl --limit 100",
    "import sales.csv --mapping sales.toml --refused refused.jsonl",
    "import events.jsonl --batch-size 5000 --json",
)
@click.argument("file", type=_FILE, metavar="FILE|-")
@click.option("--format", "file_format", type=click.Choice(_INPUTS), help="What the file is; by its name where absent.")
@click.option("--mapping", metavar="FILE", type=_FILE, help="A TOML file that says which foreign column means what.")
@click.option("--refused", metavar="FILE", type=_FILE, help="Write refused and malformed rows here, with reasons.")
@click.option("--batch-size", type=click.IntRange(1, 100_000), help="Events a commit.")
@click.option("--limit", type=click.IntRange(min=1), help="Stop after so many rows.")
@click.option(
    "--jobs",
    type=click.IntRange(min=0),
    default=0,
    help="Processes that decide; as many as processors where absent. One keeps the order of the file.",
)
@click.option("--as-recorded", is_flag=True, help="The file is an export in jsonl: rebuild the same ledger from it.")
def import_(  # noqa: PLR0913 - one for each option
    run: Run,
    file: Path,
    file_format: str | None,
    mapping: Path | None,
    refused: Path | None,
    batch_size: int | None,
    limit: int | None,
    jobs: int,
    *,
    as_recorded: bool,
) -> None:
    """Import events from JSON Lines, CSV or Parquet.

    Each row is one event: type, id, account, at, and what its kind needs. A mapping file says how the columns of
    somebody else's file become events; it is described in docs/importing.md. Rows are streamed, so a file may be of any
    size; - is standard input, and .gz is read through.

    Run it again after an interruption, or whenever you like: what was posted before is known by its id and not
    posted again. A row that is refused or malformed does not stop the others: it goes, with its reasons, to the
    --refused file (FILE.refused.jsonl in the current folder), which can be mended and imported in its turn. The exit
    code is 2 where no row at all could be posted.
    """
    from stampbook.cli.printing import progress
    from stampbook.importing import import_file

    options = {} if batch_size is None else {"batch_size": batch_size}
    try:
        with progress(f"importing {file.name}") as show:
            summary = import_file(
                run.engine,
                file,
                mapping=mapping,
                format=file_format,
                refused=refused,
                on_progress=show,
                limit=limit,
                as_recorded=as_recorded,
                jobs=jobs,
                **options,
            )
    except KeyboardInterrupt:
        fail("stopped; what was posted until now stays posted, and the same command goes on from there")
    run.answer(summary, lambda: _tell(summary))
    if (summary.refused or summary.malformed or summary.failed) and not (summary.accepted or summary.replayed):
        raise click.exceptions.Exit(2)


def _tell(summary: ImportSummary) -> None:
    from stampbook.cli.printing import counted

    rate = f", {summary.read / summary.seconds:,.0f} a second" if summary.seconds >= 1 else ""
    click.echo(f"{counted(summary.read, 'row')} read in {summary.seconds:.1f} s{rate}")
    words = {
        "accepted": "accepted",
        "replayed": "posted before, not posted again",
        "refused": "refused",
        "malformed": "malformed, not recorded",
        "failed": "failed in a rule of the program, not recorded",
        "skipped": "skipped",
    }
    for name, what in words.items():
        count = getattr(summary, name)
        if count or name == "accepted":
            click.echo(f"  {count:>12,} {what}")
    for reason, count in summary.reasons.items():
        click.echo(f"    {count:>10,} {reason}")
    if summary.refused_file:
        click.echo(f"Refused and malformed rows, with their reasons: {summary.refused_file}")


@command(
    "export",
    "export beancount",
    "export hledger --output books.journal",
    "export csv --since 2025-03-01 --until 2025-03-31 --output march.csv",
    "export parquet --output books.parquet --json",
)
@click.argument("format", type=click.Choice(_OUTPUTS))
@click.option("--output", "-o", metavar="FILE", type=_FILE, help="Where to; printed where absent.")
@click.option("--since", metavar="TIME", help="From here on.")
@click.option("--until", metavar="TIME", help="Up to here; a date means the end of that day.")
def export(run: Run, format: str, output: Path | None, since: str | None, until: str | None) -> None:  # noqa: A002 - the word of the command line
    """Write the books for beancount, hledger, or a spreadsheet.

    beancount and hledger get double-entry journals that their own checkers accept, csv and parquet one row a
    posting, jsonl every event as it came with its outcome: `import --as-recorded` makes the same ledger of it again.
    """
    import sys

    from stampbook.cli.printing import counted, progress
    from stampbook.exporting import export as exported

    if format == "parquet" and output is None:
        fail("parquet is not text; name a file: --output books.parquet")
    if run.as_json and output is None:
        fail("--json reports on a written file; name one with --output")
    first, last = run.span(since, until, names="--since and --until")
    with progress(f"exporting to {format}") as show:
        count = exported(
            run.engine,
            sys.stdout if output is None else output,
            format,
            since=first,
            until=None if last is None else last + 1,
            on_progress=show,
        )
    if output is not None:
        noun = _COUNTED.get(format, "transaction")
        data = {"file": str(output), "format": format, f"{noun}s": count}
        run.answer(data, lambda: click.echo(f"{output}: {counted(count, noun)}"))
