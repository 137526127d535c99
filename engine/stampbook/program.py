"""A program file as models: every mistake found at once, with file, line, key and a near name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from stampbook.amounts import CURRENCIES, Asset
from stampbook.asset_tables import AssetTable
from stampbook.errors import PeriodError, near
from stampbook.event_tables import EventName, EventTable, clashes, names_of, readable, without_amount
from stampbook.kinds import KIND_NAME, KindTable
from stampbook.metric_tables import MetricTable
from stampbook.names import vocabulary
from stampbook.option_types import WindowText
from stampbook.periods import Calendar, LeapDay, Window
from stampbook.segment_tables import SegmentTable, segment_names
from stampbook.vocabulary import Context, refuse

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from stampbook.names import EventText
    from stampbook.toml_source import Source

_ATTRIBUTE = r"^[a-z][a-z0-9_]{0,39}$"
_DECIMAL = r"^\d{1,15}(\.\d{1,9})?$"
_SCHEME = r"^[a-z][a-z0-9_]{0,62}$"
_IDENTIFIER = r"^[A-Za-z][A-Za-z0-9_]{0,62}$"


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Header(_Table):
    """The `[program]` table."""

    name: Annotated[str, Field(min_length=1, max_length=255, description="what customers call the programme")]
    currency: Annotated[str, Field(description="ISO 4217 code of the money that it counts")]
    time_zone: Annotated[str, Field(description="IANA zone in which days and months are counted")] = "UTC"
    open_accounts: Annotated[
        Literal["on first event", "refuse"],
        Field(description="what an event of an unknown account does: opens it, or is refused"),
    ] = "refuse"
    unknown_returns: Annotated[
        Literal["refuse", "accept"],
        Field(description="a return that names no known purchase: refused, or kept without taking anything back"),
    ] = "refuse"
    leap_day: Annotated[LeapDay, Field(description="where a period from 29 February ends in a common year")] = (
        LeapDay.FEBRUARY_28
    )


class LimitTable(_Table):
    """One `[limits.NAME]` table: the most that awards may come to, for one account or one transaction."""

    max: Annotated[str, Field(pattern=_DECIMAL, description="the most, in whole units, or how many awards")]
    counts: Annotated[
        Literal["amount", "value", "awards"],
        Field(description="what is counted: units of the asset, their money value, or awards"),
    ] = "amount"
    asset: Annotated[str, Field(description="asset whose awards it holds for")] = "points"
    rules: Annotated[tuple[str, ...], Field(description="rules such as `points.base`; all where absent")] = ()
    per: Annotated[
        Literal["account", "transaction"], Field(description="each account over the window, or each event")
    ] = "account"
    window: Annotated[WindowText, Field(description="the days that count for an account")] = Window()
    over: Annotated[
        Literal["trim", "refuse award", "refuse event"],
        Field(description="what is too much: cut to what is left, the whole award left out, or the event refused"),
    ] = "trim"
    unit_value: Annotated[
        str | None, Field(pattern=_DECIMAL, description="with counts = 'value': money value of one whole unit")
    ] = None

    @model_validator(mode="after")
    def _valued(self) -> LimitTable:
        if (self.counts == "value") != (self.unit_value is not None):
            refuse("unit_value goes with counts = 'value', and only with it")
        if self.unit_value is not None and not float(self.unit_value):
            refuse("unit_value: a unit that is worth nothing has no limit by value")
        if self.per == "transaction" and "window" in self.model_fields_set:
            refuse("a window goes with per = 'account', and only with it")
        return self


class CampaignTable(_Table):
    """One `[campaigns.NAME]` table: rules that award for a time, and what they may grant to all accounts together."""

    rules: Annotated[
        tuple[str, ...], Field(min_length=1, description="rules that belong to it, such as `points.summer`")
    ]
    first_day: Annotated[str | None, Field(description="first local day or time; always on before where absent")] = None
    last_day: Annotated[str | None, Field(description="last local day, included; never ends where absent")] = None
    budget: Annotated[
        str | None, Field(pattern=_DECIMAL, description="the most that it grants in all; no end where absent")
    ] = None
    counts: Annotated[
        Literal["amount", "value", "awards"],
        Field(description="what the budget counts: units of the asset, their money value, or awards"),
    ] = "amount"
    asset: Annotated[str, Field(description="asset that its rules grant")] = "points"
    over: Annotated[
        Literal["trim", "refuse award", "refuse event"],
        Field(description="what the budget cannot pay: cut to what is left, left out, or the event refused"),
    ] = "trim"
    unit_value: Annotated[
        str | None, Field(pattern=_DECIMAL, description="with counts = 'value': money value of one whole unit")
    ] = None
    turn: Annotated[
        Literal["last", "first"],
        Field(
            description="whether the budget cuts after the limits of transactions and accounts, or before them, so "
            "that what it cannot pay takes no room in them"
        ),
    ] = "last"

    @model_validator(mode="after")
    def _sound(self, info: ValidationInfo) -> CampaignTable:
        if (self.counts == "value") != (self.unit_value is not None):
            refuse("unit_value goes with counts = 'value', and only with it")
        if self.unit_value is not None and not float(self.unit_value):
            refuse("unit_value: a unit that is worth nothing has no budget by value")
        context: Any = info.context
        days = [context.calendar.parse(day) for day in (self.first_day, self.last_day) if day is not None]
        if days != sorted(days):
            refuse("it ends before it begins")
        return self

    @field_validator("first_day", "last_day")
    @classmethod
    def _read(cls, day: str | None, info: ValidationInfo) -> str | None:
        context: Any = info.context
        if day is not None:
            try:
                context.calendar.parse(day)
            except PeriodError as error:
                refuse(str(error))
        return day


class ExampleAccount(_Table):
    """What an example expects of one more account."""

    status: Annotated[Literal["open", "frozen", "closed"] | None, Field(description="its status")] = None
    balances: Annotated[dict[str, str], Field(description="spendable balance by asset")] = {}
    pending: Annotated[dict[str, str], Field(description="granted but not yet effective, by asset")] = {}
    owed: Annotated[dict[str, str], Field(description="debt by asset")] = {}
    facts: Annotated[dict[str, str], Field(description="facts such as tier")] = {}


class Example(_Table):
    """One `[[example]]` table: events in; balances, facts and refusals out. The program's own test."""

    name: Annotated[str, Field(min_length=1, description="what it shows")]
    events: Annotated[
        tuple[dict[str, Any], ...],
        Field(description="events in order; id, source and account are filled in where absent"),
    ] = ()
    at: Annotated[str | None, Field(description="the instant that is looked at; that of the last event")] = None
    balances: Annotated[dict[str, str], Field(description="spendable balance by asset")] = {}
    pending: Annotated[dict[str, str], Field(description="granted but not yet effective, by asset")] = {}
    owed: Annotated[dict[str, str], Field(description="debt by asset")] = {}
    facts: Annotated[dict[str, str], Field(description="facts such as tier")] = {}
    accounts: Annotated[
        dict[str, ExampleAccount],
        Field(description="the same of accounts by their ref; what stands above is of the first event's account"),
    ] = {}
    refused: Annotated[tuple[str, ...], Field(description="codes of the refusals, in order")] = ()


