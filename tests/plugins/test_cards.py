"""Cards: sold, spent, refunded, claimed, blocked, replaced, over and good again."""

from __future__ import annotations

import pytest

from stampbook import ProgramError
from stampbook.testing import Check, plugin_checks
from stampbook_cards import Cards
from stampbook_cards.card_numbers import check_digit
from tests.plugins.cards import BY, CARDS, NUMBERS, ONE, PROGRAM, THREE, TWO, Shop


def test_a_card_is_worth_nothing_until_it_is_sold() -> None:
    shop = Shop()
    shop.post("card.issued", batch="spring")
    assert shop.codes("card.spent", amount="1") == ["not_active", "insufficient_balance"]
    assert shop.codes("card.topped_up", amount="1", tender="cash") == ["not_active"]
    assert shop.codes("card.activated", amount="50", tender="cash") == []
    assert shop.codes("card.activated", amount="50", tender="cash") == ["not_issued"]
    assert shop.codes("card.issued") == ["card_exists"]
    assert (shop.balance(), shop.fact("state"), shop.fact("batch")) == ("50.00", "active", "spring")


def test_what_is_paid_for_a_card_is_paid_value_in_a_lot_of_each_payment() -> None:
    shop = Shop()
    shop.sell("50")
    shop.post("card.topped_up", amount="20", tender="card")
    lots = shop.ledger.view(account=ONE).lots
    assert [(lot.kind, lot.remaining) for lot in lots] == [("paid", 5000), ("paid", 2000)]
    assert [posting.source for entry in shop.ledger.journal(ONE) for posting in entry.postings] == ["cash", "cash"]


@pytest.mark.parametrize("number", ["603512345678", "123456789015", NUMBERS[0] + "0", NUMBERS[0][:-1], "card"])
def test_a_number_that_no_card_can_have_is_mistyped(number: str) -> None:
    assert Shop().codes("card.issued", f"card:{number}") == ["mistyped_number"]


def test_a_misspelt_number_opens_no_account() -> None:
    shop = Shop()
    assert shop.codes("card.activated", THREE, amount="50", tender="cash") == ["unknown_account"]
    assert shop.codes("card.spent", THREE, amount="50") == ["unknown_account"]


def test_a_customer_is_no_card_and_a_card_no_customer() -> None:
    shop = Shop()
    shop.post("account.opened", "ann")
    shop.sell()
    assert shop.codes("card.activated", "ann", amount="50", tender="cash") == ["no_card"]
    assert shop.codes("topup", ONE, amount="50") == ["no_customer"]
    assert shop.codes("purchase", ONE, amount="50") == ["no_customer"]


def test_a_card_pays_and_what_comes_back_of_it_goes_where_it_came_from() -> None:
    shop = Shop()
    shop.sell("20")
    shop.post("card.topped_up", amount="20", tender="cash")
    shop.post("card.spent", id="s", amount="30")
    assert shop.codes("card.spent", amount="10.01") == ["insufficient_balance"]
    assert shop.codes("card.refunded", about="s", amount="15") == []
    assert [lot.remaining for lot in shop.ledger.view(account=ONE).lots] == [500, 2000]
    assert shop.codes("card.refunded", about="s", amount="15.01") == ["above_paid"]
    assert shop.codes("card.refunded", about="s") == []
    assert shop.codes("card.refunded", about="s") == ["above_paid"]
    assert shop.codes("card.refunded", about="t") == ["unknown_payment"]
    assert shop.balance() == "40.00"


def test_a_hold_of_a_card_keeps_what_it_is_for() -> None:
    shop = Shop()
    shop.sell("20")
    shop.post("card.authorised", id="h", amount="15", lapses_at="2025-03-02T10:00")
    assert shop.codes("card.spent", amount="6") == ["insufficient_balance"]
    assert shop.codes("card.claimed", to="ann") == ["open_holds"]
    shop.post("account.opened", "ann")
    assert shop.codes("hold.captured", hold="h", amount="12") == []
    assert shop.balance() == "8.00"


def test_a_card_without_a_pin_is_spent_and_held_by_the_engines_own_events() -> None:
    shop = Shop()
    shop.sell("20", at="2025-03-01T10:00")
    assert shop.codes("spend", amount="5") == []
    assert shop.codes("hold.authorised", amount="5") == []
    shop.post("card.blocked", **BY)
    assert shop.codes("spend", amount="5") == ["card_blocked"]
    assert shop.codes("hold.authorised", amount="5") == ["card_blocked"]


