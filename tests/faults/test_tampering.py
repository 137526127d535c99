"""T-CORRUPT, the light half: whatever somebody changes in the tables by SQL, `verify` says so, with the right code.

A chain cannot show that its tail was cut off, or that all of it was written anew from some point on; only a head that
was kept elsewhere can. Both are shown here.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import create_engine

from stampbook.engine import Engine
from stampbook.errors import StoreError
from stampbook.store.rows import COLUMNS, STATE, target
from stampbook.verifying import verify
from tests.faults.books import event, findings, frozen, opened

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from stampbook.verifying import Verdict

HINTS = {("chain", "due_at")}
"""What may be wrong without harm: when to look again. A tick puts it right."""

EXPECTED = {
    "account": {"I3", "I25", "I17", "I16", "I13"},
    "chain": {"I3", "I25", "I17", "I16", "I13"},
    "journal": {"I4", "I5", "I13", "I17", "I21", "I3", "I16"},
    "event_key": {"I13"},
    "sale": {"I30"},
    "lot": {"I3"},
    "hold": {"I7"},
    "metric": {"I25"},
    "fact": {"I25"},
}

GUARDED = [table for table in COLUMNS if table != "hold" and not table.startswith("segment_")]
"""Holds have tests of their own; what runs of schemes said is no part of the books, and another run says it again."""

EMPTIED = [
    (table, name) for table in STATE for name in COLUMNS[table] if name not in (*target(table).key, "metric", "day")
]

LOT = "account_id, part, name, number, asset, kind, effective_at, expires_at, priority, origin, remaining, held"


@pytest.fixture
def books(any_db: str) -> str:
    return _made(any_db)


def _made(url: str) -> str:
    """Make a small ledger in which no table but that of holds is empty."""
    events = [
        event("purchase", "p1", lines=[{"amount": "120.00", "category": "tea"}]),
        event("topup", "t1", amount="50.00"),
        event("spend", "s1", amount="20.00"),
        event("return", "r1", purchase="p1", amount="10.00"),
        event("spend", "s2", amount="2000.00"),
        event("purchase", "p2", "bob", amount="15.00"),
        event("purchase", "p3", "bob", at="2025-08-01T00:00:00Z", amount="15.00"),
    ]
    with opened(url) as engine:
        assert [outcome.accepted for outcome in engine.process(events)] == [True] * 4 + [False] + [True] * 2
        assert findings(engine) == ()
    return url


def _sql(url: str, *statements: str) -> list[Sequence[Any]]:
    engine = create_engine(url)
    with engine.begin() as connection:
        for statement in statements[:-1]:
            connection.exec_driver_sql(statement)
        result = connection.exec_driver_sql(statements[-1])
        rows: list[Sequence[Any]] = [tuple(row) for row in result] if result.returns_rows else []
    engine.dispose()
    return rows


def _verdict(url: str) -> Verdict:
    with closing(Engine.open(url, clock=frozen)) as engine:
        return verify(engine)


def _codes(url: str) -> set[str]:
    return {finding.code for finding in _verdict(url).findings}


def _changed(column: str, value: object, kind: str) -> str:
    """Return SQL of another value of the same type."""
    if isinstance(value, (bytes, memoryview)):
        flipped = bytes([bytes(value)[0] ^ 1]) + bytes(value)[1:]
        return f"'\\x{flipped.hex()}'" if kind == "postgresql" else f"x'{flipped.hex()}'"
    if isinstance(value, int):
        return str(1 - value if column == "accepted" else value - 1000 if value > 2**62 else value + 1000)
    return "1" if value is None else f"'{value}x'"


def _stands_in(table: str) -> tuple[str, dict[str, str]]:
    """Return in which table the rows of one, or of a view, stand, and how their columns are called there."""
    into, columns, _, _ = target(table)
    return into, dict(zip(COLUMNS[table], columns, strict=True))


def _is(table: str, named: Iterable[tuple[str, Any]]) -> str:
    """Return SQL of the rows of a table, or of a view, in which columns have certain values."""
    written = _stands_in(table)[1]
    values = {written[name]: str(value) if isinstance(value, int) else f"'{value}'" for name, value in named}
    return " AND ".join(f"{name} = {value}" for name, value in {**values, **target(table).fixed}.items())


def _cases() -> list[Any]:
    columns = [(table, column) for table, names in COLUMNS.items() if table in GUARDED for column in names]
    return [pytest.param(*case, id=".".join(case)) for case in columns if case not in HINTS]


@pytest.mark.parametrize(("table", "column"), _cases())
def test_every_column_is_guarded(sqlite_db: str, table: str, column: str) -> None:
    _guarded(_made(sqlite_db), table, column)


@pytest.mark.heavy
@pytest.mark.postgres
@pytest.mark.parametrize(("table", "column"), _cases())
def test_every_column_is_guarded_on_postgresql(postgres_db: str, table: str, column: str) -> None:
    _guarded(_made(postgres_db), table, column)


def _guarded(url: str, table: str, column: str) -> None:
    """Change a column of the first row that can be changed, and expect a finding of the table's own codes."""
    kind = url.partition(":")[0].partition("+")[0]
    key = COLUMNS[table][: 3 if table in {"metric", "fact"} else 2 if table not in {"account", "chain"} else 1]
    rows = _sql(url, f"SELECT {', '.join(key)}, {column} FROM {table} ORDER BY {', '.join(key)}")
    rows = [row for row in rows if row[-1] is not None] or rows
    row = rows[-1]
    into, written = _stands_in(table)
    where = _is(table, zip(key, row[:-1], strict=True))
    _sql(url, f"UPDATE {into} SET {written[column]} = {_changed(column, row[-1], kind)} WHERE {where}")
    codes = _codes(url)
    assert codes, f"{table}.{column} was changed and nobody noticed"
    assert codes & EXPECTED[table], f"{table}.{column}: {codes}"


