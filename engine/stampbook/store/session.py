"""Loading the accounts of a batch with a fixed number of queries, and writing each table once, in bulk."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from stampbook.periods import NEVER
from stampbook.store import campaigns, searching
from stampbook.store.expired import expired_units, moved
from stampbook.store.programs import KeptProgram, latest_by_start
from stampbook.store.rows import WHOLE_ACCOUNTS, Key, Row, account_of, columns, entry_of, fill

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    import polars as pl

    from stampbook.account import Account
    from stampbook.ledger import Entry
    from stampbook.moves import Move
    from stampbook.proposals import Pick
    from stampbook.store.campaigns import Claim, Lease
    from stampbook.store.changes import Changes


class Session(ABC):
    """One transaction, reading or writing, of whatever keeps the books."""

    programs: Mapping[int, str]
    """Program hashes by id."""

    @abstractmethod
    def generation(self) -> int:
        """Return how often a program was put in force: changes when, and only when, the programs change."""

    @abstractmethod
    def kept(self) -> list[KeptProgram]:
        """Return every program that was put in force, in the order of the instants from which they hold."""

    def in_force(self) -> list[KeptProgram]:
        """Return the programs in the order in which they hold; of two from one instant the later one wins."""
        return latest_by_start(self.kept())

    @abstractmethod
    def put_in_force(self, program: KeptProgram) -> None:
        """Keep a program and the instant from which it holds; accounts become due then, to be judged anew."""

    @abstractmethod
    def lock(self, refs: Collection[str]) -> None:
        """Lock accounts in one order, before anything that they protect is read."""

    @abstractmethod
    def new_account_ids(self, count: int, given: int = 0) -> list[int]:
        """Return ids for new accounts, after so many that were given in this transaction and are not written yet."""

    @abstractmethod
    def keys(self, wanted: Collection[tuple[str, str]]) -> dict[tuple[str, str], Key]:
        """Return where the entries of event ids (source, id) stand, for those that are known."""

    @abstractmethod
    def accounts(self, refs: Collection[str]) -> dict[str, Account]:
        """Return accounts by ref, without what belongs to them: see `fill`."""

    @abstractmethod
    def refs_of(self, ids: Collection[int]) -> list[str]:
        """Return the refs of accounts by their ids."""

    @abstractmethod
    def fill(self, accounts: Iterable[Account], first_day: int | None) -> None:
        """Load what belongs to accounts: open lots, holds, facts, and metrics from a day on (None: no metrics)."""

    @abstractmethod
    def lots(self, accounts: Mapping[int, Account], wanted: Collection[tuple[int, int]]) -> None:
        """Load lots that are empty, for a return to fill again."""

    @abstractmethod
    def expired(self, accounts: Collection[int]) -> dict[tuple[int, int], int]:
        """Return what went from lots to breakage, less what came back or returns counted, by account id and lot."""

    @abstractmethod
    def moves(self, accounts: Collection[int]) -> dict[int, list[Move]]:
        """Return by account id when what is free in lots changed, expiry left out: see `account.Move`."""

    @abstractmethod
    def related(self, purchases: Collection[Key]) -> dict[Key, list[Entry]]:
        """Return, for each purchase, its accepted entry followed by those of its accepted returns."""

    @abstractmethod
    def entries(self, wanted: Collection[Key]) -> dict[Key, Entry]:
        """Return journal entries by where they stand."""

    @abstractmethod
    def due(self, until: int, after: int, limit: int) -> list[tuple[int, str]]:
        """Return ids and refs of accounts to which time brings something up to an instant.

        Args:
            until: the instant.
            after: only those of larger ids, in the order of ids: so all of them are found in one walk, and no index has
                to follow each change of what is due.
            limit: how many at most.
        """

    @abstractmethod
    def holding(self, until: int, limit: int) -> tuple[list[str], int]:
        """Return accounts with open holds to which time brings something up to an instant, and when it next does.

        Args:
            until: the instant.
            limit: how many at most.
        """

    @abstractmethod
    def free(self, pick: Pick, after: int, limit: int, at: int) -> list[tuple[int, str]]:
        """Return ids and refs of free accounts of a pool, those of ids beyond one, in the order of ids.

        Args:
            pick: of which pool.
            after: an account id.
            limit: how many at most.
            at: the instant at which they have something to spend.
        """

    @abstractmethod
    def refs(self) -> list[str]:
        """Return the refs of all accounts in the order in which they were opened."""

    @abstractmethod
    def journal(self, ref: str) -> list[Entry]:
        """Return the whole journal of an account; empty where there is no such account."""

    @abstractmethod
    def find(self, source: str | None, event_id: str) -> list[tuple[str, Entry]]:
        """Return the account's ref and the entry of an event id, for each source that used it (or the one named)."""

    @abstractmethod
    def lease(self, claim: Claim) -> Lease:
        """Lease more of a campaign's budget; see `stampbook.store.campaigns`."""

    @abstractmethod
    def end_leases(self, names: Collection[str], holder: str) -> None:
        """Give back what a holder has not granted of campaigns."""

    @abstractmethod
    def write(self, changes: Changes, program_ids: Mapping[str, int]) -> None:
        """Write a batch: every table once, in bulk."""


