"""The README's tour is real: its commands are run, in order, and print what it says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"
STAMPBOOK = Path(sys.executable).parent / "stampbook"
CHANGING = [
    (r"read in [\d.]+ s(, [\d,]+ a second)?", "read in … s"),
    (r"(?m)^recorded  .*$", "recorded  …"),
    (r"(?m)^hash      .*$", "hash      …"),
    (r"(?m)^head [0-9a-f]{64}$", "head …"),
    (r"\([\w.]+\.toml, [0-9a-f]{12}\)", "(…)"),
]
"""What differs from run to run: times, and the hashes that hold them."""


def _steady(text: str) -> str:
    for pattern, stand_in in CHANGING:
        text = re.sub(pattern, stand_in, text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def _blocks(kind: str, text: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", text, re.DOTALL)


@pytest.fixture
def tour() -> str:
    text = README.read_text(encoding="utf-8")
    return text.partition("<!-- tour -->")[2].partition("<!-- end of tour -->")[0]


def test_the_tour_prints_what_it_says(tour: str, tmp_path: Path) -> None:
    [events] = _blocks("json", tour)
    assert all(json.loads(line) for line in events.splitlines())
    (tmp_path / "events.jsonl").write_text(events, encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if name != "STAMPBOOK_DB"} | {"COLUMNS": "120"}
    commands = [part for block in _blocks("console", tour) for part in re.split(r"(?m)^\$ ", block)[1:]]
    assert len(commands) == 6
    for part in commands:
        command, _, expected = part.partition("\n")
        words = [str(STAMPBOOK), *command.split()[1:]]
        done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert _steady(done.stdout) == _steady(expected), command
        assert done.returncode == 0


def test_the_back_end_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = README.read_text(encoding="utf-8").partition("<!-- library -->")[2]
    program = (README.parent / "config" / "coffee_shop.toml").read_text(encoding="utf-8")
    (tmp_path / "coffee_shop.toml").write_text(program, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    exec(compile(_blocks("python", text)[0], "README.md", "exec"), {})


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README.read_text(encoding="utf-8")):
        assert (README.parent / target).is_file(), target
