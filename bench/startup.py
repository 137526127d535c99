"""How long `stampbook --help` takes, compared with a bare click program that has one command.

Both are started as scripts by the same interpreter, in turns, with nothing else measured.
"""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

from bench.measure import Figure, Sizes, alternating, check, milli

if TYPE_CHECKING:
    from pathlib import Path

BARE = """
import sys
import click

@click.group()
def main():
    '''A bare program.'''

@main.command()
def hello():
    '''Say hello.'''

if __name__ == "__main__":
    sys.exit(main())
"""
OURS = """
import sys
from stampbook.cli import main

if __name__ == "__main__":
    sys.exit(main())
"""


def run(sizes: Sizes, work: Path) -> list[Figure]:
    """Start both often."""
    scripts = [work / "bare.py", work / "ours.py"]
    for script, text in zip(scripts, (BARE, OURS), strict=True):
        script.write_text(text, encoding="utf-8")
        _started(script)  # compiled and cached
    bare, ours = alternating(sizes.starts, *(lambda _, script=script: _started(script) for script in scripts))
    return [Figure("stampbook --help", milli(ours), f"{milli(bare)} bare click", bare / ours, 1 / 1.6)]


def _started(script: Path) -> float:
    start = time.perf_counter()
    done = subprocess.run([sys.executable, str(script), "--help"], capture_output=True, text=True, check=False)
    took = time.perf_counter() - start
    check(done.returncode == 0 and "Usage:" in done.stdout, f"{script.name} --help failed: {done.stderr[-500:]}")
    return took
