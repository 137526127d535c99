"""Accounts together: households that pool earning, transfers, mergers, and what comes from another system."""

from __future__ import annotations

from stampbook_together.households import Households
from stampbook_together.legacy import Legacy, LegacyImported
from stampbook_together.merging import AccountMerged, AccountUnmerged, Merging
from stampbook_together.transfers import Transferred, Transfers

__all__ = [
    "AccountMerged",
    "AccountUnmerged",
    "Households",
    "Legacy",
    "LegacyImported",
    "Merging",
    "Transferred",
    "Transfers",
]
