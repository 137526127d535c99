"""An archive is never wrong: what it says is what the journal says, whatever happened to either meanwhile."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from contextlib import nullcontext
from itertools import count
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stampbook import Engine
from stampbook.archive import archive_in
from stampbook.errors import InputError, StoreBusyError
from stampbook.histories import read_frames
from stampbook.periods import Calendar
from tests.effort import examples

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AT = Calendar().parse
NOW = AT("2025-06-01")
PROGRAM = """
[program]
name = "Shop"
currency = "EUR"
open_accounts = "on first event"
unknown_returns = "accept"

[assets.points]
[assets.USD]

[[plugin]]
use = "refunds"

[[plugin]]
use = "merging"
later_events = "forward"
"""


def opened(url: str, program: str = PROGRAM) -> Engine:
    engine = Engine.open(url, create=True, clock=lambda: NOW)
    engine.put_text_in_force(program)
    return engine


@pytest.fixture
def engine(any_db: str) -> Iterator[Engine]:
    with opened(any_db) as engine:
        yield engine


def bought(name: str, account: str = "ann", at: str = "2025-02-01", **said: Any) -> dict[str, Any]:
    said = said or {"lines": [{"sku": "x", "category": "tea", "amount": "5.00"}, {"sku": "y", "amount": "2.50"}]}
    return {"type": "purchase", "id": name, "account": account, "at": at, **said}


def seen(engine: Engine, archive: Path | None, until: int = NOW, *, lines: bool = True) -> tuple[Any, ...]:
    with nullcontext() if archive is None else archive_in(archive) as place:
        past = read_frames(engine, until, {"history", "lines"} if lines else {"history"}, archive=place)
        frames = [past.frames.history, *([past.frames.lines] if lines else [])]
        assert all(isinstance(frame, pl.LazyFrame) for frame in frames)
        tables = [sorted(map(repr, frame.collect().rows())) for frame in frames if isinstance(frame, pl.LazyFrame)]
        return past.rows, past.left_out, *tables


def agree(engine: Engine, archive: Path, until: int = NOW, *, lines: bool = True) -> None:
    assert seen(engine, archive, until, lines=lines) == seen(engine, None, until, lines=lines)


def files(archive: Path) -> set[str]:
    return {path.name for path in archive.iterdir()}


def test_what_is_new_is_added_and_late_news_as_well(engine: Engine, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    agree(engine, archive)
    engine.process([bought(f"p{number}", f"a{number % 7}") for number in range(40)])
    engine.process([bought("usd", amount="3.00", currency="USD")])
    agree(engine, archive)
    large = max(archive.glob("sales-*"), key=lambda path: path.stat().st_size).name
    engine.process([bought("late", "a1", "2024-01-01"), bought("new", "zoe")])
    engine.process([{"type": "return", "id": "r", "account": "a1", "at": "2025-03-01", "purchase": "p1"}])
    assert seen(engine, archive) == seen(engine, None)
    agree(engine, archive, AT("2024-06-01"))
    assert large in files(archive)


def test_nothing_new_leaves_it_as_it_is(engine: Engine, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    engine.process([bought("p1")])
    agree(engine, archive)
    before = {path: path.stat().st_mtime_ns for path in archive.iterdir()}
    agree(engine, archive)
    agree(engine, archive, lines=False)
    assert {path: path.stat().st_mtime_ns for path in archive.iterdir()} == before


def test_what_it_does_not_hold_is_read_of_the_journal_once_it_is_wanted(engine: Engine, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    engine.process([bought("p1")])
    agree(engine, archive, lines=False)
    assert not any(name.startswith("lines") for name in files(archive))
    agree(engine, archive)
    engine.process([bought("p2")])
    agree(engine, archive, lines=False)
    agree(engine, archive)


def test_no_file_is_left_that_it_does_not_need(engine: Engine, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    for number in range(20):
        engine.process([bought(f"p{number}")])
        agree(engine, archive, lines=False)
    assert len(files(archive)) <= 3 + 5


@pytest.mark.parametrize("pattern", ["archive.json", "sales-*", "heads-*", "lines-*"])
@pytest.mark.parametrize("harm", ["cut", "changed", "gone"])
def test_a_damaged_archive_is_made_anew(sqlite_db: str, tmp_path: Path, pattern: str, harm: str) -> None:
    archive = tmp_path / "archive"
    with opened(sqlite_db) as engine:
        engine.process([bought("p1"), bought("p2", "bob")])
        agree(engine, archive)
        [path] = archive.glob(pattern)
        content = path.read_bytes()
        if harm == "gone":
            path.unlink()
        else:
            middle = len(content) // 2
            changed = bytes([content[middle] ^ 1])
            path.write_bytes(content[:middle] if harm == "cut" else content[:middle] + changed + content[middle + 1 :])
        agree(engine, archive)
        assert len(files(archive)) == 5


def test_the_archive_of_another_ledger_is_made_anew(engine: Engine, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    with opened(f"sqlite:///{tmp_path / 'other.db'}") as other:
        other.process([bought("p1"), bought("p2")])
        agree(other, archive)
    engine.process([bought("p1"), bought("p9"), bought("p3")])
    agree(engine, archive)


def test_a_ledger_that_was_put_back_to_a_copy_and_went_another_way_is_read_anew(tmp_path: Path) -> None:
    archive, path, copy = tmp_path / "archive", tmp_path / "l.db", tmp_path / "copy.db"
    with opened(f"sqlite:///{path}") as engine:
        engine.process([bought("p1"), bought("q1", "bob")])
    shutil.copy(path, copy)
    with Engine.open(f"sqlite:///{path}", clock=lambda: NOW) as engine:
        engine.process([bought("p2"), bought("q2", "bob")])
        agree(engine, archive)
    shutil.copy(copy, path)
    with Engine.open(f"sqlite:///{path}", clock=lambda: NOW) as engine:
        agree(engine, archive)
        engine.process([bought("p2", amount="1.00"), bought("p3"), bought("q3", "bob")])
        agree(engine, archive)


def test_a_folder_of_other_things_is_left_alone(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"")
    with pytest.raises(InputError, match=r"is no archive, it holds .*; name an empty folder"):
        seen(engine, tmp_path)


@pytest.mark.parametrize("content", ["null", "[]", "7", "{}", "[" * 100_000])
def test_an_archive_whose_list_is_something_else_is_made_anew(sqlite_db: str, tmp_path: Path, content: str) -> None:
    with opened(sqlite_db) as engine:
        engine.process([bought("p1")])
        agree(engine, tmp_path / "archive")
        (tmp_path / "archive" / "archive.json").write_text(content)
        agree(engine, tmp_path / "archive")


@pytest.mark.parametrize("name", ["sales-2024.parquet", "archive.json", "archive-old.json"])
def test_files_that_only_sound_like_an_archive_are_left_alone(engine: Engine, tmp_path: Path, name: str) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / name).write_bytes(b"{}")
    with pytest.raises(InputError, match=rf"is no archive, it holds {name}"):
        seen(engine, tmp_path / "own")
    assert files(tmp_path / "own") == {name}


def test_what_somebody_put_beside_it_stays(engine: Engine, tmp_path: Path) -> None:
    agree(engine, tmp_path / "archive")
    (tmp_path / "archive" / "sales-2024.parquet").write_bytes(b"own")
    engine.process([bought("p1")])
    agree(engine, tmp_path / "archive")
    assert "sales-2024.parquet" in files(tmp_path / "archive")


def test_a_manifest_that_was_edited_is_not_believed(engine: Engine, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    engine.process([bought("p1")])
    agree(engine, archive)
    said = json.loads((archive / "archive.json").read_bytes())
    (archive / "archive.json").write_text(json.dumps({**said, "sales": []}), encoding="utf-8")
    agree(engine, archive)


def test_one_at_a_time_uses_it(engine: Engine, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    with (
        archive_in(archive),
        pytest.raises(StoreBusyError, match="is in use by another run; try again when that is done"),
        archive_in(archive, wait_seconds=0.1),
    ):
        pass
    agree(engine, archive)


_BUYER = """
import sys
from pathlib import Path
from stampbook import Engine
from stampbook.archive import archive_in
from stampbook.histories import read_frames

