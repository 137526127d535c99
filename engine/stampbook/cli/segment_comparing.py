"""segments compare | runs: two schemes, two programs or two kept runs side by side, and which runs were kept."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import click

from stampbook.cli.running import Run, command, fail
from stampbook.cli.segment_changes import AT, CSV, SHOWN, more, write
from stampbook.cli.segments import SCHEME, run_data, segments

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import polars as pl

    from stampbook.amounts import Asset
    from stampbook.comparing import Comparison, Side
    from stampbook.registry import Registry

_PROGRAM = click.Path(dir_okay=False)


@command(
    "compare",
    "segments compare rfm --program my-program.toml --at 2025-03-31",
    "segments compare rfm --left-program coffee_shop.toml --program my-program.toml --json",
    "segments compare rfm rfm --at 2025-03-31 --csv compared.csv",
    "segments compare rfm --runs 2025-03-31 2025-05-31",
    group=segments,
)
@click.argument("left", metavar="[SCHEME]", default="")
@click.argument("right", metavar="[OTHER]", default="")
@click.option("--program", "path", type=_PROGRAM, help="Take OTHER out of this file, not out of the program in force.")
@click.option("--left-program", "left_path", type=_PROGRAM, help="Take SCHEME out of this file.")
@click.option(
    "--runs",
    "named",
    nargs=2,
    metavar="RUN RUN",
    help="Compare two kept runs: their numbers, or dates, which mean the last run as of then.",
)
@AT
@CSV
def compare(
    run: Run,
    left: str,
    right: str,
    path: str | None,
    left_path: str | None,
    named: tuple[str, str] | None,
    at: str | None,
    file: Any,
) -> None:
    """Put two schemes, two programs or two runs side by side: who is where on either, and what revenue moves.

    SCHEME and OTHER, which is the same scheme where absent, are run over the ledger as of one instant, and nothing is
    kept. Each may come out of a draft of a program that is not in force yet. With --runs, two runs that were kept are
    compared instead; `stampbook segments runs` lists them.

    Revenue is what accounts bought less what they gave back, up to the later instant, in each currency by itself.
    """
    from stampbook.cli.printing import progress

    with progress("reading the history") as show:
        told: Callable[[int], None] = lambda rows: show(rows, None)  # noqa: E731 - a name for one argument
        if named is not None:
            found = _kept(run, left, right, named, told, excluded=(path, left_path, at))
        else:
            found = _tried(run, left, right or left, (left_path, path), at, told)
    data = _data(run, found)
    pairs = ((one or "", two or "") for one, two in found.frame.select("left", "right").iter_rows())
    money = [[asset.text(units) for units in found.frame[asset.code]] for asset in found.currencies]
    write(
        file,
        ("account", "left", "right", *(f"revenue_{asset.code}" for asset in found.currencies)),
        ((ref, *pair, *sums) for ref, pair, *sums in zip(found.frame["account"], pairs, *money, strict=True)),
    )
    run.answer(data, lambda: _tell(run, found))


def _kept(
    run: Run,
    left: str,
    right: str,
    named: tuple[str, str],
    told: Callable[[int], None],
    *,
    excluded: Sequence[str | None],
) -> Comparison:
    from stampbook.comparing import find_kept, kept

    if any(excluded):
        fail("--runs compares what was kept: leave --program, --left-program and --at away")

    def read(text: str) -> int:
        instant = run.instant(text, end_of_day=True)
        assert instant is not None  # noqa: S101 - there is a text
        return instant

    one, two = (
        find_kept(run.engine, name, scheme, read) for name, scheme in zip(named, (left, right or left), strict=True)
    )
    return kept(run.engine, one, two, on_progress=told)


def _tried(
    run: Run,
    left: str,
    right: str,
    paths: tuple[str | None, str | None],
    at: str | None,
    told: Callable[[int], None],
) -> Comparison:
    from stampbook.comparing import tried
    from stampbook.loading import load_file

    if not left:
        raise click.UsageError("name a scheme, or two kept runs with --runs")
    until = run.instant(at, end_of_day=True)
    until = run.engine.clock() if until is None else until
    ours = run.engine.registry(until)
    sides: list[tuple[Registry, str, str]] = []
    for scheme, path in zip((left, right), paths, strict=True):
        registry = ours if path is None else load_file(path)
        sides.append((registry, scheme, f"{path or registry.context.name} ({registry.hash[:12]})"))
    return tried(run.engine, until, sides[0], sides[1], on_progress=told)


def _data(run: Run, found: Comparison) -> dict[str, Any]:
    agree = len(found.frame) - len(found.differ)
    matrix: dict[str, dict[str, dict[str, Any]]] = {}
    for row in found.cells.to_dicts():
        cell = {"accounts": row["accounts"], "revenue": _money(found.currencies, row)}
        matrix.setdefault(row["left"] or "", {})[row["right"] or ""] = cell
    return {
        "left": _side_data(run, found.left),
        "right": _side_data(run, found.right),
        "revenue_until": run.calendar.local(max(found.left.at, found.right.at)),
        "accounts": len(found.frame),
        "agree": agree,
        "revenue": _money(found.currencies, _sums(found, found.frame)),
        "revenue_that_differs": _money(found.currencies, _sums(found, found.differ)),
        "matrix": matrix,
        "differ": [
            {
                "account": row["account"],
                "left": row["left"] or "",
                "right": row["right"] or "",
                "revenue": _money(found.currencies, row),
            }
            for row in found.differ.iter_rows(named=True)
        ],
    }


def _side_data(run: Run, side: Side) -> dict[str, Any]:
    counts = side.frame.group_by("segment").len().sort(["len", "segment"], descending=[True, False])
    return {
        "scheme": side.scheme,
        "at": run.calendar.local(side.at),
        "program": side.program or None,
        "run": side.run or None,
        "definition": side.definition,
        "accounts": len(side.frame),
        "segments": dict(counts.iter_rows()),
    }


def _sums(found: Comparison, frame: pl.DataFrame) -> dict[str, int]:
    return {asset.code: int(frame[asset.code].sum()) for asset in found.currencies}


def _money(currencies: Sequence[Asset], row: dict[str, Any]) -> dict[str, str]:
    return {asset.code: asset.text(row[asset.code]) for asset in currencies}


def _tell(run: Run, found: Comparison) -> None:
    from stampbook.cli.printing import counted, moment, print_table

    for name, side in (("rows", found.left), ("columns", found.right)):
        whence = f"run {side.run}, as kept" if side.run else f"tried, by {side.program}"
        click.echo(f"{name + ':':<9}{side.scheme} as of {moment(run.calendar.local(side.at))}, {whence}")
    total = len(found.frame)
    if not total:
        click.echo("\nThere are no accounts on either side.")
        return
    click.echo(f"\n{counted(total, 'account')}{_agreement(found)}")
    cells = found.cells.to_dicts()
    heads = [f"{found.left.scheme} \\ {found.right.scheme}", *_names(cells, "right"), "all"]
    click.echo("\nAccounts")
    print_table(heads, _matrix(cells, "accounts", lambda count: f"{count:,}"), right=heads[1:])
    for asset in found.currencies:
        click.echo(f"\nRevenue, {asset.code}")
        print_table(heads, _matrix(cells, asset.code, partial(_written, asset)), right=heads[1:])
    if not found.share_names:
        click.echo("\nThe two name no segment alike, so nobody can be said to have moved; --json and --csv name all.")
    elif other := len(found.differ):
        click.echo("\nIn other segments, those of most revenue first")
        for row in found.differ.head(SHOWN).iter_rows(named=True):
            sums = ", ".join(f"{_written(asset, row[asset.code])} {asset.code}" for asset in found.currencies)
            click.echo(f"  {row['account']}: {row['left'] or '(none)'} -> {row['right'] or '(none)'}, {sums}")
        more(other)


def _agreement(found: Comparison) -> str:
    """Say how many accounts are in segments of one name, and what the others bring; empty where no name is shared."""
    if not found.share_names:
        return ""
    total = len(found.frame)
    agree = total - len(found.differ)
    lines = [f", {agree:,} in segments of the same name ({100 * agree / total:.1f} %)"]
    whole, moved = _sums(found, found.frame), _sums(found, found.differ)
    for asset in found.currencies:
        part = f" ({100 * moved[asset.code] / whole[asset.code]:.1f} %)" if whole[asset.code] > 0 else ""
        sums = f"{_written(asset, moved[asset.code])} of {_written(asset, whole[asset.code])} {asset.code}"
        lines.append(f"revenue of the others: {sums}{part}")
    return "\n".join(lines)


def _written(asset: Asset, units: int) -> str:
    from stampbook.cli.printing import grouped

    return grouped(asset.text(units))


def _names(cells: Sequence[dict[str, Any]], side: str) -> list[str]:
    counts: dict[str | None, int] = {}
    for cell in cells:
        counts[cell[side]] = counts.get(cell[side], 0) + cell["accounts"]
    named = sorted((name for name in counts if name is not None), key=lambda name: (-counts[name], name))
    return [*named, *(["(none)"] if None in counts else [])]


def _matrix(cells: Sequence[dict[str, Any]], column: str, written: Callable[[int], str]) -> list[list[str]]:
    """Return a row a segment of the left and one of sums; a cell without an account is empty."""
    at = {(cell["left"] or "(none)", cell["right"] or "(none)"): cell[column] for cell in cells}
    rights = _names(cells, "right")
    rows = []
    for left in _names(cells, "left"):
        some = [at.get((left, right)) for right in rights]
        known = [value for value in some if value is not None]
        rows.append([left, *("" if value is None else written(value) for value in some), written(sum(known))])
    sums = [sum(value for (_, name), value in at.items() if name == right) for right in rights]
    return [*rows, ["all", *map(written, sums), written(sum(sums))]]


@command("runs", "segments runs", "segments runs --scheme rfm --json", group=segments)
@SCHEME
def runs_(run: Run, scheme: str | None) -> None:
    """List the runs that were kept, the latest first, with the numbers by which `segments compare` knows them."""
    from stampbook.cli.printing import moment, print_table
    from stampbook.cli.segments import check_scheme
    from stampbook.store.segment_runs import runs

    check_scheme(run, scheme)
    data = [run_data(run, kept) for kept in runs(run.engine.store, scheme=scheme or "")]

    def tell() -> None:
        if not data:
            click.echo("No segments were made yet; run: stampbook segments run")
            return
        numbers = ["run", "accounts", "ms"]
        rows = (
            [
                row["run"],
                row["scheme"],
                moment(row["at"]),
                moment(row["recorded_at"]),
                row["definition"][:12],
                f"{row['accounts']:,}",
                f"{row['took_ms']:,}",
            ]
            for row in data
        )
        print_table(["run", "scheme", "as of", "made", "definition", *numbers[1:]], rows, right=numbers)

    run.answer(data, tell)
