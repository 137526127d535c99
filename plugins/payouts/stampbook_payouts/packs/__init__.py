"""The policy packs by name. Facts are as they were known in 2026; none of this is legal advice."""

from __future__ import annotations

from stampbook_payouts.packs.cn_2025 import CN_2025
from stampbook_payouts.packs.cn_beijing import CN_BEIJING
from stampbook_payouts.packs.cn_single_purpose_card import CN_SINGLE_PURPOSE_CARD
from stampbook_payouts.packs.contract import CONTRACT
from stampbook_payouts.packs.uk_eu import UK_EU
from stampbook_payouts.packs.us_federal import US_FEDERAL

PACKS = {pack.name: pack for pack in (CN_2025, CN_SINGLE_PURPOSE_CARD, CN_BEIJING, US_FEDERAL, UK_EU, CONTRACT)}

__all__ = ["PACKS"]
