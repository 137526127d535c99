"""T-KILL: an import is killed at random moments; what it acknowledged is there, the rest is whole or absent."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import pytest

from stampbook.engine import Engine
from tests.faults.books import event, findings, frozen, heads, opened, picture, run, script

if TYPE_CHECKING:
    from tests.faults.books import Data

CHILD = Path(__file__).with_name("child.py")
BATCH = 5


def _written(path: Path, events: list[Data]) -> Path:
    path.write_bytes(b"".join(orjson.dumps(event) + b"\n" for event in events))
    return path


def _killed(what: str, url: str, file: Path, patience: float, start: int = 0) -> tuple[int, bool]:
    """Start an import, kill it after a while, and return what it acknowledged and whether it came to the end."""
    child = subprocess.Popen(
        [sys.executable, str(CHILD), what, url, str(file), str(BATCH), str(start)], stdout=subprocess.PIPE, text=True
    )
    with closing(child.stdout) as lines:  # type: ignore[type-var]
        assert lines
        assert lines.readline() == "ready\n"
        time.sleep(patience)
        child.kill()
        said = lines.read().split()
        ended = child.wait() == 0
    acknowledged = [line for line in said if line.isdigit()]
    return int(acknowledged[-1]) if acknowledged else start, ended or "done" in said


def _recorded(url: str, events: list[Data]) -> list[bool]:
    """Return which events have an entry."""
    with closing(Engine.open(url, clock=frozen)) as engine, engine.store.reader() as session:
        pairs = [("default", data["id"]) for data in events]
        known = session.keys(set(pairs))
        return [pair in known for pair in pairs]


def _campaign(url: str, folder: Path, kills: int, events: list[Data], what: str = "import") -> None:
    file = _written(folder / "events.jsonl", events)
    chance = random.Random(kills)
    malformed = {data["id"] for data in events if data.get("amount") in {"-1", "x", "0.001"}}
    opened(url).close()
    interrupted = acknowledged = 0
    for kill in range(kills):
        start = max(0, acknowledged - 20)  # and so sends again what it cannot be sure of, and some of the rest
        acknowledged, ended = _killed(what, url, file, chance.uniform(0.0, 0.15), start)
        interrupted += not ended
        there = _recorded(url, events)
        for data, recorded in zip(events[:acknowledged], there, strict=False):
            assert recorded == (data["id"] not in malformed), "an acknowledged event is lost"
        if kill % 20 < 4:
            with opened(url) as engine:
                assert findings(engine) == ()
    assert interrupted, "no run was killed before it was done"
    with opened(url) as engine:
        run(engine, events, BATCH)
        found, chains = picture(engine), heads(engine)
        assert findings(engine) == ()
    with opened(f"sqlite:///{folder / 'undisturbed.db'}") as engine:
        run(engine, events, BATCH)
        assert chains == heads(engine)
        assert found == picture(engine)


def test_a_killed_import_goes_on_where_it_was(any_db: str, tmp_path: Path) -> None:
    _campaign(any_db, tmp_path, 10, script(1_500, accounts=40))


@pytest.mark.heavy
def test_an_import_killed_two_hundred_times(any_db: str, tmp_path: Path) -> None:
    _campaign(any_db, tmp_path, 200, script(20_000, accounts=400))


def _imported_through_kills(
    url: str, folder: Path, kills: int, count: int, *, what: str = "import-file", patience: float = 0.3
) -> None:
    opening = [event("account.opened", f"o{number}", f"c{number}") for number in range(40)]
    events = opening + script(count, accounts=40)  # no strangers: several processes may meet them in any order
    file = _written(folder / "events.jsonl", events)
    chance = random.Random(7)
    opened(url).close()
    interrupted = 0
    for _ in range(kills):
        _, ended = _killed(what, url, file, chance.uniform(0.0, patience))
        interrupted += not ended
        with opened(url) as engine:
            assert findings(engine) == ()
    assert interrupted
    from stampbook.importing import import_file

    with Engine.open(url) as engine:
        import_file(engine, file, refused=folder / "refused.jsonl")
        assert findings(engine) == ()
        found = _without_instants(picture(engine))
    with opened(f"sqlite:///{folder / 'undisturbed.db'}") as engine:
        run(engine, events)
        assert found == _without_instants(picture(engine))


def _without_instants(tables: dict[str, list[tuple[object, ...]]]) -> dict[str, list[tuple[object, ...]]]:
    """Leave out when things were recorded, and the hashes over it."""
    left = {name: rows for name, rows in tables.items() if name not in {"chain", "journal"}}
    left["chain"] = [(*row[:3], *row[5:]) for row in tables["chain"]]
    left["journal"] = [(*row[:6], *row[7:13]) for row in tables["journal"]]
    return left


def test_a_killed_import_of_a_file_goes_on_where_it_was(any_db: str, tmp_path: Path) -> None:
    _imported_through_kills(any_db, tmp_path, 10, 1_500)


@pytest.mark.heavy
def test_an_import_of_a_long_file_killed_often(any_db: str, tmp_path: Path) -> None:
    _imported_through_kills(any_db, tmp_path, 40, 20_000)


def test_an_import_by_several_processes_goes_on_where_it_was(any_db: str, tmp_path: Path) -> None:
    """The process that writes is killed; those that decide for it end by themselves."""
    _imported_through_kills(any_db, tmp_path, 3, 1_500, what="import-by-two", patience=2.5)


@pytest.mark.heavy
def test_an_import_by_several_processes_killed_ten_times(any_db: str, tmp_path: Path) -> None:
    _imported_through_kills(any_db, tmp_path, 10, 20_000, what="import-by-two", patience=4.0)


@pytest.mark.heavy
@pytest.mark.postgres
def test_a_server_that_is_stopped_at_once_loses_nothing_acknowledged(postgres_db: str, tmp_path: Path) -> None:
    """Every connection of the ledger is ended by the server, again and again, while it imports."""
    import psycopg

    events = script(3_000, accounts=40)
    file = _written(tmp_path / "events.jsonl", events)
    opened(postgres_db).close()
    ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> %s"
    chance = random.Random(3)
    for _ in range(30):
        child = subprocess.Popen(
            [sys.executable, str(CHILD), "import", postgres_db, str(file), str(BATCH), "0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert child.stdout
        assert child.stdout.readline() == "ready\n"
        time.sleep(chance.uniform(0.0, 0.3))
        with psycopg.connect(postgres_db.replace("+psycopg", ""), autocommit=True) as other:
            other.execute(ended, [other.info.backend_pid])
        child.stdout.read()
        child.wait()
        child.stdout.close()
    with opened(postgres_db) as engine:
        run(engine, events, BATCH)
        assert findings(engine) == ()
        chains = heads(engine)
    with opened(f"sqlite:///{tmp_path / 'undisturbed.db'}") as engine:
        run(engine, events, BATCH)
        assert chains == heads(engine)
