from __future__ import annotations

from typing import Any

import pytest

from stampbook.account import Account, Hold
from stampbook.amounts import LARGEST
from stampbook.errors import InvariantError
from stampbook.ledger import (
    BREAKAGE,
    CASH,
    PROMOTION,
    SALES,
    Fact,
    HoldChange,
    LotExtension,
    MetricChange,
    Posting,
    Transaction,
)
from stampbook.lots import DEBT, EARNED, PAID, Lot
from stampbook.periods import NEVER

NOW = 100


def account() -> Account:
    """An account with 10.00 paid, 50 points until 200, 20 points from 300, a debt, and 4 points of a hold left."""
    lots = [
        Lot(1, "GBP", PAID, 0, NEVER, 0, 1, 1000),
        Lot(2, "points", EARNED, 0, 200, 0, 2, 50, 4),
        Lot(3, "points", EARNED, 300, NEVER, 0, 3, 20),
        Lot(4, "points", DEBT, 0, NEVER, 0, 4, -5),
        Lot(5, "points", EARNED, 0, 90, 0, 4, 9, 7),
    ]
    holds = [
        Hold(1, "points", 10, ((2, 4),), captured=6),
        Hold(2, "points", 3, (), voided=3),
        Hold(3, "points", 7, ((5, 7),)),
    ]
    return Account(
        "ann",
        status="open",
        lots={lot.number: lot for lot in lots},
        holds={hold.number: hold for hold in holds},
        next_lot=6,
        next_hold=4,
    )


def points(amount: int, source: int | str, destination: int | str) -> Posting:
    return Posting("points", amount, source, destination)


def hold(number: int, action: str, *units: tuple[int, int], asset: str = "points") -> HoldChange:
    return HoldChange(number, action, asset, units)


def lot(number: int, **terms: Any) -> Lot:
    return Lot(number, "points", EARNED, 0, NEVER, 0, 9, 0)._replace(**terms)


BROKEN = {
    "a posting of nothing": ("I1", [points(0, PROMOTION, 2)], [], []),
    "a negative posting": ("I1", [points(-5, PROMOTION, 2)], [], []),
    "a float": ("I1", [points(1.5, PROMOTION, 2)], [], []),  # type: ignore[arg-type]
    "a truth": ("I1", [points(True, PROMOTION, 2)], [], []),  # noqa: FBT003 - an entry's own fields
    "a posting beyond the range": ("I1", [points(LARGEST + 1, PROMOTION, 2)], [], []),
    "a posting to where it came from": ("I1", [points(1, 2, 2)], [], []),
    "a posting to nowhere": ("I1", [points(1, 2, "")], [], []),
    "a posting to lot zero": ("I1", [points(1, PROMOTION, 0)], [], []),
    "a posting to a lot that is not there": ("I1", [points(1, PROMOTION, 6)], [], []),
    "more than a lot has": ("I6", [points(51, 2, SALES)], [], []),
    "more than a lot has, in two postings": ("I6", [points(30, 2, SALES), points(30, 2, SALES)], [], []),
    "what is held": ("I6", [points(47, 2, SALES)], [], []),
    "more than is owed": ("I6", [points(6, PROMOTION, 4)], [], []),
    "a hold of more than is free": ("I6", [], [], [hold(4, "authorise", (2, 47))]),
    "two holds of more than is free": ("I6", [], [], [hold(4, "authorise", (2, 30)), hold(5, "authorise", (2, 30))]),
    "a hold of what is spent at once": ("I6", [points(40, 2, SALES)], [], [hold(4, "authorise", (2, 10))]),
    "a hold of what has expired": ("I6", [], [], [hold(4, "authorise", (5, 1))]),
    "a hold of what is pending": ("I6", [], [], [hold(4, "authorise", (3, 1))]),
    "a hold of debt": ("I6", [], [], [hold(4, "authorise", (4, 1))]),
    "a hold of nothing": ("I7", [], [], [hold(4, "authorise")]),
    "a capture of nothing": ("I7", [], [], [hold(1, "capture", (2, 0))]),
    "a capture that names a lot twice": ("I7", [points(6, 2, SALES)], [], [hold(1, "capture", (2, 3), (2, 3))]),
    "a capture that is not posted": ("I7", [points(2, 2, SALES)], [], [hold(1, "capture", (2, 4))]),
    "a hold whose number was used": ("I8", [], [], [hold(2, "authorise", (2, 1))]),
    "two new holds of one number": ("I8", [], [], [hold(4, "authorise", (2, 1)), hold(4, "authorise", (2, 1))]),
    "a capture of no hold": ("I8", [points(1, 2, SALES)], [], [hold(9, "capture", (2, 1))]),
    "a capture of more than is left": ("I8", [points(5, 2, SALES)], [], [hold(1, "capture", (2, 5))]),
    "two captures of more than is left": (
        "I8",
        [points(8, 2, SALES)],
        [],
        [hold(1, "capture", (2, 4)), hold(1, "capture", (2, 4))],
    ),
    "a capture after the end": ("I8", [points(1, 2, SALES)], [], [hold(2, "capture", (2, 1))]),
    "a void and a lapse": ("I8", [], [], [hold(1, "void", (2, 4)), hold(1, "lapse", (2, 1))]),
    "an action that there is not": ("I8", [], [], [hold(1, "steal", (2, 4))]),
    "a new lot out of turn": ("I9", [], [lot(7)], []),
    "a new lot with something in it": ("I9", [], [lot(6, remaining=5)], []),
    "a new lot with something held": ("I9", [], [lot(6, held=5)], []),
    "two new lots of one number": ("I9", [], [lot(6), lot(6)], []),
    "a spend of what has expired": ("I12", [points(2, 5, SALES)], [], []),
    "a spend of what is pending": ("I12", [points(1, 3, SALES)], [], []),
    "a posting of one asset to a lot of another": ("I20", [points(1, PROMOTION, 1)], [], []),
    "a conversion in one posting": ("I20", [points(1, 2, 1)], [], []),
    "a hold of one asset on a lot of another": ("I20", [], [], [hold(4, "authorise", (1, 1))]),
    "a hold of a lot that is not there": ("I20", [], [], [hold(4, "authorise", (9, 1))]),
    "a capture in another asset": ("I20", [], [], [hold(1, "void", (2, 4), asset="GBP")]),
}