@pytest.mark.parametrize(("table", "column"), EMPTIED)
def test_a_column_of_the_state_that_is_emptied_is_missed(books: str, table: str, column: str) -> None:
    into, written = _stands_in(table)
    _sql(books, f"UPDATE {into} SET {written[column]} = NULL WHERE {_is(table, [('account_id', 1)])}")
    assert _codes(books) & EXPECTED[table]


def test_a_counter_that_says_nothing_is_found(books: str) -> None:
    _sql(books, "INSERT INTO state (account_id, part, name, number) VALUES (1, 2, 'spend', 1)")
    assert _codes(books) == {"I25"}


@pytest.mark.parametrize("table", GUARDED)
def test_a_row_that_is_gone_is_missed(books: str, table: str) -> None:
    key = "id" if table == "account" else "account_id"
    [[last]] = _sql(books, f"SELECT max({key}) FROM {table}")
    order = ", ".join(COLUMNS[table][:3]) if table != "event_key" else "account_id, seq"
    row = _sql(books, f"SELECT {order} FROM {table} WHERE {key} = {last} ORDER BY {order}")[-1]
    _sql(books, f"DELETE FROM {_stands_in(table)[0]} WHERE {_is(table, zip(order.split(', '), row, strict=True))}")
    assert _codes(books) & EXPECTED[table]


@pytest.mark.parametrize(
    ("statement", "codes"),
    [
        ("INSERT INTO hold VALUES (1, 9, 'GBP', 5, '[[1,5]]', 0, 0, 0, 0)", {"I7"}),
        (f"INSERT INTO state ({LOT}) VALUES (1, 1, '', 99, 'GBP', 'paid', 0, 5, 0, 1, 100, 0)", {"I3"}),
        (f"INSERT INTO state ({LOT}) VALUES (77, 1, '', 1, 'GBP', 'paid', 0, 5, 0, 1, 100, 0)", {"I3"}),
        ("INSERT INTO state (account_id, part, name, number, value) VALUES (1, 2, 'spend', 739000, 5)", {"I25"}),
        ("INSERT INTO state (account_id, part, name, number, seq) VALUES (77, 0, '', 0, 5)", {"I3"}),
        ("INSERT INTO fact VALUES (1, 'vip', 5, 'yes', 6, '')", {"I25"}),
        ("INSERT INTO event_key VALUES ('default', 'ghost', 1, 1)", {"I13"}),
        ("INSERT INTO sale VALUES (1, 1, 0, 1, 5, 0, 'GBP', 'ghost', '', '', '')", {"I30"}),
        ("INSERT INTO sale VALUES (1, 99, 0, 1, 5, 0, 'GBP', 'ghost', '', '', '')", {"I30"}),
        ("UPDATE sale SET amount = NULL WHERE account_id = 1", {"I30"}),
        ('UPDATE journal SET postings = \'[["GBP",5,"cash","sales",""]]\' WHERE account_id = 1 AND seq = 2', {"I17"}),
        ("UPDATE journal SET postings = '[]' WHERE account_id = 1 AND seq = 2", {"I17"}),
        ("UPDATE journal SET postings = '[[1]]' WHERE account_id = 1 AND seq = 2", {"I16"}),
    ],
)
def test_a_row_too_many_is_noticed(books: str, statement: str, codes: set[str]) -> None:
    _sql(books, statement)
    assert _codes(books) & codes


