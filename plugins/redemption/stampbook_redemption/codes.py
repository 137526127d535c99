"""Codes: their alphabet, their check sign, how they are made from a number and read from what a person types.

The signs are those of Douglas Crockford's base 32 (https://www.crockford.com/base32.html): no I, L, O or U, and what
is typed for 1 and 0 by mistake is read as them. The check sign is H. Michael Damm's ("Total anti-symmetrische
Quasigruppen", Marburg 2004) over the field of 32 elements: with ``x * y = 2(x + y)``, where 2 is a root of
``z^5 + z^2 + 1``, it finds every single wrong sign and every two neighbours that changed places.
"""

from __future__ import annotations

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_VALUES = {sign: value for value, sign in enumerate(ALPHABET)}
_READ = str.maketrans({"I": "1", "L": "1", "O": "0", "-": None, " ": None})
_BITS = 5
_FIELD = 0b100101


def canonical(code: str) -> str:
    """Return the one way to write a code: capitals, no hyphens or spaces, and 1 and 0 for what looks like them."""
    return code.upper().translate(_READ)


def check_value(values: list[int]) -> int:
    """Return the check value of values from 0 to 31; over a whole code it is 0."""
    interim = 0
    for value in values:
        interim = _doubled(interim ^ value)
    return interim


def check_sign(signs: str) -> str:
    """Return the sign that makes a code of `signs` whole."""
    return ALPHABET[check_value([_VALUES[sign] for sign in signs])]


def is_whole(signs: str) -> bool:
    """Whether signs are all of the alphabet and end with their check sign."""
    return len(signs) > 1 and all(sign in _VALUES for sign in signs) and check_sign(signs[:-1]) == signs[-1]


def made(number: int, length: int) -> str:
    """Return the code of a number: `length` signs, of which the last is the check sign."""
    signs = ""
    for _ in range(length - 1):
        number, value = divmod(number, 1 << _BITS)
        signs += ALPHABET[value]
    return signs + check_sign(signs)


def _doubled(value: int) -> int:
    """Multiply by 2 in the field of 32 elements."""
    value <<= 1
    return value ^ _FIELD if value >> _BITS else value
