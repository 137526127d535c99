"""Proving the books: every balance, lot, fact, metric and hash derived again from the journal, and judged again."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

import orjson

from stampbook.account import Account
from stampbook.errors import InvariantError, StampbookError
from stampbook.journal import event_of, past_of, transaction_of
from stampbook.ledger import BREAKAGE, GENESIS, canonical, digest
from stampbook.lots import DEBT
from stampbook.pipeline import judge
from stampbook.store.auditing import audited, counts, damage, heads, key_mismatches
from stampbook.store.rows import account_row, fact_row, hold_row, lot_row

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from stampbook.batch import InForce
    from stampbook.engine import Engine
    from stampbook.ledger import Entry
    from stampbook.registry import Registry
    from stampbook.store.auditing import Audited
    from stampbook.store.rows import Row

MOST_FINDINGS = 1000
"""After so many findings the books are plainly broken and the search ends."""


class Finding(NamedTuple):
    """A rule that the books break: its code (see `ledger.INVARIANTS`), the account, the journal position, and how."""

    code: str
    account: str
    seq: int
    message: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a verification found.

    `head` is one hash over the chain heads of all accounts (the sum of the SHA-256 of each, so that their order does
    not matter): kept elsewhere, it shows later whether a journal was cut short or written anew, which no chain can
    show by itself.
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
        programs = {program.hash: engine.judge_of(program.hash) for program in session.kept()}
        judges = engine.in_force(session)
        for item in audited(session):
            findings.extend(_Audit(item, programs, judges).run())
            accounts += item.account_id != 0
            entries += len(item.entries)
            if on_progress is not None:
                on_progress(entries, total)
            if len(findings) >= MOST_FINDINGS:
                break
        head = 0
        for ref, chain in heads(session):
            head = (head + int.from_bytes(sha256(ref.encode() + b"\x00" + chain).digest())) % 2**256
    return Verdict(accounts, entries, tuple(findings[:MOST_FINDINGS]), f"{head:064x}")


class _Audit:
    """One account, derived again."""

    def __init__(self, item: Audited, programs: Mapping[str, Registry], judges: InForce) -> None:
        self._item = item
        self._programs = programs
        self._judges = judges
        row = item.rows["account"]
        self.ref: str = row[0][1] if row else ""
        self.findings: list[Finding] = []
        self._returns: dict[int, list[Entry]] = defaultdict(list)
        self._expired: dict[int, int] = defaultdict(int)

    def run(self) -> list[Finding]:
        item = self._item
        if not item.rows["account"]:
            self._find("I3", 0, f"rows of account id {item.account_id} belong to no account")
            return self.findings
        for seq in item.postings_without_entry:
            self._find("I16", seq, "postings stand without their journal entry")
        for seq in item.miscounted:
            self._find("I16", seq, "its postings are not numbered from 0 on")
        account = self._replay()
        if account is not None:
            self._compare(account)
        return self.findings

    def _find(self, code: str, seq: int, message: str) -> None:
        self.findings.append(Finding(code, self.ref, seq, message))

    def _replay(self) -> Account | None:
        account = Account(self.ref, self._item.account_id)
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
            if not self._judged_again(account, entry):
                return None
            account.seq, account.head, account.recorded_at = entry.seq, entry.hash, entry.recorded_at
            account.clock = max(account.clock, entry.at)
        return account

    def _judged_again(self, account: Account, entry: Entry) -> bool:
        """Decide an entry's event again, compare, and apply what is recorded."""
        registry = self._programs.get(entry.program)
        if registry is None:
            self._find("I21", entry.seq, f"program {entry.program[:12]} that judged it is not kept")
            return False
        judged = Account(orjson.loads(entry.payload)["account"]) if self._item.account_id == 0 else account
        try:
            past = None
            if entry.about is not None:
                purchase = self._item.entries[entry.about - 1]
                past = past_of([purchase, *self._returns[entry.about]], self._programs[purchase.program])
                past = past and replace(past, expired=self._expired)
            decision = judge(registry, judged, event_of(entry, registry), past)
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
            self._note(entry)
        return True

    def _note(self, entry: Entry) -> None:
        """Remember what later returns need to know."""
        if entry.about is not None:
            self._returns[entry.about].append(entry)
        for posting in entry.postings:
            if posting.destination == BREAKAGE and isinstance(posting.source, int):
                self._expired[posting.source] += posting.amount

    def _same(self, accepted: bool, entry: Entry, decision: object) -> bool:  # noqa: FBT001 - a comparison
        transaction = getattr(decision, "transaction", None)
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

    def _compare(self, account: Account) -> None:
        rows = self._item.rows
        stored = rows["account"][0]
        if account.status and stored[8] > self._judges.next_due(account, account.clock):
            self._find("I25", account.seq, "time brings something before the instant that its row says")
        account.due_at = stored[8]  # it may be early, never late
        if account_row(account) != (*tuple(stored[:6]), bytes(stored[6]), *stored[7:]):
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
        for lot in account.lots.values():
            if lot.remaining < 0 and lot.kind != DEBT:
                self._find("I6", account.seq, f"lot {lot.number} stands below zero")


__all__ = ["Finding", "Verdict", "verify"]
