"""The reserve of Chinese single-purpose prepaid cards.

《单用途商业预付卡管理办法（试行）》 (MOFCOM Order 2012 No. 9) Article 26: at least 20 % (scale issuers), 30 %
(groups) or 40 % (brands) of the balance of prepayments at the end of the quarter before; Article 28: surety
insurance or a bank guarantee may stand in for all or part of it. Seen in secondary sources only.
"""

from __future__ import annotations

from datetime import date
from fractions import Fraction

from stampbook import Rounding
from stampbook_liability.deferral import rounded

SHARES = {"scale": Fraction(20, 100), "group": Fraction(30, 100), "brand": Fraction(40, 100)}
CITE = "MOFCOM Order 2012 No. 9, Articles 26 and 28"
_QUARTER = 3


def required_reserve(issuer: str, balance: int, covered: int = 0) -> int:
    """Return what must lie in the custody account, rounded up to a smallest unit.

    Args:
        issuer: ``scale``, ``group`` or ``brand``.
        balance: what customers had prepaid and not used at the end of the quarter before.
        covered: what is insured or guaranteed.
    """
    return max(0, rounded(balance * SHARES[issuer], Rounding.CEIL) - covered)


def quarter_of(day: date) -> date:
    """Return the first day of a day's calendar quarter."""
    return date(day.year, (day.month - 1) // _QUARTER * _QUARTER + 1, 1)


def quarters_before(day: date, count: int) -> list[date]:
    """Return the first days of the quarters that ended before a day, oldest first, and that of its own."""
    first = quarter_of(day)
    months = first.year * 12 + first.month - 1
    return [date(month // 12, month % 12 + 1, 1) for month in range(months - _QUARTER * count, months + 1, _QUARTER)]