class ProgramFile(_Table):
    """A whole program file without its plugin tables, which belong to the plugins."""

    program: Header
    assets: dict[Annotated[str, Field(pattern=_IDENTIFIER)], AssetTable] = {}
    kinds: Annotated[
        dict[Annotated[str, Field(pattern=KIND_NAME)], KindTable],
        Field(description="kinds of lot that may be spent only on some things, in some places, at some times"),
    ] = {}
    events: Annotated[dict[EventName, EventTable], Field(description="kinds of event that the program declares")] = {}
    metrics: dict[Annotated[str, Field(pattern=_IDENTIFIER)], MetricTable] = {}
    attributes: Annotated[
        dict[Annotated[str, Field(pattern=_ATTRIBUTE)], Literal["text", "month and day"]],
        Field(description="what may be declared of an account: any text, or a month and day such as a birthday"),
    ] = {}
    limits: dict[Annotated[str, Field(pattern=_IDENTIFIER)], LimitTable] = {}
    campaigns: dict[Annotated[str, Field(pattern=_IDENTIFIER)], CampaignTable] = {}
    segments: Annotated[
        dict[Annotated[str, Field(pattern=_SCHEME)], SegmentTable],
        Field(description="what rules are told of segmentation schemes, by the names of their plugins"),
    ] = {}
    stacking: Annotated[
        dict[str, Literal["sum", "best", "first", "exclusive", "multiplied"]],
        Field(
            description="for each group: all count, only the largest, only the first by rank, that one and none beside "
            "the group, or (of multipliers) all multiplied"
        ),
    ] = {}
    multipliers: Annotated[
        Literal["product", "best", "sum"],
        Field(description="several multipliers on one award: multiplied together, only the largest, or gains added"),
    ] = "product"
    examples: tuple[Example, ...] = Field(default=(), alias="example")