url, folder, own = sys.argv[1:]
with Engine.open(url) as engine:
    for number in range(6):
        engine.post({"type": "purchase", "id": f"{own}-{number}", "account": own, "at": "2025-02-01", "amount": "1.00"})
        with archive_in(Path(folder)) as archive:
            history = read_frames(engine, engine.clock(), {"history"}, archive=archive).frames.history.collect()
        assert history["event"].n_unique() == len(history)
        assert len(history.filter(account=own)) == number + 1
"""


def test_several_at_once_each_see_all_that_was_bought_before(engine: Engine, any_db: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", _BUYER, any_db, str(tmp_path / "archive")]
    buyers = [subprocess.Popen([*command, own], stderr=subprocess.PIPE, text=True) for own in ("ann", "bob", "cid")]
    assert [buyer.communicate()[1] for buyer in buyers] == [""] * 3
    agree(engine, tmp_path / "archive", lines=False)
    assert len(seen(engine, None)[2]) == 18


# Killed at the n-th time that it opens, renames or removes a file of the archive.
_KILLED = """
import os, signal, sys
from pathlib import Path
from stampbook import Engine
from stampbook.archive import archive_in
from stampbook.histories import read_frames

url, folder, left = sys.argv[1], sys.argv[2], int(sys.argv[3])

