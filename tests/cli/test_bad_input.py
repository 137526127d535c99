from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.shop import one_line, run

STAMPBOOK = [sys.executable, "-c", "import sys; sys.argv[0] = 'stampbook'; from stampbook.cli import main; main()"]


def started(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "STAMPBOOK_DB"}
    return subprocess.run(
        [*STAMPBOOK, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_a_missing_database_says_what_to_do(empty: Path) -> None:
    assert one_line("account", "list") == "Error: there is no database stampbook.db; run: stampbook init"
    assert not list(empty.iterdir())


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"this is no database, however long it may be, and will not become one" * 20, "not a SQLite database"),
        (b"", "has no Stampbook tables; run: stampbook init"),
    ],
)
def test_a_file_that_is_no_database(empty: Path, content: bytes, says: str) -> None:
    (empty / "x.db").write_bytes(content)
    assert says in one_line("account", "list", "--db", "x.db")
    assert (empty / "x.db").read_bytes() == content


def test_a_database_of_somebody_else(empty: Path) -> None:
    connection = sqlite3.connect(empty / "x.db")
    connection.execute("CREATE TABLE photos (id INTEGER)")
    connection.close()
    assert "belongs to something else" in one_line("init", "--db", "x.db")


def test_a_database_of_a_newer_version(shop: Path) -> None:
    connection = sqlite3.connect(shop / "stampbook.db")
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    for arguments in (["account", "list"], ["init"]):
        assert "newer than this Stampbook" in one_line(*arguments)


def test_a_database_address_of_another_kind(empty: Path) -> None:
    assert "mysql:// is no database" in one_line("account", "list", "--db", "mysql://host/x")


def test_a_server_that_is_not_there_is_one_line_without_the_password(empty: Path) -> None:
    pytest.importorskip("psycopg")
    said = one_line("account", "list", "--db", "postgresql://anna:secret@127.0.0.1:1/x")
    assert "cannot be reached" in said
    assert "secret" not in said


def test_a_database_that_is_held_by_another_writer(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from stampbook.store import sqlite as store

    original = store.SqliteStore.__init__
    monkeypatch.setattr(
        store.SqliteStore,
        "__init__",
        lambda self, url, **options: original(self, url, **{**options, "busy_seconds": 0.01}),
    )
    connection = sqlite3.connect(shop / "stampbook.db")
    connection.execute("BEGIN IMMEDIATE")
    said = one_line("topup", "1001", "5", "--id", "t")
    connection.rollback()
    connection.close()
    assert "held by another writer; nothing was written, try again" in said
    run("topup", "1001", "5", "--id", "t")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["account", "show", "101"], "no account 101 (did you mean '1010'?)"),
        (["statement", "10001"], "no account 10001 (did you mean '1001'?)"),
        (["account", "show", ""], "no account"),
        (["explain", "sale-9"], "no account sale-9, and no event of that id"),
        (["explain", "sale-1", "--source", "web"], "no event sale-1 of source web is in the journal"),
        (["explain", "sale-9", "--event"], "no event sale-9 is in the journal"),
        (["statement", "1001", "--as-of", "2025-13-01"], "'2025-13-01' is not a date or time"),
        (["statement", "1001", "--as-of", "tomorrow"], "is not a date or time"),
        (["statement", "1001", "--from", "1066-10-14"], "outside the years that are kept"),
        (["account", "show", "1001", "--as-of", "2024-01-01"], "account 1001 was not open yet on 2024-01-01"),
        (["account", "show", "1001", "--known-at", "2024-01-01"], "nothing was known yet of account 1001"),
        (["apply", "missing.toml"], "missing.toml: cannot be read"),
        (["apply", "coffee_shop.toml", "--from", "soon"], "is not a date or time"),
        (["import", "missing.jsonl"], "missing.jsonl"),
        (["import", "stampbook.db"], "stampbook.db"),
        (["export", "parquet"], "name a file"),
        (["export", "csv", "--output", "missing/x.csv"], "missing"),
    ],
)
def test_a_mistake_is_one_clear_line(shop: Path, arguments: list[str], says: str) -> None:
    assert says in one_line(*arguments)


def test_the_exit_codes_of_real_processes(shop: Path) -> None:
    good = started(shop, "account", "show", "1001", "--json")
    assert (good.returncode, good.stderr) == (0, "")
    wrong = started(shop, "account", "show", "none")
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert len(wrong.stderr.splitlines()) == 1
    refused = started(shop, "spend", "1001", "5000", "--id", "s")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith("Refused: insufficient_balance")
    misused = started(shop, "account", "show")
    assert misused.returncode == 2
    assert "Usage: stampbook account show" in misused.stderr


def test_a_bug_shows_its_traceback(shop: Path) -> None:
    connection = sqlite3.connect(shop / "stampbook.db")
    connection.execute("UPDATE journal SET trace = '[' WHERE seq = 3")
    connection.commit()
    connection.close()
    broken = started(shop, "explain", "sale-1")
    assert broken.returncode == 1
    assert "Traceback" in broken.stderr


def test_a_closed_pipe_ends_quietly(shop: Path) -> None:
    with subprocess.Popen(
        [*STAMPBOOK, "export", "jsonl"], cwd=shop, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert "Traceback" not in process.stderr.read()


FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["account", "list"], "the output"),
        (["account", "list", "--json"], "the output"),
        (["verify"], "the output"),
        (["--help"], "the output"),
        (["export", "csv"], "the export"),
        (["export", "beancount"], "the export"),
        (["export", "jsonl"], "the export"),
        (["export", "csv", "--output", "/dev/full"], "/dev/full"),
    ],
)
def test_output_that_is_full_is_one_clear_line(shop: Path, arguments: list[str], what: str) -> None:
    with FULL.open("w") as full:
        said = subprocess.run(
            [*STAMPBOOK, *arguments], cwd=shop, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert said.returncode == 1
    assert said.stderr == f"Error: {what} was not written: the disk is full; make room and try again\n"


def test_a_command_does_without_output_that_was_closed(shop: Path) -> None:
    shell = ["sh", "-c", 'exec "$@" >&-', "sh"]
    said = subprocess.run(
        [*shell, *STAMPBOOK, "account", "list"], cwd=shop, stderr=subprocess.PIPE, text=True, check=False
    )
    assert (said.returncode, said.stderr) == (0, "")


def test_a_program_in_the_way_of_bytes_that_are_no_text(shop: Path) -> None:
    (shop / "bad.jsonl").write_bytes(b'{"type": "purchase", "id": "\xff"}\n')
    result = run("import", "bad.jsonl", "--json", code=2)
    assert '"malformed": 1' in result.stdout
