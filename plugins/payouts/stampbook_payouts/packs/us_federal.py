"""United States: EFTA §915 with Regulation E (12 CFR 1005.20), and what states say of small balances.

Federal law gives no refund, but bounds expiry and fees; most states that speak of it give cash for a small rest. The
cites were seen in summaries, not in the codes themselves. Paragraph letters of 1005.20 are unverified and left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stampbook_payouts.law import CashOut, Clause, Pack, Rule, Status

if TYPE_CHECKING:
    from collections.abc import Iterator

_EFTA = "15 U.S.C. 1693l-1, 12 CFR 1005.20"


def _below(  # noqa: PLR0913 - the columns of a table
    place: str, most: str, cite: str, *, status: Status = "seen", since: str = "", until: str = "",
    inclusive: bool = False, receipt: bool = False, needs: tuple[str, ...] = (), looks_at: str = "refund",
) -> Rule:  # fmt: skip
    told = f"{most} or less" if inclusive else f"less than {most}"
    return Rule(
        f"us-{place.lower()}/cash-out{'-' + since if since else ''}", "cash_out",
        CashOut("USD", most, inclusive, receipt=receipt), cite,
        f"a balance of {told} comes back in cash{' with the receipt' if receipt else ''}",
        status, "contract" if looks_at == "contract" else "refund", since, until, places=(place,), needs=needs,
    )  # fmt: skip


_NEW_YORK = "N.Y. GBL 396-i"
NEW_YORK = (
    ("2004-09-21", "2010-08-21", 0, 12),
    ("2010-08-22", "2016-12-24", 60, 12),
    ("2016-12-25", "2022-12-09", 60, 24),
    ("2022-12-10", "", 108, None),
)
"""N.Y. GBL 396-i by the day of purchase: first, last, shortest validity in months, and after how many idle months a fee
may be taken; None for never. Seen in a release of the Division of Consumer Protection."""


def _of_new_york() -> Iterator[Clause]:
    """Yield what New York forbids of cards that were bought between two days."""
    for since, until, months, idle in NEW_YORK:
        bought = f"cards bought from {since} to {until}" if until else f"cards bought since {since}"
        terms: dict[str, Any] = {"status": "seen", "places": ("NY",), "since": since, "until": until}
        if months:
            about = f"{bought} are good for {months // 12} years or longer"
            yield Clause("validity", _NEW_YORK, about, least=months, **terms)
        if idle is None:
            yield Clause("idle_fee", _NEW_YORK, f"{bought} bear no fee", most="0.00", **terms)
        else:
            about = f"of {bought} a fee comes after {idle} months without activity, not before"
            yield Clause("idle_months", _NEW_YORK, about, least=idle, **terms)


US_FEDERAL = Pack(
    "us-federal",
    "United States, gift cards (EFTA §915, Regulation E) with states",
    (
        _below("CA", "10.00", "Cal. Civ. Code 1749.5", until="2026-03-31"),
        _below("CA", "15.00", "Cal. Civ. Code 1749.5 (SB 22, Stats. 2025 ch. 207)", since="2026-04-01"),
        _below("CO", "5.00", "C.R.S. 6-1-722(2)(b)", inclusive=True),
        _below("CT", "3.00", "Conn. Gen. Stat. 42-461(c)", receipt=True),
        _below("ME", "5.00", "33 M.R.S. 1953(1)(G)"),
        _below("MA", "5.00", "M.G.L. c.200A §5D", needs=("reloadable",)),
        Rule("us-ma/share-used", "cash_out", CashOut("USD", share_used=90), "M.G.L. c.200A §5D",
             "once 90 % of what was paid is used the rest comes back in cash", "seen", places=("MA",),
             needs=("not reloadable",)),
        _below("MT", "5.00", "Mont. Code 30-14-108(4)"),
        _below("NJ", "5.00", "N.J.S. 56:8-110(c)"),
        _below("NY", "5.00", _NEW_YORK, since="2022-12-10", looks_at="contract"),
        _below("OR", "5.00", "ORS 646A.276(1)(d)"),
        _below("RI", "1.00", "R.I. Gen. Laws 6-13-12"),
        _below("TX", "2.50", "Tex. Bus. & Com. Code ch. 604", status="unverified"),
        _below("VT", "1.00", "8 V.S.A. 2704"),
        _below("WA", "5.00", "RCW 19.240.020(3)"),
        _below("PR", "5.00", "Puerto Rico (as told by a release of the Connecticut Senate)", inclusive=True),
    ),
    (
        Clause("validity", _EFTA, "funds are good for 5 years from the last load or longer", "seen", least=60,
               looks_at="topup", since="2010-08-22"),
        Clause("idle_months", _EFTA, "a fee comes after 12 months without activity, not before", "seen", least=12,
               since="2010-08-22"),
        *_of_new_york(),
        Clause("validity", "Cal. Civ. Code 1749.5", "cards do not expire", "seen", least=1200, places=("CA",)),
        Clause("idle_fee", "Cal. Civ. Code 1749.5", "a fee is at most 1.00 a month", "seen", most="1.00",
               places=("CA",), currency="USD"),
        Clause("idle_months", "Cal. Civ. Code 1749.5", "a fee comes after 24 months without activity, not before",
               "seen", least=24, places=("CA",)),
        Clause("idle_fee", "C.R.S. 6-1-722", "cards bear no fee", "seen", most="0.00", places=("CO",)),
    ),
)  # fmt: skip

PLACES = tuple(sorted({place for each in US_FEDERAL.all for place in each.places}))
"""The states, and Puerto Rico, that have rules of their own here."""
