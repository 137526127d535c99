"""A rule with what is worked out once, when its program is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from stampbook import Choice, Rounding
    from stampbook_points.expiry import End


class Ready(NamedTuple):
    """A rule, ready to judge."""

    name: str
    asset: str
    when: Callable[..., bool] | None
    earn: Callable[..., tuple[int, int]]
    per_line: bool
    rounding: Rounding
    kind: str
    matures: Callable[[int], int] | None
    expires: End | None
    priority: int
    group: str
    rank: int
    per_unit: bool
    on_completion: bool
    choice: Choice
    reads: frozenset[str]
    counts: Callable[..., tuple[int, int]] | None
    fixed: bool
