"""A pack judges terms by the laws of the days on which cards were sold, topped up, or are refunded."""

from __future__ import annotations

import pytest

from stampbook import ProgramError, load_program
from stampbook_payouts.packs import PACKS
from tests.plugins.payouts import program, shop

NY = 'places = ["NY"]\nrefunds = "none"\n'
ONCE = "reloadable = false\n"


def mistakes(pack: str, more: str) -> str:
    try:
        load_program(program(pack, more=more), "shop.toml")
    except ProgramError as error:
        return str(error)
    return ""


def earlier(last: str, *terms: str, first: str = "") -> str:
    since = f'sold_from = "{first}"\n' if first else ""
    return f'[[plugin.earlier]]\n{since}sold_until = "{last}"\n' + "\n".join(terms)


# pack, options, terms of earlier cards, the article that they broke when those were sold
EARLIER = [
    ("us-federal", NY + ONCE, earlier("2010-08-21", 'validity = "1 year"'), ""),
    ("us-federal", NY + ONCE, earlier("2010-08-22", 'validity = "1 year"'), "12 CFR 1005.20"),
    ("us-federal", NY + ONCE, earlier("2022-12-09", 'validity = "5 years"'), ""),
    ("us-federal", NY + ONCE, earlier("2022-12-09", 'validity = "59 months"'), "from 2016-12-25 to 2022-12-09"),
    ("us-federal", NY + ONCE, earlier("2022-12-10", 'validity = "5 years"'), "since 2022-12-10 are good for 9 years"),
    ("us-federal", NY, earlier("2010-08-21", 'validity = "1 year"'), "from the last load"),  # may be loaded again
    (
        "us-federal",
        NY,
        earlier("2010-08-21", 'idle_fee = "1.00"', "idle_months = 11"),
        "from 2004-09-21 to 2010-08-21 a fee comes after 12 months",
    ),
    ("us-federal", NY, earlier("2004-09-20", 'idle_fee = "1.00"', "idle_months = 1"), ""),
    ("us-federal", NY, earlier("2016-12-24", 'idle_fee = "1.00"', "idle_months = 12"), ""),
    (
        "us-federal",
        NY,
        earlier("2022-12-09", 'idle_fee = "1.00"', "idle_months = 23", first="2016-12-25"),
        "a fee comes after 24 months",
    ),
    ("us-federal", NY, earlier("2022-12-09", 'idle_fee = "1.00"', "idle_months = 24", first="2016-12-25"), ""),
    ("us-federal", NY, earlier("2022-12-10", 'idle_fee = "0.01"', "idle_months = 24"), "bear no fee"),
    ("uk-eu", 'places = ["IE"]\n', earlier("2019-12-01", 'validity = "1 year"'), ""),
    ("uk-eu", 'places = ["IE"]\n', earlier("2019-12-02", 'validity = "1 year"'), "Gift Vouchers"),
    ("cn-single-purpose-card", "", earlier("2012-10-31", 'validity = "1 year"'), ""),
    ("cn-single-purpose-card", "", earlier("2012-11-01", 'validity = "1 year"'), "Art. 19"),
    # A dispute of today is judged by the interpretation of 2025, whatever the date of the contract (Beijing Chaoyang).
    ("cn-2025", "", earlier("2012-10-31", 'validity = "1 year"'), "法释〔2025〕4号 Art. 24"),
]


@pytest.mark.parametrize(("pack", "more", "terms", "told"), EARLIER)
def test_terms_of_earlier_cards_are_judged_by_the_laws_of_their_day(
    pack: str, more: str, terms: str, told: str
) -> None:
    found = mistakes(pack, more + terms)
    assert bool(found) == bool(told)
    assert told in found
    if told:
        assert "plugin[3].earlier" in found or "plugin[2].earlier" in found
        assert "cards sold until" in found


def test_cards_that_are_sold_no_more_are_judged_by_the_laws_of_their_day_too() -> None:
    assert "9 years" in mistakes("us-federal", NY + 'validity = "5 years"')
    assert not mistakes("us-federal", NY + 'sold_until = "2022-12-09"\nvalidity = "5 years"')
    assert "9 years" in mistakes("us-federal", NY + 'sold_until = "2022-12-10"\nvalidity = "5 years"')
    assert "9 years" in mistakes("us-federal", NY + 'sold_from = "2015-01-01"\nvalidity = "5 years"')
    assert not mistakes("us-federal", NY + 'validity = "9 years"\n' + earlier("2022-12-09", 'validity = "5 years"'))


def test_what_another_table_lets_end_is_judged_by_when_the_cards_were_sold() -> None:
    cards = '[[plugin]]\nuse = "cards"\nprefix = "6035"\nlength = 12\nover = "lapses"\nexpires = "5 years"\n'
    assert "N.Y. GBL 396-i" in mistakes("us-federal", NY + cards)
    assert not mistakes("us-federal", NY + 'sold_until = "2022-12-09"\n' + cards)


def test_the_order_of_2012_bounds_no_card_before_it() -> None:
    ledger = shop("cn-single-purpose-card", more="")
    assert ledger.post(type="topup", amount="6000.00", at="2012-10-31T23:59").accepted
    assert ledger.post(type="topup", amount="0.01", at="2012-11-01T00:00").objections[0].code == "card_limit"


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        (earlier("2022-02-30"), "'2022-02-30' is no day of the calendar"),
        (earlier("2022-01-01", first="2022-01-02"), "sold_until: 2022-01-01 comes before sold_from, 2022-01-02"),
        (earlier("2022-01-01", 'validity = "soon"'), "'soon' is not a period"),
        (earlier("2022-01-01", 'idle_fee = "1"'), "idle_fee and idle_months go together"),
        (earlier("2022-01-01", 'idle_fee = "1.005"', "idle_months = 24"), "idle_fee: '1.005' has more than 2 decimals"),
        ('sold_from = "2022-01-02"\nsold_until = "2022-01-01"', "comes before sold_from"),
        ('sold_until = "2022-13-01"', "is no day of the calendar"),
    ],
)
def test_days_that_cannot_be_meant_are_told_plainly(terms: str, message: str) -> None:
    assert message in mistakes("us-federal", terms)


def test_every_clause_holds_for_a_time() -> None:
    for pack in PACKS.values():
        for clause in pack.clauses:
            assert clause.first_day <= clause.last_day
