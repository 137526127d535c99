"""What events moved between books beside what lots hold, as their plugins tell it: interest, the price of a pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from stampbook.store.streams import Span, entries_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stampbook.engine import Engine
    from stampbook.ledger import Entry, Posting
    from stampbook.plugin import Plugin
    from stampbook.registry import Registry
    from stampbook.store import Session


class Beside:
    """Tells of each journal entry what moved beside its postings.

    Args:
        engine: the ledger; each entry is read by the program that judged it.
        session: one reading transaction.
    """

    def __init__(self, engine: Engine, session: Session) -> None:
        self._session = session
        self._registries: dict[str, Registry] = {each.hash: engine.judge_of(each.hash) for each in session.kept()}
        plugins = [plugin for registry in self._registries.values() for plugin in registry.plugins]
        self.kinds = frozenset[str]().union(*(plugin.beside_kinds for plugin in plugins))

    def of(self, entry: Entry) -> tuple[Posting, ...]:
        """Return what moved beside the postings of an entry, from one book to another."""
        remembered = _remembered(entry)
        return tuple(
            [
                posting
                for plugin in self._tellers(entry)
                for posting in plugin.beside(entry.type, entry.postings, remembered)
            ]
        )

    def notes(self, entry: Entry) -> tuple[tuple[str, str], ...]:
        """Return what a finance system reads beside an entry, as pairs of name and text."""
        tellers = self._tellers(entry)
        return tuple([note for plugin in tellers for note in plugin.noted(entry.type, _remembered(entry))])

    def _tellers(self, entry: Entry) -> list[Plugin[Any]]:
        """Return the plugins that tell more of an entry than its postings: that which brought its kind of event."""
        if entry.type not in self.kinds or not entry.accepted:
            return []
        registry = self._registries[entry.program]
        bringer = registry.own_events.get(entry.type)
        return [plugin for plugin in registry.plugins if plugin.name == bringer and entry.type in plugin.beside_kinds]

    def all(self, span: Span) -> Iterator[tuple[Entry, Posting]]:
        """Yield all that moved so, each with its entry, in the order in which it happened."""
        for entry in entries_of(self._session, self.kinds, span) if self.kinds else ():
            for posting in self.of(entry):
                yield entry, posting


def _remembered(entry: Entry) -> dict[str, str]:
    found: dict[str, str] = orjson.loads(entry.effects).get("memo", {}).get("remembered", {})
    return found


def moved_beside(engine: Engine, since: int, until: int, known_at: int | None = None) -> list[tuple[int, Posting]]:
    """Return what moved between books beside what lots hold, each with its instant, both ends included.

    Args:
        engine: an open ledger.
        since: the first instant.
        until: the last.
        known_at: as far as was known then; all of it where absent.
    """
    with engine.store.reader() as session:
        found = Beside(engine, session).all(Span(since, until + 1))
        return [(entry.at, posting) for entry, posting in found if known_at is None or entry.recorded_at <= known_at]
