"""The events of one database transaction while they are decided: loaded at once, judged in order, written at once."""

from __future__ import annotations

import logging
from bisect import bisect_right
from collections import defaultdict
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from stampbook.account import CLOSED, Account, AccountView
from stampbook.errors import (
    DuplicateEventError,
    EventError,
    ExpressionError,
    InvariantError,
    PeriodError,
    PluginError,
)
from stampbook.events import OWN_SOURCE, AccountClosed, AccountFrozen, AccountOpened, AccountUnfrozen, Event, Return
from stampbook.journal import encoded, past_of, recorded, seal
from stampbook.ledger import BREAKAGE, Decision, Entry, canonical
from stampbook.outcomes import FAILED, MALFORMED, Outcome, outcome_of
from stampbook.periods import NEVER, Calendar
from stampbook.pipeline import apply, catch_up, decide, next_due
from stampbook.remembering import Memory
from stampbook.store import Changes, Key, Session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from stampbook.refunding import Past
    from stampbook.registry import Registry

log = logging.getLogger("stampbook")


class InForce(NamedTuple):
    """The programs of a ledger, built, in the order in which they hold."""

    starts: list[int]
    registries: list[Registry]
    ids: dict[str, int]
    generation: int
    by_hash: dict[str, Registry]

    def at(self, instant: int) -> Registry:
        """Return the program that holds at an instant."""
        return self.registries[max(0, bisect_right(self.starts, instant) - 1)]

    def judge_of(self, entry: Entry) -> Registry:
        """Return the program that judged an entry."""
        return self.by_hash[entry.program]

    def segments(self, since: int, until: int) -> Iterator[tuple[Registry, int, int]]:
        """Yield each program that held between two instants, with the first and the last instant at which it did."""
        first = max(0, bisect_right(self.starts, since) - 1)
        for place in range(first, len(self.registries)):
            last = self.starts[place + 1] - 1 if place + 1 < len(self.starts) else NEVER
            yield self.registries[place], self.starts[place] if place else -NEVER, min(until, last)
            if last >= until:
                return

    def next_due(self, account: Account, until: int) -> int:
        """Return when to look at an account again: what its program brings, or the next program's beginning.

        Args:
            account: its state, to which time has caught up.
            until: the instant up to which it has.
        """
        if account.status in {"", CLOSED}:
            return NEVER
        place = max(0, bisect_right(self.starts, until) - 1)
        start = self.starts[place] if place else -NEVER
        due = next_due(self.registries[place], account, start)
        return min(due, self.starts[place + 1]) if place + 1 < len(self.starts) else due

    def brought(self, account: Account, until: int) -> Iterator[tuple[Registry, Decision]]:
        """Yield what time brings to an account up to an instant, each under the program of its own instant.

        Each decision must be applied before the next is asked for; at the end the account knows what is due next.
        """
        for registry, start, last in self.segments(account.clock, until):
            for decision in catch_up(registry, account, last, start):
                yield registry, decision
        account.due_at = self.next_due(account, max(until, account.clock))


