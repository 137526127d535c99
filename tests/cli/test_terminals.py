"""What is printed on a terminal: narrow ones, and those whose owner wants no colours."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import termios
from typing import TYPE_CHECKING

import pytest

from tests.cli.shop import run
from tests.cli.test_bad_input import STAMPBOOK

if TYPE_CHECKING:
    from pathlib import Path


def on_terminal(folder: Path, width: int, *arguments: str, **environment: str) -> str:
    """Return what a command prints on a terminal of a width."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
    plain = {name: value for name, value in os.environ.items() if name not in {"STAMPBOOK_DB", "NO_COLOR", "COLUMNS"}}
    with subprocess.Popen(
        [*STAMPBOOK, *arguments],
        cwd=folder,
        env={**plain, "TERM": "xterm", **environment},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ):
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(ours, 65_536):
                shown += piece
        except OSError:  # nobody holds the other end any more
            pass
        os.close(ours)
    return shown.decode().replace("\r\n", "\n")


COMMANDS = [
    ("statement", "1001", "--as-of", "2025-04-30"),
    ("account", "list"),
    ("account", "show", "1001", "--as-of", "2025-04-30"),
    ("explain", "sale-1"),
    ("explain", "1001", "--as-of", "2025-04-30"),
    ("plugins", "list"),
]


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("width", [30, 45, 59, 80])
def test_words_stay_whole_however_narrow_a_terminal_is(shop: Path, arguments: tuple[str, ...], width: int) -> None:
    shown = on_terminal(shop, width, *arguments, NO_COLOR="1")
    words = set(run(*arguments).stdout.replace("─", "").split())
    assert words <= {*shown.split(), "lot"}


def test_on_a_narrow_terminal_each_row_is_told_in_lines(shop: Path) -> None:
    shown = on_terminal(shop, 40, "statement", "1001", "--from", "2025-03-06", "--until", "2025-03-06", NO_COLOR="1")
    assert (
        "date           2025-03-06 09:00\n"
        "what happened  purchase of 12.00 EUR at\n"
        "               Graben\n"
        "change         +22 points\n"
        "holds then     22 points\n"
    ) in shown


def test_a_wide_terminal_shows_a_table(shop: Path) -> None:
    shown = on_terminal(shop, 120, "account", "list")
    assert "account" in shown
    assert "1001" in shown
    assert "───" in shown


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_no_color_means_none_of_its_kin_either(shop: Path, arguments: tuple[str, ...]) -> None:
    assert "\x1b[1m" in on_terminal(shop, 200, *arguments)
    assert "\x1b" not in on_terminal(shop, 200, *arguments, NO_COLOR="1")
