"""What an engine remembers of accounts never counts for more than what the books say."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stampbook.engine import Engine
from stampbook.remembering import Remembered
from tests.faults.books import PROGRAM, event, findings, frozen, heads, picture, script, told
from tests.properties import strategies as some
from tests.properties.test_books import END, crowds, splits

if TYPE_CHECKING:
    from collections.abc import Iterator

TILLS = 3
FEW = settings(max_examples=max(10, settings().max_examples // 4))
"""Each example makes databases."""


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("remembering") / "empty.db"
    Engine.open(f"sqlite:///{path}", create=True).close()
    return path


@pytest.fixture
def url(empty: Path, tmp_path: Path) -> str:
    return f"sqlite:///{shutil.copy(empty, tmp_path)}"


@pytest.fixture
def tills(any_db: str) -> Iterator[list[Engine]]:
    """Several processes' worth of engines on one ledger; each has seen some of what the others did."""
    Engine.open(any_db, create=True).close()
    engines = [Engine.open(any_db, clock=frozen) for _ in range(TILLS)]
    engines[0].put_text_in_force(PROGRAM)
    yield engines
    for engine in engines:
        engine.close()


def test_tills_that_take_turns_keep_one_ledger(tills: list[Engine], url: str) -> None:
    events = script(300, accounts=7)
    found = [told(tills[number % TILLS].process([data])[0]) for number, data in enumerate(events)]
    assert findings(tills[0]) == ()
    with Engine.open(url, clock=frozen) as alone:
        alone.put_text_in_force(PROGRAM)
        assert found == [told(alone.process([data])[0]) for data in events]
        assert heads(alone) == heads(tills[0])


def test_a_till_that_was_not_asked_for_long_does_not_spend_what_is_gone(tills: list[Engine]) -> None:
    first, second, _ = tills
    assert first.post(event("topup", "t", amount="10.00")).accepted
    assert second.post(event("spend", "s1", amount="6.00")).accepted
    assert not first.post(event("spend", "s2", amount="6.00")).accepted
    assert first.post(event("spend", "s3", amount="4.00")).accepted


def test_a_batch_that_was_not_written_is_not_remembered(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from stampbook.store import sqlite

    with Engine.open(url, clock=frozen) as engine:
        engine.put_text_in_force(PROGRAM)
        engine.post(event("topup", "t", amount="10.00"))
        with monkeypatch.context() as broken:
            broken.setattr(sqlite.SqliteSession, "upsert", lambda *_: 1 // 0)
            with pytest.raises(ZeroDivisionError):
                engine.post(event("spend", "s1", amount="6.00"))
        assert engine.post(event("spend", "s2", amount="10.00")).accepted
        assert findings(engine) == ()


@FEW
@given(shop=some.shops(), events=crowds(), most=st.sampled_from([0, 3_000, 10_000_000]), data=st.data())
def test_an_engine_that_remembers_decides_as_one_that_reads(
    empty: Path, shop: some.Shop, events: list[dict[str, Any]], most: int, data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        engines = []
        for name in ("remembers", "reads"):
            path = shutil.copy(empty, Path(folder) / name)
            engines.append(Engine.open(f"sqlite:///{path}", clock=lambda: END))
            engines[-1].put_text_in_force(shop.toml())
        remembers, reads = engines
        remembers.remembered, reads.remembered = Remembered(most), None
        for part in data.draw(splits(len(events))):
            found = [told(each) for each in remembers.process(events[part])]
            assert found == [told(each) for each in reads.process(events[part])]
            if data.draw(st.integers(0, 4)) == 0:
                at = data.draw(st.integers(0, END))
                assert sum(remembers.tick(at)) == sum(reads.tick(at))
        assert findings(remembers) == ()
        assert picture(remembers) == picture(reads)
        for engine in engines:
            engine.close()


def test_no_more_is_remembered_than_was_agreed(url: str) -> None:
    with Engine.open(url, clock=frozen) as engine:
        engine.put_text_in_force(PROGRAM)
        engine.remembered = Remembered(4_000)
        for number in range(40):
            engine.post(event("topup", f"t{number}", f"c{number}", amount="1.00"))
        assert 0 < len(engine.remembered) < 10


def test_a_batch_in_which_a_purchase_is_sent_again_knows_its_earlier_returns(url: str) -> None:
    bought = event("purchase", "p", amount="30.00")
    back = event("return", "r", at="2025-01-05T12:00:00Z", purchase="p")
    more = event("return", "more", at="2025-01-06T12:00:00Z", purchase="p", amount="1.00")
    with Engine.open(url, clock=frozen) as engine:
        engine.put_text_in_force(PROGRAM)
        engine.process([bought, back])
        found = [told(each) for each in engine.process([bought, more, back, bought, more])]
        assert [each[0] for each in found] == ["accepted", "refused", "accepted", "accepted", "refused"]
        assert findings(engine) == ()
