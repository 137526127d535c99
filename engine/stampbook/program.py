"""A program file as models: every mistake found at once, with file, line, key and a near name."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from hashlib import sha256
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from stampbook.amounts import CURRENCIES, Asset, Rounding
from stampbook.errors import Mistake, PeriodError, ProgramError, near
from stampbook.periods import Calendar, LeapDay, Window
from stampbook.toml_lines import Path, key_lines
from stampbook.vocabulary import Context, LineCondition, LineFormula, WindowText, check_reads, refuse

M = TypeVar("M", bound=BaseModel)

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


class AssetTable(_Table):
    """One `[assets.CODE]` table: what is counted."""

    decimals: Annotated[
        int | None, Field(strict=True, ge=0, le=6, description="digits after the point; a currency has its own")
    ] = None
    debt: Annotated[bool, Field(strict=True, description="whether an account may owe it, as its own negative lot")] = (
        False
    )
    spend_order: Annotated[
        tuple[Literal["priority", "expiry", "bonus_first", "paid_first", "effective", "created"], ...] | None,
        Field(
            min_length=1,
            description="which lots are spent first, key by key; priority, expiry, bonus_first, effective, created",
        ),
    ] = None
    on_close: Annotated[
        Literal["refuse", "forfeit"] | None,
        Field(description="closing an account that holds it: refused (a currency's default) or forfeit (a unit's)"),
    ] = None


class MetricTable(_Table):
    """One `[metrics.NAME]` table: a counter over a window, kept by local day."""

    on: Annotated[tuple[str, ...], Field(min_length=1, description="kinds of event that count")] = ("purchase",)
    when: Annotated[LineCondition | None, Field(description="which of them count; all where absent")] = None
    count: Annotated[bool, Field(strict=True, description="add one for each")] = False
    sum: Annotated[LineFormula | None, Field(description="add this for each")] = None
    per: Annotated[Literal["order", "line"], Field(description="judge each order, or each of its lines")] = "order"
    window: Annotated[WindowText, Field(description="the days that count")] = Window()
    decimals: Annotated[
        int | None, Field(strict=True, ge=0, le=6, description="digits kept of a sum; the currency's")
    ] = None
    rounding: Annotated[Rounding, Field(description="how a sum is rounded to its digits")] = Rounding.HALF_UP

    @model_validator(mode="after")
    def _one_measure(self) -> MetricTable:
        if self.count == (self.sum is not None):
            refuse("a metric has either count = true or sum = '…'")
        for expression in (self.when, self.sum):
            for name in expression.reads if expression else ():
                if name.startswith("metric."):
                    refuse(f"a metric cannot read {name}: metrics are counted before they are compared")
        check_reads((self.when, self.sum), on=self.on, per_line=self.per == "line")
        return self


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
    refused: Annotated[tuple[str, ...], Field(description="codes of the refusals, in order")] = ()


class Source:
    """The text of a program file, its data, and the mistakes found so far."""

    def __init__(self, text: str, file: str = "") -> None:
        self.text = text
        self.file = file
        self.mistakes: list[Mistake] = []
        try:
            self.data: dict[str, Any] = tomllib.loads(text)
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            line = text.count("\n") + 1 if isinstance(error, RecursionError) else _line_in(str(error), text)
            why = "nested too deeply" if isinstance(error, RecursionError) else error
            raise ProgramError([Mistake(line, "", f"not valid TOML: {why}", file)]) from None
        self._lines = key_lines(text)

    @property
    def hash(self) -> str:
        """The content hash by which the program is known."""
        return sha256(self.text.encode()).hexdigest()

    def line(self, path: Path) -> int:
        """Return the line of a key, or of the nearest one above it."""
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 0)

    def mistake(self, path: Path, message: str) -> None:
        """Note a mistake at a key."""
        self.mistakes.append(Mistake(self.line(path), key_text(path), message, self.file))

    def validated(self, model: type[M], data: object, path: Path, context: object = None) -> M | None:
        """Return `data` as a model, or note every mistake in it and return None."""
        try:
            return model.model_validate(data, context=context)
        except ValidationError as error:
            problems: dict[Path, list[str]] = {}
            for detail in error.errors(include_url=False):
                if detail["type"] == "too_short" and detail["input"]:
                    continue  # the items that are there have mistakes of their own
                problems.setdefault(_place(data, detail), []).append(_problem(detail, model))
            for place, messages in problems.items():
                self.mistake((*path, *place), _joined(messages))
            return None

    def check(self) -> None:
        """Raise all mistakes found so far.

        Raises:
            ProgramError: there are some.
        """
        if self.mistakes:
            raise ProgramError(self.mistakes)


def key_text(path: Path) -> str:
    """Write a path for a person: ``plugin[1].rule[2].earn``, counted from one."""
    text = ""
    for part in path:
        text += f"[{part + 1}]" if isinstance(part, int) else f"{'.' if text else ''}{part}"
    return text


def _place(data: object, detail: Any) -> Path:
    """Return where a mistake is, by the keys of the file: pydantic also names the branches of its unions."""
    place: list[str | int] = []
    for part in detail["loc"]:
        try:
            data = data[part]  # type: ignore[index]  # whatever the file holds
        except (KeyError, IndexError, TypeError):
            if detail["type"] != "missing" or part != detail["loc"][-1]:
                continue
        if part != "[key]":
            place.append(part)
    return tuple(place)


def _line_in(message: str, text: str) -> int:
    match = re.search(r"\(at line (\d+), column \d+\)$", message)
    return int(match[1]) if match else text.rstrip().count("\n") + 1


_PLAIN = {
    "less_than_equal": "{input} is more than {le}",
    "greater_than_equal": "{input} is less than {ge}",
    "less_than": "{input} is not below {lt}",
    "greater_than": "{input} is not above {gt}",
    "string_type": "{input} is not text; write it in quotes",
    "string_too_short": "must not be empty",
    "string_too_long": "is longer than {max_length} characters",
    "too_short": "must not be empty",
    "bool_type": "{input} is neither true nor false; write it without quotes",
    "bool_parsing": "{input} is neither true nor false; write it without quotes",
    "int_type": "{input} is not a whole number",
    "int_parsing": "{input} is not a whole number; write it without quotes",
    "int_from_float": "{input} is not a whole number",
    "list_type": "{input} is not a list; write it in [ ]",
    "tuple_type": "{input} is not a list; write it in [ ]",
    "dict_type": "{input} is not a table",
    "model_type": "{input} is not a table",
    "string_pattern_mismatch": "{input} is not written as it must be ({pattern})",
}
"""pydantic's words for a mistake in those of an operator."""


