"""Codes: the check sign finds what people do to codes, and what they type is read as what they meant."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

codes: Any = importlib.import_module("stampbook_redemption.codes")

signs = st.text(alphabet=codes.ALPHABET, min_size=2, max_size=23)


@given(signs)
def test_a_code_with_its_check_sign_is_whole(code: str) -> None:
    assert codes.is_whole(code + codes.check_sign(code))


@given(signs, st.data())
def test_one_wrong_sign_is_found(code: str, data: st.DataObject) -> None:
    whole = code + codes.check_sign(code)
    place = data.draw(st.integers(0, len(whole) - 1))
    wrong = data.draw(st.sampled_from([sign for sign in codes.ALPHABET if sign != whole[place]]))
    assert not codes.is_whole(whole[:place] + wrong + whole[place + 1 :])


@given(signs, st.data())
def test_two_neighbours_that_changed_places_are_found(code: str, data: st.DataObject) -> None:
    whole = code + codes.check_sign(code)
    place = data.draw(st.integers(0, len(whole) - 2))
    if whole[place] != whole[place + 1]:
        assert not codes.is_whole(whole[:place] + whole[place + 1] + whole[place] + whole[place + 2 :])


def test_the_doubling_is_that_of_a_field() -> None:
    seen, value = [], 1
    for _ in range(31):
        seen.append(value)
        value = codes._doubled(value)
    assert value == 1
    assert sorted(seen) == list(range(1, 32))


@pytest.mark.parametrize("typed", ["SAVE-01AB", "save 01ab", "save-OlAb", "SAVEoiab"])
def test_what_is_typed_is_read_as_one_code(typed: str) -> None:
    assert codes.canonical(typed) == "SAVE01AB"


@given(st.integers(0, 2**256 - 1), st.integers(8, 24))
def test_a_number_makes_a_code_of_its_length(number: int, length: int) -> None:
    code = codes.made(number, length)
    assert len(code) == length
    assert codes.is_whole(code)
    assert codes.canonical(code) == code


def test_codes_of_different_numbers_differ() -> None:
    assert len({codes.made(number, 8) for number in range(10_000)}) == 10_000
