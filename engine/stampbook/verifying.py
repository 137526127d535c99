"""Proving the books: every balance, lot, fact, metric and hash derived again from the journal, and judged again."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from stampbook.account import Account
from stampbook.errors import InvariantError, StampbookError
from stampbook.events import OWN_SOURCE
from stampbook.exchanging import is_exchange
from stampbook.journal import AtHand, earlier_of, event_of, past_of, transaction_of
from stampbook.leasing import overspent
from stampbook.ledger import ELSEWHERE, GENESIS, TRANSFERS, canonical, digest
from stampbook.lots import DEBT
from stampbook.moves import moves_of
from stampbook.periods import HOUR, NEVER
from stampbook.pipeline import decide, judge
from stampbook.store.auditing import audited, counts, damage, heads, key_mismatches, put_in_force
from stampbook.store.campaigns import granted_of
from stampbook.store.programs import Schedule
from stampbook.store.rows import (
    SALES,
    account_row,
    chain_row,
    fact_row,
    hold_row,
    lot_row,
    sale_row,
    untold_sale_row,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from stampbook.earlier import Earlier, Happened
    from stampbook.engine import Engine
    from stampbook.events import Event
    from stampbook.in_force import InForce
    from stampbook.ledger import Decision, Entry
    from stampbook.refunding import Past
    from stampbook.registry import Registry
    from stampbook.store.auditing import Audited
    from stampbook.store.programs import KeptProgram
    from stampbook.store.rows import Row

MOST_FINDINGS = 1000
"""After so many findings the books are plainly broken and the search ends."""

LEEWAY = 2 * HOUR
"""How far an instant of recording may be from the truth: clocks differ, are set back, and a batch takes its time."""


class Finding(NamedTuple):
    """A rule that the books break: its code (see `ledger.INVARIANTS`), the account, the journal position, and how."""

    code: str
    account: str
    seq: int
    message: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a verification found.

    `head` is one hash over the chain heads of all accounts and the programs put in force (the sum of the SHA-256 of
    each, so that their order does not matter): kept elsewhere, it shows later whether a journal was cut short or
    written anew, which no chain can show by itself, or a program put in force from another instant.
    """

    accounts: int
    entries: int
    findings: tuple[Finding, ...]
    head: str

    @property
    def ok(self) -> bool:
        """Whether the books are sound."""
        return not self.findings


def verify(engine: Engine, *, on_progress: Callable[[int, int], None] | None = None) -> Verdict:
    """Derive everything again from the journal and compare; decide every event again and compare.

    Reads one consistent state, account by account, in memory that does not grow with the ledger.

    Args:
        engine: the ledger.
        on_progress: called with entries done and entries in all.
    """
    findings: list[Finding] = []
    accounts = entries = 0
    on_the_way: dict[str, int] = defaultdict(int)
    with engine.store.reader() as session:
        findings.extend(Finding("I16", "", 0, f"the database is damaged: {problem}") for problem in damage(session))
        _, total = counts(session)
        findings.extend(
            Finding("I13", "", 0, f"event {event_id!r} of source {source!r} and its key do not name one another")
            for source, event_id in key_mismatches(session)
        )
        changed = [
            program for program in session.kept() if sha256(program.content.encode()).hexdigest() != program.hash
        ]
        if changed:
            message = "its text is not the one that judged: nothing can be decided again by it"
            findings.extend(
                Finding("I16", "", 0, f"program {kept.file} ({kept.hash[:12]}): {message}") for kept in changed
            )
            return Verdict(0, 0, tuple(findings), "")
        put = put_in_force(session)
        findings.extend(Finding("I26", "", 0, problem) for problem in put.problems)
        if total and not put.programs:
            findings.append(Finding("I26", "", 0, "no program is in force: nothing can be decided again"))
            return Verdict(0, 0, tuple(findings), "")
        programs = {program.hash: engine.judge_of(program.hash) for program in session.kept()}
        known = _Known(put.programs, programs)
        judges = engine.in_force(session)
        for item in audited(session):
            findings.extend(_Audit(item, programs, judges, known).run())
            for posting in (posting for entry in item.entries for posting in entry.postings):
                if TRANSFERS in posting:
                    on_the_way[posting.asset] += posting.amount if posting.destination == TRANSFERS else -posting.amount
            accounts += item.account_id != 0
            entries += len(item.entries)
            if on_progress is not None:
                on_progress(entries, total)
            if len(findings) >= MOST_FINDINGS:
                break
        findings.extend(Finding("I29", "", 0, problem) for problem in overspent(granted_of(session), judges))
        chained = (ref.encode() + b"\x00" + last for ref, last in heads(session))
        parts = chain(chained, (canonical([*program]) for program in put.programs))
        head = sum(int.from_bytes(sha256(part).digest()) for part in parts) % 2**256
    findings.extend(
        Finding("I27", "", 0, f"{amount} {asset} left one account for another and did not arrive")
        for asset, amount in on_the_way.items()
        if amount
    )
    return Verdict(accounts, entries, tuple(findings[:MOST_FINDINGS]), f"{head:064x}")