@pytest.mark.parametrize(("code", "postings", "opened", "holds"), BROKEN.values(), ids=BROKEN)
def test_no_transaction_breaks_an_invariant(
    code: str, postings: list[Posting], opened: list[Lot], holds: list[HoldChange]
) -> None:
    ann = account()
    with pytest.raises(InvariantError) as broken:
        ann.check(Transaction(tuple(postings), tuple(opened), holds=tuple(holds)), NOW)
    assert broken.value.code == code
    assert (ann.lots, ann.holds) == (account().lots, account().holds)


SOUND = {
    "all that is free": ([points(46, 2, SALES)], []),
    "what is pending, taken back": ([points(20, 3, PROMOTION)], []),
    "what is pending, forfeit": ([points(20, 3, BREAKAGE)], []),
    "what expires": ([points(46, 2, BREAKAGE)], []),
    "a debt repaid": ([points(5, PROMOTION, 4)], []),
    "a debt that grows": ([points(5, 4, PROMOTION)], []),
    "a restoration to an expired lot": ([points(5, SALES, 5)], []),
    "a capture after the lot's expiry": ([points(7, 5, SALES)], [hold(3, "capture", (5, 7))]),
    "a capture in two parts": ([points(4, 2, SALES)], [hold(1, "capture", (2, 3)), hold(1, "capture", (2, 1))]),
    "a hold of all that is free": ([], [hold(4, "authorise", (2, 46))]),
    "a hold of what is released": ([], [hold(1, "void", (2, 4)), hold(4, "authorise", (2, 46))]),
}


@pytest.mark.parametrize(("postings", "holds"), SOUND.values(), ids=SOUND)
def test_what_is_sound_is_let_through(postings: list[Posting], holds: list[HoldChange]) -> None:
    ann, transaction = account(), Transaction(tuple(postings), holds=tuple(holds))
    ann.check(transaction, NOW)
    ann.apply(transaction)
    assert all(0 <= lot.held <= lot.remaining for lot in ann.lots.values() if lot.kind != DEBT)
    for number in ann.lots:
        assert ann.lots[number].held == sum(dict(hold.left).get(number, 0) for hold in ann.holds.values()), "I7"


