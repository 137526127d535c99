from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from stampbook.hookspecs import Hooks

ROOT = Path(__file__).parents[1]


def test_the_generated_pages_are_up_to_date() -> None:
    run = subprocess.run(
        [sys.executable, "docs/generate.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert not run.returncode, run.stdout + run.stderr


def test_every_hook_has_a_heading() -> None:
    page = (ROOT / "docs" / "hooks.md").read_text(encoding="utf-8")
    hooks = {name for name in vars(Hooks) if not name.startswith("_")}
    headings = set(re.findall(r"^## (\w+)$", page, re.MULTILINE))
    assert hooks == headings