def _judge_whole(
    registry: Registry, account: Account, event: Event, past: Past | Earlier | None, about: int | None, **given: Any
) -> Decision:
    """Judge an exchange with what comes back by it, which is not in the journal where it was refused."""
    return next(each for each in decide(registry, account, event, past, about, **given) if each.event is event)


class _Known:
    """Which program held at an instant, as far as was known at another."""

    def __init__(self, put: Sequence[KeptProgram], programs: Mapping[str, Registry]) -> None:
        self._programs = programs
        self._schedules = [Schedule(put[: count + 1]) for count in range(len(put))]
        self._recorded = [program.recorded_at for program in put]

    def judges(self, entry: Entry) -> bool:
        """Whether an entry names a program that may have held when it was recorded."""
        first, last = (self._last_known(entry.recorded_at + leeway) for leeway in (-LEEWAY, LEEWAY))
        return any(self._held(schedule, entry) for schedule in self._schedules[first : last + 1])

    def _last_known(self, instant: int) -> int:
        """Return the place of the last program put in force that was known; the first one always was."""
        return max((place for place, recorded in enumerate(self._recorded) if recorded <= instant), default=0)

    def _held(self, schedule: Schedule, entry: Entry) -> bool:
        if schedule.at(entry.at) == entry.program:
            return True
        try:  # a time without an offset is read by the latest program first, to find the one that judges
            at = event_of(entry, self._programs[schedule.at(NEVER)]).at
        except (StampbookError, LookupError, ValueError):
            return False
        return schedule.at(at) == entry.program


_STATE_CODES = (("chain", "I25"), ("lot", "I3"), ("metric", "I25"))