def watch(event, arguments):
    global left
    if event in {"open", "os.rename", "os.remove", "os.mkdir"} and str(arguments[0]).startswith(folder):
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

with Engine.open(url) as engine:
    sys.addaudithook(watch)
    with archive_in(Path(folder)) as archive:
        read_frames(engine, engine.clock(), {"history", "lines"}, archive=archive)
"""


@pytest.mark.parametrize("was_there", [False, True])
def test_one_that_was_killed_at_any_step_is_gone_on_with(sqlite_db: str, tmp_path: Path, *, was_there: bool) -> None:
    archive = tmp_path / "archive"
    with opened(sqlite_db) as engine:
        for step in count(int(was_there), 2):
            if was_there:
                agree(engine, archive)
            engine.process([bought(f"p{step}"), bought(f"q{step}", f"account {step}")])
            command = [sys.executable, "-c", _KILLED, sqlite_db, str(archive), str(step)]
            ended = subprocess.run(command, check=False).returncode
            agree(engine, archive)
            assert len(files(archive)) <= 3 + 5 + 5, "what was begun and not finished is cleared away"
            if not was_there:
                shutil.rmtree(archive)
            if ended == 0:
                assert step > 8
                break
            assert ended == -signal.SIGKILL


def test_an_account_that_is_merged_after_it_was_archived_is_told_of_the_other(engine: Engine, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    engine.process([bought("p1", "old", "2025-01-01"), bought("p2", "new", "2025-01-02")])
    agree(engine, archive)
    told = engine.process(
        [
            {"type": "account.merged", "id": "m", "account": "old", "at": "2025-02-01", "to": "new"},
            {
                "type": "return",
                "id": "r",
                "account": "new",
                "at": "2025-02-02",
                "purchase": "p1",
                "lines": [{"line": 1}],
            },
            bought("late", "new", "2025-01-03"),
        ]
    )
    assert [outcome.status for outcome in told] == ["accepted"] * 3
    agree(engine, archive)
    agree(engine, archive, AT("2025-01-15"))
    with archive_in(archive) as place:
        lines = read_frames(engine, NOW, {"lines"}, archive=place).frames.lines
        assert isinstance(lines, pl.LazyFrame)
        back = lines.filter(kind="return").collect()
        assert back.select("account", "about", "category", "amount").rows() == [("new", "p1", "tea", 500)]
        assert set(lines.collect()["account"]) == {"new"}


def test_a_folder_that_cannot_be_made_is_told_in_one_line(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError, match=r"the archive .*file.inner cannot be kept: Not a directory"):
        seen(engine, tmp_path / "file" / "inner")


ACCOUNTS = st.sampled_from(["ann", "bob", "cid"])
DAYS = st.sampled_from(["2024-01-01", "2025-01-01", "2025-02-01", "2025-05-31"])
SALES = st.builds(lambda account, at, euros: ("purchase", account, at, euros), ACCOUNTS, DAYS, st.integers(0, 99))
BACK = st.builds(lambda account, at, euros: ("return", account, at, euros), ACCOUNTS, DAYS, st.integers(1, 99))


@examples(6)
@given(st.lists(st.lists(st.one_of(SALES, BACK), max_size=8), min_size=2, max_size=6))
def test_it_always_says_what_the_journal_says(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[tuple[str, str, str, int]]]
) -> None:
    folder = tmp_path_factory.mktemp("db")
    with opened(f"sqlite:///{folder / 'l.db'}") as engine:
        for number, batch in enumerate(batches):
            engine.process(
                [
                    {"type": kind, "id": f"{number}-{place}", "account": account, "at": at, "amount": f"{euros}.00"}
                    for place, (kind, account, at, euros) in enumerate(batch)
                ]
            )
            agree(engine, folder / "archive")
            agree(engine, folder / "archive", AT("2025-01-15"))
