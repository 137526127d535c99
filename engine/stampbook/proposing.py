"""What a plugin proposes for an event of its own: checked, and carried out on the draft."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stampbook.account import CLOSED, FROZEN, OPEN
from stampbook.account_view import LAST_DAY
from stampbook.amounts import LARGEST
from stampbook.errors import PluginError
from stampbook.holding import check_used, pay
from stampbook.hookspecs import Due
from stampbook.ledger import (
    CASH,
    EXCHANGE,
    OPENING,
    TRANSFERS,
    HoldChange,
    Message,
    MetricChange,
    Objection,
    Posting,
    part_number,
)
from stampbook.lots import DEBT, PAID
from stampbook.metrics import SEPARATOR
from stampbook.owing import repay_first
from stampbook.periods import NEVER
from stampbook.proposals import (
    Debt,
    Deposit,
    GiveBack,
    IfRefused,
    Mature,
    Pick,
    PutBack,
    Remember,
    SetAside,
    StatusChange,
    Tally,
    Withdrawal,
)
from stampbook.standing_in import stand_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stampbook.draft import Draft
    from stampbook.earlier import Earlier
    from stampbook.hookspecs import Proposal

_MOST_PRIORITY = 32_000
_PAID_FROM = (CASH, EXCHANGE, TRANSFERS, OPENING)
_PAID_WORDS = "cash, exchange, transfers or opening"


def propose(draft: Draft, earlier: Earlier | None, budgets: Mapping[str, int] | None) -> None:
    """Do what plugins propose for an event of their own.

    Args:
        draft: the transaction.
        earlier: the event of the account that it names.
        budgets: what each campaign has left; without bound where it is not named.
    """
    lots = None
    if earlier is not None:
        earlier, lots = stand_in(draft, earlier)
    draft.earlier = earlier
    for stamped in draft.registry.propose(draft.event, draft.view, earlier):
        carry_out(draft, stamped.plugin, stamped.value, budgets)
    if lots is not None:
        lots.open()
    repay_first(draft, earlier.seq if earlier is not None and lots is None else None)
    if lots is not None:
        draft.metrics, there = lots.counted(draft.metrics)
        lots.tell({}, there)
    check_used(draft)


def carry_out(draft: Draft, plugin: str, proposal: Proposal, budgets: Mapping[str, int] | None) -> None:
    """Do what a plugin proposes.

    Args:
        draft: the transaction.
        plugin: who proposes it.
        proposal: what it proposes.
        budgets: what each campaign has left; without bound where it is not named.

    Raises:
        PluginError: it is no proposal, or one that no program could mean.
    """
    if isinstance(proposal, Posting):
        draft.postings.append(proposal)
    elif isinstance(proposal, (Objection, Pick, IfRefused)):
        _object(draft, plugin, proposal)
    elif isinstance(proposal, Message):
        draft.messages.append(checked_message(plugin, proposal))
    elif isinstance(proposal, Withdrawal):
        _check_amount(draft, plugin, proposal)
        pay(draft, proposal.asset, proposal.amount, proposal.book, proposal.rule or plugin)
    elif isinstance(proposal, SetAside):
        units = draft.choose(proposal.asset, proposal.amount)
        if units:
            number = part_number(draft.account.seq + 1, len(draft.holds))
            draft.holds.append(HoldChange(number, "authorise", proposal.asset, units, proposal.lapses_at))
    elif isinstance(proposal, Remember):
        draft.memo.setdefault("remembered", {})[str(proposal.name)] = str(proposal.value)
    elif isinstance(proposal, GiveBack):
        changes = () if draft.earlier is None else draft.earlier.metrics
        undone = [MetricChange(metric, day, -delta) for metric, day, delta in changes]
        draft.metrics = [*draft.metrics, *undone]
    elif isinstance(proposal, Deposit):
        _check_amount(draft, plugin, proposal)
        _check_terms(draft, plugin, proposal)
        asset, amount, book, kind, effective_at, expires_at, priority, rule, origin = proposal
        terms = (asset, kind, effective_at, expires_at, priority)
        draft.grant(terms, amount, book, rule or plugin, apart=kind == PAID, origin=origin)
    elif isinstance(proposal, PutBack):
        posting = Posting(proposal.asset, proposal.amount, proposal.book, proposal.lot, proposal.rule or plugin)
        draft.postings.append(posting)
        draft.returned.append(posting)
    elif isinstance(proposal, Debt):
        _check_amount(draft, plugin, proposal)
        draft.owe(proposal.asset, proposal.amount, proposal.book, proposal.rule or plugin)
    elif isinstance(proposal, Tally):
        _tally(draft, plugin, proposal, budgets)
    elif isinstance(proposal, Mature):
        _mature(draft, proposal)
    elif isinstance(proposal, StatusChange):
        if proposal.status not in {OPEN, FROZEN, CLOSED}:
            message = f"plugin {plugin!r} makes an account {proposal.status!r}, which it can not be"
            raise PluginError(message)
        draft.status = proposal.status
    else:
        message = f"plugin {plugin!r} proposes {proposal!r}, which is none of what it may propose"
        raise PluginError(message)


def _object(draft: Draft, plugin: str, proposal: Objection | Pick | IfRefused) -> None:
    """Object, where an account is lacking until the engine has found one; or note what a refusal brings."""
    if isinstance(proposal, IfRefused):
        draft.sequel.append(Due(draft.event.at, proposal.type, proposal.id, proposal.details))
        return
    if isinstance(proposal, Pick):
        draft.pick, proposal = proposal, proposal.none
    draft.objections.append(Objection(proposal.code, proposal.message, plugin))


def _mature(draft: Draft, proposal: Mature) -> None:
    at, left = draft.event.at, proposal.units
    matured = draft.memo.setdefault("matured", [])
    for lot in draft.account.lots.values():
        alike = (lot.asset, lot.kind, lot.effective_at, lot.priority) == (
            proposal.asset, proposal.kind, proposal.effective_at, proposal.priority,
        )  # fmt: skip
        if alike and lot.effective_at > at and lot.expires_at >= proposal.expires_at > at:
            units = min(left, lot.free)
            if units:
                terms = (lot.asset, lot.kind, at, lot.expires_at, lot.priority)
                for into, moved in draft.grant(terms, units, lot.number, proposal.rule):
                    matured.append((proposal.rule, lot.number, into, moved))
                left -= units


def _tally(draft: Draft, plugin: str, tally: Tally, budgets: Mapping[str, int] | None) -> None:
    """Add to a metric, or object where it counts for a limit of which less is left."""
    metric, units, day = tally.metric, tally.units, tally.day or draft.view.day
    if metric.partition(SEPARATOR)[0] not in draft.registry.context.metric_decimals:
        message = f"plugin {plugin!r} counts {metric!r}, which is no metric of the program"
        raise PluginError(message)
    if type(units) is not int or abs(units) > LARGEST or not 0 < day < LAST_DAY:
        message = f"plugin {plugin!r} counts {units!r} on day {day}, which cannot be kept"
        raise PluginError(message)
    if tally.full is not None and not _fits(draft, plugin, tally, budgets):
        draft.objections.append(tally.full._replace(plugin=plugin))
    elif units:
        draft.metrics = [*draft.metrics, MetricChange(metric, day, units)]


def _fits(draft: Draft, plugin: str, tally: Tally, budgets: Mapping[str, int] | None) -> bool:
    """Whether a limit has as much left; what the engine has leased of a campaign is told in the trace where not."""
    limit = next((limit for limit in draft.registry.limits.all if limit.metric == tally.metric), None)
    if limit is None or limit.most is None:
        message = f"plugin {plugin!r} counts {tally.metric!r} against a limit, which is that of none"
        raise PluginError(message)
    left = limit.most
    if limit.scope == "account":
        left -= draft.view.metric_at_most(limit.metric)
    elif budgets is not None:
        left = budgets.get(limit.name, left)
    counted = sum(delta for metric, _, delta in draft.metrics if metric == limit.metric)
    if left - counted >= tally.units:
        return True
    if limit.scope == "campaign":
        draft.trace.setdefault("budgets", {})[limit.name] = max(0, left)
    return False


def checked_message(plugin: str, message: Message) -> Message:
    """Return a message that has a receiver and a kind.

    Raises:
        PluginError: it has none.
    """
    if type(message.to) is not str or not message.to or type(message.type) is not str:
        text = f"plugin {plugin!r} sends {message!r}, which names no account and kind of event"
        raise PluginError(text)
    if message.on_return and type(message.data.get("units")) is not int:
        text = f"plugin {plugin!r} sends {message!r}, which has no units of which a part could come back"
        raise PluginError(text)
    return message


def _check_amount(draft: Draft, plugin: str, proposal: Withdrawal | Deposit | Debt) -> None:
    if proposal.asset not in draft.registry.context.assets:
        message = f"plugin {plugin!r} moves {proposal.asset!r}, which is not an asset of the program"
    elif type(proposal.amount) is not int or not 0 < proposal.amount <= LARGEST:
        message = f"plugin {plugin!r} moves {proposal.amount!r} {proposal.asset}, which is no amount above zero"
    elif not proposal.book:
        message = f"plugin {plugin!r} names no book for what it moves"
    else:
        return
    raise PluginError(message)


def _check_terms(draft: Draft, plugin: str, deposit: Deposit) -> None:
    kind = deposit.kind
    instants = (deposit.effective_at, deposit.expires_at)
    if not kind or not kind.isprintable() or kind == DEBT:
        message = f"plugin {plugin!r} deposits into a lot of kind {kind!r}, which is the ledger's own, or unreadable"
    elif kind == PAID and deposit.book not in _PAID_FROM:
        message = f"plugin {plugin!r} makes paid value from the book {deposit.book!r}; it comes from {_PAID_WORDS}"
    elif not all(type(instant) is int and abs(instant) <= NEVER for instant in instants):
        message = f"plugin {plugin!r} deposits at times that cannot be kept"
    elif type(deposit.priority) is not int or abs(deposit.priority) > _MOST_PRIORITY:
        message = f"plugin {plugin!r} deposits with a priority that cannot be kept"
    elif type(deposit.origin) is not int or not 0 <= deposit.origin <= draft.account.seq:
        message = f"plugin {plugin!r} deposits what would belong to an event that the account does not have"
    else:
        return
    raise PluginError(message)
