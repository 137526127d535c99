"""What a batch has of the books: accounts with all that belongs to them, and what its events name."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from stampbook.journal import past_of
from stampbook.moves import moves_in
from stampbook.recalling import load_linked, load_strangers
from stampbook.store import Changes, Key, Session
from stampbook.wanted import Wanted, is_late

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from stampbook.account import Account
    from stampbook.in_force import InForce
    from stampbook.ledger import Entry
    from stampbook.refunding import Past
    from stampbook.remembering import Remembered


class Gathered:
    """Accounts by ref and id, keys and first entries of event ids, and purchases that come back; and what changed.

    Args:
        session: the transaction in which all is read.
        programs: in force.
        new_ids: gives ids for new accounts; the session does where absent.
        remembered: accounts that need not be read again.
    """

    def __init__(
        self,
        session: Session,
        programs: InForce,
        new_ids: Callable[[Any, int], list[int]] | None = None,
        remembered: Remembered | None = None,
    ) -> None:
        self.session = session
        self.programs = programs
        self.accounts: dict[str, Account] = {}
        self.by_id: dict[int, Account] = {}
        self.positions: dict[int, int] = {}
        self.changes = Changes()
        self.keys: dict[tuple[str, str], Key] = {}
        self.first: dict[Key, Entry] = {}
        self.pasts: dict[Key, Past] = {}
        self.whole: set[int] = set()
        self.remembered = remembered
        self._new_ids: Iterator[int] = iter(())
        self._allot = new_ids
        self._allotted = 0

    def load(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Load all that events need, with a number of queries that does not depend on how many they are."""
        wanted = Wanted.of(events)
        earliest = wanted.earliest
        refs = list(wanted.refs | wanted.others)
        self.load_accounts(refs, earliest)
        load_linked(self, refs, earliest)
        named = wanted.returns | wanted.holds
        self.keys = self.session.keys(list(wanted.events | named))
        load_strangers(self, self._known(named), earliest)
        self.first = self.session.entries(self._known(wanted.events))
        self._load_pasts(set(self._known(wanted.returns)))
        calendars = [registry.context.calendar for registry in self.programs.registries]
        late = [
            account.id
            for ref, times in wanted.draws.items()
            if (account := self.accounts.get(ref)) and is_late(times, account.clock, calendars)
        ]
        self.load_expired(late)
        self.load_moves(late)
        self._new_ids = iter(self._ids(len([ref for ref in wanted.refs if ref not in self.accounts])))

    def _known(self, pairs: Iterable[tuple[str, str]]) -> list[Key]:
        return [key for pair in pairs if (key := self.keys.get(pair)) is not None]

    def new_id(self) -> int:
        """Return an id for a new account."""
        return next(self._new_ids, 0) or self._ids(1)[0]

    def _ids(self, count: int) -> list[int]:
        if not count:
            return []
        if self._allot is not None:
            return self._allot(self.session, count)
        ids = self.session.new_account_ids(count, self._allotted)
        self._allotted += count
        return ids

    def load_accounts(self, refs: Sequence[str], earliest: int) -> None:
        """Lock and load accounts, with the metrics that events from an instant on, or what is due, can ask for."""
        if not refs:
            return
        self.session.lock(refs)
        found = self.session.accounts(refs)
        first = min([earliest, *(account.due_at for account in found.values())])
        first_day = self.programs.first_metric_day(first)
        unknown = list(found.values()) if self.remembered is None else self.remembered.recall(found.values(), first_day)
        self.session.fill(unknown, first_day)
        self.accounts.update(found)
        self.by_id.update((account.id, account) for account in found.values())
        self.positions.update((account.id, account.seq) for account in found.values())

    def _load_pasts(self, keys: set[Key]) -> None:
        if not keys:
            return
        related = self.session.related(keys)
        self.load_expired(key.account_id for key in related)
        empty: set[tuple[int, int]] = set()
        for key, entries in related.items():
            past = past_of(entries, self.programs.judge_of(entries[0]))
            account = self.by_id.get(key.account_id)
            if past is None or account is None:
                continue
            self.pasts[key] = past
            for posting in past.purchase.postings:
                for end in (posting.source, posting.destination):
                    if isinstance(end, int) and end not in account.lots:
                        empty.add((account.id, end))
        if empty:
            self.session.lots(self.by_id, empty)

    def load_expired(self, account_ids: Iterable[int]) -> None:
        """Load what expired on accounts, and those lots."""
        ids = {id_ for id_ in account_ids if id_ in self.by_id} - self.whole
        if not ids:
            return
        self.whole |= ids
        gone: set[tuple[int, int]] = set()
        for (id_, lot), amount in self.session.expired(ids).items():
            account = self.by_id[id_]
            account.expired[lot] = account.expired.get(lot, 0) + amount
            if lot not in account.lots:
                gone.add((id_, lot))
        if gone:
            self.session.lots(self.by_id, gone)

    def load_moves(self, account_ids: Iterable[int]) -> None:
        """Load what came and went on accounts, those of this batch included that are not written yet."""
        ids = {id_ for id_ in account_ids if id_ in self.by_id and self.by_id[id_].moves is None}
        for id_, moves in self.session.moves(ids).items() if ids else ():
            mine = (entry for account, entry in self.changes.entries if account.id == id_)
            self.by_id[id_].moves = [*moves, *(move for entry in mine for move in moves_in(entry))]

    def past(self, key: Key, account: Account) -> Past | None:
        past = self.pasts.get(key)
        if past is None and key in self.first:
            entries = [self.first[key]]
            past = past_of(entries, self.programs.judge_of(entries[0]))
            if past is not None:
                self.pasts[key] = past
        return past and replace(past, expired=account.expired)
