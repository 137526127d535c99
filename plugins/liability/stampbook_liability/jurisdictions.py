"""What the law makes of value that nobody uses: a dated table, each row with its citation.

`mark` says how far a row was checked: V where the provision itself was read, S where a secondary source (law firm,
regulator, newspaper) was. It is no legal advice: ask a lawyer before you rely on it.
"""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import NamedTuple

_ALL = Fraction(1)
_NOTHING = Fraction(0)


class Law(NamedTuple):
    """What holds in one jurisdiction from one date until another.

    `state` is the part of dormant value that goes to the state, after `years` without activity of the customer's own
    (none where the table does not know how many). With `deduction`, the issuer keeps the greater of a share and an
    amount in smallest units. `kept` is the part of unused value that may become revenue where no exemption holds.
    """

    jurisdiction: str
    since: date
    cite: str
    mark: str
    state: Fraction = _NOTHING
    years: int | None = None
    kept: Fraction = _ALL
    why: str = ""
    exemptions: tuple[str, ...] = ()
    until: date | None = None
    deduction: tuple[Fraction, int] | None = None

    def holds(self, day: date) -> bool:
        """Whether it holds on a day."""
        return self.since <= day and (self.until is None or day < self.until)


_EVER = date(1900, 1, 1)
_TO_THE_STATE = "unused value goes to the state and is never revenue"

LAWS: tuple[Law, ...] = (
    Law(
        "CN", _EVER,
        "法释〔2025〕4号 Articles 9(1) and 24 (a no-refund clause is void, a card with a balance is activated again), "
        "and so not CAS 14 Article 39 (only what need not be refunded)", "S",
        kept=_NOTHING, why="a card with a balance is activated again and refunded, so nothing of it breaks",
    ),
    Law("US-AK", _EVER, "Alaska unclaimed property, gift certificates (NCSL)", "S", _ALL, 3, _NOTHING, _TO_THE_STATE),
    Law(
        "US-AL", _EVER, "Alabama unclaimed property, gift certificates (NCSL)", "S", Fraction(3, 5), 3, Fraction(2, 5),
        "three fifths of what can only be used for goods go to the state", ("retailer",),
    ),
    Law(
        "US-CA", _EVER, "Cal. Code Civ. Proc. 1520.5", "S", _ALL, None, _NOTHING, _TO_THE_STATE, ("no_expiry",),
    ),
    Law(
        "US-CO", _EVER, "Colorado, before RUUPA (Crowe; Eversheds)", "S", _ALL, None, _NOTHING, _TO_THE_STATE,
        ("paper",), date(2020, 7, 1), (Fraction(1, 50), 25_00),
    ),
    Law(
        "US-CO", date(2020, 7, 1), "Colorado RUUPA, in force 2020-07-01: the whole value (Crowe; Eversheds)", "S", _ALL,
        None, _NOTHING, _TO_THE_STATE, ("paper",),
    ),
    Law("US-DE", _EVER, "12 Del. C. 1133 (earlier 1197, 1198)", "S", _ALL, 5, _NOTHING, _TO_THE_STATE),
    Law(
        "US-KY", _EVER, "Kentucky unclaimed property (Eversheds)", "S", _ALL, None, _NOTHING, _TO_THE_STATE,
        ("closed_loop",),
    ),
    Law("US-NJ", _EVER, "New Jersey unclaimed property, gift cards (NCSL)", "S", _ALL, 5, _NOTHING, _TO_THE_STATE),
    Law("EU", _EVER, "IFRS 15 B44-B47; PSD2 Article 3(k): no electronic money", "S"),
    Law("IE", _EVER, "Consumer Protection (Gift Vouchers) Act 2019, IFRS 15 B44-B47", "S"),
    Law("UK", _EVER, "PSRs 2017 regulation 38, EMRs 2011 regulation 3(a): no electronic money; IFRS 15 B44-B47", "S"),
)  # fmt: skip

JURISDICTIONS = tuple(sorted({law.jurisdiction for law in LAWS}))
EXEMPTIONS = tuple(sorted({name for law in LAWS for name in law.exemptions}))


def law_of(jurisdiction: str, day: date) -> Law:
    """Return the law of a jurisdiction on a day.

    Raises:
        KeyError: the table does not know it.
    """
    for law in LAWS:
        if law.jurisdiction == jurisdiction and law.holds(day):
            return law
    raise KeyError(jurisdiction)


def kept_share(law: Law, exempt_as: str | None) -> Fraction:
    """Return the part of unused value that may become revenue."""
    return _ALL if exempt_as in law.exemptions and exempt_as is not None else law.kept