def test_ceilings_of_bearer_and_registered_cards() -> None:
    shop = Shop('bearer_most = "1000"\nregistered_most = "5000"\n')
    shop.post("account.opened", "ann")
    shop.post("card.issued")
    assert shop.codes("card.activated", amount="1000.01", tender="cash") == ["above_ceiling"]
    assert shop.codes("card.activated", amount="1000", tender="cash") == []
    assert shop.codes("card.topped_up", amount="0.01", tender="cash") == ["above_ceiling"]
    shop.post("card.authorised", id="h", amount="500", lapses_at="2030-01-01")
    assert shop.codes("card.topped_up", amount="0.01", tender="cash") == ["above_ceiling"]  # what is held is on it
    shop.post("hold.voided", hold="h")
    shop.post("card.claimed", to="ann", value="stays")
    assert shop.codes("card.topped_up", amount="4000", tender="cash") == []
    assert shop.codes("card.topped_up", amount="0.01", tender="cash") == ["above_ceiling"]


def test_a_claim_moves_the_value_with_its_terms_and_leaves_the_card_empty() -> None:
    shop = Shop('over = "lapses"\nexpires = "2 years"\n')
    shop.post("account.opened", "ann")
    shop.sell("50")
    (lot,) = shop.ledger.view(account=ONE).lots
    assert shop.codes("card.claimed", to="ben") == ["unknown_account"]
    assert shop.codes("card.claimed", to=TWO)[0] == "no_customer"
    assert shop.codes("card.claimed", to="ann") == []
    (moved,) = shop.ledger.view(account="ann").lots
    assert moved[1:6] == lot[1:6]
    assert (shop.balance("ann"), shop.balance()) == ("50.00", "0.00")
    assert shop.fact("state") == "claimed"
    assert shop.codes("card.claimed", to="ann") == ["account_closed"]
    assert shop.codes("card.topped_up", amount="5", tender="cash") == ["account_closed"]


def test_a_registered_card_keeps_its_value_and_is_nobody_elses() -> None:
    shop = Shop('claim = "stays"\nexpires = "3 years"\n')
    for ref in ("ann", "ben"):
        shop.post("account.opened", ref)
    shop.sell("50")
    assert shop.codes("card.claimed", to="ann") == []
    assert (shop.balance("ann"), shop.balance(), shop.fact("holder")) == ("0.00", "50.00", "ann")
    assert shop.codes("card.claimed", to="ann") == ["registered"]
    assert shop.codes("card.claimed", to="ben", value="moves") == ["registered"]
    assert shop.codes("card.spent", amount="5", at="2035-01-01") == []  # a registered card has no end here
    assert shop.codes("card.claimed", to="ann", value="moves") == []
    assert shop.balance("ann") == "45.00"


def test_a_blocked_card_moves_nothing_until_it_is_unblocked() -> None:
    shop = Shop()
    shop.post("account.opened", "ann")
    shop.sell("50")
    shop.post("card.authorised", id="h", amount="5", lapses_at="2025-06-01")
    assert shop.codes("card.unblocked", **BY) == ["not_blocked"]
    shop.post("card.blocked", reason="stolen", operator="kim")
    for kind, fields in (
        ("card.spent", {"amount": "1"}),
        ("card.authorised", {"amount": "1", "lapses_at": "2025-06-01"}),
        ("card.topped_up", {"amount": "1", "tender": "cash"}),
        ("hold.captured", {"hold": "h"}),
    ):
        assert shop.codes(kind, **fields) == ["card_blocked"]
    assert "card_blocked" in shop.codes("card.claimed", to="ann")
    assert shop.codes("card.blocked", **BY) == ["card_blocked"]
    shop.post("card.unblocked", **BY)
    assert shop.codes("card.spent", amount="45") == []


def test_a_block_says_who_and_why() -> None:
    shop = Shop()
    shop.sell()
    for missing in ({"reason": "lost"}, {"operator": "kim"}, {"reason": "", "operator": "kim"}):
        with pytest.raises(Exception, match=r"reason|operator"):
            shop.post("card.blocked", **missing)