def read_file(
    source: Source, texts: Iterable[EventText] = (), closed: Mapping[str, tuple[str, ...]] | None = None
) -> tuple[ProgramFile | None, Context]:
    """Read all but the plugin tables, noting mistakes in `source`; the file is None if it has any.

    What a mistaken header does not say is guessed, so that the mistakes of the other tables are found too.

    Args:
        source: the file.
        texts: what rules may read of the events that its plugins bring.
        closed: what facts and texts may be that cannot be anything, by name, such as `account.tier`.
    """
    data = _without_plugins(source)
    context = _context(source, data, [*texts], closed or {})
    file = source.validated(ProgramFile, data, (), context)
    if file is not None:
        context.windows = {name: table.window for name, table in file.metrics.items()}
        context.metric_assets = {
            name: context.assets[table.granted] if table.granted else replace(context.currency, decimals=decimals)
            for name, table in file.metrics.items()
            for decimals in [context.metric_decimals[name]]
            if table.granted or table.is_money
        }
        context.granted = frozenset(name for name, table in file.metrics.items() if table.granted is not None)
        context.distinct = frozenset(name for name, table in file.metrics.items() if table.distinct is not None)
        context.spend_orders = {code: table.spend_order for code, table in file.assets.items() if table.spend_order}
        context.forfeited = frozenset(code for code, table in file.assets.items() if table.on_close == "forfeit")
        context.repaid = frozenset(code for code, table in file.assets.items() if table.topup_debt == "repay")
        context.paid_out = frozenset(code for code, table in file.assets.items() if table.on_close == "pay_out")
        for code in sorted(context.paid_out):
            if not context.assets[code].is_currency:
                message = "'pay_out' is for money; what a unit is worth is not known: 'refuse' or 'forfeit'"
                source.mistake(("assets", code, "on_close"), message)
        context.proportions = {code: table.proportion for code, table in file.assets.items() if table.proportion}
        context.restrictions = {name: table.restriction for name, table in file.kinds.items()}
        for name in sorted({"paid", "debt"} & set(file.kinds)):
            source.mistake(("kinds", name), f"{name!r} is the ledger's own kind and cannot be restricted")
        context.stacking = file.stacking
        context.shrinking = frozenset(code for code, table in file.assets.items() if table.held_expired == "expire")
        context.graces = {
            code: table.extend_by.ends(context.calendar)
            for code, table in file.assets.items()
            if table.extend_by is not None
        }
    return file, context


def read_again(source: Source, context: Context) -> None:
    """Note what is wrong in the tables of a file now that more is known of what its conditions compare with.

    Schemes are built with the file's own tables at hand, so it is only then known which segments they may name.
    """
    source.validated(ProgramFile, _without_plugins(source), (), context)
    source.mistakes[:] = dict.fromkeys(source.mistakes)


