"""segments run | show | report."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stampbook.cli.lazy import Tree
from stampbook.cli.running import Run, command, complete_ref, fail

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from stampbook.population import Frames
    from stampbook.segmenting import Segmentation
    from stampbook.store.segment_runs import KeptRun

_SALES = frozenset({"history", "lines"})
SCHEME = click.option("--scheme", metavar="NAME", help="Only this one: the name of its plugin in the program.")


@click.group("segments", cls=Tree)
def segments() -> None:
    """Put all accounts into segments, and look at them."""


@command(
    "run",
    "segments run",
    "segments run --at 2025-03-31",
    "segments run --scheme rfm --json",
    group=segments,
)
@click.option("--at", metavar="TIME", help="As of when; a date, or yesterday, means its end. Now where absent.")
@SCHEME
@click.option("--history", "place", metavar="PATH", help="Look at this Parquet file or folder, not at the ledger.")
@click.option(
    "--with-ledger", is_flag=True, help="With --history: look at the ledger, too. What both tell counts once."
)
@click.option(
    "--engine",
    "where",
    type=click.Choice(["polars", "spark"]),
    default="polars",
    show_default=True,
    help="What the schemes run on: this machine, or a Spark cluster.",
)
@click.option("--master", metavar="URL", default="local[*]", show_default=True, help="Where Spark runs.")
@click.option(
    "--archive",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Keep the ledger's history in this folder as Parquet, so that next time only what is new is read.",
)
def run_(
    run: Run,
    at: str | None,
    scheme: str | None,
    place: str | None,
    with_ledger: bool,  # noqa: FBT001 - click passes it by its name
    where: str,
    master: str,
    archive: Path | None,
) -> None:
    """Put every account that ever bought something into a segment, and keep what was said.

    Each scheme of the program in force is run over the whole history up to then. A run that was made before, of the
    same scheme with the same options as of the same instant, is shown as it was kept and changes nothing.

    Purchases and returns come out of the ledger, or out of Parquet that --history names, or out of both: with
    --with-ledger what another system sold before the ledger began counts too, and what both tell counts once, as the
    ledger tells it. With --engine spark the same schemes run on a Spark cluster and say the same.

    Segments are for looking at, unless [segments.SCHEME] of the program says that rules are to know of them: then each
    account that is elsewhere than it knows gets the event segment.changed, and rules can ask for its segment:
    account.segment.rfm == 'champions'.
    """
    from stampbook.cli.printing import progress
    from stampbook.cli.segment_findings import tell_other_program
    from stampbook.parquet import parquet_places, scanned
    from stampbook.segmenting import segment

    if with_ledger and place is None:
        fail("--with-ledger adds the ledger to what --history names; name it, or leave both away")
    if archive is not None and ((place is not None and not with_ledger) or where == "spark"):
        fail("--archive is of the ledger, read on this machine; leave --history and --engine spark away")
    instant = run.instant(at, end_of_day=True)
    origin = f"{place} and the ledger" if with_ledger else place or ""
    added = place if with_ledger else None
    with progress("reading the history") as show, _source(run, instant, place, added, where, master) as source:
        found, history = segment(
            run.engine,
            at=instant,
            schemes=None if scheme is None else [scheme],
            on_progress=lambda rows: show(rows, None),
            source=source,
            origin=origin,
            archive=archive,
            also=scanned(parquet_places(added), _SALES) if added is not None and where == "polars" else None,
        )
    asset = run.engine.registry().context.currency
    tell_other_program(run, instant)
    data = [_share_data(run, each, asset) for each in found]
    run.answer(data, lambda: _tell_shares(data, asset.code, history.left_out))


@contextmanager
def _source(
    run: Run, at: int | None, place: str | None, added: str | None, where: str, master: str
) -> Iterator[Callable[[frozenset[str]], Frames] | None]:
    """Give where the frames come from; None where that is the ledger, on this machine, whatever is added to it."""
    from stampbook.parquet import parquet_places, scanned

    places = None if place is None else parquet_places(place)
    if where == "polars":
        yield None if places is None or added is not None else lambda wanted: scanned(places, wanted)
        return
    from stampbook.combining import combined
    from stampbook.histories import read_frames
    from stampbook.spark import spark

    instant = run.engine.clock() if at is None else at
    with spark(master) as session:
        if places is not None and added is None:
            yield lambda _: session.read(places)
            return

        def told(wanted: frozenset[str]) -> Frames:
            past = read_frames(run.engine, instant, wanted)
            past = past if places is None else combined(run.engine, past, scanned(places, _SALES), instant)
            return session.handed_over(past.frames)

        yield told


def _share_data(run: Run, made: Segmentation, asset: Any) -> dict[str, Any]:
    rows = made.shares.to_dicts()
    for row in rows:
        mean = row["mean_order_value"]
        row["revenue"] = asset.text(row["revenue"])
        row["mean_order_value"] = None if mean is None else asset.text(round(mean))
        row["mean_recency_days"] = None if row["mean_recency_days"] is None else round(row["mean_recency_days"], 1)
        for key in ("accounts_percent", "revenue_percent"):
            row[key] = None if row[key] is None else round(row[key], 2)
    return {
        **run_data(run, made.run),
        "rows": made.rows,
        "new": made.is_new,
        "came": 0 if made.moved is None else int((made.moved["before"] == "").sum()),
        "moved": 0 if made.moved is None else len(made.moved),
        "told": None if made.told is None else made.told.told,
        "refused": None if made.told is None else made.told.refused,
        "segments": rows,
    }


def run_data(run: Run, kept: KeptRun) -> dict[str, Any]:
    """Return what is told of a kept run.

    Args:
        run: the command.
        kept: the run.
    """
    import orjson

    from stampbook.segmenting import summary

    local = run.calendar.local
    return {
        "run": kept.id,
        "scheme": kept.scheme,
        "at": local(kept.at),
        "recorded_at": local(kept.recorded_at),
        "definition": kept.definition,
        "window": kept.span,
        "accounts": kept.accounts,
        "took_ms": kept.took_ms,
        "said": list(summary(run.engine, kept)),
        "findings": orjson.loads(kept.findings),
    }


def _tell_shares(data: list[dict[str, Any]], currency: str, left_out: int) -> None:
    from stampbook.cli.printing import counted, moment
    from stampbook.cli.segment_findings import tell_findings

    for made in data:
        again = "" if made["new"] else " (as kept before; nothing changed)"
        click.echo(
            f"{made['scheme']} as of {moment(made['at'])}: {counted(made['accounts'], 'account')}, "
            f"{counted(made['rows'], 'purchase or return', 'purchases and returns')}{again}"
        )
        click.echo()
        if made["segments"]:
            _tell_table(made["segments"], currency)
        elif made["accounts"]:
            click.echo("None of them is an account of this ledger, so that nobody's segment is kept.\n")
        else:
            click.echo("Nobody has bought anything yet.\n")
        _tell_said(made)
        tell_findings(made["findings"])
        came = f", {made['came']:,} of them new" if made["came"] else ""
        moved = f"{counted(made['moved'], 'account')} moved{came}" if made["new"] else "nobody moved"
        told = "" if made["told"] is None else f"; {counted(made['told'], 'account')} told of it"
        refused = f"; {counted(made['refused'], 'account')} refused it" if made["refused"] else ""
        click.echo(f"{moved}{told}{refused}.\n")
    if left_out:
        click.echo(f"Left out: {counted(left_out, 'purchase or return', 'purchases and returns')} in other currencies.")


def _tell_table(segments: list[dict[str, Any]], currency: str) -> None:
    from stampbook.cli.printing import grouped, print_table

    columns = ["accounts", "share %", f"revenue {currency}", "of it %", "orders", "mean order", "days since"]
    rows = [
        [
            row["segment"],
            f"{row['accounts']:,}",
            row["accounts_percent"],
            grouped(row["revenue"]),
            row["revenue_percent"],
            f"{row['orders']:,}",
            row["mean_order_value"] and grouped(row["mean_order_value"]),
            row["mean_recency_days"],
        ]
        for row in segments
    ]
    print_table(["segment", *columns], rows, right=columns)
    click.echo()


def _tell_said(made: dict[str, Any]) -> None:
    for sentence in made["said"]:
        click.echo(f"  {sentence}")
    if made["said"]:
        click.echo()


@command(
    "show",
    "segments show",
    "segments show --scheme rfm --segment loyal",
    "segments show --account 1001 --json",
    group=segments,
)
@SCHEME
@click.option("--segment", metavar="NAME", help="List the accounts of this segment in the last run.")
@click.option("--account", "ref", metavar="ACCOUNT", shell_complete=complete_ref, help="What runs said of an account.")
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=50, show_default=True, help="How many accounts.")
def show(run: Run, scheme: str | None, segment: str | None, ref: str | None, limit: int) -> None:
    """Show the last run of each scheme, the accounts of a segment, or one account over all runs."""
    from stampbook.store.segment_runs import runs

    if ref is not None:
        _show_account(run, ref, scheme or "")
        return
    kept = runs(run.engine.store, scheme=scheme or "")
    if not kept:
        check_scheme(run, scheme)
        fail("no segments were made yet; run: stampbook segments run")
    latest = list({each.scheme: each for each in reversed(kept)}.values())
    if segment is None:
        _show_runs(run, latest)
    else:
        _show_segment(run, latest, segment, limit)


def check_scheme(run: Run, scheme: str | None) -> None:
    """Fail where no run of a scheme was kept."""
    from stampbook.errors import near
    from stampbook.store.segment_runs import runs

    known = sorted({kept.scheme for kept in runs(run.engine.store)})
    if scheme and scheme not in known:
        fail(f"no segments of scheme {scheme} were made yet{near(scheme, known)}; run: stampbook segments run")


def _show_runs(run: Run, latest: list[KeptRun]) -> None:
    from stampbook.cli.printing import counted, moment, print_table
    from stampbook.store.segment_runs import sizes

    data = [{**run_data(run, kept), "segments": sizes(run.engine.store, kept.scheme, kept.at)} for kept in latest]

    def tell() -> None:
        for each in data:
            click.echo(f"{each['scheme']} as of {moment(each['at'])}: {counted(each['accounts'], 'account')}\n")
            print_table(["segment", "accounts"], list(each["segments"].items()), right=["accounts"])
            click.echo()
            _tell_said(each)

    run.answer(data, tell)


def _show_segment(run: Run, latest: list[KeptRun], segment: str, limit: int) -> None:
    import orjson

    from stampbook.cli.printing import print_table
    from stampbook.errors import near
    from stampbook.store.segment_runs import members, sizes

    store = run.engine.store
    counts = {kept.id: sizes(store, kept.scheme, kept.at) for kept in latest}
    chosen = next((kept for kept in latest if segment in counts[kept.id]), None)
    if chosen is None:
        names = sorted({name for named in counts.values() for name in named})
        fail(f"no account is in a segment {segment!r}{near(segment, names)}; there are {', '.join(names)}")
    some = list(members(store, chosen.scheme, chosen.at, segment=segment))[:limit]
    found = [{"account": member.account, **orjson.loads(member.scores)} for member in some]
    total = counts[chosen.id][segment]
    data = {**run_data(run, chosen), "segment": segment, "members": total, "first": found}

    def tell() -> None:
        scores = [name for name in found[0] if name != "account"]
        print_table(["account", *scores], [list(row.values()) for row in found], right=scores)
        click.echo(f"{len(found):,} of {total:,} in {segment}")

    run.answer(data, tell)


def _show_account(run: Run, ref: str, scheme: str) -> None:
    import orjson

    from stampbook.cli.printing import moment, print_table
    from stampbook.replay import entries_of
    from stampbook.store.segment_runs import KEPT, scores_of, spells_of

    entries_of(run.engine, ref)  # raises where there is no such account
    check_scheme(run, scheme)
    local = run.calendar.local
    data: list[dict[str, Any]] = [
        {"scheme": spell.scheme, "since": local(spell.since), "segment": spell.segment, "scores": {}}
        for spell in reversed(spells_of(run.engine.store, ref))
        if scheme in {"", spell.scheme} and spell.line == KEPT
    ]
    for made, member in scores_of(run.engine.store, ref):
        latest = next((row for row in data if row["scheme"] == made.scheme), None)
        if latest is not None:
            latest["scores"] = orjson.loads(member.scores)

    def tell() -> None:
        if not data:
            click.echo(f"No run has put account {ref} into a segment.")
            return
        print_table(
            ["since", "scheme", "segment", "scores of the latest run"],
            [
                [
                    moment(row["since"]),
                    row["scheme"],
                    row["segment"],
                    ", ".join(f"{name} {value}" for name, value in row["scores"].items()),
                ]
                for row in data
            ],
        )

    run.answer(data, tell)
