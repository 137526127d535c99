"""segments explain | schedule: why an account is where it is, and what runs the schemes regularly."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stampbook.cli.running import Run, command, complete_ref, fail
from stampbook.cli.scheduling import OFTEN, crontab, service, timer, without_password
from stampbook.cli.segments import segments

if TYPE_CHECKING:
    from stampbook.store.segment_runs import KeptRun, Spell


@command("explain", "segments explain 1001", "segments explain 1001 --json", group=segments)
@click.argument("ref", metavar="ACCOUNT", shell_complete=complete_ref)
def explain(run: Run, ref: str) -> None:
    """Say why an account is in its segments: what the latest runs saw, and what holds it where it is."""
    from stampbook.cli.printing import moment
    from stampbook.replay import entries_of
    from stampbook.segmenting import reasons
    from stampbook.store.segment_runs import KEPT, RAW, scores_of, spells_of

    entries_of(run.engine, ref)  # raises where there is no such account
    why = reasons(run.engine, ref)
    spells = spells_of(run.engine.store, ref)
    local = run.calendar.local
    data: list[dict[str, Any]] = []
    for made, member in scores_of(run.engine.store, ref):
        kept, raw = _last(spells, made.scheme, KEPT), _last(spells, made.scheme, RAW)
        held = [] if kept is None or kept.segment == member.segment else _holds(run, made, kept, raw)
        data.append(
            {
                "scheme": made.scheme,
                "at": local(made.at),
                "segment": member.segment if kept is None else kept.segment,
                "since": None if kept is None else local(kept.since),
                "said": member.segment,
                "said_since": local(raw.since) if held and raw is not None else None,
                "reasons": list(why.get(made.scheme, ())),
                "held_by": held,
            }
        )

    def tell() -> None:
        if not data:
            click.echo(f"No run has put account {ref} into a segment.")
        for row in data:
            since = "" if row["since"] is None else f" since {moment(row['since'])}"
            click.echo(f"{row['scheme']}: {row['segment']}{since}")
            if row["held_by"]:
                said = "" if row["said_since"] is None else f" since {moment(row['said_since'])}"
                click.echo(f"  the runs say {row['said']}{said}; held by {' and '.join(row['held_by'])}")
            for sentence in row["reasons"]:
                click.echo(f"  as of {moment(row['at'])}, {sentence}")

    run.answer(data, tell)


def _last(spells: list[Spell], scheme: str, line: str) -> Spell | None:
    return next((spell for spell in reversed(spells) if (spell.scheme, spell.line) == (scheme, line)), None)


def _holds(run: Run, made: KeptRun, kept: Spell, raw: Spell | None) -> list[str]:
    """Say what kept an account, at the latest run, in another segment than that run said."""
    from stampbook.cli.printing import moment
    from stampbook.store.segment_runs import runs

    table = run.engine.registry(made.at).file.segments.get(made.scheme)
    held = []
    if table is not None and table.minimum_stay is not None:
        until = table.minimum_stay.end(kept.since, run.calendar)
        if made.at < until:
            held.append(f"minimum_stay of {table.minimum_stay}, until {moment(run.calendar.local(until))}")
    if table is not None and raw is not None:
        agreed = len({each.at for each in runs(run.engine.store, scheme=made.scheme) if raw.since <= each.at})
        if agreed < table.confirm_runs:
            held.append(f"confirm_runs of {table.confirm_runs}, of which {agreed} agreed")
    return held or ["a policy of an earlier program"]


@command(
    "schedule",
    "segments schedule",
    "segments schedule --every week --archive history --json",
    group=segments,
)
@click.option("--every", type=click.Choice(list(OFTEN)), default="day", show_default=True, help="How often.")
@click.option("--user", metavar="NAME", default="stampbook", show_default=True, help="Who the timer runs as.")
@click.option(
    "--archive",
    type=click.Path(path_type=Path, file_okay=False, resolve_path=True),
    metavar="FOLDER",
    help="Have each run keep the ledger's history here: see segments run.",
)
def schedule(run: Run, every: str, user: str, archive: Path | None) -> None:
    """Print what a cron table or a systemd timer needs to run the schemes of the program regularly.

    Each run is as of the end of the day before, in the program's time zone, whenever it is made: a run that is
    repeated changes nothing. A password in the database's address is left out: it belongs into the file ~/.pgpass of
    the user.
    """
    registry = run.engine.registry()
    schemes = [name for name, _ in registry.segmenters()]
    if not schemes:
        fail(f"{registry.context.name} has no segmentation scheme; add [[plugin]] use = 'rfm' to it")
    zone, what = registry.context.calendar.zone, "Stampbook segments"
    address, secret = _address(run)
    words = [*_program(), "segments", "run", "--db", address, "--at", "yesterday"]
    words += [] if archive is None else ["--archive", str(archive)]
    data: dict[str, Any] = {
        "schemes": schemes,
        "every": every,
        "crontab": crontab(words, OFTEN[every], zone),
        "service": service(words, user, what),
        "timer": timer(OFTEN[every], zone, what),
    }
    if secret:
        run.note(f"The password of the database is left out: put it into ~/.pgpass of {user}, with mode 600.")

    def tell() -> None:
        click.echo(f"For {', '.join(schemes)}, every {every}. Lines of a crontab:\n\n{data['crontab']}\n")
        click.echo(f"Or for systemd, stampbook-segments.service:\n\n{data['service']}")
        click.echo(f"and stampbook-segments.timer:\n\n{data['timer']}")

    run.answer(data, tell)


def _address(run: Run) -> tuple[str, bool]:
    """Return the database's address as it is good in any folder, and whether a password was left out of it."""
    from stampbook.store.sqlite import SqliteStore

    store = run.engine.store
    if isinstance(store, SqliteStore):
        return f"sqlite:///{Path(store.path).resolve()}", False
    return without_password(store.url)


def _program() -> list[str]:
    """Return how this very installation is called, wherever from."""
    import shutil
    import sys

    own = shutil.which("stampbook", path=str(Path(sys.executable).parent)) or shutil.which("stampbook")
    return [str(Path(own).absolute())] if own else [sys.executable, "-c", "from stampbook.cli import main; main()"]
