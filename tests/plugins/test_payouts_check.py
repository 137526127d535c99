"""What `check` says of a program with policy packs: what breaks them, with its article, and what is unsure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stampbook import Engine, ProgramError, load_program
from stampbook.verifying import verify
from stampbook_payouts import Payouts
from tests.plugins.payouts import RATES, ask, program, refund, shop

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stampbook import MoneyHeld


def mistakes(*packs: str, more: str, **options: str) -> list[tuple[str, str, int]]:
    text = program(*packs, more=more, **options)
    with pytest.raises(ProgramError) as found:
        load_program(text, "shop.toml")
    assert all(str(each).startswith(f"shop.toml:{each.line}: plugin[2]") for each in found.value.mistakes)
    lines = text.splitlines()
    for each in found.value.mistakes:
        key = each.key.rpartition(".")[2]
        assert lines[each.line - 1].startswith(key), "the line is that of the key"
    return [(each.key, each.message, each.line) for each in found.value.mistakes]


REFUSED = [
    (("cn-2025",), 'refunds = "none"', "refunds", "法释〔2025〕4号 Art. 9(1)"),
    (("cn-2025",), 'validity = "3 years"', "validity", "法释〔2025〕4号 Art. 24"),
    (("cn-2025",), 'transfer = "no"', "transfer", "法释〔2025〕4号 Art. 9(2)"),
    (("cn-2025",), 'reissue = "no"', "reissue", "法释〔2025〕4号 Art. 9(3)"),
    (("cn-2025",), 'prices = "operator alone"', "prices", "法释〔2025〕4号 Art. 9(4)"),
    # Courts refused to let operators keep 30 % (Xiamen Haicang) and 20 % (Beijing No. 1; Minhang allowed about 5 %).
    (("cn-2025", "contract"), 'fee = "30%"', "fee", "法释〔2025〕4号 Art. 15"),
    (("cn-2025", "contract"), 'fee = "20%"', "fee", "法释〔2025〕4号 Art. 15"),
    (("cn-single-purpose-card",), 'validity = "10 years"', "validity", "单用途商业预付卡管理办法 Art. 19"),
    (("cn-single-purpose-card",), 'card = "bearer"\nvalidity = "35 months"', "validity", "Art. 19"),
    (("cn-single-purpose-card",), 'ceiling = "5000.01"', "ceiling", "Art. 18"),
    (("cn-single-purpose-card",), 'card = "bearer"\nceiling = "1000.01"', "ceiling", "Art. 18"),
    (("cn-beijing",), 'refunds = "none"', "refunds", "北京市单用途预付卡管理条例 Art. 17"),
    (("us-federal",), 'validity = "59 months"', "validity", "15 U.S.C. 1693l-1, 12 CFR 1005.20"),
    (("us-federal",), 'idle_fee = "1.00"\nidle_months = 11', "idle_months", "12 CFR 1005.20"),
    (("us-federal",), 'places = ["NY"]\nvalidity = "8 years"', "validity", "N.Y. GBL 396-i"),
    (("us-federal",), 'places = ["NY"]\nidle_fee = "0.01"\nidle_months = 36', "idle_fee", "N.Y. GBL 396-i"),
    (("us-federal",), 'places = ["CA"]\nvalidity = "20 years"', "validity", "Cal. Civ. Code 1749.5"),
    (("us-federal",), 'places = ["CA"]\nidle_fee = "1.01"\nidle_months = 24', "idle_fee", "Cal. Civ. Code 1749.5"),
    (("us-federal",), 'places = ["CA"]\nidle_fee = "1.00"\nidle_months = 23', "idle_months", "Cal. Civ. Code 1749.5"),
    (("us-federal",), 'places = ["CO"]\nidle_fee = "1.00"\nidle_months = 24', "idle_fee", "C.R.S. 6-1-722"),
    (("uk-eu",), 'places = ["IE"]\nvalidity = "4 years"', "validity", "Gift Vouchers"),
    (("uk-eu",), 'e_money = true\nrefunds = "none"', "refunds", "Directive 2009/110/EC Art. 11"),
]


@pytest.mark.parametrize(("packs", "more", "key", "cite"), REFUSED)
def test_a_program_that_breaks_its_pack_is_refused_with_the_article(
    packs: tuple[str, ...], more: str, key: str, cite: str
) -> None:
    [(found, message, _)] = mistakes(*packs, more=more, currency="USD" if packs == ("us-federal",) else "CNY")
    assert found == f"plugin[2].{key}"
    assert cite in message
    assert "breaks" in message


ALLOWED = [
    (("cn-2025",), 'card = "bearer"\nvalidity = "3 years"'),
    (("cn-single-purpose-card",), 'card = "bearer"\nvalidity = "3 years"\nceiling = "1000.00"'),
    (("us-federal",), 'validity = "5 years"\nidle_fee = "2.00"\nidle_months = 12\nrefunds = "none"'),
    (("us-federal",), 'places = ["NY"]\nvalidity = "9 years"'),
    (("us-federal",), 'places = ["CA"]\nidle_fee = "1.00"\nidle_months = 24'),
    (("uk-eu",), 'places = ["IE"]\nvalidity = "5 years"'),
    (("uk-eu",), 'validity = "1 year"\nrefunds = "none"'),
    (("contract",), 'validity = "6 months"\nfee = "10%"\nrefunds = "none"\ntransfer = "no"'),
]


@pytest.mark.parametrize(("packs", "more"), ALLOWED)
def test_a_program_within_its_pack_is_not_refused(packs: tuple[str, ...], more: str) -> None:
    load_program(program(*packs, more=more))


def test_all_that_breaks_a_pack_is_told_at_once() -> None:
    found = mistakes("cn-2025", more='refunds = "none"\nvalidity = "1 year"\nreissue = "no"')
    assert [key for key, _, _ in found] == ["plugin[2].refunds", "plugin[2].validity", "plugin[2].reissue"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ('places = ["NYC"]', "no pack has rules for 'NYC' (did you mean 'NY'?)"),
        ('validity = "forever"', "'forever' is not a period"),
        ('[[plugin.rate]]\nname = "lpr"\nfrom = "2025-01-01"\nrate = "3%"', "lpr_1y"),
        (
            '[[plugin.rate]]\nname = "lpr_1y"\nfrom = "2025-02-30"\nrate = "3%"',
            "'2025-02-30' is no day of the calendar",
        ),
        ('idle_fee = "1.00"', "idle_fee and idle_months go together"),
        ('second_person_above = "1.234"', "plugin[2].second_person_above: '1.234' has more than 2 decimals"),
        ('ceiling = "1.234"', "plugin[2].ceiling: '1.234' has more than 2 decimals"),
        ('fee = "3%"', "only the pack 'contract' gives money back less a fee"),
    ],
)
def test_what_cannot_be_meant_is_told_plainly(more: str, message: str) -> None:
    with pytest.raises(ProgramError, match="plugin") as found:
        load_program(program("us-federal", more=more))
    assert message in str(found.value)


def test_a_misspelt_pack_is_told_with_a_near_name() -> None:
    with pytest.raises(ProgramError) as found:
        load_program(program("cn-2024"))
    assert "there is no pack 'cn-2024' (did you mean 'cn-2025'?)" in str(found.value)


def test_money_that_a_closing_would_take_breaks_the_pack_as_well() -> None:
    taken = program("cn-2025").replace("[assets.CNY]", '[assets.CNY]\non_close = "forfeit"')
    with pytest.raises(ProgramError) as found:
        load_program(taken)
    assert "[assets.CNY] on_close = 'forfeit' takes the balance of who leaves: 'none' breaks cn-2025" in str(
        found.value
    )
    assert "plugin[2]" in str(found.value)
    load_program(taken.replace("cn-2025", "contract"))


CARDS = '[[plugin]]\nuse = "cards"\nprefix = "6035"\nlength = 12\n'
BOTH = 'bearer_most = "1000"\nregistered_most = "5000.00"\n'
TRANSFERS = '[[plugin]]\nuse = "transfers"\nasset = "CNY"\nkinds = ["paid", "bonus"]\nexpiry = "restart"\n'
ENDS = [
    ("cn-2025", f'{CARDS}over = "lapses"\nexpires = "3 years"', ["3.expires: Art. 24"]),
    ("cn-single-purpose-card", f'{CARDS}{BOTH}over = "lapses"\nexpires = "3 years"', ["3.expires: Art. 19"]),
    (
        "cn-2025",
        f'{CARDS}over = "lapses"\nexpires = "3 years"\nregistered_expires = "99 years"',
        ["3.expires: Art. 24", "3.registered_expires: Art. 24"],
    ),
    ("us-federal", f'{CARDS}over = "lapses"\nexpires = "59 months"', ["3.expires: 12 CFR 1005.20"]),
    ("us-federal", f'{CARDS}over = "lapses"\nexpires = "31 december"', ["3.expires: 12 CFR 1005.20"]),
    ("cn-2025", f'{TRANSFERS}expires = "1 year"', ["3.expires: Art. 24"]),
    ("cn-2025", f'{CARDS}expires = "3 years"', []),
    ("us-federal", f'{CARDS}over = "lapses"\nexpires = "5 years"', []),
    ("contract", f'{CARDS}over = "lapses"\nexpires = "1 month"', []),
    ("cn-2025", f'{TRANSFERS}expires = "never"', []),
    ("cn-2025", TRANSFERS.replace('"paid", ', "") + 'expires = "1 year"', []),
]


@pytest.mark.parametrize(("pack", "more", "expected"), ENDS)
def test_money_that_another_table_lets_end_breaks_the_pack_as_well(pack: str, more: str, expected: list[str]) -> None:
    text = program(pack, more=more)
    if not expected:
        load_program(text)
        return
    with pytest.raises(ProgramError) as found:
        load_program(text, "shop.toml")
    lines = text.splitlines()
    for mistake, told in zip(found.value.mistakes, expected, strict=True):
        key, cite = told.split(": ")
        assert mistake.key == f"plugin[{key[0]}]{key[1:]}"
        assert lines[mistake.line - 1].startswith(key[2:])
        assert "what customers paid would be gone when that is over" in mistake.message
        assert cite in mistake.message


def test_stored_value_of_a_return_that_ends_breaks_the_pack_as_well() -> None:
    text = program().replace('use = "refunds"', 'use = "refunds"\n[plugin.to_stored_value]\ngood_for = "1 month"')
    with pytest.raises(ProgramError, match=r"plugin\[1\].to_stored_value.good_for: .*Art. 24"):
        load_program(text)
    load_program(text.replace("good_for", 'kind = "bonus"\ngood_for'))
    load_program(text.replace("cn-2025", "contract"))


def test_sessions_are_an_asset_of_the_program() -> None:
    with pytest.raises(ProgramError) as found:
        load_program(program().replace('sessions = "sessions"', 'sessions = "visits"'))
    assert "sessions: 'visits' is not an asset of the program; add [assets.visits]" in str(found.value)


def test_rules_that_nobody_could_verify_are_warned_of_where_they_hold() -> None:
    def told(*packs: str, more: str = "") -> str:
        [payouts] = [each for each in load_program(program(*packs, more=more)).plugins if each.name == "payouts"]
        return "\n".join(text for _, text in payouts.cautions)

    assert "Art. 16 and 17: nobody's cause: no rate is written" in told("cn-2025")
    assert "is said by cn-2025" in told("cn-beijing")
    assert "is said by cn-2025" not in told("cn-2025", "cn-single-purpose-card")
    assert told("us-federal", more='refunds = "none"') == ""
    assert told("us-federal", "contract") == ""
    assert "which the pack 'contract' works out" in told("us-federal")
    assert "Tex. Bus. & Com. Code ch. 604" in told("us-federal", more='places = ["TX"]')
    assert "Directive 2011/83/EU" in told("uk-eu")


def test_amounts_in_the_money_of_another_country_are_compared_with_none_and_check_says_so() -> None:
    def told(*packs: str, currency: str, more: str) -> list[str]:
        text = program(*packs, currency=currency, more=more)
        [payouts] = [each for each in load_program(text).plugins if each.name == "payouts"]
        return [said for _, said in payouts.cautions if "its amounts are in" in said]

    order = "单用途商业预付卡管理办法 Art."
    [said] = told("cn-2025", "cn-single-purpose-card", currency="EUR", more='card = "bearer"\nceiling = "9000.00"')
    assert said == (
        f"cn-single-purpose-card: its amounts are in CNY ({order} 21, {order} 15, {order} 16, {order} 18), and the "
        "program counts EUR: what is paid and kept in EUR is held to none of them; what is in CNY is"
    )
    assert not told("cn-2025", "cn-single-purpose-card", currency="CNY", more='card = "bearer"\nceiling = "900.00"')
    assert not told("cn-2025", "cn-beijing", currency="EUR", more="")
    places = 'places = ["CA"]\nidle_fee = "1.01"\nidle_months = 24\nrefunds = "none"'
    [said] = told("us-federal", currency="EUR", more=places)
    assert said.startswith("us-federal: its amounts are in USD (Cal. Civ. Code 1749.5")
    cards = f"{CARDS}bearer_most = '9000.00'\n"
    load_program(program("cn-single-purpose-card", currency="EUR", more=cards))


@pytest.mark.parametrize(("card", "most"), [("registered", "5000.00"), ("bearer", "1000.00")])
def test_no_more_money_is_paid_in_than_the_card_may_hold(card: str, most: str) -> None:
    ledger = shop("cn-single-purpose-card", more=f'card = "{card}"')
    ledger.post(type="topup", amount=most)
    refused = ledger.post(type="topup", amount="0.01")
    assert [each.code for each in refused.objections] == ["card_limit"]
    assert f"{most} CNY is the most" in refused.objections[0].message
    assert "Art. 18" in refused.objections[0].message
    ledger.post(type="spend", amount="0.01")
    assert ledger.post(type="topup", amount="0.01").accepted


def test_interest_without_a_rate_is_asked_for() -> None:
    ledger = shop(more="")
    ledger.post(type="topup", amount="100", at="2025-06-01")
    assert refund(ask(ledger, at="2025-09-01")) == "100.00"
    outcome = ask(ledger, "operator", "2025-09-02", rescinded_at="2025-08-02")
    assert refund(outcome) == "no_rate"
    assert "'lpr_1y' of 2025-06-01; add it as [[plugin.rate]]" in outcome.objections[0].message
    assert "lpr_1y" in RATES


@pytest.mark.parametrize(
    ("more", "options", "expected"),
    [
        ("", BOTH, []),
        ('cards = "bearer"\n', "", []),
        ('cards = "bearer"\n', BOTH, []),
        ("", 'bearer_most = "1000.01"\nregistered_most = "5000"\n', ["bearer_most: '1000.01' breaks"]),
        ('cards = "bearer"\n', 'registered_most = "5000.01"\n', ["registered_most: '5000.01' breaks"]),
        ("", 'registered_most = "5000"\n', ["bearer_most: absent, such a card may hold any amount"]),
        ("", "", ["bearer_most: absent", "registered_most: absent"]),
    ],
)
def test_cards_that_hold_more_than_the_law_lets_them_break_the_pack(
    more: str, options: str, expected: list[str]
) -> None:
    found: list[str] = []
    try:
        load_program(program("cn-single-purpose-card", more=more + CARDS + options), "shop.toml")
    except ProgramError as error:
        found = [f"{each.key.rpartition('.')[2]}: {each.message}" for each in error.mistakes]
    assert [each.startswith(start) for each, start in zip(found, expected, strict=True)] == [True] * len(expected)
    assert all("单用途商业预付卡管理办法 Art. 18" in each for each in found)
    assert not any(line.startswith("bearer_most: absent") and "write '1000.00'" not in line for line in found)


def test_other_laws_bound_no_card() -> None:
    load_program(program("us-federal", currency="USD", more='refunds = "none"\n' + CARDS))


class _Lax(Payouts):
    """As payouts was before it knew of what cards may hold."""

    def forbids_held(self, held: MoneyHeld) -> Iterator[str]:
        del held
        return iter(())


def test_books_that_were_judged_by_such_a_program_before_are_sound_and_go_on(any_db: str) -> None:
    text = program("cn-single-purpose-card", more=CARDS)
    with Engine.open(any_db, create=True, plugins={"payouts": _Lax}) as engine:
        engine.put_text_in_force(text)
        engine.post({"type": "topup", "id": "1", "source": "till", "account": "a", "at": "2025-01-01", "amount": "5"})
    with Engine.open(any_db) as engine:
        more = {"type": "topup", "id": "2", "source": "till", "account": "a", "at": "2025-01-02", "amount": "5"}
        assert engine.post(more).accepted
        assert verify(engine).ok
        with pytest.raises(ProgramError, match="bearer_most: absent"):
            engine.put_text_in_force(text + "# as it was\n")