class _Audit:
    """One account, derived again."""

    def __init__(self, item: Audited, programs: Mapping[str, Registry], judges: InForce, known: _Known) -> None:
        self._item = item
        self._programs = programs
        self._judges = judges
        self._known = known
        row = item.rows["account"]
        self.ref: str = row[0][1] if row else ""
        self.findings: list[Finding] = []
        self._returns: dict[int, list[Entry]] = defaultdict(list)
        self._sales: dict[int, tuple[Row, Row]] = {}
        self._asked: Entry | None = None

    def run(self) -> list[Finding]:
        item = self._item
        if not item.rows["account"]:
            self._find("I3", 0, f"rows of account id {item.account_id} belong to no account")
            return self.findings
        for seq in item.unreadable:
            self._find("I16", seq, "its postings cannot be read")
        account = self._replay()
        if account is not None:
            self._compare(account)
        return self.findings

    def _find(self, code: str, seq: int, message: str) -> None:
        self.findings.append(Finding(code, self.ref, seq, message))

    def _replay(self) -> Account | None:
        account = Account(self.ref, self._item.account_id, moves=[])
        head, recorded_at = GENESIS, None
        for expected, entry in enumerate(self._item.entries, 1):
            if entry.seq != expected:
                self._find("I4", entry.seq, f"entry {entry.seq} stands where {expected} should")
                return None
            if recorded_at is not None and entry.recorded_at < recorded_at:
                self._find("I5", entry.seq, "it was recorded before the entry before it")
            recorded_at = entry.recorded_at
            head = digest(head, self.ref, entry)
            if head != entry.hash:
                self._find("I17", entry.seq, "its hash does not follow from the entry before it and its content")
                return None
            self._check_program(entry)
            if not self._judged_again(account, entry):
                return None
            account.seq, account.head, account.recorded_at = entry.seq, entry.hash, entry.recorded_at
            account.clock = max(account.clock, entry.at)
        return account

    def _check_program(self, entry: Entry) -> None:
        """Check that the program which judged an entry held; what a late event brings at once is judged with it."""
        asked = self._asked
        is_own = entry.source == OWN_SOURCE
        if not self._known.judges(entry) and not (
            is_own and asked and (asked.recorded_at, asked.program) == (entry.recorded_at, entry.program)
        ):
            self._find("I26", entry.seq, f"program {entry.program[:12]} judged it and did not hold, as was known then")
        if not is_own:
            self._asked = entry

    def _judged_again(self, account: Account, entry: Entry) -> bool:
        """Decide an entry's event again, compare, and apply what is recorded."""
        registry = self._programs.get(entry.program)
        if registry is None:
            self._find("I21", entry.seq, f"program {entry.program[:12]} that judged it is not kept")
            return False
        judged = Account(orjson.loads(entry.payload)["account"]) if self._item.account_id == 0 else account
        try:
            event = event_of(entry, registry)
            past = None if entry.about is None else self._named(account, event, entry.about)
            judged.history = self._history(entry.seq) if registry.asks_history(event) else None
            trace = orjson.loads(entry.trace) if b'"budgets"' in entry.trace or b'"picked"' in entry.trace else {}
            picked = (trace["picked"][0], trace["picked"][1]) if trace.get("picked") else None
            again = _judge_whole if is_exchange(event) and not entry.accepted else judge
            decision = again(registry, judged, event, past, entry.about, budgets=trace.get("budgets"), picked=picked)
        except (StampbookError, LookupError, ValueError) as error:
            self._find("I21", entry.seq, f"deciding it again fails: {error}")
            return False
        if not self._same(decision.transaction is not None, entry, decision):
            return False
        if entry.accepted:
            transaction = transaction_of(entry)
            try:
                account.check(transaction, entry.at)
            except InvariantError as error:
                self._find(error.code, entry.seq, str(error))
                return False
            if not account.status:
                account.opened_at = entry.at
            account.apply(transaction)
            if account.moves is not None:
                account.moves.extend(moves_of(transaction, entry.at))
            self._note(entry)
            if entry.type in SALES:
                id_ = self._item.account_id
                row = sale_row(id_, entry, decision, registry.context.currency.code)
                self._sales[entry.seq] = row, untold_sale_row(id_, entry)
        return True

    def _history(self, before: int) -> tuple[Happened, ...]:
        """Return the accepted events of the account before a position."""
        return tuple(AtHand(self._item.entries[: before - 1], lambda entry: self._programs[entry.program]).history())

    def _named(self, account: Account, event: Event, about: int) -> Past | Earlier | None:
        """Return what is known of the entry that an event names."""
        named = self._item.entries[about - 1]
        entries, judge = [named, *self._returns[about]], self._programs[named.program]
        if hasattr(event, "about"):
            return earlier_of(entries, judge) if named.accepted else None
        past = past_of(entries, judge)
        return past and replace(past, expired=account.expired)

    def _note(self, entry: Entry) -> None:
        """Remember what later returns need to know."""
        if entry.about is not None:
            self._returns[entry.about].append(entry)

    def _same(self, accepted: bool, entry: Entry, decision: object) -> bool:  # noqa: FBT001 - a comparison
        transaction = getattr(decision, "transaction", None)
        if accepted and not entry.accepted and ELSEWHERE in orjson.loads(entry.trace):
            return True
        if accepted != entry.accepted:
            self._find("I21", entry.seq, "decided again, it is " + ("accepted" if accepted else "refused"))
        elif transaction is None:
            return True
        elif transaction.postings != entry.postings:
            self._find("I21", entry.seq, "decided again, it posts something else")
        elif canonical(transaction.effects()) != entry.effects:
            self._find("I21", entry.seq, "decided again, it has other effects")
        else:
            return True
        return False

    def _brings_before(self, account: Account, due_at: int) -> bool:
        if due_at <= self._judges.next_due(account, account.clock):
            return False
        work = account.copy()
        work.due_at = -NEVER  # the beginning of a program, which is due, may have brought nothing
        return next(self._judges.brought(work, due_at - 1), None) is not None

    def _is_whole(self, seq: int) -> bool:
        """Whether every row of the state says all that it should: its table lets any column be empty."""
        rows = self._item.rows
        empty = [(table, code) for table, code in _STATE_CODES if any(None in row for row in rows[table])]
        for table, code in empty:
            self._find(code, seq, f"table {table} has a row with an empty column")
        return not empty

    def _compare(self, account: Account) -> None:
        rows = self._item.rows
        if not self._is_whole(account.seq):
            return
        stored = rows["account"][0]
        chain: list[Row] = [(*row[:3], bytes(row[3]), *row[4:]) for row in rows["chain"]]
        if chain:
            due_at = chain[0][5]
            if account.status and self._brings_before(account, due_at):
                self._find("I25", account.seq, "time brings something before the instant that its row says")
            account.due_at = due_at  # it may be early, never late
        if account_row(account) != tuple(stored) or chain != [chain_row(account)]:
            self._find("I25", account.seq, "its row does not say what its journal says")
        if stored[2] == "closed" and any(lot.remaining for lot in account.lots.values()):
            self._find("I24", account.seq, "it is closed and holds something")
        id_ = self._item.account_id
        derived: dict[str, list[Row]] = {
            "lot": [lot_row(id_, lot) for lot in account.lots.values()],
            "hold": [hold_row(id_, hold) for hold in account.holds.values()],
            "metric": [(id_, *metric) for metric in account.metrics],
            "fact": [fact_row(id_, fact) for facts in account.facts.values() for fact in facts],
        }
        for table, code in (("lot", "I3"), ("hold", "I7"), ("metric", "I25"), ("fact", "I25")):
            found = [row for row in rows[table] if table != "metric" or row[3]]
            if sorted(derived[table]) != sorted(found):
                different = min(set(derived[table]) ^ set(found))
                self._find(
                    code, account.seq, f"table {table} does not say what its journal says, as of {different[1:]}"
                )
        self._compare_sales()
        for lot in account.lots.values():
            if lot.remaining < 0 and lot.kind != DEBT:
                self._find("I6", account.seq, f"lot {lot.number} stands below zero")

    def _compare_sales(self) -> None:
        """Compare the table of sales with the entries; of older ones it says only where they stand."""
        missing = dict(self._sales)
        for row in self._item.rows["sale"]:
            seq = row[1]
            if seq not in self._sales:
                self._find("I30", seq, "table sale has a row of it, and it is no accepted purchase or return")
            elif missing.pop(seq, None) is None:
                self._find("I30", seq, "table sale has more than one row of it")
            elif tuple(row) not in self._sales[seq]:
                self._find("I30", seq, "table sale says something else of it")
        for seq in missing:
            self._find("I30", seq, "table sale has no row of it")


__all__ = ["Finding", "Verdict", "verify"]