def test_a_replaced_card_is_empty_and_dead_and_the_new_one_has_all_that_it_had() -> None:
    shop = Shop('expires = "3 years"\n')
    for ref in ("ann", "ben"):
        shop.post("account.opened", ref)
    shop.sell("50")
    shop.post("card.claimed", to="ann", value="stays")
    shop.post("card.blocked", reason="lost", operator="kim")
    assert shop.codes("card.replaced", to=TWO, **BY) == ["unknown_account"]
    shop.post("card.issued", TWO)
    assert shop.codes("card.replaced", to=TWO, **BY) == []
    assert (shop.balance(), shop.balance(TWO)) == ("0.00", "50.00")
    assert (shop.fact("state"), shop.fact("goes_on")) == ("replaced", TWO)
    assert (shop.fact("state", TWO), shop.fact("holder", TWO), shop.fact("replaces", TWO)) == ("active", "ann", ONE)
    for kind, fields in (
        ("card.unblocked", BY),
        ("card.spent", {"amount": "1"}),
        ("card.topped_up", {"amount": "1", "tender": "cash"}),
        ("card.replaced", {"to": THREE, **BY}),
        ("card.reactivated", BY),
        ("card.issued", {}),
    ):
        assert shop.codes(kind, **fields) == ["account_closed"]
    assert shop.codes("card.spent", TWO, amount="50", at="2040-01-01") == []  # as long as it was registered
    assert [entry.type for entry in shop.ledger.journal("ann")][-1] == "card.registered"


def test_a_card_is_replaced_by_one_that_was_not_sold() -> None:
    shop = Shop()
    shop.sell("50")
    shop.sell("10", TWO)
    assert shop.codes("card.replaced", to=TWO, **BY) == ["card_used"]
    shop.post("card.issued", THREE)
    assert shop.codes("card.replaced", THREE, to=TWO, **BY)[0] == "not_active"
    assert shop.codes("card.replaced", to="ann", **BY)[0] == "no_card"
    shop.post("card.blocked", THREE, **BY)
    assert shop.codes("card.replaced", to=THREE, **BY) == ["card_blocked"]


def test_what_a_replaced_card_had_paid_comes_back_to_the_last_card_that_stands_for_it() -> None:
    shop = Shop()
    shop.post("account.opened", "ann")
    shop.sell("50")
    shop.post("card.spent", id="s", amount="30")
    for old, new in ((ONE, TWO), (TWO, THREE)):
        shop.post("card.issued", new)
        assert shop.codes("card.replaced", old, to=new, **BY) == []
    assert shop.codes("card.refunded", about="s", amount="10") == []
    assert (shop.balance(), shop.balance(TWO), shop.balance(THREE)) == ("0.00", "0.00", "30.00")
    shop.post("card.claimed", THREE, to="ann", value="moves")
    assert shop.codes("card.refunded", about="s") == []
    assert shop.codes("card.refunded", about="s") == ["above_paid"]
    assert shop.balance("ann") == "50.00"
    assert all(lot.kind == "paid" for lot in shop.ledger.view(account="ann").lots)


def test_a_suspended_card_keeps_its_value_and_is_good_again_on_request() -> None:
    shop = Shop('expires = "3 years"\n')
    shop.sell("50", at="2025-03-01T10:00")
    assert shop.codes("card.reactivated", **BY) == ["not_over"]
    assert shop.codes("card.spent", amount="1", at="2028-03-01T23:59") == []
    assert shop.codes("card.spent", amount="1", at="2028-03-02T00:00") == ["card_over"]
    assert shop.codes("card.topped_up", amount="1", tender="cash") == ["card_over"]
    assert shop.balance() == "49.00"
    assert shop.codes("card.reactivated", **BY) == []
    assert shop.codes("card.spent", amount="1", at="2031-03-02T12:00") == []
    assert shop.codes("card.spent", amount="1", at="2031-03-03T12:00") == ["card_over"]


def test_money_put_on_a_card_keeps_all_of_it_good_for_longer() -> None:
    for options in ('expires = "1 year"\n', 'expires = "1 year"\nover = "lapses"\n'):
        shop = Shop(options)
        shop.sell("50", at="2025-03-01T10:00")
        shop.post("card.topped_up", amount="10", tender="cash", at="2026-01-01T10:00")
        assert shop.codes("card.spent", amount="55", at="2026-12-31T10:00") == []


def test_where_the_program_says_so_what_is_on_a_card_lapses_with_it() -> None:
    shop = Shop('expires = "1 year"\nover = "lapses"\n')
    shop.sell("50", at="2025-03-01T10:00")
    shop.post("card.spent", id="s", amount="5", at="2025-03-02T10:00")
    assert shop.balance(at="2026-03-02T00:00") == "0.00"
    assert shop.codes("card.reactivated", at="2026-03-02T10:00", **BY) == ["value_lapsed"]
    assert shop.codes("card.refunded", about="s") == ["value_lapsed"]
    (caution,) = shop.ledger.registry.plugins[0].cautions
    assert "lapses" in caution[1]


