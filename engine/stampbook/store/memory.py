"""Books in memory: for examples, simulations and tests; the same engine, nothing written to disk."""

from __future__ import annotations

from collections import defaultdict
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from stampbook.ledger import BREAKAGE
from stampbook.moves import moves_in
from stampbook.periods import NEVER
from stampbook.store.campaigns import Lease
from stampbook.store.database import Store
from stampbook.store.rows import Key, lapsed_lots
from stampbook.store.session import Session

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from stampbook.account import Account
    from stampbook.ledger import Entry
    from stampbook.moves import Move
    from stampbook.proposals import Pick
    from stampbook.store.campaigns import Claim
    from stampbook.store.changes import Changes
    from stampbook.store.programs import KeptProgram


class MemoryStore(Store):
    """Books that end with the object. One thread at a time."""

    in_memory = True

    def __init__(self) -> None:
        self.url = "memory:"
        self.kept: list[KeptProgram] = []
        self.accounts: dict[str, Account] = {}
        self.entries: dict[int, list[Entry]] = defaultdict(list)
        self.keys: dict[tuple[str, str], Key] = {}
        self.leases: dict[str, Lease] = {}

    @contextmanager
    def writer(self) -> Iterator[Session]:
        """Begin a transaction; what is read are copies, so that nothing changes unless it is written."""
        yield MemorySession(self)

    @contextmanager
    def reader(self) -> Iterator[Session]:
        """Read the present state."""
        yield MemorySession(self)

    def close(self) -> None:
        """Do nothing: memory goes with the object."""


