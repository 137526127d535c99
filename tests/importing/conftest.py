"""The ledger into which files are imported, in a folder of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stampbook.engine import Engine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


from tests.importing.shop import PROGRAM


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.chdir(tmp_path)
    with Engine.open("stampbook.db", create=True, clock=lambda: 1_700_000_000_000_000) as made:
        made.put_text_in_force(PROGRAM)
        yield made