def test_registering_a_card_that_lapses_lets_its_value_be_good_as_long_as_the_card() -> None:
    shop = Shop('expires = "1 year"\nregistered_expires = "4 years"\nover = "lapses"\n')
    shop.post("account.opened", "ann")
    shop.sell("50", at="2025-03-01T10:00")
    shop.post("card.claimed", to="ann", value="stays", at="2025-03-02T10:00")
    assert shop.balance(at="2029-03-01T10:00") == "50.00"
    assert shop.balance(at="2029-03-03T10:00") == "0.00"


def test_a_card_holds_the_currency_of_the_program() -> None:
    shop = Shop(program=PROGRAM.replace("[[plugin]]", "[assets.EUR]\n[[plugin]]"))
    shop.post("card.issued")
    assert shop.codes("card.activated", amount="5", currency="EUR", tender="cash") == ["wrong_currency"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ('over = "lapses"', "over = 'lapses' goes with expires or registered_expires"),
        ("length = 8\nprefix = '603'", "prefix: leave at least five digits"),
        ('bearer_most = "1.001"', "bearer_most: "),
        ("pin_for = ['guess']", "pin_for"),
    ],
)
def test_options_that_make_no_sense_are_told(options: str, told: str) -> None:
    program = PROGRAM.replace('prefix = "6035"\nlength = 12\n', "")
    with pytest.raises(ProgramError) as error:
        Shop(program=program + options)
    assert told in str(error.value)


def test_numbers_end_with_the_check_digit_that_the_program_chose() -> None:
    digits = NUMBERS[0][:-1]
    damm = check_digit(digits, "damm")
    shop = Shop('check = "damm"\n')
    assert shop.codes("card.issued", f"card:{digits}{damm}") == []
    assert {bool(shop.codes("card.issued", f"card:{digits}{d}")) for d in range(10) if str(d) != damm} == {True}


def test_no_other_plugin_judges_what_happens_to_a_card() -> None:
    points = '[[plugin]]\nuse = "points"\n[[plugin.rule]]\nname = "welcome"\non = ["account.opened"]\nearn = "5"\n'
    shop = Shop(points, program=PROGRAM.replace("[[plugin]]", "[assets.points]\n[[plugin]]"))
    shop.post("account.opened", "ann")
    for card in CARDS:
        shop.sell("5", card)
    assert shop.ledger.balance("points", account="ann") == "5"
    assert {shop.ledger.balance("points", account=card) for card in CARDS} == {"0"}


def test_a_sale_that_did_not_happen_gives_back_what_was_paid_and_the_card_can_be_sold_again() -> None:
    shop = Shop()
    shop.post("card.issued")
    shop.post("card.activated", id="sale", amount="50", tender="cash")
    assert shop.codes("card.sale_voided", about="other", **BY) == ["unknown_sale"]
    assert shop.codes("card.sale_voided", about="sale", **BY) == []
    assert (shop.balance(), shop.fact("state")) == ("0.00", "issued")
    assert shop.ledger.journal(ONE)[-1].postings[0].destination == "cash"
    assert shop.codes("card.spent", amount="1")[0] == "not_active"
    assert shop.codes("card.sale_voided", about="sale", **BY) == ["unknown_sale"]
    shop.post("card.activated", id="again", amount="20", tender="cash")
    shop.post("card.spent", amount="5")
    assert shop.codes("card.sale_voided", about="again", **BY) == ["card_used"]


def test_nobody_transfers_or_merges_into_a_card() -> None:
    more = '[[plugin]]\nuse = "transfers"\nasset = "GBP"\nkinds = ["paid"]\n[[plugin]]\nuse = "merging"\n'
    shop = Shop(more)
    shop.sell()
    shop.post("topup", "ann", amount="50")
    assert shop.codes("transfer", "ann", to=ONE, amount="5") == ["no_customer"]
    assert shop.codes("account.merged", "ann", to=ONE) == ["no_customer"]
    assert shop.codes("transfer", ONE, to="ann", amount="5") == ["no_customer"]


CHECKS = [check for check in plugin_checks(Cards, {"expires": "1 year"}) if check.name != "works_twice_in_a_program"]


@pytest.mark.parametrize("check", CHECKS, ids=str)
def test_cards_keep_the_contract_of_plugins(check: Check) -> None:
    check()
