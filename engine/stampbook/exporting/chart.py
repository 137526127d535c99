"""Names for plain-text accounting: every ref, kind, book and asset as a legal name, and no two as the same.

Beancount is the stricter tool, so both journals use what it allows. A ref of ASCII letters and digits that starts with
a capital or a digit stays as it is; a hyphen is doubled; any other character is written as its code point between
hyphens; and a name that would start otherwise (or with X) begins with X. So ``17850`` stays ``17850``, ``anna`` is
``Xanna``, ``C-7`` is ``C--7`` and ``张`` is ``X-5f20-``. Books and kinds of lot are words of small letters as a rule,
and read as such: ``refunds`` is ``Refunds``, ``gift_cards`` is ``Gift-Cards``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from stampbook.ledger import ADJUSTMENTS, BREAKAGE, CASH, EXCHANGE, PROMOTION, RETURNS, SALES, TRANSFERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from stampbook.amounts import Asset

STORED_VALUE = "Liabilities:StoredValue"
POINTS = "Liabilities:Points"
OPENING = "Equity:Opening-Balances"

_BOOKS = {
    CASH: "Assets:Cash",
    SALES: "Income:Sales",
    PROMOTION: "Expenses:Promotion",
    BREAKAGE: "Income:Breakage",
    RETURNS: "Income:Returns",
    ADJUSTMENTS: "Equity:Adjustments",
    TRANSFERS: "Equity:Transfers",
    EXCHANGE: "Equity:Exchange",
    "interest": "Expenses:Interest",
    "passes": "Liabilities:Passes",
}
_UNSAFE = re.compile(r"[^A-Za-z0-9]")
_PLAIN_START = re.compile(r"[A-WYZ0-9]")
_WORDS = re.compile(r"[a-z](?:[a-z][a-z0-9]*)?(?:[-_][a-z](?:[a-z][a-z0-9]*)?)*")
_WORD = re.compile(r"[-_]?[a-z][a-z0-9]*")
_COMMODITY = re.compile(r"[A-Z][A-Z0-9]{1,22}")


def component(text: str) -> str:
    """Return `text` as one part of an account's name; different texts have different names."""
    safe = _UNSAFE.sub(lambda match: "--" if match[0] == "-" else f"-{ord(match[0]):x}-", text)
    return safe if _PLAIN_START.match(safe) else f"X{safe}"


def word_component(name: str) -> str:
    """Return a kind of lot or a book as one part of an account's name; different names have different ones.

    Words of small letters begin with a capital, ``_`` is a hyphen and a hyphen two. Any other name has an X before it
    and then what `component` makes of it, which is no small letter: so no word can look like it.
    """
    if not _WORDS.fullmatch(name):
        return f"X{component(name)}"
    return "".join(_capital(word) for word in _WORD.findall(name))


def _capital(word: str) -> str:
    if word[0] in "-_":
        return ("-" if word[0] == "_" else "--") + word[1:].capitalize()
    return word.capitalize()


def book_account(book: str) -> str:
    """Return the account of a book."""
    return _BOOKS.get(book) or f"Equity:Books:{word_component(book)}"


class Chart:
    """The names of one ledger's accounts and commodities.

    Args:
        assets: all assets of its programs, by code.
    """

    def __init__(self, assets: Mapping[str, Asset]) -> None:
        self.assets = assets
        self.commodities = _commodities(assets)
        self._components: dict[str, str] = {}

    def root(self, asset: str) -> str:
        """Return the account above all customers' accounts for an asset."""
        return STORED_VALUE if self.assets[asset].is_currency else POINTS

    def lots(self, ref: str, kind: str, asset: str) -> str:
        """Return the account of what a customer has of an asset in lots of one kind."""
        return f"{self.root(asset)}:{component(ref)}:{word_component(kind)}"

    def amount(self, units: int, asset: str) -> str:
        """Write an amount without its commodity."""
        return self.assets[asset].text(units)


def _commodities(assets: Iterable[str]) -> dict[str, str]:
    names: dict[str, str] = {}
    taken: set[str] = set()
    for code in sorted(assets, key=lambda code: (_COMMODITY.fullmatch(code) is None, code)):
        name = code
        if not _COMMODITY.fullmatch(code):
            name = base = (re.sub(r"[^A-Z0-9]+", "-", code.upper()).strip("-")[:18] or "UNIT").ljust(2, "X")
            number = 2
            while name in taken:
                name, number = f"{base}-{number}", number + 1
        names[code] = name
        taken.add(name)
    return names
