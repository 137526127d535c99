"""statement and explain: what happened on an account, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from stampbook.cli.running import REF, Run, command, fail

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stampbook.explaining import AccountReason, TransactionReason
    from stampbook.statements import Part, Statement


@command(
    "statement",
    "statement 1001",
    "statement 1001 --from 2025-03-01 --until 2025-03-31",
    "statement 1001 --as-of 2025-03-31 --known-at 2025-04-02T12:00",
    "statement 1001 --json",
)
@REF
@click.option("--from", "since", metavar="TIME", help="List from here on; what was before is summed up.")
@click.option("--until", metavar="TIME", help="List up to here; a date means the end of that day.")
@click.option("--as-of", metavar="TIME", help="As it was then; a date means the end of that day. Now where absent.")
@click.option("--known-at", metavar="TIME", help="As far as was known then: what was recorded later is left out.")
def statement(
    run: Run, ref: str, since: str | None, until: str | None, as_of: str | None, known_at: str | None
) -> None:
    """List what happened on an account, in words.

    It is made to be read to a customer on the phone. Each line has its date, what happened, what it changed, and
    what the account held after it: pending and held value included. Refused events stand with their reasons. The
    foot says what can be spent, and what expires when.
    """
    from stampbook.statements import statement as made

    first, last = run.span(since, until, names="--from and --until")
    result = made(
        run.engine,
        ref,
        since=first,
        until=last,
        as_of=run.instant(as_of, end_of_day=True),
        known_at=run.instant(known_at, end_of_day=True),
    )
    run.answer(result, lambda: _tell_statement(result))


def _tell_statement(result: Statement) -> None:
    from stampbook.cli.printing import moment, print_table

    state = result.account
    facts = "".join(f", {fact.name} {fact.value}" for fact in state.facts)
    known = "" if state.known_at is None else f", as known at {moment(state.known_at)}"
    click.echo(f"Statement of account {state.ref} of {state.program}: {state.status}{facts}")
    first = "the beginning" if result.since is None else moment(result.since)
    click.echo(f"From {first} to {moment(result.until)} ({result.until.tzinfo}){known}")
    click.echo()
    rows: list[list[object]] = []
    if result.since is not None:
        rows.append(["", "brought forward", "", "\n".join(map(str, result.opening))])
    for line in result.lines:
        words = "\n".join([line.words, *(f"because {reason}" for reason in line.reasons)])
        if line.late and line.recorded_at is not None:
            words += f"\n(learned on {moment(line.recorded_at)})"
        if len(line.parts) > len(line.changes):
            words += f"\n({by_kind(line.parts)})"
        changed = [change for change in line.changes if change.units]
        by_asset = {balance.asset: str(balance) for balance in line.balances}
        rows.append(
            [
                line.at,
                words,
                "\n".join(change.signed for change in changed),
                "\n".join(by_asset[change.asset] for change in changed),
            ]
        )
    print_table(["date", "what happened", "change", "holds then"], rows, right=["change", "holds then"])
    click.echo()
    for holding in state.holdings:
        rest = [
            f"{amount} {what}"
            for amount, what in (
                (holding.pending, "pending"),
                (holding.held, "held"),
                (holding.owed, "owed"),
            )
            if amount.units
        ]
        kinds: dict[str, int] = {}
        for lot in holding.lots:
            if lot.condition == "usable":
                kind = f"{lot.kind} {lot.only}" if lot.only else lot.kind
                kinds[kind] = kinds.get(kind, 0) + lot.remaining.units - lot.held.units
        of = ", ".join(f"{holding.total._replace(units=units).text} {kind}" for kind, units in kinds.items())
        apart = f" ({of})" if len(kinds) > 1 else ""
        click.echo(f"{holding.available} can be spent{apart}{'; ' if rest else ''}{'; '.join(rest)}.")
    if not state.holdings:
        click.echo("The account holds nothing.")
    for expiring in state.expiring:
        click.echo(f"{expiring}.")
    for progress in state.progress:
        click.echo(f"{progress}.")


def by_kind(parts: Iterable[Part]) -> str:
    """Write changes by the kind of lot: paid and granted value are told apart."""
    return ", ".join(f"{part.amount.signed} {part.kind}" for part in parts)


@command(
    "explain",
    "explain sale-1",
    "explain return-1 --source till",
    "explain 1001",
    "explain 1001 --as-of 2025-03-31 --json",
)
@click.argument("name", metavar="EVENT-ID|ACCOUNT")
@click.option("--source", metavar="NAME", help="Who sent the event, where several used its id.")
@click.option("--account", "only_account", is_flag=True, help="It is an account, even if an event has the same name.")
@click.option("--event", "only_event", is_flag=True, help="It is an event, even if an account has the same name.")
@click.option("--as-of", metavar="TIME", help="Of an account: as it was then.")
@click.option("--known-at", metavar="TIME", help="Of an account: as far as was known then.")
def explain(
    run: Run,
    name: str,
    source: str | None,
    *,
    only_account: bool,
    only_event: bool,
    as_of: str | None,
    known_at: str | None,
) -> None:
    """Say why a transaction, a refusal or an account is what it is.

    Of an event: each posting with its rule, the rule's texts in the program that judged it and the numbers
    that it read; rules that did not apply, and why; the arithmetic of a return; the objections of a refusal. Of
    an account: each balance as the sum of its lots, each lot with what moved in it, each fact with its reason, each
    metric day by day.
    """
    from stampbook.errors import UnknownAccountError, UnknownEventError
    from stampbook.explaining import explain_account, explain_entry
    from stampbook.replay import entries_of, find_entry

    engine = run.engine
    found = [] if only_account else find_entry(engine, source, name)
    is_account = False
    if not only_event and source is None:
        try:
            is_account = bool(entries_of(engine, name))
        except UnknownAccountError as error:
            if not found:
                raise UnknownAccountError(
                    f"{error}, and no event of that id" if not only_account else str(error)
                ) from None
    if found and is_account:
        fail(f"{name} is an account and an event: add --account or --event")
    if len(found) > 1:
        sources = ", ".join(entry.source for _, entry in found)
        fail(f"several sources sent an event {name}: add --source, one of {sources}")
    if found:
        reason = explain_entry(engine, *found[0])
        run.answer(reason, lambda: _tell_transaction(reason))
    elif is_account:
        whole = explain_account(
            engine,
            name,
            as_of=run.instant(as_of, end_of_day=True),
            known_at=run.instant(known_at, end_of_day=True),
        )
        run.answer(whole, lambda: _tell_account(whole))
    else:
        raise UnknownEventError(f"no event {name}{f' of source {source}' if source else ''} is in the journal")


def _tell_transaction(reason: TransactionReason) -> None:
    from stampbook.cli.printing import moment, print_pairs, print_table

    click.echo(f"{reason.event}: {reason.words}")
    print_pairs(
        {
            "account": f"{reason.account or 'none'}, journal entry {reason.seq}",
            "happened": moment(reason.at),
            "recorded": moment(reason.recorded_at),
            "source": reason.source,
            "program": f"{reason.program.name} ({reason.program.file}, {reason.program.hash[:12]})",
            "hash": reason.hash,
        }
    )
    for objection in reason.objections:
        click.echo(f"\nRefused: {objection['code']}: {objection['message']}")
    if reason.postings:
        click.echo("\nPostings")
        print_table(
            ["amount", "from", "to", "rule", "because"],
            [[posting.amount, posting.source, posting.destination, *posting[3:]] for posting in reason.postings],
            right=["amount"],
            indent=2,
        )
    elif reason.accepted:
        click.echo("\nNothing was posted.")
    for number, rule in enumerate(reason.rules):
        if not number:
            click.echo("\nRules")
        _tell_rule(rule)
    for fact in reason.facts:
        click.echo(f"\n{fact.name} became {fact.value or 'none'}: {fact.reason}")
    if reason.counts:
        click.echo("\nCounted")
        for count in reason.counts:
            click.echo(f"  {count.metric}: {count.delta} on {count.day}")
    if reason.paid_out:
        click.echo("\nPaid out")
        for name, text in reason.paid_out:
            click.echo(f"  {name.replace('_', ' ')}: {text}")
    if reason.refund is not None:
        _tell_refund(reason.refund)


def _tell_rule(rule: object) -> None:
    from stampbook.cli.printing import one_or_more
    from stampbook.reasoning import RuleReason

    assert isinstance(rule, RuleReason)  # noqa: S101 - narrows for the type checker
    result = "came to nothing" if rule.result == "nothing" else rule.result
    if rule.granted is not None:
        result = f"granted {one_or_more(rule.granted)}"
    click.echo(f"  {rule.rule}: {result}{f' (another of its group {rule.group} won)' if rule.group else ''}")
    if rule.season:
        click.echo(f"    {rule.season}")
    for limit, desired, granted in rule.limited:
        click.echo(f"    cut by {limit}: {desired} to {granted}")
    for share in rule.shared:
        click.echo(f"    shared: {share}")
    for name, text in rule.options.items():
        click.echo(f"    {name}: {text}")
    if rule.read:
        click.echo(f"    read: {', '.join(f'{name} = {value}' for name, value in rule.read.items())}")
    for part in rule.failed:
        click.echo(f"    not so: {part}")
    for line in rule.lines:
        click.echo(f"    line {line.line}, {line.what}: {line.earned if line.applies else 'does not count'}")
    if rule.earned:
        click.echo(f"    comes to: {rule.earned}{''.join(f', {factor}' for factor in rule.multipliers)}")
    elif rule.multipliers and rule.granted is not None:
        click.echo(f"    multiplied: {', '.join(rule.multipliers)}")


def _tell_refund(refund: object) -> None:
    from stampbook.cli.printing import moment, print_table
    from stampbook.refund_reasons import RefundReason

    assert isinstance(refund, RefundReason)  # noqa: S101 - narrows for the type checker
    click.echo("\nRefund")
    if refund.total is None:
        click.echo(f"  {refund.value} came back of no known purchase: nothing is taken back for it")
    else:
        click.echo(f"  purchase {refund.purchase} of {moment(refund.purchase_at)}: {refund.total}")
        click.echo(f"  came back before: {refund.before}; comes back now: {refund.value}")
    click.echo(f"  to stored value: {refund.stored_value}; by other means: {refund.outside}; kept: {refund.deducted}")
    if refund.points.units:
        click.echo(f"  {refund.points} of it as the points that had paid")
    if refund.credited.units:
        click.echo(f"  {refund.credited} of it as new stored value, as the customer chose")
    if refund.charged_back.units:
        click.echo(f"  {refund.charged_back} of it taken back by the payment system")
    if refund.exchanged.units:
        click.echo(f"  {refund.exchanged} of it for what was taken instead")
    for tender in refund.tenders:
        click.echo(f"  of tender {tender.tender}, {tender.kind}: {tender.share}, of which {tender.back} go back by it")
    if refund.grants:
        print_table(
            ["rule", "granted", "settled before", "settled now", "taken from this rule's postings"],
            [list(grant[:-1]) for grant in refund.grants],
            right=["granted", "settled before", "settled now"],
            indent=2,
        )
    for grant in refund.grants:
        if grant.expired.units:
            click.echo(f"  {grant.rule}: {grant.expired} had expired: not taken, and not owed")
    for each in refund.taken_back:
        click.echo(f"  {each.rule}{' of another account' if each.elsewhere else ''}: {each.because}")
    for note in refund.notes:
        click.echo(f"  spent already: {note}")


def _tell_account(whole: AccountReason) -> None:
    from stampbook.cli.accounts import last_moment
    from stampbook.cli.printing import counted, moment, print_table

    state = whole.state
    click.echo(f"Account {state.ref} of {state.program}: {state.status}, as of {moment(state.as_of)}")
    for holding in state.holdings:
        used_up = whole.used_up.get(holding.asset, 0)
        rest = f"; {counted(used_up, 'lot is', 'lots are')} used up" if used_up else ""
        lots = " + ".join(f"lot {each.number}: {each.remaining.text}" for each in holding.lots) or "nothing"
        click.echo(f"\n{holding.total} = {lots}{rest}")
        for part in ("available", "pending", "held", "owed"):
            amount = getattr(holding, part)
            if amount.units:
                click.echo(f"  {part}: {amount}")
        for each in whole.lots[holding.asset]:
            lot = each.lot
            until = "for ever" if lot.expires_at is None else f"until {last_moment(lot.expires_at)}"
            only = f", {lot.only}" if lot.only else ""
            click.echo(f"\n  lot {lot.number}: {lot.remaining}, {lot.kind}, {lot.condition}{only}, good {until}")
            print_table(
                ["date", "amount", "rule", "event", "what happened"],
                [[move.at, move.amount.signed, move.rule, move.event, move.words] for move in each.moves],
                right=["amount"],
                indent=4,
            )
    for fact in state.facts:
        click.echo(f"\n{fact.name} is {fact.value} since {moment(fact.since)}: {fact.reason}")
    for metric in state.metrics:
        first = "" if metric.first_day is None else f" from {metric.first_day}"
        click.echo(f"\n{metric.name} is {metric.value} ({metric.window}:{first} to {metric.last_day})")
        for day in whole.metric_days.get(metric.name, ()):
            click.echo(f"  {day.day}: {day.value}")
    for segment in state.segments:
        scores = ", ".join(f"{name} {value}" for name, value in segment.scores.items())
        click.echo(
            f"\n{segment.scheme}: {segment.segment}, since {moment(segment.since)}{f' ({scores})' if scores else ''}"
        )
    for expiring in state.expiring:
        click.echo(f"\n{expiring}.")
