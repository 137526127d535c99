"""What an event earns: the wishes of plugins carried out on the draft."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stampbook.awards import settle
from stampbook.entitling import earned_of, entitle
from stampbook.errors import PluginError
from stampbook.event_base import OWN_SOURCE
from stampbook.hookspecs import Entitlement, Extension
from stampbook.ledger import PROMOTION, Message, MetricChange
from stampbook.periods import NEVER
from stampbook.proposals import Earned
from stampbook.proposing import checked_message
from stampbook.reckoning import plain_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stampbook.awards import Grant
    from stampbook.draft import Draft
    from stampbook.hookspecs import Award, GoodUntil, Multiplier, Note

    _Wish = Award | Multiplier | Note | GoodUntil | Extension | Entitlement


def _extend(draft: Draft, wish: Extension) -> None:
    lot = draft.account.lots.get(wish.lot)
    if lot is None or type(wish.expires_at) is not int or wish.expires_at > NEVER:
        message = f"rule {wish.rule} extends {wish}, which is no lot of the account until an instant"
        raise PluginError(message)
    draft.extend(wish.lot, wish.expires_at, wish.rule)


def reward(
    draft: Draft,
    wanted: list[_Wish],
    budgets: Mapping[str, int] | None,
) -> None:
    """Grant what an event earns, after stacking, limits and budgets; or object where a limit says so."""
    if wanted:
        _granted(draft, wanted, budgets)
    if draft.messages:
        sent = [_to_follow(each) for each in draft.messages if each.on_return]
        if sent:
            draft.memo["sent"] = sent


def _to_follow(message: Message) -> tuple[Any, ...]:
    """Return what a purchase keeps of a message, so that what becomes of it is told to the same account."""
    kept = (message.to, message.on_return, message.data, message.by_line)
    return (*kept, message.on_completion) if message.on_completion else kept


def _granted(
    draft: Draft,
    wanted: list[_Wish],
    budgets: Mapping[str, int] | None,
) -> None:
    awarded: list[Award | Multiplier | Note | GoodUntil] = []
    for wish in _in_turn(draft, wanted):
        if isinstance(wish, Extension):  # before what is granted now, which may share the lot
            _extend(draft, wish)
        elif isinstance(wish, Entitlement):
            entitle(draft, _own(draft, wish) if draft.registry.has_sharers and wish.units else wish)
        else:
            awarded.append(wish)
    file = draft.registry.file
    settled = settle(
        awarded,
        assets=draft.registry.context.assets,
        stacking=file.stacking,
        multipliers=file.multipliers,
        limits=draft.registry.limits,
        account=draft.view,
        budgets=budgets,
        can_refuse=draft.event.source != OWN_SOURCE,
    )
    draft.trace.update(settled.trace)
    draft.objections.extend(settled.objections)
    if draft.objections:
        return
    granted: list[Any] = []
    lines = draft.order.line_count if draft.order is not None else 0
    shared = _shared(draft, settled.grants) if draft.registry.has_sharers and settled.grants else {}
    grants = settled.grants
    if len(grants) > 1 and _owes(draft):
        grants = sorted(grants, key=lambda grant: _terms(grant.award))
    for award, units, by_line in grants:
        if shared and award.rule in shared:
            units, by_line = shared[award.rule]  # noqa: PLW2901 - what the account keeps
            if not units:
                continue
        if by_line and not all(0 < line <= lines for line, _ in by_line):
            message = f"rule {award.rule} awards to lines that the order has not"
            raise PluginError(message)
        _, asset, _, _, _, kind, effective_at, expires_at, priority = award[:9]
        parts = draft.grant((asset, kind, effective_at, expires_at, priority), units, PROMOTION, award.rule)
        granted.append((award.rule, asset, units, parts, by_line))
        if award.on_completion:
            draft.memo.setdefault("awaits", []).append(award.rule)
    if granted:
        draft.memo["granted"] = granted
    if settled.grants and draft.registry.context.reckons:
        draft.memo["reckoned"] = {
            award.rule: plain_of(award, settled.exact[award.rule], units) for award, units, _ in settled.grants
        }
    if granted and draft.registry.granted:
        _count_granted(draft, granted)
    if settled.counts:
        draft.metrics = [*draft.metrics, *[change for change, _ in settled.counts]]
        draft.memo["caps"] = [(change.metric, change.day, parts) for change, parts in settled.counts]


def _in_turn(draft: Draft, wanted: list[_Wish]) -> list[_Wish]:
    """Put entitlements in an order that the program's tables do not decide, where one leaves less to another.

    That is where they repay what is owed, or are taken back and may not all be there.
    """
    entitled = [wish for wish in wanted if isinstance(wish, Entitlement)]
    if len(entitled) < 2 or not (_owes(draft) or min([wish.units for wish in entitled]) < 0):  # noqa: PLR2004 - a pair
        return wanted
    entitled.sort(key=lambda wish: (wish.units > 0, _terms(wish), wish.owed))
    turns = iter(entitled)
    return [next(turns) if isinstance(wish, Entitlement) else wish for wish in wanted]


def _terms(grant: Award | Entitlement | Earned) -> tuple[Any, ...]:
    """What repays what is owed first: that which ends first, as it would be spent. Names tell apart what is alike."""
    return (grant.priority, grant.expires_at, grant.effective_at, grant.kind, grant.rule)


def _owes(draft: Draft) -> bool:
    return any(lot.remaining < 0 for lot in draft.account.lots.values())


def _count_granted(draft: Draft, granted: list[Any]) -> None:
    """Add to metrics what rules granted in the end, and note whose grants they count, so that a return undoes them."""
    for name, table in draft.registry.granted.get(draft.event.type, ()):
        counted = [
            (rule, units)
            for rule, asset, units, _, _ in granted
            if asset == table.granted and (not table.rules or rule in table.rules)
        ]
        if counted:
            change = MetricChange(name, draft.view.day, sum(units for _, units in counted))
            draft.metrics = [*draft.metrics, change]
            draft.memo.setdefault("counted_grants", []).append((name, change.day, [rule for rule, _ in counted]))


def _own(draft: Draft, wish: Entitlement) -> Entitlement:
    """Send the part of an entitlement that goes to another account, or ask it back there; return what is its own."""
    earned = earned_of(wish)
    sign, left = (1 if wish.units > 0 else -1), earned.units
    for plugin, share in draft.registry.share(draft.event, [earned], draft.view):
        if share.rule != wish.rule or not 0 < share.units <= left:
            message = f"plugin {plugin!r} shares {share!r}, which is no part of {left} that {wish.rule} grants"
            raise PluginError(message)
        left -= share.units
        sent = share.message
        if sign < 0:
            sent = Message(sent.to, sent.on_return, sent.data, required=False)
        draft.messages.append(checked_message(plugin, sent._replace(on_return="", on_completion="")))
        draft.trace.setdefault("shared", []).append((wish.rule, sent.to, sign * share.units))
        draft.trace.setdefault("shared_assets", {})[wish.rule] = wish.asset
    return wish._replace(units=sign * left)


_Kept = tuple[int, tuple[tuple[int, int], ...]]


def _shared(draft: Draft, grants: list[Grant]) -> dict[str, _Kept]:
    """Send the parts of grants that go to other accounts, and return what the account keeps, by rule.

    Raises:
        PluginError: a share is none of a grant, or more than it.
    """
    earned = [
        Earned(award.rule, award.asset, units, *award[5:9], by_line, award.on_completion)
        for award, units, by_line in grants
    ]
    if len({_terms(each)[:-1] for each in earned}) > 1:
        earned.sort(key=_terms)  # the other account may owe
    kept: dict[str, _Kept] = {each.rule: (each.units, each.lines) for each in earned}
    shared: list[tuple[str, str, int]] = []
    for plugin, share in draft.registry.share(draft.event, earned, draft.view):
        if share.rule not in kept:
            message = f"plugin {plugin!r} shares {share!r}, which is no part of what was earned"
            raise PluginError(message)
        units, lines = kept[share.rule]
        gone = dict(share.message.by_line)
        rest = tuple((line, part - gone.pop(line, 0)) for line, part in lines)
        sound = not gone and (not lines or sum(part for _, part in rest) == units - share.units)
        if not 0 < share.units <= units or not sound or min([0, *dict(rest).values()]) < 0:
            message = f"plugin {plugin!r} shares {share.units!r} of {units} that {share.rule} grants, or of other lines"
            raise PluginError(message)
        kept[share.rule] = (units - share.units, rest)
        if draft.registry.context.reckons and share.message.on_return:
            place = sum([bool(message.on_return) for message in draft.messages])
            draft.memo.setdefault("shared", []).append((place, share.rule))
        draft.messages.append(checked_message(plugin, share.message))
        shared.append((share.rule, share.message.to, share.units))
    if shared:
        draft.trace.setdefault("shared", []).extend(shared)
    return {rule: kept[rule] for rule, _, _ in shared}
