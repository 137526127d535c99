"""From awards to grants: stacking groups, multipliers, and one rounding by name."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from stampbook.amounts import LARGEST, divide, split
from stampbook.errors import PluginError
from stampbook.hookspecs import Award, Multiplier, Note
from stampbook.lots import DEBT, PAID
from stampbook.periods import NEVER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from stampbook.amounts import Asset


MOST_PRIORITY = 32_000
"""What a small integer of a database holds."""


class Grant(NamedTuple):
    """A whole amount of smallest units that an award became; `by_line` are pairs of line number and amount."""

    award: Award
    units: int
    by_line: tuple[tuple[int, int], ...]


def settle(
    wanted: Iterable[Award | Multiplier | Note],
    *,
    assets: Mapping[str, Asset],
    stacking: Mapping[str, str],
    multipliers: str = "product",
) -> tuple[list[Grant], dict[str, Any]]:
    """Turn what reward rules want into what is granted.

    Awards of one group are stacked first (all, the largest, or the first), each that is left is multiplied
    exactly, and then rounded once by its own mode.

    Args:
        wanted: awards and multipliers in the order of the program.
        assets: the program's assets.
        stacking: the mode of each group: ``sum``, ``best`` or ``first``.
        multipliers: ``product`` of all that match, or the ``best`` one.

    Returns:
        the grants, and a trace: granted amounts by rule, multipliers used, rules stacked out.

    Raises:
        PluginError: an award names an asset or a group that the program does not have, or a rule awards twice:
            a return could not tell its awards apart.
    """
    awards: list[Award] = []
    factors: dict[str, list[Multiplier]] = {}
    trace: dict[str, Any] = {}
    grouped = False
    for wish in wanted:
        kind = type(wish)
        if kind is Award:
            awards.append(wish)  # type: ignore[arg-type]  # its type was just compared
            grouped = grouped or bool(wish.group)  # type: ignore[union-attr]
        elif kind is Multiplier:
            factors.setdefault(wish.asset, []).append(wish)  # type: ignore[union-attr,arg-type]
        else:
            trace.setdefault("read", {})[wish.rule] = wish.read  # type: ignore[union-attr]
    if not awards:
        return [], trace
    if len(awards) > 1 and len({award.rule for award in awards}) < len(awards):
        twice = next(award.rule for place, award in enumerate(awards) if award.rule in {a.rule for a in awards[:place]})
        message = f"rule {twice} awards twice on one event; give each award a rule of its own"
        raise PluginError(message)
    if grouped:
        awards, out = _stack(awards, stacking)
        if out:
            trace["stacked_out"] = out
    used = {asset: _factors(chosen, multipliers) for asset, chosen in factors.items()}
    grants: list[Grant] = []
    granted: list[tuple[str, str, int]] = []
    for award in awards:
        asset = assets.get(award.asset)
        if asset is None:
            message = f"rule {award.rule} awards {award.asset!r}, which is not an asset of the program"
            raise PluginError(message)
        _check(award)
        numerator, denominator = award.numerator * 10**asset.decimals, award.denominator
        if used:
            for factor in used.get(award.asset, ()):
                numerator, denominator = numerator * factor.numerator, denominator * factor.denominator
        units = divide(numerator, denominator, award.rounding)
        granted.append((award.rule, award.asset, units))
        if units <= 0:
            continue
        if units > LARGEST:
            message = f"rule {award.rule} awards {units} {award.asset}, more than any amount that is kept"
            raise PluginError(message)
        grants.append(Grant(award, units, _by_line(award, units) if award.lines else ()))
    trace["awards"] = granted
    if used:
        multiplied = [
            (factor.rule, f"{factor.numerator}/{factor.denominator}")
            for asset in dict.fromkeys(award.asset for award in awards)
            for factor in used.get(asset, ())
        ]
        if multiplied:
            trace["multiplied"] = multiplied
    return grants, trace


def _check(award: Award) -> None:
    """Refuse an award whose terms no lot can have.

    Raises:
        PluginError: names the rule and the term.
    """
    wholes = (award.numerator, award.denominator, award.effective_at, award.expires_at, award.priority)
    if not all(type(number) is int for number in wholes) or type(award.kind) is not str:
        message = f"rule {award.rule} awards {award}, whose terms are not whole numbers and a text"
    elif award.denominator <= 0:
        message = f"rule {award.rule} divides its award by {award.denominator}"
    elif not (award.kind and award.kind.isprintable() and award.kind not in {PAID, DEBT}):
        message = f"rule {award.rule} awards a lot of kind {award.kind!r}, which is the ledger's own, or unreadable"
    elif max(abs(award.effective_at), abs(award.expires_at)) > NEVER or abs(award.priority) > MOST_PRIORITY:
        message = f"rule {award.rule} awards at times or with a priority that cannot be kept"
    else:
        return
    raise PluginError(message)


def _factors(chosen: list[Multiplier], mode: str) -> list[Multiplier]:
    if mode == "best" and len(chosen) > 1:
        best = chosen[0]
        for factor in chosen[1:]:
            if factor.numerator * best.denominator > best.numerator * factor.denominator:
                best = factor
        return [best]
    return chosen


def _by_line(award: Award, units: int) -> tuple[tuple[int, int], ...]:
    if not award.lines:
        return ()
    weights = [weight for _, weight in award.lines]
    if sum(weights) <= 0 or min(weights) < 0:
        return ()
    return tuple(zip((line for line, _ in award.lines), split(units, weights), strict=True))


def _stack(awards: list[Award], stacking: Mapping[str, str]) -> tuple[list[Award], list[tuple[str, str]]]:
    groups: dict[tuple[str, str], list[Award]] = defaultdict(list)
    for award in awards:
        if award.group:
            groups[award.group, award.asset].append(award)
    out: set[int] = set()
    for (group, _), members in groups.items():
        mode = stacking.get(group)
        if mode is None:
            message = f"rule {members[0].rule} names the group {group!r}, which [stacking] does not have"
            raise PluginError(message)
        if mode == "sum":
            continue
        keep = members[0] if mode == "first" else _largest(members)
        out.update(id(member) for member in members if member is not keep)
    kept = [award for award in awards if id(award) not in out]
    return kept, [(award.rule, award.group) for award in awards if id(award) in out]


def _largest(awards: list[Award]) -> Award:
    best = awards[0]
    for award in awards[1:]:
        if award.numerator * best.denominator > best.numerator * award.denominator:
            best = award
    return best