def _without_plugins(source: Source) -> dict[str, Any]:
    return {key: value for key, value in source.data.items() if key != "plugin"}


def _context(
    source: Source, data: Mapping[str, Any], texts: Sequence[EventText], closed: Mapping[str, tuple[str, ...]]
) -> Context:
    header, tables, metrics, stacking = (_table(data.get(key)) for key in ("program", "assets", "metrics", "stacking"))
    code, zone = str(header.get("currency", "")), header.get("time_zone", "UTC")
    if isinstance(header.get("currency"), str) and code not in CURRENCIES:
        message = f"{code!r} is not an ISO 4217 currency{near(code.upper(), CURRENCIES)}"
        source.mistake(("program", "currency"), message)
    currency = Asset(code, CURRENCIES.get(code, 2))
    assets = {code: currency}
    for name, entry in tables.items():
        decimals = _table(entry).get("decimals")
        if not isinstance(decimals, int):
            decimals = CURRENCIES.get(name, 0)
        elif decimals != CURRENCIES.get(name, decimals):
            source.mistake(("assets", name, "decimals"), f"{name} is a currency of {CURRENCIES[name]} decimals")
        assets[name] = Asset(name, max(0, min(decimals, 6)), _table(entry).get("debt") is True)
    try:
        calendar = Calendar(zone if isinstance(zone, str) else "UTC", _leap_day(header.get("leap_day")))
    except PeriodError as error:
        source.mistake(("program", "time_zone"), str(error))
        calendar = Calendar()
    facts = _facts(source.data.get("plugin"))
    attributes = _attributes(source, data.get("attributes"), facts)
    context = Context(
        name=str(header.get("name", "")),
        currency=assets[code],
        assets=assets,
        calendar=calendar,
        metric_decimals=_metric_places(metrics, currency.decimals, assets),
        stacking=stacking,
        attributes=attributes,
    )
    context.name_texts(texts)
    context.name_segments(segment_names(_table(data.get("segments"))))
    context.name_facts(facts, "the fact that a plugin keeps", "since when it has its value")
    several = {f"event.{name}" for name, count in Counter(text.name for text in texts).items() if count > 1}
    context.close_texts({name: values for name, values in closed.items() if name not in several})
    events = readable(data.get("events"))
    for place, message in clashes(events):
        source.mistake(place, message)
    context.declare(events, names_of(events, currency.decimals), without_amount(events))
    return context


def _facts(tables: object) -> list[str]:
    """Return what plugins call the facts that they keep, where an option `fact` says so."""
    named = [_table(table).get("fact") for table in tables] if isinstance(tables, list) else []
    return [name for name in named if isinstance(name, str) and re.fullmatch(_ATTRIBUTE, name)]


def _attributes(source: Source, table: object, facts: list[str]) -> dict[str, str]:
    """Return the declared attributes, each of which needs a name of its own."""
    taken = {"account", *vocabulary(2, {}, 2)["account"], *facts, *(f"{fact}_since" for fact in facts)}
    kinds = {name: str(kind) for name, kind in _table(table).items() if re.fullmatch(_ATTRIBUTE, name)}
    for name in kinds:
        if name in taken:
            source.mistake(("attributes", name), f"account.{name} is something else already; take another name")
    return kinds


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _leap_day(value: object) -> LeapDay:
    return LeapDay.MARCH_1 if value == LeapDay.MARCH_1 else LeapDay.FEBRUARY_28


def _metric_places(metrics: Mapping[str, Any], decimals: int, assets: Mapping[str, Asset]) -> dict[str, int]:
    places: dict[str, int] = {}
    for name, table in metrics.items():
        if isinstance(table, Mapping) and table.get("granted") in assets:
            places[name] = assets[table["granted"]].decimals
        elif isinstance(table, Mapping) and not table.get("count") and not table.get("distinct"):
            declared = table.get("decimals")
            places[name] = max(0, min(declared, 6)) if isinstance(declared, int) else decimals
        else:
            places[name] = 0
    return places
