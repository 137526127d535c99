"""Reading events from plain data under one program: its assets, its calendar, its kinds of event."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from stampbook.errors import EventError, near
from stampbook.event_fields import (
    Reading,
)
from stampbook.events import CORE_EVENTS, OWN_SOURCE, Event, OrderLine, Purchase, Return, ReturnLine, Tender

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from stampbook.amounts import Asset
    from stampbook.periods import Calendar


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
            raise EventError(self._unknown_kind(data)) from None
        code = data.get(asset_field)
        reading = readings.get(self.currency if code is None else code) if _is_text(code) else None
        if reading is None:
            noun = "currency" if asset_field == "currency" else "asset"
            what = f"is no {noun} for a {kind.model_fields['type'].default}"
            known = f"{near(str(code), readings)}; this program has {', '.join(readings)}"
            raise EventError(f"event {_id(data)}: {asset_field}: {str(code)[:60]!r} {what}{known}")
        try:
            event = kind.model_validate(data, context=reading)
        except ValidationError as error:
            raise EventError(f"event {_id(data)}: {_problems(error, kind)}") from None
        if not own:
            if event.source == OWN_SOURCE:
                message = (
                    f"event {_id(data)}: source: {OWN_SOURCE!r} is kept for events that time brings; name your own"
                )
                raise EventError(message)
            if kind.brought_by_time:
                raise EventError(f"event {_id(data)}: type: {event.type!r} is brought by time and cannot be sent")
        return event

    def _unknown_kind(self, data: object) -> str:
        known = [name for name, (kind, _, _) in self._kinds.items() if not kind.brought_by_time]
        try:
            name = data["type"]  # type: ignore[index]  # anything may arrive here
        except (KeyError, TypeError, IndexError):
            return f"event {_id(data)}: type: missing; one of {', '.join(known)}"
        hint = near(str(name), known) or f"; one of {', '.join(known)}"
        return f"event {_id(data)}: type: {str(name)[:60]!r} is no kind of event of this program{hint}"

    def asset_code(self, event: Event) -> str:
        """Return the code of the asset in which the event's amounts are counted."""
        return getattr(event, type(event).asset_field, None) or self.currency


def _is_text(code: object) -> bool:
    return code is None or isinstance(code, str)


def _id(data: object) -> str:
    try:
        return repr(str(data["id"])[:60])  # type: ignore[index]  # anything may arrive here
    except (KeyError, TypeError, IndexError):
        return "without an id"


def _problems(error: ValidationError, kind: type[Event]) -> str:
    known = {*kind.model_fields, *OrderLine.model_fields, *ReturnLine.model_fields, *Tender.model_fields}
    problems: list[str] = []
    for detail in error.errors(include_url=False)[:5]:
        place = ".".join(str(part + 1) if isinstance(part, int) else part for part in detail["loc"])
        if detail["type"] == "extra_forbidden":
            problems.append(f"{place}: no such key{near(str(detail['loc'][-1]), known)}")
        elif detail["type"] == "missing":
            problems.append(f"{place}: missing")
        else:
            problems.append(f"{place}: {detail['msg']}" if place else str(detail["msg"]))
    return "; ".join(problems)