def test_rows_that_changed_places_are_noticed(books: str) -> None:
    _sql(
        books,
        "UPDATE journal SET seq = 1000 WHERE account_id = 1 AND seq = 3",
        "UPDATE journal SET seq = 3 WHERE account_id = 1 AND seq = 4",
        "UPDATE journal SET seq = 4 WHERE account_id = 1 AND seq = 1000",
    )
    assert _codes(books) & {"I13", "I17"}


def test_a_program_that_was_changed_is_noticed(books: str) -> None:
    _sql(books, "UPDATE program SET content = replace(content, 'floor(order.net)', 'floor(order.net) * 2')")
    assert _codes(books)


def test_a_tail_that_was_cut_off_shows_only_against_a_head_kept_elsewhere(books: str) -> None:
    """Who removes the last entry and puts all that derives from it back leaves sound books; the head tells."""
    with Engine.open(books, clock=frozen) as engine:
        before = {row[0]: row[1:] for row in _sql(books, "SELECT account_id, head, clock FROM chain")}
        head = verify(engine).head
        engine.post(event("account.frozen", "f1", "bob", at="2025-08-02T00:00:00Z"))
        after = verify(engine).head
    assert head != after
    [[id_, seq]] = _sql(books, "SELECT id, seq FROM account JOIN chain ON account_id = id WHERE ref = 'bob'")
    old, clock = before[id_]
    blob = f"'\\x{bytes(old).hex()}'" if books.startswith("postgresql") else f"x'{bytes(old).hex()}'"
    _sql(
        books,
        f"DELETE FROM journal WHERE account_id = {id_} AND seq = {seq}",
        f"DELETE FROM event_key WHERE account_id = {id_} AND seq = {seq}",
        f"UPDATE account SET status = 'open' WHERE id = {id_}",
        f"UPDATE state SET seq = seq - 1, head = {blob}, clock = {clock} WHERE account_id = {id_} AND part = 0",
    )
    verdict = _verdict(books)
    assert verdict.ok
    assert verdict.head == head != after


def test_a_journal_written_anew_shows_only_against_a_head_kept_elsewhere(books: str, sqlite_db: str) -> None:
    """An attacker with the program and patience makes other books, as sound as these."""
    honest = _verdict(books).head
    with opened(sqlite_db.replace("stampbook.db", "forged.db")) as engine:
        engine.post(event("topup", "t1", amount="5000.00"))
        forged = verify(engine)
    assert forged.ok
    assert forged.head != honest


@pytest.mark.parametrize("where", [0.1, 0.35, 0.6, 0.85])
def test_a_file_with_broken_pages_is_reported_in_one_line(sqlite_db: str, where: float) -> None:
    path = Path(_made(sqlite_db).removeprefix("sqlite:///"))
    content = bytearray(path.read_bytes())
    page = int(len(content) * where) // 4096 * 4096
    content[page : page + 4096] = bytes(4096)
    path.write_bytes(content)
    try:
        complaints = [finding.message for finding in _verdict(sqlite_db).findings]
    except StoreError as error:
        complaints = [str(error)]
    assert complaints
    assert not any("\n" in complaint for complaint in complaints)
