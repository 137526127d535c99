"""The databases that the tests bring up themselves."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

CONFTEST = Path(__file__).parents[1] / "conftest.py"


def tables(url: str) -> list[str]:
    catalogue = "pg_tables WHERE schemaname = 'public'" if url.startswith("postgresql") else "sqlite_master"
    column = "tablename" if url.startswith("postgresql") else "name"
    engine = create_engine(url)
    with closing(engine.connect()) as connection:
        names = list(connection.scalars(text(f"SELECT {column} FROM {catalogue}")))
    engine.dispose()
    return names


@pytest.mark.parametrize("visit", [1, 2])
def test_every_test_has_an_empty_database_of_its_own(any_db: str, visit: int) -> None:
    assert tables(any_db) == []
    engine = create_engine(any_db)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE visitor (n integer)"))
        connection.execute(text("INSERT INTO visitor VALUES (:n)"), {"n": visit})
    assert tables(any_db) == ["visitor"]
    engine.dispose()


SESSION = """
import time
def test_servant(postgres_url):
    print("url", postgres_url, flush=True)
    time.sleep(60)
"""


@pytest.mark.postgres
@pytest.mark.timeout(180)
def test_a_killed_test_run_leaves_no_server_behind(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST.read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = postgres\n", encoding="utf-8")
    (tmp_path / "test_servant.py").write_text(SESSION, encoding="utf-8")
    run = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-s", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    assert run.stdout
    with run.stdout as lines:
        home = Path(next(line for line in lines if line.startswith("url")).split("host=")[1].strip()).parent
        assert list(home.glob("*/postmaster.pid"))
        run.kill()
        run.wait()
    deadline = time.monotonic() + 20  # less than the patience with a server that does not stop
    while home.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not home.exists()
