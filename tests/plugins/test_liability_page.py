"""The commands in docs/liability.md answer what the page says that they do."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from click.testing import CliRunner

from stampbook.cli import cli

if TYPE_CHECKING:
    import pytest

PAGE = Path(__file__).parents[2] / "docs" / "liability.md"
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def answer(command: str) -> str:
    [program, *arguments] = shlex.split(command)
    assert program == "stampbook"
    result = CliRunner().invoke(cli, arguments, prog_name=program, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_page_shows_what_its_commands_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STAMPBOOK_DB", raising=False)
    fences = _FENCE.findall(PAGE.read_text(encoding="utf-8"))
    texts = {kind: next(text for each, text in fences if each == kind) for kind in ("toml", "json")}
    Path("program.toml").write_text(texts["toml"], encoding="utf-8")
    Path("events.jsonl").write_text(texts["json"], encoding="utf-8")
    for command in ("init", "apply program.toml --from 2025-01-01", "import events.jsonl"):
        answer(f"stampbook {command}")
    shown = [text.removeprefix("$ ").partition("\n") for kind, text in fences if kind == "console"]
    assert len(shown) == 3
    for command, _, expected in shown:
        assert answer(command) == expected, command
