"""Reading events from plain data under one program: its assets, its calendar, its kinds of event."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from stampbook.errors import EventError, near
from stampbook.event_fields import Reading
from stampbook.events import CORE_EVENTS, OWN_SOURCE, Event, Purchase, Return
from stampbook.hidden_mistakes import place_of
from stampbook.wording import in_words, keys_of, model_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from stampbook.amounts import Asset
    from stampbook.periods import Calendar
    from stampbook.toml_lines import Path


class EventReader:
    """Reads events from plain data under one program: its assets, its calendar, its kinds of event."""

    def __init__(
        self,
        *,
        assets: Mapping[str, Asset],
        currency: str,
        calendar: Calendar,
        kinds: Iterable[type[Event]] = CORE_EVENTS,
    ) -> None:
        self.currency = currency
        every = {code: Reading(asset, calendar) for code, asset in assets.items()}
        places = assets[currency].decimals
        orders = {code: every[code] for code, asset in assets.items() if asset.is_currency and asset.decimals == places}
        money = {code: every[code] for code, asset in assets.items() if asset.is_currency}
        self._kinds: dict[str, tuple[type[Event], str, Mapping[str, Reading]]] = {}
        for kind in kinds:
            readings = orders if kind in {Purchase, Return} else money if kind.asset_field == "currency" else every
            self._kinds[kind.model_fields["type"].default] = (kind, kind.asset_field, readings)

    @cached_property
    def kinds(self) -> dict[str, type[Event]]:
        """The model of each kind of event."""
        return {name: kind for name, (kind, _, _) in self._kinds.items()}

    def read(self, data: Mapping[str, Any], *, own: bool = False) -> Event:
        """Return the event that `data` describes.

        Args:
            data: keys as in the event's model; amounts as decimal text in whole units.
            own: the engine's own events and those of plugins may use the engine's source.

        Raises:
            EventError: one line that names the event's id, each wrong key and what to do.
        """
        try:
            kind, asset_field, readings = self._kinds[data["type"]]
        except (KeyError, TypeError):
            raise UnreadableEventError.of(data, [self._unknown_kind(data)]) from None
        code = data.get(asset_field)
        reading = readings.get(self.currency if code is None else code) if _is_text(code) else None
        if reading is None:
            noun = "currency" if asset_field == "currency" else "asset"
            what = f"is no {noun} for a {kind.model_fields['type'].default}"
            known = f"{near(str(code), readings)}; this program has {', '.join(readings)}"
            raise UnreadableEventError.of(data, [((asset_field,), f"{str(code)[:60]!r} {what}{known}")])
        try:
            event: Event = kind.__pydantic_validator__.validate_python(data, context=reading)
        except ValidationError as error:
            raise UnreadableEventError.of(data, _problems(error, data, kind)) from None
        if not own:
            if event.source == OWN_SOURCE:
                message = f"{OWN_SOURCE!r} is kept for events that time brings; name your own"
                raise UnreadableEventError.of(data, [(("source",), message)])
            if kind.brought_by_time:
                message = f"{event.type!r} is brought by time and cannot be sent"
                raise UnreadableEventError.of(data, [(("type",), message)])
        return event

    @cached_property
    def secrets(self) -> frozenset[str]:
        """The keys that are secret in any kind of event."""
        return frozenset().union(*(kind.secrets for kind, _, _ in self._kinds.values()))

    def sealed(self, data: Any) -> Any:
        """Return data as it may be read and kept: what its kind of event calls secret is replaced.

        What is no object, or of no kind, is returned as it is, and refused when it is read.

        Raises:
            EventError: it cannot be.
        """
        if not self.secrets or not isinstance(data, Mapping) or self.secrets.isdisjoint(data):
            return data
        name = data.get("type")
        kind = self.kinds.get(name) if isinstance(name, str) else None
        return data if kind is None else kind.sealed(data)

    def mistakes(self, data: Mapping[str, Any]) -> Sequence[tuple[Path, str]]:
        """Return every mistake of an event that somebody sends, with its place."""
        try:
            self.read(self.sealed(data))
        except UnreadableEventError as error:
            return error.problems
        except EventError as error:
            return [((), str(error))]
        return ()

    def _unknown_kind(self, data: object) -> tuple[Path, str]:
        known = [name for name, (kind, _, _) in self._kinds.items() if not kind.brought_by_time]
        try:
            name = data["type"]  # type: ignore[index]  # anything may arrive here
        except (KeyError, TypeError, IndexError):
            return ("type",), f"missing; one of {', '.join(known)}"
        hint = near(str(name), known) or f"; one of {', '.join(known)}"
        return ("type",), f"{str(name)[:60]!r} is no kind of event of this program{hint}"


class UnreadableEventError(EventError):
    """An event cannot be read; `problems` holds each place in it with what is wrong there."""

    def __init__(self, message: str, problems: Iterable[tuple[Path, str]] = ()) -> None:
        self.problems = tuple(problems)
        super().__init__(message)

    @classmethod
    def of(cls, data: object, problems: Iterable[tuple[Path, str]]) -> UnreadableEventError:
        """Return the error of an event: the first five problems in one line."""
        found = tuple(problems)
        told = "; ".join(f"{_dotted(place)}{message}" for place, message in found[:5])
        return cls(f"event {_id(data)}: {told}", found)

    def __reduce__(self) -> tuple[type[UnreadableEventError], tuple[str, tuple[tuple[Path, str], ...]]]:
        return UnreadableEventError, (str(self), self.problems)


def _is_text(code: object) -> bool:
    return code is None or isinstance(code, str)


def _id(data: object) -> str:
    try:
        return repr(str(data["id"])[:60])  # type: ignore[index]  # anything may arrive here
    except (KeyError, TypeError, IndexError):
        return "without an id"


def _problems(error: ValidationError, data: object, kind: type[Event]) -> Iterator[tuple[Path, str]]:
    for detail in error.errors(include_url=False):
        place = place_of(data, detail)
        if detail["type"] != "extra_forbidden":
            yield place, in_words(detail, table="an object {…}")
            continue
        table = model_at(kind, place[:-1])
        keys = [] if table is None else keys_of(table)
        hint = near(str(place[-1]), keys) or (f"; there are {', '.join(keys)}" if table not in {None, kind} else "")
        yield place, f"no such key{hint}"


def _dotted(place: Path) -> str:
    return f"{'.'.join(str(part + 1) if isinstance(part, int) else part for part in place)}: " if place else ""


def first_difference(before: Event, again: Event, currency: str) -> str | None:
    """Return the first key in which two events differ that bear one id, whichever spells out its defaults."""
    sources = dict.fromkeys(("purchase_source", "hold_source", "about_source"), again.source)
    defaults = {type(again).asset_field: currency, **sources}
    for name in (*type(before).model_fields, *type(again).model_fields):
        was, now = (getattr(event, name, None) or defaults.get(name) for event in (before, again))
        if was != now and getattr(before, name, None) != getattr(again, name, None):
            return name
    return None
