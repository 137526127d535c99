"""What is known of an earlier event of the account that an event names."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stampbook.event_base import Event
    from stampbook.ledger import MetricChange, Posting


@dataclass(frozen=True, slots=True)
class Earlier:
    """An accepted event of the same account that an event names in `about`, and what became of it.

    `metrics` are what it counted, limits included; `later` the kinds of the accepted events that named it since,
    `remembered` what it was to remember.
    """

    event: Event
    seq: int
    postings: tuple[Posting, ...]
    metrics: tuple[MetricChange, ...]
    later: tuple[str, ...] = ()
    remembered: Mapping[str, str] = field(default_factory=dict)
