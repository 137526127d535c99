"""segments explain | schedule: why an account is where it is, and what runs the schemes regularly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from stampbook.cli.running import Run, command, complete_ref, fail
from stampbook.cli.segments import segments

if TYPE_CHECKING:
    from stampbook.store.segment_runs import KeptRun, Spell

_CALENDARS = {
    "day": ("30 3 * * *", "*-*-* 03:30:00"),
    "week": ("30 3 * * 1", "Mon *-*-* 03:30:00"),
    "month": ("30 3 1 * *", "*-*-01 03:30:00"),
}


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


@command("schedule", "segments schedule", "segments schedule --every week --json", group=segments)
@click.option("--every", type=click.Choice(list(_CALENDARS)), default="day", show_default=True, help="How often.")
@click.option("--user", metavar="NAME", default="stampbook", show_default=True, help="Who the timer runs as.")
def schedule(run: Run, every: str, user: str) -> None:
    """Print what a cron table or a systemd timer needs to run the schemes of the program regularly.

    Each run is as of the end of the day before, in the program's time zone, whenever it is made: a run that is
    repeated changes nothing.
    """
    import shutil
    import sys

    engine = run.engine
    registry = engine.registry()
    schemes = [name for name, _ in registry.segmenters()]
    if not schemes:
        fail(f"{registry.context.name} has no segmentation scheme; add [[plugin]] use = 'rfm' to it")
    zone = registry.context.calendar.zone
    program = shutil.which("stampbook") or f"{sys.executable} -m stampbook.cli"
    call = f"{program} segments run --db {engine.store.url}"
    cron, calendar = _CALENDARS[every]
    yesterday = f"$(TZ={zone} date -d yesterday +%F)"
    data: dict[str, Any] = {
        "schemes": schemes,
        "every": every,
        "crontab": f"CRON_TZ={zone}\n{cron} {call} --at {yesterday.replace('%', chr(92) + '%')}",
        "service": (
            "[Unit]\nDescription=Stampbook segments\n\n[Service]\nType=oneshot\n"
            f"User={user}\nExecStart=/bin/sh -c '{call} --at {yesterday.replace('%', '%%').replace('$', '$$')}'\n"
        ),
        "timer": (
            "[Unit]\nDescription=Stampbook segments, regularly\n\n[Timer]\n"
            f"OnCalendar={calendar} {zone}\nPersistent=true\n\n[Install]\nWantedBy=timers.target\n"
        ),
    }

    def tell() -> None:
        click.echo(f"For {', '.join(schemes)}, every {every}. A line of a crontab:\n\n{data['crontab']}\n")
        click.echo(f"Or for systemd, stampbook-segments.service:\n\n{data['service']}")
        click.echo(f"and stampbook-segments.timer:\n\n{data['timer']}")

    run.answer(data, tell)
