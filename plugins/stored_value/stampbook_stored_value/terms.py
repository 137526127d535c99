"""The condition of a bonus in words for a customer: "after 3 visits", and how far that is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from stampbook import AmountError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stampbook import AccountView, Context

_COUNTED = re.compile(r"metric\.(\w+)\s*(>=|>|==)\s*(\d+(?:\.\d+)?)", re.ASCII)
_TO_COME = {">=": "after {}", ">": "after more than {}", "==": "with exactly {}"}
_MET = {">=": "{}", ">": "more than {}", "==": "exactly {}"}


class _Part(NamedTuple):
    """One part of a condition: a metric, the sign that compares it, and the number in words, such as ``3 visits``."""

    metric: str
    sign: str
    wanted: str
    is_none: bool


class Terms:
    """A condition in words. One that does more than count is told as the program writes it.

    Args:
        condition: as it was written.
        program: the units of metrics.
    """

    def __init__(self, condition: str, program: Context) -> None:
        self._condition = " ".join(condition.split())
        self._program = program
        parts = [self._part(text.strip()) for text in re.split(r"\s+and\s+", self._condition)]
        known = [part for part in parts if part is not None]
        self._parts = known if len(known) == len(parts) else []

    def _part(self, text: str) -> _Part | None:
        match = _COUNTED.fullmatch(text)
        if match is None:
            return None
        asset = self._program.metric_asset(match[1])
        try:
            units = asset.units(match[3])
        except AmountError:
            return None
        return _Part(match[1], match[2], asset.told(units), match[2] == "==" and not units)

    def _told(self, words: Mapping[str, str], none: str) -> str:
        return " and ".join(
            none.format(part.metric) if part.is_none else words[part.sign].format(part.wanted) for part in self._parts
        )

    @property
    def to_come(self) -> str:
        """What is still to come: ``after 3 visits``, ``with no refunds``."""
        return self._told(_TO_COME, "with no {}") or f"if {self._condition}"

    @property
    def met(self) -> str:
        """What had to be: ``3 visits``, ``no refunds``."""
        return self._told(_MET, "no {}") or self._condition

    def so_far(self, account: AccountView) -> str:
        """Return what an account has counted, in brackets, where the condition does nothing but count."""
        metrics = dict.fromkeys(part.metric for part in self._parts)
        there = [self._program.metric_asset(name).told(account.metric(name)) for name in metrics]
        return f" ({', '.join(there)} so far)" if there else ""
