"""Why each rule of a program granted what it did, or did not: from the numbers that the journal kept.

The trace of an entry holds what the rules read. Conditions and formulas of the program that judged it are
evaluated again over those numbers, so that what is told is what happened, whatever the account looks like now.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import BaseModel

from stampbook.amounts import amount_text, write_units
from stampbook.errors import StampbookError
from stampbook.expressions import Condition, Field, Formula, Kind, compile_condition, compile_formula
from stampbook.states import Sum

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from stampbook.events import Event
    from stampbook.orders import Line, Order
    from stampbook.plugin import Plugin
    from stampbook.registry import Registry
    from stampbook.vocabulary import Context


class LineReason(NamedTuple):
    """One line of an order under a rule that looks at lines: whether it counts, and what it earns before rounding."""

    line: int
    what: str
    applies: bool
    earned: str


class Cut(NamedTuple):
    """One limit or campaign that left less of an award than there was before it."""

    limit: str
    desired: Sum
    granted: Sum


@dataclass(frozen=True, slots=True)
class RuleReason:
    """What one rule did about an event.

    Attributes:
        rule: its name in the ledger, ``<plugin table>.<rule>``.
        result: ``granted``, ``taken back``, ``nothing``, ``stacked out``, ``out of season`` or ``does not apply``.
        granted: what it granted; None where it did not.
        options: its texts in the program that judged the event.
        read: the numbers that its texts name, as they were.
        earned: the exact value of its formula, before multipliers and rounding; empty where that is not known.
        failed: the parts of its condition that were false.
        multipliers: rules that multiplied it, with their factors.
        group: the stacking group in which another rule won.
        lines: for a rule that looks at lines, each line.
        shared: what of its grant went to other accounts, or was asked back there: ``40 points to home``.
        limited: the limits and campaigns that cut it, in the order in which they did.
        season: of a rule out of season, its campaign in words: whether that is over or has not begun, and its days.
    """

    rule: str
    result: str
    granted: Sum | None
    options: Mapping[str, str]
    read: Mapping[str, str]
    earned: str = ""
    failed: tuple[str, ...] = ()
    multipliers: tuple[str, ...] = ()
    group: str = ""
    lines: tuple[LineReason, ...] = ()
    shared: tuple[str, ...] = ()
    limited: tuple[Cut, ...] = ()
    season: str = ""


def rule_reasons(
    registry: Registry, event: Event, order: Order | None, trace: Mapping[str, Any], granted: Mapping[str, Sum]
) -> tuple[RuleReason, ...]:
    """Return what each rule that judges this kind of event did, in the order of the program.

    Args:
        registry: the program that judged it.
        event: what happened.
        order: of a purchase.
        trace: of the journal entry.
        granted: by rule, what it granted.
    """
    out = dict(trace.get("stacked_out", ()))
    wanted = {rule for rule, _, _ in trace.get("awards", ())}
    factors = _multipliers(trace, wanted)
    shared = _shared(trace, registry.context)
    limited = _limited(trace, registry.context)
    seasons = {rule: _season(registry, name, event.at) for rule, name in trace.get("out_of_season", ())}
    reasons: list[RuleReason] = []
    seen: set[str] = set()
    for plugin in registry.plugins:
        read: Mapping[str, Any] = trace.get("read", {}).get(plugin.name, {})
        for table in _tables(plugin):
            if not _expressions(table) or event.type not in getattr(table, "on", (event.type,)):
                continue
            rule = f"{plugin.name}.{table.name}"  # type: ignore[attr-defined]  # _tables yields those with a name
            seen.add(rule)
            result = "stacked out" if rule in out else "nothing" if rule in wanted else ""
            result = "out of season" if rule in seasons else result
            result = "granted" if rule in granted or rule in shared else result
            reason = RuleReason(
                rule,
                result or "does not apply",
                granted.get(rule),
                options_of(table),
                read_texts(registry.context, _names(table), read),
                multipliers=factors.get(rule, ()) if result in {"granted", "nothing"} else (),
                group=out.get(rule, ""),
                shared=shared.get(rule, ()),
                limited=limited.get(rule, ()),
                season=seasons.get(rule, ""),
            )
            own = trace.get("read", {}).get(rule, read)
            reasons.append(_weighed(reason, table, registry.context, own, order))
    undone = {rule for rule, _, units in trace.get("shared", ()) if units < 0}
    for rule in dict.fromkeys(rule for rule in (*granted, *out, *limited, *seasons, *shared) if rule not in seen):
        result = "out of season" if rule in seasons else "stacked out" if rule in out else "nothing"
        result = "granted" if rule in granted or rule in shared else result
        reasons.append(
            RuleReason(
                rule,
                "taken back" if rule in undone else result,
                granted.get(rule),
                {},
                {},
                multipliers=factors.get(rule, ()),
                group=out.get(rule, ""),
                shared=shared.get(rule, ()),
                limited=limited.get(rule, ()),
                season=seasons.get(rule, ""),
            )
        )
    return tuple(reasons)


def or_nothing(rule: RuleReason) -> RuleReason:
    """Tell a rule that applied and came to zero or less from one that did not apply: neither has wanted anything."""
    applied = not rule.failed and (rule.earned or any(line.applies for line in rule.lines))
    return replace(rule, result="nothing") if applied and rule.result == "does not apply" else rule


def _multipliers(trace: Mapping[str, Any], awards: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return in words what multiplied each award; entries of old do not say which of several, and tell all."""
    factors = [f"{rule} × {_factor(factor)}" for rule, factor in trace.get("multiplied", ())]
    by_award: Mapping[str, list[int]] = trace.get("multiplied_by", {})
    return {rule: tuple(factors[place] for place in by_award.get(rule, range(len(factors)))) for rule in awards}


