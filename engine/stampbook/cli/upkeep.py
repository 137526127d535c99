"""tick and verify: bringing the books up to date, and proving them."""

from __future__ import annotations

import click

from stampbook.cli.running import Run, command, fail


@command("tick", "tick", "tick --at 2025-04-01", "tick --json")
@click.option("--at", metavar="TIME", help="Up to when; now where absent.")
def tick(run: Run, at: str | None) -> None:
    """Post what time has brought: expiries, reviews of tiers.

    Every balance that is shown counts what time has brought, ticked or not, so run it as often or as seldom as you
    like; once a night is usual. It writes what is due on accounts that nobody touched.
    """
    from stampbook.cli.printing import counted, progress

    engine = run.engine
    until = run.instant(at, end_of_day=True)
    if until is not None and until > engine.clock():
        fail(f"{at} is still to come; time has not brought anything of it yet")
    posted = 0
    with progress("what time has brought") as show:
        for count in engine.tick(until):
            posted += count
            show(posted, None)
    run.answer({"events": posted}, lambda: click.echo(f"Time has brought {counted(posted, 'event')}."))


@command("verify", "verify", "verify --json")
def verify(run: Run) -> None:
    """Derive every balance anew from the journal, and compare.

    Folds the journal of each account, checks its chain of hashes and all invariants, decides every event again by
    the program of its time, and compares with what is stored. Each finding has the code of the rule that is
    broken; the exit code is 1 if there is any. Keep the hash that it prints in another place: if it ever differs for
    the same journal, the journal was changed.
    """
    from stampbook.cli.printing import counted, print_table, progress
    from stampbook.verifying import verify as verified

    with progress("verifying") as show:
        verdict = verified(run.engine, on_progress=show)

    def tell() -> None:
        if verdict.findings:
            print_table(
                ["code", "account", "entry", "what is wrong"],
                [[f.code, f.account, f.seq or None, f.message] for f in verdict.findings],
                right=["entry"],
            )
        seen = f"{counted(verdict.accounts, 'account')}, {counted(verdict.entries, 'journal entry', 'journal entries')}"
        click.echo(f"{seen}: {counted(len(verdict.findings), 'finding') if verdict.findings else 'all is sound'}.")
        click.echo(f"head {verdict.head}")

    data = {
        "ok": not verdict.findings,
        "accounts": verdict.accounts,
        "entries": verdict.entries,
        "findings": verdict.findings,
        "head": verdict.head,
    }
    run.answer(data, tell)
    if verdict.findings:
        click.get_current_context().exit(1)