def _shown(value: object) -> str:
    if isinstance(value, (dict, list)):
        return "a table" if isinstance(value, dict) else "a list"  # however deep it is
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"  # noqa: PLR2004 - one line stays one line


def _problem(detail: Any, model: type[BaseModel]) -> str:
    if detail["type"] == "extra_forbidden":
        return f"no such key{near(str(detail['loc'][-1]), _names(model))}"
    if detail["type"] == "missing":
        return "missing"
    plain = _PLAIN.get(detail["type"])
    if plain is not None:
        return plain.format(input=_shown(detail["input"]), **detail.get("ctx", {}))
    if detail["type"] in {"literal_error", "enum"}:
        expected = str(detail["ctx"]["expected"]).replace(" or ", ", ")
        hint = near(_shown(detail["input"]).strip("'"), [name.strip(" '") for name in expected.split(",")])
        return f"{_shown(detail['input'])} is not one of {expected}{hint}"
    return str(detail["msg"])


def _joined(messages: list[str]) -> str:
    """Join what each branch of a union says: one line a key."""
    first, *others = messages
    return ", or ".join([first, *(other.partition(" is not one of ")[2] or other for other in others)])


def _names(model: type[BaseModel]) -> set[str]:
    names: set[str] = set()
    pending: list[object] = [model]
    seen: set[object] = set()
    while pending:
        item = pending.pop()
        if item in seen:
            continue
        seen.add(item)
        if isinstance(item, type) and issubclass(item, BaseModel):
            names.update(field.alias or name for name, field in item.model_fields.items())
            pending.extend(field.annotation for field in item.model_fields.values())
        else:
            pending.extend(getattr(item, "__args__", ()))
    return names


class ProgramFile(_Table):
    """A whole program file without its plugin tables, which belong to the plugins."""

    program: Header
    assets: dict[Annotated[str, Field(pattern=_IDENTIFIER)], AssetTable] = {}
    metrics: dict[Annotated[str, Field(pattern=_IDENTIFIER)], MetricTable] = {}
    stacking: Annotated[
        dict[str, Literal["sum", "best", "first"]],
        Field(description="for each group of awards: all count, only the largest, or only the first in order"),
    ] = {}
    multipliers: Annotated[
        Literal["product", "best"],
        Field(description="several multipliers on one award: multiplied together, or only the largest"),
    ] = "product"
    examples: tuple[Example, ...] = Field(default=(), alias="example")


def read_file(source: Source) -> tuple[ProgramFile | None, Context]:
    """Read all but the plugin tables, noting mistakes in `source`; the file is None if it has any.

    What a mistaken header does not say is guessed, so that the mistakes of the other tables are found too.
    """
    data = {key: value for key, value in source.data.items() if key != "plugin"}
    context = _context(source, data)
    file = source.validated(ProgramFile, data, (), context)
    if file is not None:
        context.windows = {name: table.window for name, table in file.metrics.items()}
        context.spend_orders = {code: table.spend_order for code, table in file.assets.items() if table.spend_order}
        context.stacking = file.stacking
    return file, context


def _context(source: Source, data: Mapping[str, Any]) -> Context:
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
    return Context(
        name=str(header.get("name", "")),
        currency=assets[code],
        assets=assets,
        calendar=calendar,
        metric_decimals=_metric_places(metrics, currency.decimals),
        stacking=stacking,
    )


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _leap_day(value: object) -> LeapDay:
    return LeapDay.MARCH_1 if value == LeapDay.MARCH_1 else LeapDay.FEBRUARY_28


def _metric_places(metrics: Mapping[str, Any], decimals: int) -> dict[str, int]:
    places: dict[str, int] = {}
    for name, table in metrics.items():
        if isinstance(table, Mapping) and not table.get("count"):
            declared = table.get("decimals")
            places[name] = max(0, min(declared, 6)) if isinstance(declared, int) else decimals
        else:
            places[name] = 0
    return places
