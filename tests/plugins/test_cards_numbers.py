"""Numbers of cards: what their check digits find."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from stampbook_cards.card_numbers import account_of, check_digit, grouped, is_whole, made

numbers = st.tuples(st.text("0123456789", max_size=4), st.integers(8, 19), st.integers(0, 9999))


@pytest.mark.parametrize(
    ("digits", "check", "digit"),
    [
        ("7992739871", "luhn", "3"),  # the usual example of ISO/IEC 7812-1
        ("411111111111111", "luhn", "1"),
        ("572", "damm", "4"),  # the example of Damm's thesis
    ],
)
def test_published_examples(digits: str, check: str, digit: str) -> None:
    assert check_digit(digits, check) == digit


@given(numbers, st.sampled_from(["luhn", "damm"]), st.data())
def test_every_single_wrong_digit_is_found(number: tuple[str, int, int], check: str, data: st.DataObject) -> None:
    prefix, length, seed = number
    whole = made(prefix, length, check, Random(seed).randrange)
    assert len(whole) == length
    assert is_whole(whole, check)
    place, digit = data.draw(st.integers(0, length - 1)), data.draw(st.sampled_from("0123456789"))
    assume(digit != whole[place])
    assert not is_whole(whole[:place] + digit + whole[place + 1 :], check)


@given(numbers, st.sampled_from(["luhn", "damm"]), st.data())
def test_neighbours_that_changed_places_are_found(
    number: tuple[str, int, int], check: str, data: st.DataObject
) -> None:
    prefix, length, seed = number
    whole = made(prefix, length, check, Random(seed).randrange)
    place = data.draw(st.integers(0, length - 2))
    one, other = whole[place], whole[place + 1]
    assume(one != other)
    assume(check == "damm" or {one, other} != {"0", "9"})
    assert not is_whole(whole[:place] + other + one + whole[place + 2 :], check)


def test_a_number_is_the_same_however_it_is_typed() -> None:
    assert account_of("6035 1234-5678") == account_of("card:603512345678") == "card:603512345678"
    assert grouped("603512345678") == "6035 1234 5678"
