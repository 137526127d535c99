"""China: 《单用途商业预付卡管理办法（试行）》, MOFCOM Order 2012 No. 9: limits, validity, refunds in cash, the reserve.

It holds for companies in retail, catering, lodging and residents' services. The numbers of its articles were not seen
in an official text, so its rules are marked as seen or unverified.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stampbook_payouts.law import CashOut, Clause, LargePurchase, Pack, Rule, Status

if TYPE_CHECKING:
    from collections.abc import Mapping

_ORDER = "单用途商业预付卡管理办法"
_SINCE = "2012-11-01"

CN_SINGLE_PURPOSE_CARD = Pack(
    "cn-single-purpose-card",
    "China, single-purpose cards (MOFCOM Order 2012 No. 9)",
    (
        Rule("cn-card/21", "at_par", "", f"{_ORDER} Art. 21",
             "a card is refunded by its own terms; the name, the card and the amount are recorded", "seen",
             since=_SINCE, until="2025-04-30"),
        Rule("cn-card/21-cash", "in_cash", CashOut("CNY", "100.00"), f"{_ORDER} Art. 21",
             "at most 100.00 is paid back in cash; more goes to a bank account of the same name", "seen",
             since=_SINCE),
        Rule("cn-card/15", "real_name", LargePurchase("CNY", "10000.00"), f"{_ORDER} Art. 15",
             "who buys bearer cards for 10000.00 or more in one go gives a real name, which is kept for 5 years",
             "seen", "topup", _SINCE, needs=("bearer",)),
        Rule("cn-card/16-organisation", "no_cash", LargePurchase("CNY", "5000.00", "organisation"), f"{_ORDER} Art. 16",
             "an organisation that buys for 5000.00 or more in one go pays by bank transfer, not in cash", "seen",
             "topup", _SINCE),
        Rule("cn-card/16-person", "no_cash", LargePurchase("CNY", "50000.00", "person"), f"{_ORDER} Art. 16",
             "a person who buys for 50000.00 or more in one go pays by bank transfer, not in cash", "seen",
             "topup", _SINCE),
    ),
    (
        Clause("validity", f"{_ORDER} Art. 19", "a registered card has no expiry", "seen", least=1200,
               cards=("registered",), since=_SINCE),
        Clause("validity", f"{_ORDER} Art. 19", "a bearer card is good for 3 years or longer", "seen", least=36,
               cards=("bearer",), since=_SINCE),
        Clause("lapse", f"{_ORDER} Art. 19", "a card with a balance is activated or exchanged when its time is over",
               "seen", least=1200, since=_SINCE),
        Clause("ceiling", f"{_ORDER} Art. 18", "a registered card holds at most 5000.00", "seen", most="5000.00",
               cards=("registered",), looks_at="topup", since=_SINCE, currency="CNY"),
        Clause("ceiling", f"{_ORDER} Art. 18", "a bearer card holds at most 1000.00", "seen", most="1000.00",
               cards=("bearer",), looks_at="topup", since=_SINCE, currency="CNY"),
    ),
)  # fmt: skip

RESERVE: Mapping[str, tuple[int, str, Status]] = {
    "scale": (20, f"{_ORDER} Art. 26", "seen"),
    "group": (30, f"{_ORDER} Art. 26", "seen"),
    "brand": (40, f"{_ORDER} Art. 26", "seen"),
}
"""Percent of the prepaid balance at the end of the quarter before, by the class of the issuer."""


def required_reserve(issuer: str, balance: int, insured: int = 0) -> int:
    """Return what has to lie in custody: the class's share of the balance of the quarter before, less what is insured.

    Args:
        issuer: ``scale``, ``group`` or ``brand``.
        balance: prepaid value at the end of the quarter before, in smallest units.
        insured: what an insurance or a bank guarantees of it (Art. 28).

    Returns:
        smallest units, a part of one rounded up.
    """
    percent = RESERVE[issuer][0]
    return max(0, -(-balance * percent // 100) - insured)
