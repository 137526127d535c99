from __future__ import annotations

from collections.abc import Sequence

import pytest

from stampbook import ProgramError
from stampbook.loading import load
from stampbook.population import Frames
from tests.plugins.histories import accounts, history, movements, program, run, segments

AT = 500
AMOUNTS = 'amounts = ["5", "1"]'
Moves = Sequence[tuple[str, float, str, int]]


def frames(moves: Moves, *others: str) -> Frames:
    refs = dict.fromkeys([*(account for account, *_ in moves), *others])
    return Frames(history([]), accounts=accounts({"account": ref} for ref in refs), movements=movements(moves))


def topups(**held: int) -> Moves:
    return [(account, AT - 10, "topup", amount) for account, amount in held.items()]


def of(moves: Moves, options: str = AMOUNTS, *others: str) -> dict[str, str]:
    return segments(program("balance", options), frames(moves, *others), AT)


def test_layers_by_amounts_and_everybody_is_in_one() -> None:
    found = of(topups(a=500, b=499, c=100, d=99, e=0), AMOUNTS, "f")
    assert found == {"a": "high", "b": "middle", "c": "middle", "d": "low", "e": "empty", "f": "empty"}


def test_a_debt_is_an_empty_balance() -> None:
    assert of([("a", 1, "topup", 100), ("a", 2, "topup.charged_back", -300)]) == {"a": "empty"}


def test_layers_by_shares_of_those_that_hold_something() -> None:
    held = {f"a{number}": 100 + number for number in range(10)}
    found = of(topups(**held, none=0), "")
    assert [found[name] for name in held] == ["low"] * 5 + ["middle"] * 3 + ["high"] * 2
    assert found["none"] == "empty"
    assert set(of(topups(a=100, b=100, c=100), "").values()) == {"high"}


def test_how_a_balance_moves() -> None:
    moves = [
        ("up", AT - 200, "topup", 100), ("up", AT - 5, "topup", 10),
        ("down", AT - 200, "topup", 100), ("down", AT - 5, "spend", -10),
        ("even", AT - 10, "topup", 100), ("even", AT - 300, "topup", 50), ("even", AT - 5, "spend", -100),
        ("still", AT - 181, "topup", 100), ("not-yet", AT - 180, "topup", 100),
        ("gone", AT - 300, "topup", 100), ("gone", AT - 200, "spend", -100),
    ]  # fmt: skip
    assert of(moves, 'by = "movement"') == {
        "up": "rising", "down": "falling", "even": "steady", "still": "dormant", "not-yet": "steady", "gone": "empty",
    }  # fmt: skip


def test_both_name_a_segment_and_rules_may_know_all_of_them() -> None:
    text = program("balance", AMOUNTS + '\nby = "both"\nmovements = { rising = "up" }')
    assert segments(text, frames(topups(a=500)), AT) == {"a": "high_up"}
    [(_, scheme)] = load(text).segmenters()
    assert "low_dormant" in scheme.segment_names
    assert len(scheme.segment_names) == 13


def test_what_comes_later_is_not_seen() -> None:
    assert of([("a", AT - 1, "topup", 100), ("a", AT + 1, "topup", 900)]) == {"a": "middle"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ('amounts = ["1", "5"]', "from the highest"),
        ('amounts = ["5"]', "3, and 2 layers"),
        ('shares = ["60%", "40%"]', "leave some"),
        ('empty = "low"', "one name"),
        ('amounts = ["5.001", "1"]', "amounts"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(options: str, said: str) -> None:
    with pytest.raises(ProgramError, match=said):
        load(program("balance", options))


def test_each_layer_is_explained_in_sentences() -> None:
    text = program("balance", AMOUNTS)
    [(_, scheme)] = load(text).segmenters()
    [row] = run(text, frames([*topups(a=600), ("a", AT - 3, "spend", -50)]), AT).to_dicts()
    assert scheme.reasons(row, {}) == (
        "high: 5.50 GBP stored; high from 5, middle from 1",
        "rising: 5.50 GBP in the window; last taken from 3 days ago, still after 180",
    )


def test_what_expires_does_not_wake_a_balance() -> None:
    moves = [("a", AT - 300, "topup", 100), ("a", AT - 5, "expiry", -10)]
    text = program("balance", 'by = "movement"')
    [row] = run(text, frames(moves), AT).to_dicts()
    assert (row["segment"], row["balance"], row["days_since_spend"]) == ("dormant", 90, None)
    assert of([*moves, ("a", AT - 9, "purchase", -10)], 'by = "movement"') == {"a": "falling"}
