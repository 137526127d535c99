"""Card numbers: digits of which the last checks the others, and the accounts that bear them.

``luhn`` is the check digit of ISO/IEC 7812-1, annex B: it finds every single wrong digit and every two neighbours that
changed places but 09 and 90. ``damm`` is H. Michael Damm's ("Total anti-symmetrische Quasigruppen", Marburg 2004), over
his totally anti-symmetric quasigroup of order ten: it finds all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

ACCOUNT = "card:"
"""How the ref of a card's account begins."""

_TEN = 10
_DAMM = (
    "0317598642", "7092154863", "4206871359", "1750983426", "6123045978",
    "3674209581", "5869720134", "8945362017", "9438617205", "2581436790",
)  # fmt: skip


def plain(typed: str) -> str:
    """Return a number without the spaces and hyphens with which it is printed."""
    return typed.replace(" ", "").replace("-", "")


def account_of(typed: str) -> str:
    """Return the ref of a card's account, however its number was typed; a ref stays as it is."""
    return ACCOUNT + plain(typed.removeprefix(ACCOUNT))


def number_of(ref: str) -> str:
    """Return the number of a card's account."""
    return ref.removeprefix(ACCOUNT)


def grouped(number: str) -> str:
    """Return a number as it is printed: four digits, and four, and so on."""
    return " ".join(number[place : place + 4] for place in range(0, len(number), 4))


def check_digit(digits: str, check: str) -> str:
    """Return the digit that makes a number of `digits` whole.

    Args:
        digits: all but the last.
        check: ``luhn`` or ``damm``.
    """
    if check == "damm":
        interim = 0
        for digit in digits:
            interim = int(_DAMM[interim][int(digit)])
        return str(interim)
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value >= _TEN else value
    return str(-total % _TEN)


def is_whole(number: str, check: str) -> bool:
    """Whether a number is all digits and ends with its check digit."""
    return len(number) > 1 and number.isascii() and number.isdigit() and check_digit(number[:-1], check) == number[-1]


def made(prefix: str, length: int, check: str, draw: Callable[[int], int]) -> str:
    """Return a number of `length` digits: the prefix, digits that `draw` draws below ten, and the check digit."""
    digits = prefix + "".join(str(draw(_TEN)) for _ in range(length - 1 - len(prefix)))
    return digits + check_digit(digits, check)
