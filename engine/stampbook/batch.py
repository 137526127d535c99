"""The events of one database transaction: loaded at once, judged in order, written at once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson

from stampbook.account import Account
from stampbook.delivering import event_data, refuse_half, refused_elsewhere, spoken_alone, tell_listeners, undeliverable
from stampbook.errors import EventError, ExpressionError, InvariantError, PluginError, StampbookError
from stampbook.events import OWN_SOURCE, AccountOpened, Event, Purchase
from stampbook.exchanging import is_of_purchase
from stampbook.gathering import Gathered
from stampbook.journal import encoded, recorded, seal
from stampbook.leasing import Purse
from stampbook.ledger import Decision, Entry, Message, Objection, canonical
from stampbook.looking_back import check_same, earlier_named, history_of, history_with_lots
from stampbook.moves import MovesNotLoadedError
from stampbook.outcomes import FAILED, MALFORMED, Outcome, outcome_of
from stampbook.periods import DAY, NEVER
from stampbook.picking import Picks, told_of
from stampbook.pipeline import decide
from stampbook.recalling import recalled
from stampbook.store import Key, Session
from stampbook.wanted import key_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from stampbook.earlier import Earlier
    from stampbook.in_force import InForce
    from stampbook.proposals import Pick
    from stampbook.refunding import Past
    from stampbook.registry import Registry
    from stampbook.remembering import Remembered


class HalfDoneError(Exception):
    """An event fails where another account hears of it; its batch is undone, and decided again without the event."""

    def __init__(self, place: int, error: StampbookError) -> None:
        super().__init__(place)
        self.place = place
        self.error = error


MOST_HOLDING = 1_000
"""So many accounts with open holds are brought up at once, before a stock is said to be used up."""


class Batch(Gathered):
    """The events of one transaction; `positions` are those, by account id, at which its accounts stood before it.

    Args:
        session: the transaction.
        programs: in force.
        now: the present.
        latest: events beyond this instant are malformed.
        new_ids: gives ids for new accounts; the session does where absent.
        purse: what may be granted of campaigns.
        remembered: accounts that need not be read again.
        picks: what was found of pools before.
    """

    def __init__(
        self,
        session: Session,
        programs: InForce,
        now: int,
        *,
        latest: int = NEVER,
        new_ids: Callable[[Any, int], list[int]] | None = None,
        purse: Purse | None = None,
        remembered: Remembered | None = None,
        picks: Picks | None = None,
    ) -> None:
        super().__init__(session, programs, new_ids, remembered)
        self.now = now
        self.outcomes: list[Outcome] = []
        self._latest = latest
        self._picks = picks or Picks()
        self._picked: set[str] = set()
        self.half_done = False
        self._told: list[tuple[Registry, Decision, Account]] = []
        self.purse = purse or Purse("", {}, frozenset())
        self._has_campaigns = any(registry.has_campaigns for registry in programs.registries)
        self.changes.holder = self.purse.holder
        self.changes.campaigns = self.purse.spent

    def take(self, events: Sequence[Mapping[str, Any]], failing: Mapping[int, StampbookError] | None = None) -> None:
        """Decide events in order, and note the outcome of each.

        Args:
            events: as senders write them.
            failing: by their places, those that are known to fail half done; they are left out.

        Raises:
            HalfDoneError: one more of them does.
        """
        self.load(events)
        for place, data in enumerate(events):
            if failing and place in failing:
                self._note(data, failing[place])
            else:
                self.post(data)

    def post(self, data: Mapping[str, Any]) -> None:
        """Decide one event and note its outcome.

        Raises:
            HalfDoneError: it fails after a part of it was entered; nothing of the batch may be written.
        """
        try:
            self.outcomes.append(self._post(data))
        except (EventError, ExpressionError, InvariantError, PluginError) as error:
            if self.half_done:
                raise HalfDoneError(len(self.outcomes), error) from error
            self._note(data, error)

    def _note(self, data: Mapping[str, Any], error: StampbookError) -> None:
        """Note that an event cannot be decided."""
        key = key_of(data) or ("", str(data.get("id", "")) if isinstance(data, dict) else "")
        ref = data.get("account") if isinstance(data, dict) else None
        status = MALFORMED if isinstance(error, EventError) else FAILED
        self.outcomes.append(Outcome(status, key[0], key[1], str(ref or ""), error=error))

    def _post(self, data: Mapping[str, Any]) -> Outcome:
        data = self.programs.registries[-1].reader.sealed(data)
        pair = key_of(data)
        known = self.keys.get(pair) if pair else None
        if known is not None:
            return self._replayed(data, known)
        registry = self.programs.registries[0] if len(self.programs.registries) == 1 else self._registry_of(data)
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
        if type(to := data.get("to")) is str and to in self.accounts:
            self.bring_up(self.accounts[to], event.at)  # what time brings there may concern this account
        if event.at < account.clock:
            self.load_expired([account.id])
            if not isinstance(event, Purchase) or event.tenders:
                self.load_moves([account.id])
        past: Past | Earlier | None = None
        about = own = None
        if event.names is not None:
            key = self.keys.get(event.names)
            if key is not None and key.account_id == account.id:
                about = key.seq
                past = self.past(key, account) if is_of_purchase(event) else earlier_named(self, key, event)
            elif key is not None and key.account_id:
                about, past = recalled(self, registry, account, key, event)
        account.history = history_of(self, account) if registry.asks_history(event) else None
        try:
            decisions = decide(registry, account, event, past, about, budgets=self.purse.budgets())
        except MovesNotLoadedError:  # of a late purchase, which seldom takes anything back
            self.load_moves([account.id])
            decisions = decide(registry, account, event, past, about, budgets=self.purse.budgets())
        decisions = self._with_more(registry, account, event, past, about, decisions)
        account.history = None
        for decision in decisions:
            entry = self._commit(registry, account, decision, payload if decision.event is event else None)
            if decision.event is event:
                own = entry
                if not entry.accepted and decision.transaction is not None:
                    refuse_half(self, decision)
                    break  # what follows would follow from its acceptance, which another account has prevented
        assert own is not None  # noqa: S101 - decide always judges the event itself
        return outcome_of(own, event.account)

    def _registry_of(self, data: Mapping[str, Any]) -> Registry:
        return self.programs.at(self.programs.registries[-1].reader.read(data).at)

    def _account(self, registry: Registry, event: Event, *, opens: bool = False) -> Account:
        account = self.accounts.get(event.account)
        if account is not None:
            return account if event.of_known_account else self._merged(registry, account, event.at)
        by_itself = registry.file.program.open_accounts == "on first event" and registry.opens(event)
        opens = opens or (by_itself and not event.of_known_account)
        if not opens and not isinstance(event, AccountOpened):
            return self._nobody()
        account = Account(event.account, self.new_id(), moves=[])
        self.accounts[event.account] = self.by_id[account.id] = account
        self.positions[account.id] = 0
        self.whole.add(account.id)
        if not isinstance(event, AccountOpened):
            opened = AccountOpened(id=f"open:{event.account}", source=OWN_SOURCE, account=event.account, at=event.at)
            for decision in decide(registry, account, opened, budgets=self.purse.budgets()):
                self._commit(registry, account, decision, None)
        return account

    def _merged(self, registry: Registry, account: Account, at: int) -> Account:
        """Return, where the program forwards, the account into which one was merged, and that one perhaps since."""
        while registry.forwards and account.merged_into:
            into = self.accounts.get(account.merged_into) or self.fetched(account.merged_into, at)
            if into is None:
                break
            account = into
        return account

    def _nobody(self) -> Account:
        """Return the account, numbered 0 and never open, whose journal keeps what named no account."""
        nobody = self.by_id.get(0)
        if nobody is None:
            self.session.lock([""])
            nobody = self.session.accounts([""]).get("") or Account("")
            self.by_id[0] = nobody
            self.positions[0] = nobody.seq
        return nobody

    def bring_up(self, account: Account, until: int) -> None:
        """Post what time brings to an account up to an instant, each under the program of its own instant."""
        if account.due_at > until or not account.status:
            return
        due_at = account.due_at
        for registry, decision in self.programs.brought(account, until, self.purse.budgets()):
            self._commit(registry, account, decision, None)
        if account.due_at != due_at:
            self.changes.accounts[account.id] = account

    def _given_back(self, until: int) -> bool:
        """Bring up accounts with open holds, of which some may have lapsed; say whether time brought anything.

        An account on which a rule or plugin fails is left as it is.
        """
        before = len(self.changes.entries)
        if not self.purse.quiet.holds(until):
            refs, later = self.session.holding(until, MOST_HOLDING)
            self.load_accounts([ref for ref in refs if ref not in self.accounts], until - 2 * DAY)
            if len(refs) < MOST_HOLDING:
                self.purse.quiet.found(until, later)
        for account in list(self.accounts.values()):
            try:
                self.bring_up(account, until)
            except (EventError, ExpressionError, InvariantError, PluginError):
                if self.half_done:
                    raise
        return len(self.changes.entries) > before

    def _with_more(
        self,
        registry: Registry,
        account: Account,
        event: Event,
        past: Past | Earlier | None,
        about: int | None,
        decisions: list[Decision],
    ) -> list[Decision]:
        """Decide an event anew where time gives back what it lacked, or where an account is found that it asks for."""
        if self.purse.lent and any(map(self.purse.lacks_lent, decisions)) and self._given_back(event.at):
            decisions = decide(registry, account, event, past, about, budgets=self.purse.budgets())
        for decision in decisions:
            if decision.pick is not None and decision.event is event:
                return self._with_picked(registry, account, event, decision.pick, past, about) or decisions
        return decisions

    def _with_picked(
        self,
        registry: Registry,
        account: Account,
        event: Event,
        pick: Pick,
        past: Past | Earlier | None,
        about: int | None,
    ) -> list[Decision]:
        """Decide an event anew with the first free account of those that it asks for which takes what is sent to it."""
        at_hand = iter([*self.accounts.values()])
        for other in self._picks.candidates(self.session, pick, event.at, self._at_hand, at_hand):
            picked, budgets = told_of(other, pick), self.purse.budgets()
            anew = decide(registry, account, event, past, about, budgets=budgets, picked=picked)
            own = next(decision for decision in anew if decision.event is event)
            if own.transaction is None:
                return anew
            if self._asked(registry, account, own)[0].transaction is not None:
                self._picked.add(other.ref)
                return anew
        return []

    def _at_hand(self, ref: str, at: int) -> Account | None:
        return self.accounts.get(ref) or self.fetched(ref, at)

    def _commit(self, registry: Registry, account: Account, decision: Decision, payload: bytes | None) -> Entry:
        self.purse.check(decision)
        if not decision.messages:
            return self.enter(registry, account, decision, payload)
        if registry.alone:
            raise spoken_alone(decision)
        decision, answers = self._asked(registry, account, decision)
        entry = self.enter(registry, account, decision, payload)
        before, self.half_done = self.half_done, True
        for other, decisions in answers:
            for answer in decisions:
                self._commit(registry, other, answer, None)
        for number, message in enumerate(decision.messages):
            if not message.required and (to := self._delivered(registry, account, entry, number, message)):
                for answer in decide(registry, *to, budgets=self.purse.budgets()):
                    self._commit(registry, to[0], answer, None)
        self.half_done = before
        return entry

    def _asked(
        self, registry: Registry, account: Account, decision: Decision
    ) -> tuple[Decision, list[tuple[Account, list[Decision]]]]:
        """Ask the account to which a required message goes; where it refuses, so does the sender."""
        required = [(number, message) for number, message in enumerate(decision.messages) if message.required]
        if len(required) > 1:
            text = f"event {decision.event.id!r}: a transaction requires the consent of more than one other account"
            raise PluginError(text)
        for number, message in required:
            delivered = self._delivered(registry, account, decision, number, message)
            objections: tuple[Objection, ...]
            if delivered is None:
                objections = (undeliverable(message, self.accounts.get(message.to), registry),)
            else:
                other, event = delivered
                answers = decide(registry, other, event, budgets=self.purse.budgets())
                for answer in answers:
                    self.purse.check(answer)
                objections = next(answer.objections for answer in answers if answer.event is event)
                if not objections:
                    return decision, [(other, answers)]
            return refused_elsewhere(decision, message, objections), []
        return decision, []

    def _delivered(
        self, registry: Registry, account: Account, sent: Decision | Entry, number: int, message: Message
    ) -> tuple[Account, Event] | None:
        """Return the account that a message goes to, brought up to its time, and the event that it makes there."""
        at = sent.event.at if isinstance(sent, Decision) else sent.at
        other = self.accounts.get(message.to) or self.fetched(message.to, at)
        if other is None and message.opens:
            other = self._account(registry, Event(type="", id=message.to, account=message.to, at=at), opens=True)
        elif other is not None and not registry.reader.kinds.get(message.type, Event).of_known_account:
            other = self._merged(registry, other, at)
        if other is None or other is account or not other.status:
            return None
        data = event_data(message, number, sent, account, other, registry.context.calendar)
        event = registry.reader.read(data, own=True)
        self.bring_up(other, event.at)
        if event.at < other.clock:
            self.load_expired([other.id])
            self.load_moves([other.id])
        other.history = history_with_lots(self, other) if event.of_history else None
        return other, event

    def fetched(self, ref: str, at: int) -> Account | None:
        """Return one more account, which no event of the batch names."""
        self.load_accounts([ref], at - 2 * DAY)
        return self.accounts.get(ref)

    def enter(self, registry: Registry, account: Account, decision: Decision, payload: bytes | None = None) -> Entry:
        texts = encoded(decision)
        self.programs.apply(registry, account, decision)
        entry = seal(account, decision, self.now, payload, texts)
        transaction = decision.transaction
        self.changes.add(account, entry, decision, registry.context.currency.code)
        key = Key(account.id, entry.seq)
        self.keys[entry.source, entry.id] = key
        self.first[key] = entry
        if transaction is None:
            return entry
        if self._has_campaigns:
            self.purse.spend(transaction.metrics)
        if decision.about is not None and (about := Key(account.id, decision.about)) in self.pasts:
            past = self.pasts[about]
            self.pasts[about] = replace(past, returns=(*past.returns, recorded(entry)))
        if registry.has_listeners:
            self._told.append((registry, decision, account))
        return entry

    def _replayed(self, data: Mapping[str, Any], key: Key) -> Outcome:
        entry = self.first[key]
        if canonical(data) != entry.payload:
            check_same(data, entry, self.programs.judge_of(entry).reader)
        outcome = outcome_of(entry, orjson.loads(entry.payload)["account"])
        outcome.replayed = True
        return outcome

    def write(self) -> None:
        """Write all changes."""
        if self.changes.accounts:
            self.session.write(self.changes, self.programs.ids)

    def finish(self) -> None:
        """Tell the plugins that listen, and remember the accounts: after the commit."""
        self._picks.written(self._picked)
        tell_listeners(self._told)
        if self.remembered is not None:
            self.remembered.keep(account for account in self.by_id.values() if account.id and account.seq)