def test_the_life_of_a_hold() -> None:
    ann = account()

    def happens(change: HoldChange, *postings: Posting) -> tuple[int, ...]:
        transaction = Transaction(postings, holds=(change,))
        ann.check(transaction, NOW)
        ann.apply(transaction)
        held = ann.holds[4]
        assert held.captured + held.voided + held.lapsed + held.remaining == held.amount, "I7"
        return held.remaining, held.captured, held.voided, held.lapsed, ann.balance("points", NOW)

    assert ann.balance("points", NOW) == 46
    assert happens(HoldChange(4, "authorise", "points", ((2, 30),), lapses_at=500)) == (30, 0, 0, 0, 16)
    assert happens(hold(4, "capture", (2, 10)), points(10, 2, SALES)) == (20, 10, 0, 0, 16)
    assert happens(hold(4, "void", (2, 5))) == (15, 10, 5, 0, 21)
    assert happens(hold(4, "lapse", (2, 15))) == (0, 10, 5, 15, 36)
    assert (ann.holds[4].lapses_at, ann.next_hold) == (500, 5)
    with pytest.raises(InvariantError, match=r"^I8: "):
        happens(hold(4, "capture", (2, 1)), points(1, 2, SALES))


def test_balances_say_what_may_be_spent_what_is_pending_and_what_is_owed() -> None:
    ann = account()
    assert (ann.balance("points", NOW), ann.pending("points", NOW), ann.owed("points"), ann.total("points")) == (
        46,
        20,
        5,
        74,
    )
    assert ann.balance("points", 300) == 20
    assert (ann.balance("GBP", NOW), ann.balance("USD", NOW)) == (1000, 0)
    assert ann.next_expiry() == 90


def test_a_transaction_fills_the_lots_that_it_opens() -> None:
    ann, transaction = (
        account(),
        Transaction((points(9, PROMOTION, 6),), (lot(6),), metrics=(MetricChange("visits", 3, 1),)),
    )
    ann.check(transaction, NOW)
    ann.apply(transaction)
    assert (ann.lots[6].remaining, ann.next_lot, ann.metrics.total("visits", 3, 3)) == (9, 7, 1)


def test_a_balance_stays_in_the_range_of_64_bits() -> None:
    ann = account()
    ann.lots[1] = ann.lots[1].moved(2**63 - 2000)
    with pytest.raises(InvariantError, match=r"^I1: lot 1 of account ann would leave the range"):
        ann.check(Transaction((Posting("GBP", LARGEST, CASH, 1),)), NOW)


def test_a_new_fact_ends_the_one_before() -> None:
    ann = account()
    ann.apply(Transaction(facts=(Fact("tier", "silver", 10, NEVER),)))
    ann.apply(Transaction(facts=(Fact("tier", "gold", 20, NEVER),)))
    ann.apply(Transaction(facts=(Fact("tier", "ruby", 20, NEVER), Fact("vip", "yes", 5, 15))))
    assert [(fact.value, fact.since, fact.until) for fact in ann.facts["tier"]] == [
        ("silver", 10, 20),
        ("ruby", 20, NEVER),
    ]

    def values(name: str, *instants: int) -> list[str | None]:
        return [fact and fact.value for fact in (ann.fact(name, at) for at in instants)]

    assert values("tier", 9, 10, 19, 20) == [None, "silver", "silver", "ruby"]
    assert values("vip", 4, 5, 14, 15) == [None, "yes", "yes", None]


def test_a_copy_goes_its_own_way() -> None:
    ann = account()
    ann.copy().apply(Transaction((points(1, 2, SALES),), (lot(6),), (MetricChange("visits", 1, 1),), status="frozen"))
    assert (ann.lots, ann.status, list(ann.metrics), ann.next_lot) == (account().lots, "open", [], 6)


@pytest.mark.parametrize(
    "extension",
    [
        LotExtension(2, "points", 50, 200, 200),
        LotExtension(2, "points", 50, 200, 190),
        LotExtension(2, "points", 50, 210, 220),
        LotExtension(2, "GBP", 50, 200, 300),
        LotExtension(5, "points", 9, 90, 300),
        LotExtension(4, "points", -5, NEVER, NEVER),
        LotExtension(9, "points", 1, 200, 300),
    ],
    ids=["no later", "earlier", "of another end", "of another asset", "ended already", "a debt", "no lot"],
)
def test_the_end_of_a_lot_is_only_put_off_while_it_is_good(extension: LotExtension) -> None:
    account().check(Transaction(extended=(LotExtension(2, "points", 50, 200, 201),)), NOW)
    with pytest.raises(InvariantError, match="I28"):
        account().check(Transaction(extended=(extension,)), NOW)
