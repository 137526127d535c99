"""segments flow | who: who went where, and who is where."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NoReturn

import click

from stampbook.cli.running import Run, command, fail
from stampbook.cli.segments import segments

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

AT = click.option("--at", metavar="TIME", help="As of when; a date means the end of that day. Now where absent.")
CSV = click.option("--csv", "file", type=click.File("w", encoding="utf-8"), help="Write all accounts to a CSV file.")
SHOWN = 20
"""How many accounts are named on a terminal; JSON and CSV have them all."""


@command(
    "flow",
    "segments flow rfm --from 2025-03-31",
    "segments flow rfm --from 2025-03-31 --to 2025-05-31 --json",
    group=segments,
)
@click.argument("scheme")
@click.option("--from", "start", metavar="TIME", required=True, help="Where accounts were then; a date means its end.")
@click.option("--to", "end", metavar="TIME", help="And where they were then; now where absent.")
@CSV
def flow(run: Run, scheme: str, start: str, end: str | None, file: Any) -> None:
    """Show who went from which segment into which between two instants, by the runs that were kept.

    An account that was merged into another meanwhile is in none any more.
    """
    from stampbook.cli.printing import moment, print_table
    from stampbook.store.segment_runs import members

    first = run.instant(start, end_of_day=True)
    last = run.instant(end, end_of_day=True) or run.engine.clock()
    if first is None or first > last:
        fail(f"--from {start} comes after --to {end or 'now'}")
    store = run.engine.store
    before = {member.account: member.segment for member in members(store, scheme, first)}
    after = {member.account: member.segment for member in members(store, scheme, last)}
    if not after:
        _no_runs(run, scheme)
    pairs = [(ref, before.get(ref, ""), after.get(ref, "")) for ref in sorted({*before, *after})]
    matrix = _matrix(pairs)
    local = run.calendar.local
    data: dict[str, Any] = {
        "scheme": scheme,
        "from": local(first),
        "to": local(last),
        "accounts": len(pairs),
        "moved": [{"account": ref, "before": was, "after": now} for ref, was, now in pairs if was != now],
        "matrix": matrix,
    }
    write(file, ("account", "before", "after"), pairs)

    def tell() -> None:
        new = sum(not was for _, was, _ in pairs)
        moved = f"{len(data['moved']) - new:,} moved" + (f", {new:,} are new" if new else "")
        click.echo(f"{scheme} from {moment(local(first))} to {moment(local(last))}: {moved}\n")
        columns = list(dict.fromkeys(name for row in matrix.values() for name in row))
        rows = []
        for name, row in matrix.items():
            total = sum(row.values())
            cells = [f"{row[c]:,} ({100 * row[c] / total:.0f} %)" if c in row else "" for c in columns]
            rows.append([name or "(new)", *cells])
        named = [name or "(none)" for name in columns]
        print_table(["from \\ to", *named], rows, right=named)
        _name(data["moved"], "before", "after")

    run.answer(data, tell)


@command(
    "who",
    "segments who rfm potential_loyalist",
    "segments who rfm potential_loyalist --at 2025-03-31 --csv members.csv",
    group=segments,
)
@click.argument("scheme")
@click.argument("segment")
@AT
@CSV
def who(run: Run, scheme: str, segment: str, at: str | None, file: Any) -> None:
    """List who was in a segment at an instant, by the runs that were kept."""
    from stampbook.cli.printing import counted
    from stampbook.errors import near
    from stampbook.store.segment_runs import members, sizes

    until = run.instant(at, end_of_day=True) or run.engine.clock()
    store = run.engine.store
    refs = [member.account for member in members(store, scheme, until, segment=segment)]
    if not refs:
        known = sizes(store, scheme, until)
        if not known:
            _no_runs(run, scheme)
        if segment not in {*known, *_named(run, scheme)}:
            fail(f"nobody was in {segment!r}{near(segment, known)}; there were {', '.join(known)}")
    data = {"scheme": scheme, "segment": segment, "at": run.calendar.local(until), "accounts": refs}
    write(file, ("account",), [(ref,) for ref in refs])

    def tell() -> None:
        click.echo(f"{counted(len(refs), 'account')} in {segment}")
        for ref in refs[:SHOWN]:
            click.echo(f"  {ref}")
        more(len(refs))

    run.answer(data, tell)


def _named(run: Run, scheme: str) -> set[str]:
    """Return the segments that a scheme may name, or has named in any run: nobody may be in one, which is an answer."""
    import orjson

    from stampbook.store.segment_runs import runs

    plugin = dict(run.engine.registry().segmenters()).get(scheme)
    known = set() if plugin is None else set(plugin.segment_names)
    return known.union(*(orjson.loads(kept.segments) for kept in runs(run.engine.store, scheme=scheme)))


def _no_runs(run: Run, scheme: str) -> NoReturn:
    from stampbook.cli.printing import moment
    from stampbook.errors import near
    from stampbook.store.segment_runs import runs

    known: dict[str, int] = {}
    for kept in runs(run.engine.store):
        known[kept.scheme] = min(kept.at, known.get(kept.scheme, kept.at))
    if scheme in known:
        first = moment(run.calendar.local(known[scheme]))
        fail(f"nobody was in a segment of {scheme} yet: its first run is as of {first}")
    fail(f"no segments of scheme {scheme} were made{near(scheme, sorted(known))}; run: stampbook segments run")


def _matrix(pairs: Iterable[tuple[str, str, str]]) -> dict[str, dict[str, int]]:
    counts = Counter((one, two) for _, one, two in pairs)
    matrix: dict[str, dict[str, int]] = {}
    for (one, two), count in sorted(counts.items()):
        matrix.setdefault(one, {})[two] = count
    return matrix


def write(file: Any, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write rows as CSV where there is a file."""
    import csv

    if file is not None:
        written = csv.writer(file, lineterminator="\n")
        written.writerow(columns)
        written.writerows(rows)


def _name(moved: Sequence[Mapping[str, str]], one: str, two: str) -> None:
    for row in moved[:SHOWN]:
        click.echo(f"  {row['account']}: {row[one] or '(new)'} -> {row[two] or '(none)'}")
    more(len(moved))


def more(count: int) -> None:
    """Say how many accounts were not named."""
    if count > SHOWN:
        click.echo(f"  and {count - SHOWN:,} more; --json and --csv have all")
