"""The baseline: plain `sqlite3` writing the rows of a ledger that the engine made, in the same order and batches.

It decides nothing, reads nothing back, and builds no row while the clock runs. For each batch of the engine it
writes what the engine wrote: journal entries and event ids with INSERT; lots, metrics, facts and accounts
that the batch touched with INSERT … ON CONFLICT, once a batch. With ``final=True`` the latter are written only once
each, as they ended: fewer rows than any ledger that keeps balances can write.
"""

from __future__ import annotations

import sqlite3
import time
from collections import defaultdict
from itertools import groupby
from typing import TYPE_CHECKING, Any

import orjson

from bench.measure import check

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Row = tuple[Any, ...]
Batch = dict[str, list[Row]]

PRAGMAS = ("journal_mode", "synchronous", "cache_size", "wal_autocheckpoint", "foreign_keys", "temp_store")
DERIVED = ("metric", "lot", "hold", "fact", "chain", "account")
"""The tables and views whose rows change, in the order in which the engine writes them."""
_CHUNK = 2_000


def settings_of(path: Path) -> dict[str, Any]:
    """Return the pragmas under which the engine writes to a database."""
    from stampbook.store import open_store
    from stampbook.store.session import SqlSession

    store = open_store(f"sqlite:///{path}")
    with store.writer() as session:
        assert isinstance(session, SqlSession)
        found = {name: session.rows(f"PRAGMA {name}")[0][0] for name in PRAGMAS}
    store.close()
    check(found["synchronous"] == 2 and found["journal_mode"] == "wal", f"the engine is not durable: {found}")
    return found


def write_plainly(made: Path, fresh: Path, *, final: bool = False) -> Iterator[float]:
    """Write the rows of a database anew and yield the seconds that each batch took.

    Args:
        made: the engine's database.
        fresh: a file that does not exist; it gets the engine's own schema and programs.
        final: write rows that change only once, as they ended.
    """
    from stampbook.store import open_store

    open_store(f"sqlite:///{fresh}", create=True).close()
    source = sqlite3.connect(f"{made.as_uri()}?mode=ro", uri=True)
    target = sqlite3.connect(fresh, isolation_level=None, cached_statements=256)
    for name, value in settings_of(made).items():
        target.execute(f"PRAGMA {name}={value}")
    statements = {table: _statement(table) for table in ("journal", "event_key", "sale", *DERIVED)}
    for batch in _batches(source, final=final):
        work = [(statements[table], rows) for table, rows in batch.items() if rows]
        start = time.perf_counter()
        target.execute("BEGIN IMMEDIATE")
        for statement, rows in work:
            target.executemany(statement, rows)
        target.execute("COMMIT")
        yield time.perf_counter() - start
    for table in statements:
        counting = f"SELECT count(*) FROM {table}"  # noqa: S608 - own names
        check(
            source.execute(counting).fetchall() == target.execute(counting).fetchall(), f"rows of {table} are missing"
        )
    target.close()
    source.close()


def _statement(table: str) -> str:
    from stampbook.store.rows import CHANGING, target

    into, columns, fixed, key = target(table)
    values = ", ".join([*("?" * len(columns)), *fixed.values()])
    insert = f"INSERT INTO {into} ({', '.join([*columns, *fixed])}) VALUES ({values})"  # noqa: S608 - own names
    if table not in DERIVED:
        return insert
    if table == "metric":
        changes = "value = value + excluded.value"
    else:
        changes = ", ".join(f"{name} = excluded.{name}" for name in CHANGING[table])
    return f"{insert} ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changes}"


def _batches(source: sqlite3.Connection, *, final: bool) -> Iterator[Batch]:
    """Yield the rows of each batch: entries of one batch were recorded at one instant, in the order of row ids."""
    names = [row[1] for row in source.execute("PRAGMA table_info(journal)")]
    recorded_at, effects, postings = (names.index(name) for name in ("recorded_at", "effects", "postings"))
    journal = source.execute(f"SELECT {', '.join(names)} FROM journal ORDER BY rowid")  # noqa: S608 - own names
    sales = _chunked(source.execute("SELECT * FROM sale ORDER BY rowid"))
    sale = next(sales, None)
    seen: set[Row] = set()
    for _, group in groupby(_chunked(journal), key=lambda row: row[recorded_at]):
        batch = _batch(source, list(group), (effects, postings), seen if final else None)
        of_batch = batch["sale"] = []
        for row in batch["journal"]:
            if sale is not None and sale[:2] == row[:2]:
                of_batch.append(sale)
                sale = next(sales, None)
        yield batch


def _chunked(cursor: sqlite3.Cursor) -> Iterator[Row]:
    while rows := cursor.fetchmany(_CHUNK):
        yield from rows


def _batch(source: sqlite3.Connection, journal: list[Row], places: tuple[int, int], seen: set[Row] | None) -> Batch:
    effects, postings = places
    metrics: dict[Row, int] = defaultdict(int)
    facts: set[Row] = set()
    lots: set[Row] = set()
    holds: set[Row] = set()
    for row in journal:
        account = row[0]
        lots.update(
            (account, end) for posting in orjson.loads(row[postings]) for end in posting[2:4] if type(end) is int
        )
        changed = orjson.loads(row[effects])
        for name, day, delta in changed.get("metrics", ()):
            metrics[account, name, day] += delta
        facts.update((account, fact[0]) for fact in changed.get("facts", ()))
        for number, _, _, units, _ in changed.get("holds", ()):
            holds.add((account, number))
            lots.update((account, lot) for lot, _ in units)
    return {
        "journal": journal,
        "event_key": sorted((row[3], row[4], row[0], row[1]) for row in journal),
        "metric": sorted((*key, value) for key, value in metrics.items()),
        "lot": _rows(source, "lot", "account_id = ? AND number = ?", lots, seen),
        "hold": _rows(source, "hold", "account_id = ? AND number = ?", holds, seen),
        "fact": _rows(source, "fact", "account_id = ? AND name = ?", facts, seen),
        "chain": _rows(source, "chain", "account_id = ?", {row[:1] for row in journal}, seen),
        "account": _rows(source, "account", "id = ?", {row[:1] for row in journal}, seen),
    }


def _rows(source: sqlite3.Connection, table: str, where: str, keys: set[Row], seen: set[Row] | None) -> list[Row]:
    if seen is not None:
        keys = {key for key in keys if (table, *key) not in seen}
        seen.update((table, *key) for key in keys)
    rows: list[Row] = []
    for key in sorted(keys):
        rows.extend(source.execute(f"SELECT * FROM {table} WHERE {where}", key))  # noqa: S608 - own names
    return rows