class MemorySession(Session):
    """One transaction on books in memory."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        hashes = dict.fromkeys(program.hash for program in store.kept)
        self.programs = dict(enumerate(hashes, 1))

    def generation(self) -> int:
        """Return how often a program was put in force."""
        return len(self._store.kept)

    def kept(self) -> list[KeptProgram]:
        """Return every program that was put in force."""
        return sorted(self._store.kept, key=lambda program: program.effective_from)

    def put_in_force(self, program: KeptProgram) -> None:
        """Keep a program and the instant from which it holds."""
        self._store.kept.append(program)
        for account in self._store.accounts.values():
            if account.id and account.status != "closed":
                account.due_at = min(account.due_at, program.effective_from)

    def lock(self, refs: Collection[str]) -> None:
        """Do nothing: there is one thread."""

    def new_account_ids(self, count: int, given: int = 0) -> list[int]:
        """Return the ids after the largest."""
        last = max((account.id for account in self._store.accounts.values()), default=0) + given
        return list(range(last + 1, last + 1 + count))

    def keys(self, wanted: Collection[tuple[str, str]]) -> dict[tuple[str, str], Key]:
        """Return where the entries of event ids stand."""
        return {pair: self._store.keys[pair] for pair in wanted if pair in self._store.keys}

    def accounts(self, refs: Collection[str]) -> dict[str, Account]:
        """Return copies of accounts, with all that belongs to them but what expired, which is asked for by itself."""
        known = self._store.accounts
        return {ref: replace(known[ref].copy(), expired={}, moves=None) for ref in refs if ref in known}

    def refs_of(self, ids: Collection[int]) -> list[str]:
        """Return the refs of accounts by their ids."""
        return [account.ref for account in self._store.accounts.values() if account.id in ids]

    def fill(self, accounts: Iterable[Account], first_day: int | None) -> None:
        """Do nothing: the copies have it all."""

    def lots(self, accounts: Mapping[int, Account], wanted: Collection[tuple[int, int]]) -> None:
        """Do nothing: empty lots are at hand."""

    def related(self, purchases: Collection[Key]) -> dict[Key, list[Entry]]:
        """Return each purchase's accepted entry followed by those of its accepted returns."""
        found: dict[Key, list[Entry]] = {}
        for key in purchases:
            entries = self._store.entries[key.account_id]
            if entries[key.seq - 1].accepted:
                returns = [entry for entry in entries if entry.accepted and entry.about == key.seq]
                found[key] = [entries[key.seq - 1], *returns]
        return found

    def expired(self, accounts: Collection[int]) -> dict[tuple[int, int], int]:
        """Return what went from lots to breakage, less what came back or returns counted, by account id and lot."""
        found: dict[tuple[int, int], int] = defaultdict(int)
        for id_ in accounts:
            for entry in self._store.entries[id_]:
                for posting in entry.postings:
                    if posting.destination == BREAKAGE and isinstance(posting.source, int):
                        found[id_, posting.source] += posting.amount
                    if posting.source == BREAKAGE and isinstance(posting.destination, int):
                        found[id_, posting.destination] -= posting.amount
                for lot, units in lapsed_lots(entry.effects) if entry.about is not None else ():
                    found[id_, lot] -= units
        return found

    def moves(self, accounts: Collection[int]) -> dict[int, list[Move]]:
        """Return by account id when what is free in lots changed, expiry left out."""
        return {id_: [move for entry in self._store.entries[id_] for move in moves_in(entry)] for id_ in accounts}

    def entries(self, wanted: Collection[Key]) -> dict[Key, Entry]:
        """Return journal entries by where they stand."""
        return {key: self._store.entries[key.account_id][key.seq - 1] for key in wanted}

    def due(self, until: int, after: int, limit: int) -> list[tuple[int, str]]:
        """Return ids and refs of accounts to which time brings something up to an instant, those beyond an id."""
        due = [
            (account.id, account.ref)
            for account in self._store.accounts.values()
            if account.id > after and account.due_at <= until and account.due_at < NEVER
        ]
        return sorted(due)[:limit]

    def holding(self, until: int, limit: int) -> tuple[list[str], int]:
        """Return accounts with open holds to which time brings something up to an instant, and when it next does."""
        holding = [
            account
            for account in sorted(self._store.accounts.values(), key=lambda account: account.id)
            if any(hold.left for hold in account.holds.values())
        ]
        refs = [account.ref for account in holding if account.due_at <= until]
        return refs[:limit], min((account.due_at for account in holding if account.due_at > until), default=NEVER + 1)

    def free(self, pick: Pick, after: int, limit: int, at: int) -> list[tuple[int, str]]:
        """Return ids and refs of free accounts of a pool, those of ids beyond one, in the order of ids."""
        found = [
            (account.id, account.ref)
            for account in self._store.accounts.values()
            if account.id > after
            and account.ref.startswith(pick.prefix)
            and (facts := account.facts.get(pick.fact)) is not None
            and facts[-1].value == pick.value
            and pick.lacks not in account.facts
            and any(lot.free > 0 and lot.expires_at > at for lot in account.lots.values())
        ]
        return sorted(found)[:limit]

    def refs(self) -> list[str]:
        """Return the refs of all accounts in the order in which they were opened."""
        return [account.ref for account in sorted(self._store.accounts.values(), key=lambda a: a.id) if account.id]

    def find(self, source: str | None, event_id: str) -> list[tuple[str, Entry]]:
        """Return the account's ref and the entry of an event id."""
        refs = {account.id: account.ref for account in self._store.accounts.values()}
        return [
            (refs[key.account_id], self._store.entries[key.account_id][key.seq - 1])
            for pair, key in sorted(self._store.keys.items())
            if pair[1] == event_id and source in {None, "", pair[0]}
        ]

    def journal(self, ref: str) -> list[Entry]:
        """Return the whole journal of an account."""
        account = self._store.accounts.get(ref)
        return [] if account is None else list(self._store.entries[account.id])

    def write(self, changes: Changes, program_ids: Mapping[str, int]) -> None:  # noqa: ARG002 - hashes are kept as they are
        """Keep the batch."""
        for account, entry in changes.entries:
            self._store.entries[account.id].append(entry)
            self._store.keys[entry.source, entry.id] = Key(account.id, entry.seq)
        for account in changes.accounts.values():
            self._store.accounts[account.ref] = account
        for name, delta in changes.campaigns.items():
            amount, spent, is_all = self._store.leases.get(name, Lease(0, 0, is_all=False))
            self._store.leases[name] = Lease(amount, spent + delta, is_all)

    def lease(self, claim: Claim) -> Lease:
        """Lease all that is left: nobody else writes to these books."""
        spent = self._store.leases.get(claim.campaign, Lease(0, 0, is_all=False)).spent
        found = self._store.leases[claim.campaign] = Lease(claim.most, spent, is_all=True)
        return found

    def end_leases(self, names: Collection[str], holder: str) -> None:
        """Do nothing: the books end with their holder."""
