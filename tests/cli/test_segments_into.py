"""Segments that accounts are told of: rules read them as an attribute, and doing it twice does nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stampbook import Engine
from stampbook.replay import entries_of
from stampbook.verifying import verify
from tests.cli.shop import data, one_line

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """
[program]
name = "Segments"
currency = "EUR"
open_accounts = "on first event"
[assets.points]
[attributes]
segment = "text"
birthday = "month and day"
[[plugin]]
use = "rfm"
[[plugin]]
use = "points"
[[plugin.rule]]
name = "base"
earn = "order.net"
[[plugin.multiplier]]
name = "champions"
by = "3"
when = "account.segment == 'champions'"
"""


@pytest.fixture
def books(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STAMPBOOK_DB", raising=False)
    with Engine.open("sqlite:///stampbook.db", create=True) as engine:
        engine.put_text_in_force(PROGRAM)
        for number in range(20):
            for time in range(number // 4 + 1):
                engine.post(
                    {
                        "type": "purchase",
                        "id": f"{number}-{time}",
                        "account": f"c{number:02d}",
                        "at": f"2025-{1 + number // 4:02d}-{time + 1:02d}",
                        "amount": f"{number + 1}.00",
                    }
                )
        engine.post({"type": "account.frozen", "id": "f", "account": "c00", "at": "2025-05-06"})
    return tmp_path


def test_accounts_are_told_once_and_rules_read_it(books: Path) -> None:
    assert books.exists()
    told = data("segments", "run", "--at", "2025-05-31", "--into", "segment")[0]
    assert told["told"] == 19
    assert data("segments", "run", "--at", "2025-05-31", "--into", "segment")[0]["told"] == 0
    assert data("segments", "run", "--at", "2025-06-01", "--into", "segment")[0]["told"] < 19
    with Engine.open("sqlite:///stampbook.db") as engine:
        said = [entry for entry in entries_of(engine, "c19") if entry.type == "account.described"]
        assert [(entry.source, entry.accepted) for entry in said] == [("segments:rfm", True)]
        outcome = engine.post({"type": "purchase", "id": "n", "account": "c19", "at": "2025-06-02", "amount": "10.00"})
        assert [posting.amount for posting in outcome.postings] == [30]
        assert verify(engine).findings == ()


@pytest.mark.parametrize(("name", "near"), [("segments", "(did you mean 'segment'?)"), ("birthday", "of text")])
def test_only_an_attribute_of_text_can_tell_it(books: Path, name: str, near: str) -> None:
    assert books.exists()
    assert near in one_line("segments", "run", "--at", "2025-05-31", "--into", name)
