"""What a batch of events, as senders write them, needs from the books before it can be decided."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from stampbook.errors import PeriodError
from stampbook.periods import DAY, NEVER, Calendar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Ids = dict[tuple[str, str], None]
"""Pairs of source and event id, each once, in the order in which they were met."""

_UTC = Calendar("UTC")
_OF_PURCHASE = {"return", "purchase.cancelled", "purchase.completed"}


class Wanted(NamedTuple):
    """Whom and what events name.

    `refs` are the accounts that the events are of, `others` those that they name besides; `events` their own ids,
    `returns` the purchases that come back, `holds` what was set aside and what else is named; `earliest` an instant
    before all of them, and `draws` the times, as senders write them, of the events of an account that may spend.
    """

    refs: dict[str, None]
    others: dict[str, None]
    events: Ids
    returns: Ids
    holds: Ids
    earliest: int
    draws: dict[str, list[Any]]

    @classmethod
    def of(cls, events: Sequence[Mapping[str, Any]]) -> Wanted:
        """Return what events name; what is malformed in them is left for when they are read."""
        refs: dict[str, None] = {}
        others: dict[str, None] = {}
        own: Ids = {}
        returns: Ids = {}
        holds: Ids = {}
        times: list[Any] = []
        spending: dict[str, list[Any]] = {}
        for data in events:
            key = key_of(data)
            if key is None:
                continue
            own[key] = None
            ref, kind, at = data.get("account"), data.get("type"), data.get("at")
            if not is_kept(ref) or not isinstance(kind, str):
                continue
            refs[ref] = None  # type: ignore[index]  # it is text
            to = data.get("to")
            if to is not None and is_kept(to):
                others[to] = None
            if kind in _OF_PURCHASE:
                _note(returns, data.get("purchase_source") or key[0], data.get("purchase"))
            exchange = data.get("exchange")
            if isinstance(exchange, dict):
                _note(returns, exchange.get("purchase_source") or key[0], exchange.get("purchase"))
            if "about" in data:
                _note(holds, data.get("about_source") or key[0], data["about"])
            if "hold" in data:
                _note(holds, data.get("hold_source") or key[0], data["hold"])
            times.append(at)
            if kind != "purchase" or "tenders" in data:
                spending.setdefault(ref, []).append(at)  # type: ignore[arg-type]  # it is text
        return cls(refs, others, own, returns, holds, _earliest(times), spending)


def key_of(data: object) -> tuple[str, str] | None:
    """Return the source and id of an event as a sender writes it, or None where they are no texts."""
    try:
        pair = (data.get("source", "default"), data["id"])  # type: ignore[attr-defined,index]  # anything may arrive
    except (AttributeError, KeyError, TypeError):
        return None
    return pair if is_kept(pair[0]) and is_kept(pair[1]) else None


def is_kept(value: object) -> bool:
    """Whether a value is text that a database can keep."""
    if type(value) is not str or "\x00" in value:
        return False
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _note(named: Ids, source: Any, id_: Any) -> None:
    if is_kept(source) and is_kept(id_):
        named[source, id_] = None


def is_late(times: Sequence[Any], clock: int, calendars: Sequence[Calendar]) -> bool:
    """Whether one of some times as senders write them lies before an instant; what is no time is reported elsewhere."""
    for at in times:
        for calendar in calendars:
            with suppress(PeriodError, OverflowError):
                if isinstance(at, str) and calendar.parse(at) < clock:
                    return True
                if isinstance(at, datetime) and calendar.instant(at) < clock:
                    return True
    return False


def _earliest(times: Sequence[Any]) -> int:
    """Return an instant before all of some times as senders write them; what is no time is reported when it is read."""
    try:
        if all(type(at) is str and at[4] == at[7] == "-" for at in times):
            # 2025-01-31T…: the least text has the earliest date
            return _UTC.parse(min(times)[:10]) - 2 * DAY
    except (PeriodError, TypeError, ValueError, IndexError):
        pass
    earliest = NEVER
    for at in times:
        with suppress(PeriodError, TypeError, OverflowError):
            instant = _UTC.instant(at) if isinstance(at, datetime) else _UTC.parse(at)
            earliest = min(earliest, instant - 2 * DAY)
    return earliest
