"""A year of a real shop's invoices becomes accounts, points, tiers, segments and refunds, and proves itself.

Each step is a command as you would type it; README.md beside this file says where the data come from.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import click
import orjson
from invoices import Invoices, read
from rich.console import Console
from rich.progress import track
from rich.table import Table

from stampbook import Engine
from stampbook.totals import asset_totals, fact_totals

HERE = Path(__file__).parent
END = "2011-12-31"
CUSTOMER = "17340"
console = Console(highlight=False)


class Steps:
    """Runs commands of Stampbook on one database, showing each."""

    def __init__(self, folder: Path) -> None:
        self.db = f"sqlite:///{folder / 'shop.db'}"
        self._command = Path(sys.executable).parent / "stampbook"
        self._environment = {**os.environ, "STAMPBOOK_DB": self.db, "COLUMNS": str(min(console.width, 120))}

    def run(self, *words: str, head: int = 0, tail: int = 0) -> None:
        """Show a command and run it; of long output show the first and last lines."""
        console.print(f"\n[bold cyan]$ stampbook {' '.join(words)}[/]", soft_wrap=True)
        started = time.perf_counter()
        shortened = bool(head or tail)
        done = subprocess.run(
            [self._command, *words], env=self._environment, check=False, text=True, capture_output=shortened
        )
        if shortened:
            lines = done.stdout.splitlines()
            left_out = len(lines) - head - tail
            if left_out > 1:
                lines[head : len(lines) - tail] = [f"   … {left_out} more lines"]
            click.echo("\n".join(lines))
            click.echo(done.stderr, nl=False, err=True)
        if done.returncode:
            message = f"the demo stops here: exit code {done.returncode}"
            raise click.ClickException(message)
        console.print(f"[dim]({time.perf_counter() - started:.1f} s)[/]")


@click.command()
@click.option("--folder", type=click.Path(path_type=Path), default=Path("build/demo"), help="where its files go")
@click.option("--no-redemptions", is_flag=True, help="leave out the made-up redemptions")
@click.option("--customer", default=CUSTOMER, help="whose statement is shown")
def main(folder: Path, no_redemptions: bool, customer: str) -> None:  # noqa: FBT001 - click hands over a flag
    """Run the demo."""
    started = time.perf_counter()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    program = folder / "online_retail.toml"
    shutil.copy(HERE.parent.parent / "config" / "online_retail.toml", program)
    events = folder / "events.jsonl"
    prepare(events, redemptions=not no_redemptions)
    steps = Steps(folder)
    steps.run("check", str(program), tail=3)
    steps.run("init")
    steps.run("apply", str(program))
    steps.run("import", str(events), "--refused", str(folder / "refused.jsonl"))
    steps.run("tick", "--at", END)
    steps.run("segments", "run", "--at", END)
    steps.run("segments", "report", "--html", str(folder / "report.html"), "--at", END)
    summary(steps.db)
    steps.run("statement", customer, "--as-of", END, head=16, tail=12)
    steps.run("explain", first_return(events, customer))
    steps.run("verify")
    console.print(
        f"\n[bold]A year in {time.perf_counter() - started:.0f} s.[/] The books are in {folder}; look around:"
    )
    console.print(f"  STAMPBOOK_DB={steps.db} stampbook account list", soft_wrap=True)


def prepare(path: Path, *, redemptions: bool) -> None:
    """Write the events of the data to a file of JSON lines, and say what was found."""
    frame = read()
    invoices = Invoices(redemptions=redemptions)
    total = frame["InvoiceNo"].n_unique()
    with path.open("wb") as file:
        for event in track(invoices.events(frame), "Reading invoices", total=total, console=console, transient=True):
            file.write(orjson.dumps(event) + b"\n")
    table = Table("Online Retail, December 2010 to December 2011", "", box=None, title_justify="left")
    table.columns[1].justify = "right"
    for what, count in invoices.counts.items():
        table.add_row(what, f"{count:,}")
    console.print(table)


def summary(db: str) -> None:
    """Print what the ledger adds up to."""
    with Engine.open(db) as engine:
        context = engine.registry().context
        table = Table(title="The whole ledger", title_justify="left")
        for name in ("asset", "issued", "spent", "expired", "taken back", "outstanding"):
            table.add_column(name, justify="left" if name == "asset" else "right")
        for sums in asset_totals(engine):
            asset = context.asset(sums.asset)
            numbers = (sums.issued, sums.spent, sums.expired, sums.taken_back, sums.outstanding)
            table.add_row(
                asset.code, *(f"{number:,}" if not asset.decimals else asset.text(number) for number in numbers)
            )
            assert sums.issued == sums.spent + sums.expired + sums.taken_back + sums.outstanding  # noqa: S101 - the point
        console.print("", table)
        tiers = Table(title=f"Tiers on {END}", title_justify="left")
        tiers.add_column("tier")
        tiers.add_column("accounts", justify="right")
        for tier, count in fact_totals(engine, "tier").items():
            tiers.add_row(tier, f"{count:,}")
        console.print(tiers)


def first_return(events: Path, customer: str) -> str:
    """Return the id of a customer's first return of a purchase."""
    with events.open("rb") as file:
        for line in file:
            event = orjson.loads(line)
            if event["account"] == customer and event["type"] == "return" and "purchase" in event:
                return str(event["id"])
    message = f"customer {customer} returned nothing; name another with --customer"
    raise click.ClickException(message)


if __name__ == "__main__":
    main()
