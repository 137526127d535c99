"""How Beancount and hledger write the same things: opening accounts, transactions, and asserted balances."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, NamedTuple, Protocol
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from stampbook.amounts import Asset

Notes = tuple[tuple[str, str], ...]
"""Names and texts that explain a line."""


class Leg(NamedTuple):
    """One leg of a transaction; `amount` is decimal text with its sign."""

    account: str
    amount: str
    commodity: str
    notes: Notes = ()


class Asserted(NamedTuple):
    """What an account (with all below it, if `whole`) has at the end of a day."""

    account: str
    amount: str
    commodity: str
    whole: bool


class Dialect(Protocol):
    """One tool's way of writing."""

    def head(self, title: str, currency: str, commodities: Iterable[tuple[str, Asset]], day: date) -> str:
        """Return the top of the file: options and commodities."""
        ...

    def opened(self, account: str, commodities: Sequence[str], day: date, notes: Notes = ()) -> str:
        """Return the declaration of an account."""
        ...

    def transaction(self, day: date, title: str, notes: Notes, legs: Iterable[Leg]) -> str:
        """Return a transaction."""
        ...

    def asserted(self, day: date, title: str, balances: Sequence[Asserted]) -> str:
        """Return assertions of balances at the end of a day."""
        ...


class Beancount:
    """Beancount 3 (and 2): dated directives; a balance is asserted for the morning after, to the last unit."""

    def head(self, title: str, currency: str, commodities: Iterable[tuple[str, Asset]], day: date) -> str:
        """Return options and commodity directives."""
        lines = [
            f"option {_string('title')} {_string(title)}",
            f"option {_string('operating_currency')} {_string(currency)}",
            "",
        ]
        for name, asset in commodities:
            lines += [f"{day} commodity {name}", f"  asset: {_string(asset.code)}"]
        return "\n".join(lines) + "\n\n"

    def opened(self, account: str, commodities: Sequence[str], day: date, notes: Notes = ()) -> str:
        """Return an open directive."""
        allowed = f" {','.join(commodities)}" if commodities else ""
        return f"{day} open {account}{allowed}\n" + "".join(f"  {name}: {_string(text)}\n" for name, text in notes)

    def transaction(self, day: date, title: str, notes: Notes, legs: Iterable[Leg]) -> str:
        """Return a transaction with its metadata."""
        lines = [f"\n{day} * {_string(title)}\n"]
        lines += [f"  {name}: {_string(text)}\n" for name, text in notes]
        for leg in legs:
            lines.append(f"  {leg.account}  {leg.amount} {leg.commodity}\n")
            lines += [f"    {name}: {_string(text)}\n" for name, text in leg.notes]
        return "".join(lines)

    def asserted(self, day: date, title: str, balances: Sequence[Asserted]) -> str:
        """Return balance directives for the next morning, without tolerance."""
        morning = date.fromordinal(day.toordinal() + 1)
        return f"\n; {title}\n" + "".join(
            f"{morning} balance {balance.account}  {balance.amount} ~ 0 {balance.commodity}\n" for balance in balances
        )


def _string(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{_BREAKS.sub(_code, escaped)}"'


_BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def _code(match: re.Match[str]) -> str:
    return f"<{ord(match[0]):x}>"


class Hledger:
    """hledger 1.25 and later: declarations first; a balance is asserted by a transaction of zero at the day's end."""

    def head(self, title: str, currency: str, commodities: Iterable[tuple[str, Asset]], day: date) -> str:  # noqa: ARG002 - Beancount needs them
        """Return commodity directives, each with the decimals of its asset."""
        lines = [f"; {_comment(title)}", ""]
        for name, asset in commodities:
            digits = "0" * asset.decimals
            lines.append(f"commodity 1000.{digits} {_symbol(name)}  ; asset: {_comment(asset.code)}")
        return "\n".join(lines) + "\n\n"

    def opened(self, account: str, commodities: Sequence[str], day: date, notes: Notes = ()) -> str:  # noqa: ARG002 - Beancount needs them
        """Return an account directive."""
        return f"account {account}{_comments(notes)}\n"

    def transaction(self, day: date, title: str, notes: Notes, legs: Iterable[Leg]) -> str:
        """Return a transaction with its tags."""
        lines = [f"\n{day} * {_comment(title)}\n"]
        lines += [f"    ; {name}: {_comment(text)}\n" for name, text in notes]
        lines += [f"    {leg.account}  {leg.amount} {_symbol(leg.commodity)}{_comments(leg.notes)}\n" for leg in legs]
        return "".join(lines)

    def asserted(self, day: date, title: str, balances: Sequence[Asserted]) -> str:
        """Return one transaction of zeros that asserts the balances."""
        return f"\n{day} * {_comment(title)}\n" + "".join(
            f"    {account}  0 {_symbol(commodity)} {'=*' if whole else '='} {amount} {_symbol(commodity)}\n"
            for account, amount, commodity, whole in balances
        )


def _comments(notes: Notes) -> str:
    return "  ; " + ", ".join(f"{name}: {_comment(text)}" for name, text in notes) if notes else ""


def _comment(text: str) -> str:
    """Write text so that hledger sees no comma (which ends a tag), bracket (which may be a date) or break in it."""
    return "".join(
        character if character.isalnum() or character in _PLAIN else quote(character, safe="") for character in text
    )


_PLAIN = frozenset(" ._/#@+=:-")


def _symbol(commodity: str) -> str:
    return commodity if commodity.isalpha() else f'"{commodity}"'


DIALECTS: dict[str, type[Dialect]] = {"beancount": Beancount, "hledger": Hledger}
