"""Cards are sold by terms that are for the day of the sale, and no day has two terms, or none between two."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stampbook import Engine, ProgramError, load_program
from stampbook.testing import Ledger
from stampbook.verifying import verify
from stampbook_payouts import Payouts
from tests.effort import examples
from tests.plugins.cards import ONE, TWO
from tests.plugins.payouts import program, shop
from tests.plugins.proof import findings

if TYPE_CHECKING:
    from stampbook import Outcome

UNTIL = 'sold_until = "2022-12-09"\n'
CARDS = '[[plugin]]\nuse = "cards"\nprefix = "6035"\nlength = 12\n'


def earlier(last: str, first: str = "") -> str:
    return f'[[plugin.earlier]]\n{f"sold_from = {first!r}" if first else ""}\nsold_until = "{last}"\n'


def topup(ledger: Ledger, at: str, account: str = "a") -> list[str]:
    return [each.code for each in ledger.post(type="topup", amount="10", at=at, account=account).objections]


def test_nothing_is_sold_when_no_terms_are_for_it_and_the_refusal_says_why() -> None:
    ledger = shop("contract", more=UNTIL)
    assert topup(ledger, "2022-12-09T23:59") == []
    refused = ledger.post(type="topup", amount="10", at="2022-12-10T00:00", account="b")
    assert [each.code for each in refused.objections] == ["not_sold"]
    assert refused.objections[0].message == (
        "no terms are said of cards that are sold on 2022-12-10: those of table 'payouts' are for cards sold until "
        "2022-12-09 (sold_from, sold_until)"
    )
    assert ledger.balance("CNY", account="b") == "0.00"


def test_what_was_sold_before_is_topped_up_still_where_it_may_be() -> None:
    ledger = shop("contract", more=UNTIL)
    topup(ledger, "2022-12-01")
    ledger.post(type="spend", amount="10", at="2022-12-02")
    assert topup(ledger, "2023-01-01") == []
    once = shop("contract", more=UNTIL + "reloadable = false\n")
    assert topup(once, "2022-12-01") == []
    assert topup(once, "2023-01-01") == ["not_sold"]


@pytest.mark.parametrize(
    ("more", "at", "expected"),
    [
        ("", "1999-01-01", []),
        ('sold_from = "2020-01-01"\n', "2019-12-31T23:59", ["not_sold"]),
        ('sold_from = "2020-01-01"\n', "2020-01-01", []),
        (earlier("2019-12-31", "2015-01-01"), "2014-12-31", ["not_sold"]),
        (earlier("2019-12-31", "2015-01-01"), "2015-01-01", []),
        (earlier("2019-12-31", "2015-01-01"), "2020-01-01", []),
        (earlier("2019-12-31"), "1999-01-01", []),
        ('sold_until = "2021-12-31"\n' + earlier("2019-12-31"), "2020-01-01", []),
        ('sold_until = "2021-12-31"\n' + earlier("2019-12-31"), "2022-01-01", ["not_sold"]),
    ],
)
def test_every_day_has_the_terms_that_are_said_of_it(more: str, at: str, expected: list[str]) -> None:
    assert topup(shop("contract", more=more), at) == expected


@pytest.mark.parametrize("cards", ["claimed", "bearer"])
def test_a_card_is_sold_when_it_is_activated_and_not_when_it_is_made(cards: str) -> None:
    ledger = shop("contract", more=f'cards = "{cards}"\n{UNTIL}{CARDS}')

    def post(kind: str, account: str, at: str) -> Outcome:
        more = {} if kind == "card.issued" else {"amount": "10", "tender": "card"}
        return ledger.post(type=kind, account=account, at=at, **more)

    for account in (ONE, TWO):
        assert post("card.issued", account, "2022-11-01").accepted
    assert post("card.activated", ONE, "2022-12-01").accepted
    refused = post("card.activated", TWO, "2023-01-01")
    assert [each.code for each in refused.objections] == ["not_sold"]
    assert "sold on 2023-01-01" in refused.objections[0].message
    assert post("card.topped_up", ONE, "2023-01-01").accepted, "it was sold before"


PASSES = [
    {"name": "ten", "price": "100", "sessions": 10},
    {"name": "year", "price": "300", "until": "2023-12-01"},
]


@pytest.mark.parametrize("sold", PASSES)
@pytest.mark.parametrize(
    ("more", "refused"),
    [
        (UNTIL, False),
        (UNTIL + 'passes = "any day"\n', False),
        (UNTIL + 'passes = "as cards"\n', True),
        ('passes = "as cards"\n', False),
        ('passes = "as cards"\n' + earlier("2022-12-09"), False),
    ],
)
def test_passes_are_sold_as_cards_are_where_the_program_says_so(
    sold: dict[str, str],
    more: str,
    refused: bool,  # noqa: FBT001 - of a table
) -> None:
    text = program("contract", more=more)
    events = [
        {"type": "pass.sold", "id": at, "source": "till", "account": "a", "at": at, **sold}
        for at in ("2022-12-09T23:59", "2022-12-10T00:00")
    ]
    ledger = Ledger(text)
    before, after = (ledger.post(**event) for event in events)
    assert before.accepted
    assert [each.code for each in after.objections] == (["not_sold"] if refused else [])
    if refused:
        assert after.objections[0].message == (
            "no terms are said of passes that are sold on 2022-12-10: those of table 'payouts' are for passes sold "
            "until 2022-12-09 (sold_from, sold_until)"
        )
    assert not findings(text, events)


def test_cards_that_are_judged_so_are_not_refunded_without_a_claim_for_all_that() -> None:
    ledger = shop("contract", more=f"{UNTIL}{CARDS}")
    ledger.post(type="card.issued", account=ONE, at="2022-11-01")
    ledger.post(type="card.activated", account=ONE, amount="10", tender="card", at="2022-12-01")
    refused = ledger.post(type="refund.requested", account=ONE, at="2022-12-02")
    assert [each.code for each in refused.objections] == ["no_customer"]


WRONG = [
    (earlier("2016-12-24") + earlier("2022-12-09"), ["earlier[2].sold_from: 2016-12-24, earlier[1], '2016-12-25'"]),
    (earlier("2016-12-24") + earlier("2022-12-09", "2016-12-24"), ["earlier[2].sold_from: earlier[1], '2016-12-25'"]),
    (earlier("2022-12-09", "2016-12-24") + earlier("2016-12-24"), ["earlier[1].sold_from: earlier[2], '2016-12-25'"]),
    (earlier("2016-12-24") + earlier("2022-12-09", "2017-01-01"), ["earlier[2].sold_from: 2016-12-25 to 2016-12-31"]),
    ('sold_from = "2022-12-09"\n' + earlier("2022-12-09"), ["sold_from: earlier[1], '2022-12-10'"]),
    ('sold_from = "2023-01-01"\n' + earlier("2022-12-09"), ["sold_from: 2022-12-10 to 2022-12-31, earlier[1]"]),
    ('sold_until = "2022-12-09"\n' + earlier("2022-12-09"), ["sold_until: earlier[1], 2022-12-09"]),
    (
        earlier("2010-01-01") + earlier("2012-01-01") + earlier("2014-01-01"),
        ["earlier[2].sold_from: earlier[1]", "earlier[3].sold_from: earlier[2]"],
    ),
    (earlier("2022-01-01", "2022-01-02"), ["earlier[1].sold_until: comes before sold_from, 2022-01-02"]),
]


@pytest.mark.parametrize(("more", "expected"), WRONG)
def test_two_terms_of_one_day_and_days_between_without_any_are_mistakes(more: str, expected: list[str]) -> None:
    text = program("contract", more=more)
    with pytest.raises(ProgramError) as found:
        load_program(text, "shop.toml")
    lines = text.splitlines()
    for mistake, said in zip(found.value.mistakes, expected, strict=True):
        key, words = said.split(": ")
        assert mistake.key == f"plugin[2].{key}"
        name = key.rpartition(".")[2]
        start = (name, "[[plugin.earlier]]") if "earlier" in key else name
        assert lines[mistake.line - 1].startswith(start), "the line is that of the key, or of its table"
        for word in words.split(", "):
            assert word in mistake.message


@pytest.mark.parametrize(
    "more",
    [
        earlier("2016-12-24") + earlier("2022-12-09", "2016-12-25"),
        earlier("2022-12-09", "2016-12-25") + earlier("2016-12-24", "2012-01-01"),
        'sold_from = "2022-12-10"\n' + earlier("2022-12-09"),
        'sold_until = "2022-12-10"\n' + earlier("2022-12-09"),
    ],
)
def test_terms_that_follow_each_other_are_none(more: str) -> None:
    load_program(program("contract", more=more))


_DAY_ONE = date(2020, 1, 1)


@examples(25, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=4), st.integers(-5, 60), st.booleans())
def test_a_day_is_sold_on_just_if_it_has_terms_and_the_books_prove_it(
    lengths: list[int],
    offset: int,
    closed: bool,  # noqa: FBT001 - drawn
) -> None:
    more, first = "", _DAY_ONE
    for length in lengths:
        last = first + timedelta(days=length - 1)
        more += earlier(str(last), str(first))
        first = last + timedelta(days=1)
    end = first + timedelta(days=3)
    text = program("contract", more=(f'sold_until = "{end}"\n' if closed else "") + more)
    day = _DAY_ONE + timedelta(days=offset)
    event = {"type": "topup", "id": "1", "source": "till", "account": "a", "at": f"{day}T12:00", "amount": "5"}
    assert Ledger(text).post(**event).accepted == (day >= _DAY_ONE and (not closed or day <= end))
    assert not findings(text, [event])


class _Lax(Payouts):
    """As payouts was before it knew of days with two terms."""

    def prepare(self) -> None:
        super().prepare()
        self.mistakes = ()


def test_books_that_were_judged_by_a_program_with_two_terms_of_a_day_go_on(any_db: str) -> None:
    text = program("contract", more=earlier("2016-12-24") + earlier("2022-12-09"))
    event = {"type": "topup", "source": "till", "account": "a", "at": "2025-01-01", "amount": "5"}
    with Engine.open(any_db, create=True, plugins={"payouts": _Lax}) as engine:
        engine.put_text_in_force(text)
        engine.post({**event, "id": "1"})
    with Engine.open(any_db) as engine:
        assert engine.post({**event, "id": "2"}).accepted
        assert verify(engine).ok
        with pytest.raises(ProgramError, match=r"earlier\[2\].sold_from"):
            engine.put_text_in_force(text + "# as it was\n")