class Batch:
    """The events of one transaction while they are decided."""

    def __init__(
        self,
        session: Session,
        programs: InForce,
        now: int,
        *,
        latest: int = NEVER,
        memory: Memory | None = None,
        new_ids: Callable[[Any, int], list[int]] | None = None,
    ) -> None:
        self.session = session
        self.programs = programs
        self.now = now
        self.accounts: dict[str, Account] = {}
        self.by_id: dict[int, Account] = {}
        self.changes = Changes()
        self.outcomes: list[Outcome] = []
        self._keys: dict[tuple[str, str], Key] = {}
        self._written: dict[Key, Entry] = {}
        self._first: dict[Key, Entry] = {}
        self._pasts: dict[Key, Past] = {}
        self._expired: dict[int, dict[int, int]] = defaultdict(lambda: defaultdict(int))
        self._new_ids: Iterator[int] = iter(())
        self._memory = memory or Memory(0)
        self._allot = new_ids
        self._latest = latest
        self._told: list[tuple[Registry, Decision, Account]] = []

    def load(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Load all that the batch needs, with a number of queries that does not depend on its size."""
        refs: dict[str, None] = {}
        wanted: dict[tuple[str, str], None] = {}
        earliest = NEVER
        returns: dict[tuple[str, str], None] = {}
        for data in events:
            key = _key(data)
            if key is None:
                continue
            wanted[key] = None
            ref = data.get("account")
            if isinstance(ref, str) and _is_text(ref):
                refs[ref] = None
            if data.get("type") == "return":
                named = (data.get("purchase_source") or key[0], data.get("purchase"))
                if _are_texts(named):
                    returns[named] = None  # type: ignore[index]  # both were just checked to be text
            earliest = min(earliest, self._instant(data))
        self.load_accounts(list(refs), earliest)
        self._keys = self.session.keys([*wanted, *(named for named in returns if named not in wanted)])
        self._first = self.session.entries([key for pair, key in self._keys.items() if pair in wanted])
        self._load_pasts({key for pair, key in self._keys.items() if pair in returns})
        missing = len(refs) - len(self.accounts)
        if missing:
            allot = self._allot
            self._new_ids = iter(allot(self.session, missing) if allot else self.session.new_account_ids(missing))

    def _instant(self, data: Mapping[str, Any]) -> int:
        try:
            at = data["at"]
            return (_UTC.instant(at) if isinstance(at, datetime) else _UTC.parse(at)) - _A_DAY
        except (KeyError, PeriodError, TypeError, OverflowError):
            return NEVER  # malformed: reported when it is read

    def load_accounts(self, refs: Sequence[str], earliest: int) -> None:
        """Lock and load accounts, with the metrics that events from an instant on, or what is due, can ask for."""
        self.session.lock(refs)
        self.accounts = self.session.accounts(refs)
        first_day = self._first_metric_day(min([earliest, *(account.due_at for account in self.accounts.values())]))
        self.session.fill(self._memory.recall(self.accounts, first_day), first_day)
        self.by_id = {account.id: account for account in self.accounts.values()}

    def _first_metric_day(self, earliest: int) -> int | None:
        days = [
            window.first_day(registry.context.calendar.day(min(earliest, _FAR)) - 1, registry.context.calendar)
            for registry in self.programs.registries
            for window in registry.context.windows.values()
        ]
        return min(days, default=None)

    def _load_pasts(self, keys: set[Key]) -> None:
        if not keys:
            return
        related = self.session.related(keys)
        for (account_id, lot), amount in self.session.expired({key.account_id for key in related}).items():
            self._expired[account_id][lot] = amount
        empty: set[tuple[int, int]] = set()
        for key, entries in related.items():
            past = past_of(entries, self.programs.judge_of(entries[0]))
            account = self.by_id.get(key.account_id)
            if past is None or account is None:
                continue
            self._pasts[key] = past
            for posting in past.purchase.postings:
                for end in (posting.source, posting.destination):
                    if isinstance(end, int) and end not in account.lots:
                        empty.add((account.id, end))
        if empty:
            self.session.lots(self.by_id, empty)

    def post(self, data: Mapping[str, Any]) -> None:
        """Decide one event and note its outcome."""
        try:
            self.outcomes.append(self._post(data))
        except (EventError, ExpressionError, InvariantError, PluginError) as error:
            key = _key(data) or ("", str(data.get("id", "")) if isinstance(data, dict) else "")
            ref = data.get("account") if isinstance(data, dict) else None
            status = MALFORMED if isinstance(error, EventError) else FAILED
            self.outcomes.append(Outcome(status, key[0], key[1], str(ref or ""), error=error))

    def _post(self, data: Mapping[str, Any]) -> Outcome:
        pair = _key(data)
        known = self._keys.get(pair) if pair else None
        if known is not None:
            return self._replayed(data, known)
        registry = self.programs.registries[0]
        if len(self.programs.registries) > 1:
            registry = self._registry_of(data)
        event = registry.reader.read(data)
        if event.at > self._latest:
            iso = registry.context.calendar.iso
            message = f"event {event.id!r}: at: {iso(event.at)} lies in the future: it is {iso(self.now)} now"
            raise EventError(message)
        try:
            payload = canonical(data)
        except TypeError as error:
            message = f"event {event.id!r}: {error}"
            raise EventError(message) from None
        account = self._account(registry, event)
        self.bring_up(account, event.at)
        past = None
        if isinstance(event, Return) and event.names:
            key = self._keys.get(event.names)
            past = self._past(key, account) if key else None
        outcome = Outcome(MALFORMED, event.source, event.id, event.account)
        for decision in decide(registry, account, event, past):
            entry = self._commit(registry, account, decision, payload if decision.event is event else None)
            if decision.event is event:
                outcome = outcome_of(entry, event.account)
        return outcome

    def _registry_of(self, data: Mapping[str, Any]) -> Registry:
        last = self.programs.registries[-1]
        return self.programs.at(last.reader.read(data).at)

    def _past(self, key: Key, account: Account) -> Past | None:
        if key.account_id != account.id:
            return None
        past = self._pasts.get(key)
        if past is None and key in self._written:
            entries = [self._written[key]]
            past = past_of(entries, self.programs.judge_of(entries[0])) if entries[0].accepted else None
            if past is not None:
                self._pasts[key] = past
        return past and replace(past, expired=self._expired[account.id])

    def _account(self, registry: Registry, event: Event) -> Account:
        account = self.accounts.get(event.account)
        if account is not None:
            return account
        opens = registry.file.program.open_accounts == "on first event" and not isinstance(event, _OF_KNOWN_ACCOUNTS)
        if not opens and not isinstance(event, AccountOpened):
            return self._nobody()
        account = Account(event.account, next(self._new_ids))
        self.accounts[event.account] = self.by_id[account.id] = account
        if not isinstance(event, AccountOpened):
            opened = AccountOpened(id=f"open:{event.account}", source=OWN_SOURCE, account=event.account, at=event.at)
            for decision in decide(registry, account, opened):
                self._commit(registry, account, decision, None)
        return account

    def _nobody(self) -> Account:
        """Return the account, numbered 0 and never open, whose journal keeps what named no account."""
        nobody = self.by_id.get(0)
        if nobody is None:
            self.session.lock([""])
            nobody = self.session.accounts([""]).get("") or Account("")
            self.by_id[0] = nobody
        return nobody

    def loaded_seq(self, account_id: int) -> int:
        """Return the journal position at which an account stood before the batch."""
        account = self.changes.accounts[account_id]
        return account.seq - sum(1 for changed, _ in self.changes.entries if changed is account)

    def bring_up(self, account: Account, until: int) -> None:
        """Post what time brings to an account up to an instant, each under the program of its own instant."""
        if account.due_at > until or not account.status:
            return
        due_at = account.due_at
        for registry, decision in self.programs.brought(account, until):
            self._commit(registry, account, decision, None)
        if account.due_at != due_at:
            self.changes.accounts[account.id] = account

    def _commit(self, registry: Registry, account: Account, decision: Decision, payload: bytes | None) -> Entry:
        texts = encoded(decision)
        apply(registry, account, decision)
        if len(self.programs.starts) > 1:
            account.due_at = min(account.due_at, self.programs.next_due(account, account.clock))
        entry = seal(account, decision, self.now, payload, texts)
        changes, id_ = self.changes, account.id
        changes.entries.append((account, entry))
        changes.accounts[id_] = account
        key = Key(id_, entry.seq)
        self._keys[entry.source, entry.id] = key
        self._written[key] = entry
        self._first[key] = entry
        transaction = decision.transaction
        if transaction is None:
            return entry
        for posting in transaction.postings:
            if isinstance(posting.source, int):
                changes.lots.add((id_, posting.source))
                if posting.destination == BREAKAGE:
                    self._expired[id_][posting.source] += posting.amount
            if isinstance(posting.destination, int):
                changes.lots.add((id_, posting.destination))
        for lot in transaction.opened:
            changes.lots.add((id_, lot.number))
        for change in transaction.holds:
            changes.holds.add((id_, change.hold))
            changes.lots.update((id_, number) for number, _ in change.units)
        for metric, day, delta in transaction.metrics:
            changes.metrics[id_, metric, day] += delta
        for fact in transaction.facts:
            changes.facts.add((id_, fact.name))
        if decision.about is not None:
            about = Key(id_, decision.about)
            past = self._pasts[about]
            self._pasts[about] = replace(past, returns=(*past.returns, recorded(entry)))
        if registry.has_listeners:
            self._told.append((registry, decision, account))
        return entry

    def _replayed(self, data: Mapping[str, Any], key: Key) -> Outcome:
        entry = self._first[key]
        if canonical(data) != entry.payload:
            self._check_same(data, entry)
        outcome = outcome_of(entry, orjson.loads(entry.payload)["account"])
        outcome.replayed = True
        return outcome

    def _check_same(self, data: Mapping[str, Any], entry: Entry) -> None:
        reader = self.programs.judge_of(entry).reader
        before = reader.read(orjson.loads(entry.payload), own=True)
        again = reader.read(data, own=True)
        for name in (*type(before).model_fields, *type(again).model_fields):
            if getattr(before, name, None) != getattr(again, name, None):
                message = (
                    f"event {again.id!r} of source {again.source!r} was recorded before with another {name}; "
                    "send new facts under a new id"
                )
                raise DuplicateEventError(message)

    def write(self) -> None:
        """Write all changes."""
        if self.changes.accounts:
            self.session.write(self.changes, self.programs.ids)

    def finish(self) -> None:
        """Remember the accounts and tell the plugins that listen: after the commit."""
        self._memory.remember(self.accounts.values())
        for registry, decision, account in self._told:
            if decision.transaction is None:
                continue
            view = AccountView(account, decision.event.at, registry.context)
            for stamped in registry.committed(decision.transaction, view, decision.event):
                log.error(
                    "plugin %r failed after the commit of %s", stamped.plugin, decision.event.id, exc_info=stamped.value
                )


_OF_KNOWN_ACCOUNTS = (AccountFrozen, AccountUnfrozen, AccountClosed)
"""What an operator does to an account that is there: a misspelt ref must not open another."""

_UTC = Calendar("UTC")
_A_DAY = 86_400_000_000
_FAR = 200_000_000_000_000_000


def _key(data: object) -> tuple[str, str] | None:
    try:
        pair = (data.get("source", "default"), data["id"])  # type: ignore[attr-defined,index]  # anything may arrive
    except (AttributeError, KeyError, TypeError):
        return None
    return pair if _are_texts(pair) else None


def _are_texts(pair: tuple[object, object]) -> bool:
    return all(map(_is_text, pair))


def _is_text(value: object) -> bool:
    """Whether a value is text that a database can keep."""
    if not isinstance(value, str) or "\x00" in value:
        return False
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