class SqlSession(Session):
    """A transaction of a SQL database; what differs between databases is left to them."""

    for_update: str = ""
    """What makes a query lock the rows that it finds."""

    def lease(self, claim: Claim) -> Lease:
        """Lease more of a campaign's budget."""
        return campaigns.lease(self, claim)

    def end_leases(self, names: Collection[str], holder: str) -> None:
        """Give back what a holder has not granted of campaigns."""
        campaigns.close(self, names, holder)

    @abstractmethod
    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """Run a query whose placeholders are ``?`` and return all its rows."""

    @abstractmethod
    def stream(self, sql: str, parameters: Sequence[Any] = ()) -> Iterator[Row]:
        """Run a query and yield its rows without holding them all."""

    @abstractmethod
    def run(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Run a statement and return how many rows it changed."""

    @abstractmethod
    def among(self, column: str) -> str:
        """Return SQL for ``column is one of a list``, which `listed` binds."""

    @abstractmethod
    def listed(self, values: Iterable[Any]) -> Any:
        """Return a list as the one parameter that `among` needs."""

    @abstractmethod
    def pairs(self, pairs: Collection[tuple[Any, Any]], kinds: tuple[str, str]) -> tuple[str, list[Any]]:
        """Return SQL of a table ``p(a, b)`` of pairs, and its parameters."""

    @abstractmethod
    def insert(self, table: str, rows: list[Row]) -> None:
        """Append rows."""

    @abstractmethod
    def insert_frame(self, table: str, frame: pl.DataFrame) -> None:
        """Append the rows of a frame whose columns are in the order of the table's; none of them is null."""

    @abstractmethod
    def upsert(self, table: str, rows: list[Row]) -> None:
        """Insert rows, or change those of the same key."""

    @abstractmethod
    def add(self, rows: list[Row]) -> None:
        """Add to metric counters."""

    def generation(self) -> int:
        """Return how often a program was put in force."""
        number: int = self.rows("SELECT coalesce(max(id), 0) FROM in_force")[0][0]
        return number

    def kept(self) -> list[KeptProgram]:
        """Return every program that was put in force."""
        rows = self.rows(
            "SELECT p.hash, p.file, p.content, f.effective_from, f.recorded_at "
            "FROM in_force f JOIN program p ON p.id = f.program_id ORDER BY f.effective_from, f.id"
        )
        return [KeptProgram(*row) for row in rows]

    def put_in_force(self, program: KeptProgram) -> None:
        """Keep a program and the instant from which it holds."""
        known = {kept: id_ for id_, kept in self.programs.items()}
        id_ = known.get(program.hash)
        if id_ is None:
            id_ = max(known.values(), default=0) + 1
            self.run(
                "INSERT INTO program (id, hash, file, content) VALUES (?, ?, ?, ?)",
                (id_, program.hash, program.file, program.content),
            )
        self.run(
            "INSERT INTO in_force (id, program_id, effective_from, recorded_at) VALUES (?, ?, ?, ?)",
            (self.generation() + 1, id_, program.effective_from, program.recorded_at),
        )
        self.run(
            "UPDATE state SET due_at = ? WHERE part = 0 AND due_at > ? "
            "AND account_id IN (SELECT id FROM account WHERE id > 0 AND status <> 'closed')",
            (program.effective_from, program.effective_from),
        )

    def due(self, until: int, after: int, limit: int) -> list[tuple[int, str]]:
        """Return ids and refs of accounts to which time brings something up to an instant, those beyond an id."""
        sql = (
            "SELECT a.id, a.ref FROM account a JOIN chain c ON c.account_id = a.id "
            "WHERE a.id > ? AND c.account_id > ? AND c.due_at <= ? AND c.due_at < ? ORDER BY a.id LIMIT ?"
        )  # beyond the id in both: PostgreSQL then begins with the chains, and looks up the few accounts that are due
        return [(id_, ref) for id_, ref in self.rows(sql, [after, after, until, NEVER, limit])]

    def holding(self, until: int, limit: int) -> tuple[list[str], int]:
        """Return accounts with open holds to which time brings something up to an instant, and when it next does."""
        return searching.holding(self, until, limit)

    def free(self, pick: Pick, after: int, limit: int, at: int) -> list[tuple[int, str]]:
        """Return ids and refs of free accounts of a pool, those of ids beyond one, in the order of ids."""
        return searching.free(self, pick, after, limit, at)

    def find(self, source: str | None, event_id: str) -> list[tuple[str, Entry]]:
        """Return the account's ref and the entry of an event id."""
        sql = (
            "SELECT k.account_id, k.seq, a.ref FROM event_key k JOIN account a ON a.id = k.account_id "
            "WHERE k.event_id = ? AND (k.source = ? OR ? = '') ORDER BY k.source"
        )
        found = self.rows(sql, [event_id, source or "", source or ""])
        entries = self.entries([Key(account_id, seq) for account_id, seq, _ in found])
        return [(ref, entries[Key(account_id, seq)]) for account_id, seq, ref in found]

    def refs(self) -> list[str]:
        """Return the refs of all accounts in the order in which they were opened."""
        return [row[0] for row in self.rows("SELECT ref FROM account WHERE id > 0 ORDER BY id")]

    def journal(self, ref: str) -> list[Entry]:
        """Return the whole journal of an account."""
        rows = self.rows(
            f"SELECT {columns('journal', after=1, of='j')} FROM account a JOIN journal j ON j.account_id = a.id "  # noqa: S608 - table and column names of our own
            "WHERE a.ref = ? ORDER BY j.seq",
            [ref],
        )
        return [entry_of(row, self.programs) for row in rows]

    def keys(self, wanted: Collection[tuple[str, str]]) -> dict[tuple[str, str], Key]:
        """Return where the entries of event ids stand, for those that are known."""
        if not wanted:
            return {}
        table, parameters = self.pairs(wanted, ("text", "text"))
        sql = (
            f"SELECT k.source, k.event_id, k.account_id, k.seq FROM {table} "  # noqa: S608 - no value is spliced in
            "CROSS JOIN event_key k WHERE k.source = p.a AND k.event_id = p.b"
        )
        return {(source, id_): Key(account_id, seq) for source, id_, account_id, seq in self.rows(sql, parameters)}

    def accounts(self, refs: Collection[str]) -> dict[str, Account]:
        """Return accounts by ref, without what belongs to them."""
        found = self.rows(
            f"{WHOLE_ACCOUNTS} WHERE {self.among('a.ref')}",
            [self.listed(refs)],
        )
        return {row[1]: account_of(row) for row in found}

    def fill(self, accounts: Iterable[Account], first_day: int | None) -> None:
        """Load what belongs to accounts: open lots, holds, facts, and metrics from a day on."""
        by_id = {account.id: account for account in accounts}
        if not by_id:
            return
        for account in by_id.values():
            account.metrics_from = NEVER if first_day is None else first_day
        ids = [self.listed(by_id)]
        mine = self.among("account_id")
        fill(
            by_id,
            lots=self.rows(
                f"SELECT {columns('lot')} FROM lot WHERE {mine} AND (remaining <> 0 OR held <> 0)",  # noqa: S608 - table and column names of our own
                ids,
            ),
            holds=self.rows(
                f"SELECT {columns('hold')} FROM hold WHERE {mine} AND units <> '[]'",  # noqa: S608 - table and column names of our own
                ids,
            ),
            metrics=()
            if first_day is None
            else self.rows(
                f"SELECT {columns('metric')} FROM metric WHERE {mine} AND day >= ?",  # noqa: S608 - table and column names of our own
                [*ids, first_day],
            ),
            facts=self.rows(f"SELECT {columns('fact')} FROM fact WHERE {mine}", ids),  # noqa: S608 - table and column names of our own
        )

    def lots(self, accounts: Mapping[int, Account], wanted: Collection[tuple[int, int]]) -> None:
        """Load lots that are empty, for a return to fill again."""
        table, parameters = self.pairs(wanted, ("bigint", "bigint"))
        sql = (
            f"SELECT {columns('lot', of='l')} FROM {table} "  # noqa: S608 - own columns
            "CROSS JOIN lot l WHERE l.account_id = p.a AND l.number = p.b"
        )
        fill(accounts, lots=self.rows(sql, parameters), holds=(), metrics=(), facts=())

    def related(self, purchases: Collection[Key]) -> dict[Key, list[Entry]]:
        """Return, for each purchase, its accepted entry followed by those of its accepted returns."""
        if not purchases:
            return {}
        table, parameters = self.pairs(purchases, ("bigint", "bigint"))
        own = columns("journal", of="j")
        sql = (
            f"SELECT p.b, {own} FROM {table} CROSS JOIN journal j "  # noqa: S608 - own columns
            "WHERE j.account_id = p.a AND j.seq = p.b AND j.accepted = 1 "
            f"UNION ALL SELECT p.b, {own} FROM {table} CROSS JOIN journal j "
            "WHERE j.account_id = p.a AND j.about = p.b AND j.accepted = 1"
        )
        found = sorted(self.rows(sql, [*parameters, *parameters]), key=lambda row: (row[1], row[0], row[2]))
        related: dict[Key, list[Entry]] = defaultdict(list)
        for purchase, account_id, *row in found:
            related[Key(account_id, purchase)].append(entry_of(tuple(row), self.programs))
        return related

    def expired(self, accounts: Collection[int]) -> dict[tuple[int, int], int]:
        """Return what went from lots to breakage, less what came back or returns counted, by account id and lot."""
        return expired_units(self, accounts)

    def moves(self, accounts: Collection[int]) -> dict[int, list[Move]]:
        """Return by account id when what is free in lots changed, expiry left out."""
        return moved(self, accounts)

    def entries(self, wanted: Collection[Key]) -> dict[Key, Entry]:
        """Return journal entries by where they stand."""
        if not wanted:
            return {}
        table, parameters = self.pairs(wanted, ("bigint", "bigint"))
        sql = (
            f"SELECT {columns('journal', of='j')} FROM {table} CROSS JOIN journal j "  # noqa: S608 - own columns
            "WHERE j.account_id = p.a AND j.seq = p.b"
        )
        return {
            Key(account_id, row[0]): entry_of(tuple(row), self.programs)
            for account_id, *row in self.rows(sql, parameters)
        }

    def write(self, changes: Changes, program_ids: Mapping[str, int]) -> None:
        """Write a batch: every table once, in bulk, append-only tables first, hot rows last."""
        self.write_rows(changes.rows(program_ids))

    def write_rows(self, tables: Mapping[str, list[Row]]) -> None:
        """Write the rows of a batch by table."""
        for table in ("journal", "event_key", "sale"):
            if tables[table]:
                self.insert(table, tables[table])
        if tables["metric"]:
            self.add(tables["metric"])
        for table in ("lot", "chain", "hold", "fact", "account"):
            if tables[table]:
                self.upsert(table, tables[table])
        if tables["campaign_lease"]:
            campaigns.spend(self, tables["campaign_lease"])

    def refs_of(self, ids: Collection[int]) -> list[str]:
        """Return the refs of accounts by their ids."""
        sql = f"SELECT ref FROM account WHERE {self.among('id')} ORDER BY id"  # noqa: S608 - no value is spliced in
        return [row[0] for row in self.rows(sql, [self.listed(ids)])]

    def positions(self, ids: Collection[int]) -> dict[int, int]:
        """Return the last journal position of accounts by id; those that are not there are left out."""
        sql = f"SELECT account_id, seq FROM chain WHERE {self.among('account_id')}"  # noqa: S608 - no value is spliced in
        return dict(self.rows(sql, [self.listed(ids)]))
