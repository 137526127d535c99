"""Limited networks: from how much on an issuer notifies the authority that his cards are no payment service.

Directive (EU) 2015/2366 (PSD2) Article 37(2): whoever issues under the exclusion of Article 3(k)(i) or (ii) notifies
when the transactions of the preceding 12 months exceed 1,000,000 EUR; EBA/GL/2022/02 apply since 2022-06-01. In the
United Kingdom PSRs 2017 regulation 38 keeps the same test, in euro, and the FCA is told within 28 days. Seen in
secondary sources only.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stampbook import Grant

MOST = 1_000_000
"""Euros in 12 months; what is above them is notified."""

DAYS = 365
"""The 12 months, in days that end with the instant that is asked for."""

CITES: Mapping[str, str] = {
    "EU": "Directive (EU) 2015/2366 Art. 37(2)",
    "IE": "Directive (EU) 2015/2366 Art. 37(2)",
    "UK": "PSRs 2017 reg. 38 (Directive (EU) 2015/2366 Art. 37(2)); within 28 days",
}
"""By jurisdiction, what says so."""

EURO = "EUR"
_SALES = "sales"
_DEBT = "debt"


def spent(grant: Grant, since: int, until: int) -> int:
    """Return how much of a grant paid for something after one instant and up to another, in smallest units.

    What came back is not taken off: the transaction was executed all the same.
    """
    if grant.kind == _DEBT:
        return 0
    return -sum(units for at, units, book in grant.steps if book == _SALES and units < 0 and since < at <= until)


def in_euro(units: int, decimals: int, rate: str | None) -> Fraction:
    """Return smallest units of a currency as euros, at so many euros for a whole unit; as they are where absent."""
    return Fraction(units, 10**decimals) * Fraction(rate or "1")
