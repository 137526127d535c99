"""How much work a call is: the calls and returns that Python counts, alike on a busy machine and an idle one."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def at_most(steps: int) -> Iterator[None]:
    """Fail when the block takes more calls and returns than `steps`; a compiled build makes fewer that count.

    A single operation that is endless, a power of ten with thousands of digits, is for the test's time limit to stop.
    """
    counted = 0

    def count(*_: Any) -> None:
        nonlocal counted
        counted += 1

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        yield
    finally:
        sys.setprofile(before)
    assert counted <= steps, f"{counted} steps where at most {steps} were expected"
