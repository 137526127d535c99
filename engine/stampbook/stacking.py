"""Stacking: which awards of a group count, which multipliers, and whether a program says so for every case."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction
from typing import TYPE_CHECKING

from stampbook.errors import PluginError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from stampbook.hookspecs import Award, Multiplier, Stake

AWARD_MODES = ("sum", "best", "first", "exclusive")
"""All awards of a group count; the largest; the one of the lowest rank; that one, and no other award beside it."""
FACTOR_MODES = ("multiplied", "sum", "best", "first", "exclusive")
"""Factors of a group are multiplied; their gains added; the largest; the lowest rank; that one, and no other."""

Out = list[tuple[str, str]]


def stack(awards: list[Award], stacking: Mapping[str, str]) -> tuple[list[Award], Out]:
    """Return the awards that count, and pairs of rule and group of those that do not.

    The order in which awards come makes no difference: of equals the lower rank counts, then the name.

    Raises:
        PluginError: an award names a group that the program has not, or one of multipliers.
    """
    groups: dict[tuple[str, str], list[Award]] = defaultdict(list)
    for award in awards:
        if award.group:
            groups[award.group, award.asset].append(award)
    out: dict[str, str] = {}
    alone: dict[str, Award] = {}
    for (group, asset), members in groups.items():
        mode = _mode(members[0].rule, group, stacking, AWARD_MODES)
        if mode == "sum":
            continue
        keep = min(members, key=_by_size if mode == "best" else _by_rank)
        out.update((member.rule, group) for member in members if member is not keep)
        if mode == "exclusive":
            alone[asset] = min((keep, alone.get(asset, keep)), key=_by_rank)
    for asset, only in alone.items():
        out.update(
            (award.rule, only.group)
            for award in awards
            if award.asset == asset and award is not only and award.rule not in out
        )
    return [award for award in awards if award.rule not in out], [
        (award.rule, out[award.rule]) for award in awards if award.rule in out
    ]


def _by_rank(award: Award | Multiplier) -> tuple[int, str]:
    return award.rank, award.rule


def _by_size(award: Award | Multiplier) -> tuple[Fraction, int, str]:
    return -Fraction(award.numerator, award.denominator), award.rank, award.rule


def _mode(rule: str, group: str, stacking: Mapping[str, str], modes: Sequence[str]) -> str:
    mode = stacking.get(group)
    if mode is None:
        message = f"rule {rule} names the group {group!r}, which [stacking] does not have"
        raise PluginError(message)
    if mode not in modes:
        what = "awards" if modes is AWARD_MODES else "multipliers"
        message = f"rule {rule} names the group {group!r}, which is {mode!r}; of {what} a group is {', '.join(modes)}"
        raise PluginError(message)
    return mode


Factor = tuple[str, int, int]
"""A rule (several rules, joined by "+"), a numerator and a denominator."""


def factors(chosen: list[Multiplier], mode: str, stacking: Mapping[str, str]) -> list[Factor]:
    """Return the factors that count of the multipliers of one award.

    Args:
        chosen: those that hold for it.
        mode: what becomes of groups and of multipliers without one: ``product``, ``best`` or ``sum``.
        stacking: the mode of each group.
    """
    if len(chosen) == 1 and not chosen[0].group:
        one = chosen[0]
        return [(one.rule, one.numerator, one.denominator)]
    groups: dict[str, list[Multiplier]] = defaultdict(list)
    found: list[tuple[Factor, bool, int]] = []
    for factor in chosen:
        if factor.group:
            groups[factor.group].append(factor)
        else:
            found.append(((factor.rule, factor.numerator, factor.denominator), False, factor.rank))
    for group, members in groups.items():
        how = _mode(members[0].rule, group, stacking, FACTOR_MODES)
        best = min(members, key=_by_size if how == "best" else _by_rank)
        kept = (best.rule, best.numerator, best.denominator)
        joined = _joined([(it.rule, it.numerator, it.denominator) for it in members], how)
        found.append((joined if how in {"multiplied", "sum"} else kept, how == "exclusive", best.rank))
    exclusive = [it for it in found if it[1]]
    if exclusive:
        return [min(exclusive, key=lambda it: (it[2], it[0][0]))[0]]
    every = [it[0] for it in found]
    if mode == "best":
        return [min(every, key=lambda it: (-Fraction(it[1], it[2]), it[0]))]
    return [_joined(every, mode)] if mode == "sum" else every


def _joined(parts: Sequence[Factor], how: str) -> Factor:
    parts = sorted(parts)
    value = Fraction(1)
    for _, numerator, denominator in parts:
        factor = Fraction(numerator, denominator)
        value = value + factor - 1 if how == "sum" else value * factor
    value = max(value, Fraction(0))
    return "+".join(rule for rule, _, _ in parts), value.numerator, value.denominator


def unstated(stakes: Iterable[Stake], stacking: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the rules whose result an unstated order would decide, each with what is wrong."""
    groups: dict[tuple[str, str], list[Stake]] = defaultdict(list)
    alone: list[Stake] = []
    for stake in stakes:
        mode = stacking.get(stake.group)
        if mode is None:
            continue
        modes = AWARD_MODES if stake.what == "award" else FACTOR_MODES
        if mode not in modes:
            yield (
                stake.rule,
                (
                    f"{stake.rule} is in the group {stake.group!r}, which is {mode!r}; "
                    f"a group of {stake.what}s is one of {', '.join(modes)}"
                ),
            )
            continue
        groups[stake.group, stake.what].append(stake)
        if mode == "exclusive":
            alone.append(stake)
    for (group, _), members in groups.items():
        mode = stacking[group]
        for one, other in _ties(members):
            if mode == "first" or (mode == "best" and one.asset == other.asset and one.terms != other.terms):
                why = (
                    "counts only the first" if mode == "first" else "keeps the best, and they may tie with other terms"
                )
                yield (
                    other.rule,
                    (
                        f"{one.rule} and {other.rule} have one rank in the group {group!r}, which {why}; "
                        "give each a rank of its own"
                    ),
                )
    for one, other in _ties(alone):
        if one.what == other.what and one.asset == other.asset:
            yield (
                other.rule,
                (f"{one.rule} and {other.rule} are exclusive and have one rank; give each a rank of its own"),
            )


def only_one_counts(one: Stake, other: Stake, stacking: Mapping[str, str]) -> bool:
    """Whether of two awards of one asset stacking always leaves one out."""
    modes = (stacking.get(one.group, ""), stacking.get(other.group, ""))
    return "exclusive" in modes or (bool(one.group) and one.group == other.group and modes[0] in {"best", "first"})


def _ties(members: Sequence[Stake]) -> Iterator[tuple[Stake, Stake]]:
    known: dict[tuple[str, int], Stake] = {}
    for stake in members:
        first = known.setdefault((stake.asset, stake.rank), stake)
        if first is not stake:
            yield first, stake