def _season(registry: Registry, name: str, at: int) -> str:
    """Return in words why a campaign was not on at an instant, with its days as the program writes them."""
    table = registry.file.campaigns[name]
    begun = table.first_day is None or registry.context.calendar.parse(table.first_day) <= at
    days = [f"{word} {day}" for word, day in (("from", table.first_day), ("to", table.last_day)) if day is not None]
    return f"campaign {name} {'was over: it was on' if begun else 'had not begun: it is on'} {' '.join(days)}"


def _shared(trace: Mapping[str, Any], context: Context) -> dict[str, tuple[str, ...]]:
    """Return in words what of each rule's grant went to other accounts, or was asked back there."""
    assets = {rule: asset for rule, asset, _ in (*trace.get("awards", ()), *trace.get("entitled", ()))}
    assets.update(trace.get("shared_assets", {}))
    shared: dict[str, tuple[str, ...]] = {}
    for rule, to, units in trace.get("shared", ()):
        amount = amount_text(abs(units), context.asset(assets[rule])) if rule in assets else str(abs(units))
        shared[rule] = (*shared.get(rule, ()), f"{amount} {'to' if units > 0 else 'asked back of'} {to}")
    return shared


def _limited(trace: Mapping[str, Any], context: Context) -> dict[str, tuple[Cut, ...]]:
    """Return what cut the award of each rule: one that several limits cut in turn, each of them."""
    assets = {rule: asset for rule, asset, _ in trace.get("awards", ())}
    cuts: dict[str, tuple[Cut, ...]] = {}
    for rule, limit, desired, granted in trace.get("limited", ()):
        code = assets[rule]
        decimals = context.asset(code).decimals
        cut = Cut(limit, Sum(code, desired, decimals), Sum(code, granted, decimals))
        cuts[rule] = (*cuts.get(rule, ()), cut)
    return cuts


def options_of(table: BaseModel) -> dict[str, str]:
    """Return the options of a rule that the program sets, as texts."""
    return {
        (table.__class__.model_fields[name].alias or name): _text(getattr(table, name))
        for name in table.__class__.model_fields
        if name in table.model_fields_set and name != "name"
    }


def option_table(registry: Registry, rule: str) -> BaseModel | None:
    """Return the table of the program that a rule of the ledger comes from, if it can be told."""
    for plugin in registry.plugins:
        for table in _tables(plugin):
            if rule == f"{plugin.name}.{table.name}":  # type: ignore[attr-defined]
                return table
    return None


