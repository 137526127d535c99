"""Folders for tests of the command line: one with a shop's database, and an empty one."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from stampbook import Engine
from tests.cli.shop import PROGRAM, SALES, SALES_MAPPING, VIENNA, events, purchase

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template")
    (folder / "coffee_shop.toml").write_text(PROGRAM, encoding="utf-8")
    (folder / "my-program.toml").write_text(PROGRAM, encoding="utf-8")
    clock = [VIENNA.parse("2025-01-01")]
    with Engine.open(f"sqlite:///{folder / 'stampbook.db'}", create=True, clock=lambda: clock[0]) as engine:
        engine.put_in_force(folder / "coffee_shop.toml")
        for recorded, batch in events():
            clock[0] = VIENNA.parse(recorded)
            assert not any(outcome.error for outcome in engine.process(batch))
    new = [purchase(f"new-{number}", "1002", f"2025-05-0{number}T09:00", "5.00") for number in range(1, 4)]
    new.append(
        {"type": "spend", "id": "new-4", "source": "till", "account": "1002", "at": "2025-05-05", "amount": "999"}
    )
    lines = [*map(json.dumps, new), '{"type": "purchase", "id": "new-5"}']
    (folder / "events.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "sales.csv").write_text(SALES, encoding="utf-8")
    (folder / "sales.toml").write_text(SALES_MAPPING, encoding="utf-8")
    return folder


@pytest.fixture
def shop(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of one's own, in which the test stands."""
    folder = tmp_path / "shop"
    shutil.copytree(template, folder)
    monkeypatch.chdir(folder)
    monkeypatch.delenv("STAMPBOOK_DB", raising=False)
    return folder


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in which the test stands."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STAMPBOOK_DB", raising=False)
    return tmp_path
