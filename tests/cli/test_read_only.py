"""A database that may be read and not written to: an archive, a copy for an auditor, a disk that is mounted so."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from stampbook import Engine, StoreError
from tests.cli.shop import PROGRAM
from tests.cli.test_bad_input import STAMPBOOK

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Root may write whatever the mode of a file says; a process that has lost these two capabilities may not.
_AS_ANYONE = """
import ctypes, os, sys
if os.geteuid() == 0:
    for capability in (1, 2):
        if ctypes.CDLL(None).prctl(24, capability, 0, 0, 0):
            sys.exit("capabilities cannot be given up here")
os.execv(sys.argv[1], sys.argv[1:])
"""

FILE_AND_FOLDER = pytest.mark.parametrize(("file", "folder"), [(0o444, 0o755), (0o444, 0o555), (0o644, 0o555)])


def started(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _AS_ANYONE, *STAMPBOOK, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@contextmanager
def kept_from_writing(folder: Path, file: int = 0o444, mode: int = 0o555) -> Iterator[None]:
    (folder / "stampbook.db").chmod(file)
    folder.chmod(mode)
    try:
        if os.geteuid() == 0 and "cannot be given up" in started(folder, "--version").stderr:
            pytest.skip("this root cannot give its capabilities up")
        yield
    finally:
        folder.chmod(0o755)
        (folder / "stampbook.db").chmod(0o644)


@FILE_AND_FOLDER
def test_what_only_reads_works_and_leaves_nothing_behind(shop: Path, file: int, folder: int) -> None:
    reading = [
        ("statement", "1001", "--as-of", "2025-04-30"),
        ("account", "show", "1001", "--as-of", "2025-04-30"),
        ("account", "list"),
        ("explain", "sale-1"),
        ("explain", "1001", "--as-of", "2025-04-30"),
        ("verify",),
        ("export", "csv"),
        ("plugins", "list"),
    ]
    expected = [started(shop, *arguments) for arguments in reading]
    before = sorted(path.name for path in shop.iterdir())
    with kept_from_writing(shop, file, folder):
        for arguments, wanted in zip(reading, expected, strict=True):
            found = started(shop, *arguments)
            assert (found.returncode, found.stderr) == (0, ""), arguments
            assert found.stdout == wanted.stdout
    assert sorted(path.name for path in shop.iterdir()) == before


@FILE_AND_FOLDER
def test_what_writes_is_one_clear_line(shop: Path, file: int, folder: int) -> None:
    (shop / "new.toml").write_text(f"# a word\n{PROGRAM}", encoding="utf-8")
    with kept_from_writing(shop, file, folder):
        for arguments in (
            ("topup", "1001", "5", "--id", "t"),
            ("tick",),
            ("segments", "run", "--at", "2025-03-31"),
            ("apply", "new.toml"),
        ):
            said = started(shop, *arguments)
            assert said.returncode == 1
            assert said.stderr == (
                "Error: database stampbook.db may not be written to; nothing was written, check its permissions\n"
            )


def unfinished(folder: Path) -> None:
    """Leave what was committed last beside the database, as a process that was killed does."""
    code = (
        "import os\nfrom stampbook import Engine\nengine = Engine.open('stampbook.db')\n"
        "engine.post({'type': 'topup', 'id': 'last', 'account': '1010', 'at': '2025-05-01', 'amount': '3'})\n"
        "os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True)
    assert (folder / "stampbook.db-wal").stat().st_size


def test_what_was_committed_last_is_read_from_beside_the_file(shop: Path) -> None:
    unfinished(shop)
    with kept_from_writing(shop):
        assert "top-up of 3.00 EUR" in started(shop, "statement", "1010").stdout


def test_books_are_never_read_without_what_was_committed_last(shop: Path) -> None:
    unfinished(shop)
    (shop / "stampbook.db-shm").unlink()
    with kept_from_writing(shop):
        said = started(shop, "statement", "1010")
    assert said.returncode == 1
    assert said.stderr.startswith("Error: database stampbook.db may not be written to, and cannot be read without the")
    assert "copy all of these files to a folder that may be written to" in said.stderr
    assert len(said.stderr.splitlines()) == 1


def test_a_file_that_may_not_even_be_read(shop: Path) -> None:
    with kept_from_writing(shop, 0o000):
        said = started(shop, "account", "list")
    assert said.stderr == "Error: database stampbook.db cannot be opened; check the folder and its permissions\n"


def test_a_folder_that_may_not_be_looked_into(shop: Path) -> None:
    inner = shop / "inner"
    inner.mkdir()
    (shop / "stampbook.db").rename(inner / "stampbook.db")
    inner.chmod(0o000)
    try:
        if os.geteuid() == 0 and "cannot be given up" in started(shop, "--version").stderr:
            pytest.skip("this root cannot give its capabilities up")
        said = started(shop, "--db", "inner/stampbook.db", "account", "list")
    finally:
        inner.chmod(0o755)
    assert said.returncode == 1
    assert said.stderr == (
        "Error: inner/stampbook.db cannot be opened: Permission denied; check the folder and its permissions\n"
    )


def somebody_else_writes(database: Path) -> None:
    connection = sqlite3.connect(database)
    connection.execute("UPDATE state SET due_at = due_at - 1 WHERE part = 0")
    connection.commit()
    connection.close()


def test_books_that_change_while_they_are_read_unlocked_are_not_told(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda _, mode: mode != os.W_OK)
    with Engine.open("sqlite:///stampbook.db") as engine:
        assert engine.registry().context.name == "Corner Coffee Card"
        with pytest.raises(StoreError, match="was changed while it was read; try again"), engine.store.reader():
            somebody_else_writes(shop / "stampbook.db")
        with engine.store.reader() as session:
            assert len(session.refs()) == 9
