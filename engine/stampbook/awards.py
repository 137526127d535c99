"""From awards to grants: campaigns that are on, stacking groups, multipliers, one rounding by name, limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from stampbook.amounts import LARGEST, divide, split
from stampbook.errors import PluginError
from stampbook.hookspecs import Award, GoodUntil, Multiplier, Note
from stampbook.limits import Wish
from stampbook.lots import DEBT, PAID
from stampbook.periods import NEVER
from stampbook.stacking import factors, stack

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from stampbook.account_view import AccountView
    from stampbook.amounts import Asset
    from stampbook.ledger import MetricChange, Objection
    from stampbook.limits import Limits
    from stampbook.stacking import Factor


MOST_PRIORITY = 32_000
"""What a small integer of a database holds."""

_WHOLE = {int}


class Grant(NamedTuple):
    """A whole amount of smallest units that an award became; `by_line` are pairs of line number and amount."""

    award: Award
    units: int
    by_line: tuple[tuple[int, int], ...]


class Settlement(NamedTuple):
    """What became of awards: grants, the trace, what counts for limits (with the part of each rule), objections.

    `exact` is by rule what an award came to before it was rounded: numerator and denominator of smallest units.
    """

    grants: list[Grant]
    trace: dict[str, Any]
    counts: list[tuple[MetricChange, Any]]
    objections: list[Objection]
    exact: dict[str, tuple[int, int]]


def settle(
    wanted: Iterable[Award | Multiplier | Note | GoodUntil],
    *,
    assets: Mapping[str, Asset],
    stacking: Mapping[str, str],
    multipliers: str = "product",
    limits: Limits | None = None,
    account: AccountView | None = None,
    budgets: Mapping[str, int] | None = None,
    can_refuse: bool = True,
) -> Settlement:
    """Turn what reward rules want into what is granted.

    Awards of campaigns that are not on are left out. Those of one group are stacked, each that is left is multiplied
    exactly, rounded once by its own mode, and then cut to what limits leave. The order in which awards come makes no
    difference to any of it.

    Args:
        wanted: awards and multipliers.
        assets: the program's assets.
        stacking: the mode of each group: see `stacking.AWARD_MODES` and `stacking.FACTOR_MODES`.
        multipliers: ``product`` of all that match, the ``best`` one, or the ``sum`` of their gains.
        limits: those of the program.
        account: before the event; needed with limits.
        budgets: what each campaign has left; without bound where it is not named.
        can_refuse: whether a limit may refuse the event; what time brings cannot be refused.

    Raises:
        PluginError: an award names an asset or a group that the program does not have, or a rule awards twice:
            a return could not tell its awards apart.
    """
    awards: list[Award] = []
    chosen: dict[str, list[Multiplier]] = {}
    trace: dict[str, Any] = {}
    grouped = False
    good_until: dict[str, GoodUntil] = {}
    for wish in wanted:
        if isinstance(wish, Award):
            awards.append(wish)
            grouped = grouped or wish.group != ""
        elif isinstance(wish, Multiplier):
            chosen.setdefault(wish.asset, []).append(wish)
        elif isinstance(wish, GoodUntil):
            good_until[wish.asset] = max(wish, good_until.get(wish.asset, wish), key=lambda each: each.expires_at)
        else:
            trace.setdefault("read", {})[wish.rule] = wish.read
    if not awards:
        return Settlement([], trace, [], [], {})
    if len(awards) > 1 and len({award.rule for award in awards}) < len(awards):
        twice = next(award.rule for place, award in enumerate(awards) if award.rule in {a.rule for a in awards[:place]})
        message = f"rule {twice} awards twice on one event; give each award a rule of its own"
        raise PluginError(message)
    if limits and account is not None:
        awards, idle = limits.in_season(awards, account.at)
        if idle:
            trace["out_of_season"] = idle
    if grouped:
        awards, out = stack(awards, stacking)
        if out:
            trace["stacked_out"] = out
    if good_until:
        awards = _prolonged(awards, good_until, trace)
    exact: dict[str, tuple[int, int]] = {}
    wishes = _rounded(awards, assets, chosen, multipliers, stacking, trace, exact)
    if not limits or account is None:
        return Settlement(_granted(wishes, None), trace, [], [], exact)
    applied = limits.applied(wishes, account, budgets, can_refuse=can_refuse)
    if applied.trace:
        trace["limited"] = applied.trace
        trace["awards"] = [(wish.award.rule, wish.award.asset, applied.units[wish.award.rule]) for wish in wishes]
    if applied.budgets:
        trace["budgets"] = applied.budgets
    counts = limits.counted(wishes, applied.units, account.day)
    return Settlement(_granted(wishes, applied.units), trace, counts, applied.objections, exact)


def _prolonged(awards: list[Award], good_until: Mapping[str, GoodUntil], trace: dict[str, Any]) -> list[Award]:
    """Return awards with their later ends, and note in the trace which rule gave them."""
    longer: list[Award] = []
    for award in awards:
        least = good_until.get(award.asset)
        if least is not None and least.expires_at > award.expires_at:
            trace.setdefault("good_until", []).append((award.rule, least.rule))
            longer.append(award._replace(expires_at=least.expires_at))
        else:
            longer.append(award)
    return longer


def _rounded(
    awards: list[Award],
    assets: Mapping[str, Asset],
    chosen: Mapping[str, list[Multiplier]],
    mode: str,
    stacking: Mapping[str, str],
    trace: dict[str, Any],
    exact: dict[str, tuple[int, int]],
) -> list[Wish]:
    """Return awards multiplied and rounded to smallest units, and note what they come to, before that too."""
    plain = {
        asset: factors(all_of, mode, stacking) for asset, all_of in chosen.items() if not any(it.rules for it in all_of)
    }
    wishes: list[Wish] = []
    granted: list[tuple[str, str, int]] = []
    multiplied: dict[Factor, int] = {}
    by_award: dict[str, list[int]] = {}
    for award in awards:
        asset = assets.get(award.asset)
        if asset is None:
            message = f"rule {award.rule} awards {award.asset!r}, which is not an asset of the program"
            raise PluginError(message)
        _check(award)
        numerator, denominator = award.numerator * 10**asset.decimals, award.denominator
        if chosen:
            used = plain.get(award.asset)
            if used is None:
                own = [it for it in chosen.get(award.asset, ()) if not it.rules or award.rule in it.rules]
                used = factors(own, mode, stacking) if own else []
            own_factors: list[int] = []
            by_award[award.rule] = own_factors
            for factor in used:
                numerator, denominator = numerator * factor[1], denominator * factor[2]
                own_factors.append(multiplied.setdefault(factor, len(multiplied)))
        units = divide(numerator, denominator, award.rounding)
        granted.append((award.rule, award.asset, units))
        if units <= 0:
            continue
        if units > LARGEST:
            message = f"rule {award.rule} awards {units} {award.asset}, more than any amount that is kept"
            raise PluginError(message)
        wishes.append(Wish(award, units))
        exact[award.rule] = (numerator, denominator)
    trace["awards"] = granted
    if multiplied:
        trace["multiplied"] = [(rule, f"{numerator}/{denominator}") for rule, numerator, denominator in multiplied]
        if any(len(places) < len(multiplied) for places in by_award.values()):
            trace["multiplied_by"] = by_award  # which of them, where not each award was multiplied by all
    return wishes


def _granted(wishes: list[Wish], units: Mapping[str, int] | None) -> list[Grant]:
    grants = []
    for award, wanted in wishes:
        amount = wanted if units is None else units[award.rule]
        if amount:
            grants.append(Grant(award, amount, _by_line(award, amount) if award.lines else ()))
    return grants


def _check(award: Award) -> None:
    """Refuse an award whose terms no lot can have.

    Raises:
        PluginError: names the rule and the term.
    """
    given: tuple[Any, ...] = award  # as a plugin made it, whatever its types say
    _, _, numerator, denominator, _, kind, effective_at, expires_at, priority = given[:9]
    if {type(numerator), type(denominator), type(effective_at), type(expires_at), type(priority)} != _WHOLE:
        message = f"rule {award.rule} awards {award}, whose terms are not whole numbers"
    elif denominator <= 0:
        message = f"rule {award.rule} divides its award by {denominator}"
    elif type(kind) is not str or not kind or not kind.isprintable() or kind in {PAID, DEBT}:
        message = f"rule {award.rule} awards a lot of kind {kind!r}, which is the ledger's own, or unreadable"
    elif not (-NEVER <= effective_at <= NEVER and -NEVER <= expires_at <= NEVER) or abs(priority) > MOST_PRIORITY:
        message = f"rule {award.rule} awards at times or with a priority that cannot be kept"
    else:
        return
    raise PluginError(message)


def _by_line(award: Award, units: int) -> tuple[tuple[int, int], ...]:
    if not award.lines:
        return ()
    weights = [weight for _, weight in award.lines]
    if sum(weights) <= 0 or min(weights) < 0:
        return ()
    return tuple(zip((line for line, _ in award.lines), split(units, weights), strict=True))
