"""A place where two threads meet at their worst moment, however busy the machine is."""

from __future__ import annotations

from threading import Barrier, BrokenBarrierError

LONG = 60.0
"""Seconds to wait for who surely comes, however slowly."""

SHORT = 0.5
"""Seconds to wait for who is kept away by the lock that is to be seen at work."""


class Meeting:
    """Two threads wait for each other here, once; whoever comes later passes."""

    def __init__(self, patience: float) -> None:
        self._barrier = Barrier(2)
        self._patience = patience
        self._is_over = False

    def join(self) -> None:
        """Wait for the other one, for as long as patience lasts."""
        if self._is_over:
            return
        try:
            self._barrier.wait(self._patience)
        except BrokenBarrierError:  # the other one did not come in time
            pass
        finally:
            self._is_over = True