def read_texts(context: Context, names: set[str], read: Mapping[str, Any]) -> dict[str, str]:
    """Return numbers that were read in the units in which a program writes them."""
    texts: dict[str, str] = {}
    for name in sorted(names & set(read)):
        root, _, field = name.partition(".")
        known = context.scope.get(root, {}).get(field)
        value = read[name]
        if known is not None and known.kind == Kind.INSTANT:
            texts[name] = context.calendar.local(value).isoformat(" ", "minutes")
        elif known is not None and known.kind == Kind.NUMBER and isinstance(value, int):
            texts[name] = write_units(value, known.scale)
        elif isinstance(value, list):
            texts[name] = ", ".join(map(repr, value)) or "none"
        else:
            texts[name] = repr(value) if isinstance(value, str) else str(value)
    return texts


def _tables(plugin: Plugin[Any]) -> Iterator[BaseModel]:
    """Yield the named tables of a plugin's options: its rules, its levels."""
    for name in type(plugin.config).model_fields:
        value = getattr(plugin.config, name)
        for table in value if isinstance(value, tuple) else ():
            if isinstance(table, BaseModel) and isinstance(getattr(table, "name", None), str):
                yield table


def _expressions(table: BaseModel) -> list[Condition | Formula]:
    values = (getattr(table, name) for name in type(table).model_fields)
    return [value for value in values if isinstance(value, (Condition, Formula))]


def _names(table: BaseModel) -> set[str]:
    return {name for expression in _expressions(table) for name in expression.reads}


def _text(value: object) -> str:
    if isinstance(value, (Condition, Formula)):
        return " ".join(value.text.split())
    return ", ".join(map(_text, value)) if isinstance(value, tuple) else str(value)


def _factor(ratio: str) -> str:
    return number_text(Fraction(ratio))


def number_text(value: Fraction) -> str:
    """Write an exact number: as decimal text where that ends, else as a ratio."""
    for places in range(7):
        if (value * 10**places).denominator == 1:
            return write_units(int(value * 10**places), places)
    return f"{value.numerator}/{value.denominator}"


def _weighed(
    reason: RuleReason, table: BaseModel, context: Context, read: Mapping[str, Any], order: Order | None
) -> RuleReason:
    """Add what a rule's own texts come to; where the trace does not hold what they read, leave that out."""
    condition = next((e for e in _expressions(table) if isinstance(e, Condition)), None)
    formula = getattr(table, "formula", None) or next((e for e in _expressions(table) if isinstance(e, Formula)), None)
    scale = _Scale(context, read, order)
    try:
        if getattr(table, "per", "order") == "line" and order is not None:
            lines = tuple(scale.line(line, condition, formula, context) for line in order.lines)
            return replace(reason, lines=lines)
        failed = () if condition is None else tuple(scale.failed(condition.text))
        earned = "" if failed or formula is None else number_text(scale.number(formula.text))
    except (KeyError, StampbookError):
        return reason
    return replace(reason, failed=failed, earned=earned)


class _Scale:
    """Evaluates texts of a program over numbers that were read before."""

    def __init__(self, context: Context, read: Mapping[str, Any], order: Order | None) -> None:
        self._read = read
        self._order = order
        self._calendar = context.calendar
        self._scope = {
            root: {
                name: field if root == "line" else Field(field.kind, f"event[{f'{root}.{name}'!r}]", field.scale)
                for name, field in fields.items()
            }
            for root, fields in context.scope.items()
        }

    def failed(self, text: str, line: Line | None = None) -> Iterator[str]:
        """Yield the parts of a condition, joined by "and", that are false."""
        for part in _conjuncts(text):
            condition = compile_condition(part, self._scope, self._calendar)
            if not condition.test(self._read, self._order, line, None, None):
                yield part

    def number(self, text: str, line: Line | None = None) -> Fraction:
        return Fraction(
            *compile_formula(text, self._scope, self._calendar).ratio(self._read, self._order, line, None, None)
        )

    def line(self, line: Line, condition: Condition | None, formula: Formula | None, context: Context) -> LineReason:
        applies = condition is None or not any(self.failed(condition.text, line))
        what = " ".join(filter(None, (line.sku, line.category and f"({line.category})"))) or "a line"
        earned = number_text(self.number(formula.text, line)) if applies and formula is not None else ""
        return LineReason(line.number, f"{what} {context.currency.text(line.net)}", applies, earned)


def _conjuncts(text: str) -> list[str]:
    flat = " ".join(text.split())
    root = ast.parse(flat, mode="eval").body
    if isinstance(root, ast.BoolOp) and isinstance(root.op, ast.And):
        return [ast.get_source_segment(flat, part) or flat for part in root.values]
    return [flat]
