"""Value that is set aside: raw transactions against a naive account, and holds among all that happens in a shop."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import event as noted
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from stampbook.account import Account
from stampbook.errors import InvariantError
from stampbook.journal import transaction_of
from stampbook.ledger import (
    BREAKAGE,
    CASH,
    PROMOTION,
    SALES,
    Entry,
    HoldChange,
    Posting,
    Transaction,
    canonical,
)
from stampbook.lots import DEBT, EARNED, PAID, Lot
from stampbook.metrics import Metrics
from stampbook.periods import NEVER
from stampbook.remembering import Remembered
from tests.properties import strategies as some
from tests.properties.holds import ENDS, LARGEST, HoldingModel, Shelf
from tests.properties.model import Order
from tests.properties.test_core import Core

Event = dict[str, Any]

ASSETS = ("GBP", "points")
Units = tuple[tuple[int, int], ...]
Grant = tuple[str, str, int, int, int]

amounts = st.integers(1, 12) | st.sampled_from([50, LARGEST])
grants = st.tuples(
    st.sampled_from(ASSETS),
    st.sampled_from([PAID, EARNED]),
    st.sampled_from([3, 20, 100, LARGEST]),
    st.sampled_from([0, 0, 0, 3]),
    st.sampled_from([2, 5, NEVER]),
)
"""Asset, kind, amount, after how long it is effective, and for how long."""
books = st.sampled_from([SALES, PROMOTION, BREAKAGE, CASH, "adjustments", ""])


@st.composite
def steps(draw: st.DrawFn, shelf: Shelf, at: int) -> HoldChange:
    """One step of a hold, mostly one that may be taken, with one of its details changed."""
    number = draw(st.sampled_from([*shelf.holds, shelf.next_hold, shelf.next_hold]))
    hold = shelf.holds.get(number)
    action = draw(st.sampled_from([*ENDS, *ENDS, "raise", "raise", "authorise", "steal"])) if hold else "authorise"
    asset = hold["asset"] if hold else draw(st.sampled_from(ASSETS))
    free = hold["parts"] if hold and action in ENDS else shelf.usable(asset, at)
    units = list(in_turn(free, draw(amounts)))
    match draw(st.integers(0, 15)):
        case 0:
            number += 1
        case 1:
            asset = draw(st.sampled_from(ASSETS))
        case 2 | 3:
            units += [(draw(st.sampled_from([*shelf.lots, shelf.next_lot])), draw(amounts))]
        case 4:
            units = [(lot, part - 1) for lot, part in units]
        case 5:
            units += units[:1]
        case 6:
            action = "authorise"
        case 7 | 8:
            units = [(lot, part + draw(amounts)) for lot, part in units]
    return HoldChange(number, action, asset, tuple(units))


@st.composite
def anything(draw: st.DrawFn, shelf: Shelf, at: int) -> Transaction:
    """Steps of holds and postings that may break any rule, or none."""
    some_steps = draw(st.lists(steps(shelf, at), max_size=3))
    times = Counter(change.hold for change in some_steps)
    holds = tuple(c for c in some_steps if c.action != "raise" or times[c.hold] == 1)  # no event raises and more
    posted = [Posting(c.asset, n, lot, SALES) for c in holds if c.action == "capture" for lot, n in c.units]
    posted = posted if draw(st.integers(0, 3)) else []
    if draw(st.integers(0, 1)) and shelf.lots:
        lot = draw(st.sampled_from([*shelf.lots]))
        all_of_it = abs(shelf.lots[lot]["left"]) or 1
        posted.append(Posting(shelf.lots[lot]["asset"], min(LARGEST, all_of_it), lot, draw(books)))
    ends = st.sampled_from([*shelf.lots, *shelf.lots, shelf.next_lot]) | books
    some = st.builds(Posting, st.sampled_from(ASSETS), amounts | st.sampled_from([0, -1, LARGEST + 1]), ends, ends)
    posted += draw(st.lists(some, max_size=2) | st.just([]))
    return Transaction(tuple(posted), holds=holds)


def in_turn(free: dict[int, int], amount: int) -> Units:
    """Take an amount from lots one after the other, as far as it goes."""
    taken = []
    for number, most in free.items():
        part = min(amount, most)
        amount -= part
        if part:
            taken.append((number, part))
    return tuple(taken)


class Holds(RuleBasedStateMachine):
    """What the naive account refuses, `Account.check` refuses for the same rule; else both go on alike."""

    def __init__(self) -> None:
        super().__init__()
        self.account, self.shelf, self.now = Account("ann", status="open"), Shelf(), 10

    def happens(self, transaction: Transaction) -> bool:
        broken = self.shelf.broken(transaction, self.now)
        before = (dict(self.account.lots), dict(self.account.holds))
        refused = ""
        try:
            self.account.check(transaction, self.now)
        except InvariantError as error:
            refused = error.code
        assert (self.account.lots, self.account.holds) == before
        if broken or refused:
            assert refused in broken
            noted(f"refused {refused}")
            return False
        self.account.apply(kept(transaction))
        self.shelf.apply(transaction, self.now)
        return True

    def must_happen(self, *changes: HoldChange, posted: tuple[Posting, ...] = ()) -> None:
        assert self.happens(Transaction(posted, holds=changes))

    # ---- what is allowed

    @rule(step=st.integers(0, 4))
    def wait(self, step: int) -> None:
        self.now += step

    @initialize(grants=st.lists(grants, min_size=2, max_size=4))
    def begin(self, grants: list[Grant]) -> None:
        for grant in grants:
            self.grant(grant)

    @rule(grant=grants)
    def grant(self, grant: Grant) -> None:
        asset, kind, amount, pending, lasts = grant
        start = self.now + pending
        lot = Lot(self.account.next_lot, asset, kind, start, min(NEVER, start + lasts), 0, 1, 0)
        assert self.happens(Transaction((Posting(asset, amount, CASH, lot.number),), (lot,)))

    @rule(asset=st.sampled_from(ASSETS), amount=amounts)
    def owe(self, asset: str, amount: int) -> None:
        lot = Lot(self.account.next_lot, asset, DEBT, self.now, NEVER, 0, 1, 0)
        assert self.happens(Transaction((Posting(asset, amount, lot.number, PROMOTION),), (lot,)))

    @rule(asset=st.sampled_from(ASSETS), amount=amounts)
    def spend(self, asset: str, amount: int) -> None:
        units = in_turn(self.shelf.usable(asset, self.now), amount)
        assert self.happens(Transaction(tuple(Posting(asset, part, lot, SALES) for lot, part in units)))

    @rule()
    def sweep(self) -> None:
        """All that is free in expired lots lapses; what is held of them stays."""
        due = [n for n, lot in self.shelf.lots.items() if lot["until"] <= self.now and self.shelf.free(n) > 0]
        posted = tuple(Posting(self.shelf.lots[n]["asset"], min(LARGEST, self.shelf.free(n)), n, BREAKAGE) for n in due)
        assert self.happens(Transaction(posted))

    @rule(asset=st.sampled_from(ASSETS), amount=amounts)
    def authorise(self, asset: str, amount: int) -> None:
        units = in_turn(self.shelf.usable(asset, self.now), amount)
        if units:
            self.must_happen(HoldChange(self.shelf.next_hold, "authorise", asset, units, self.now + 3))

    @precondition(lambda self: self.shelf.open_holds())
    @rule(data=st.data(), action=st.sampled_from(["void", "lapse"]))
    def release(self, data: st.DataObject, action: str) -> None:
        """A part of a hold, or all of it; expired lots make no difference."""
        number = data.draw(st.sampled_from(self.shelf.open_holds()))
        self.must_happen(*self.ended(number, action, data.draw(amounts)))

    @precondition(lambda self: self.shelf.open_holds())
    @rule(data=st.data())
    def capture(self, data: st.DataObject) -> None:
        """Several holds at once, each in part or whole; expired lots make no difference."""
        numbers = data.draw(st.lists(st.sampled_from(self.shelf.open_holds()), min_size=1, unique=True))
        changes = [self.ended(number, "capture", data.draw(amounts))[0] for number in numbers]
        posted = [Posting(c.asset, units, lot, SALES) for c in changes for lot, units in c.units]
        self.must_happen(*changes, posted=tuple(posted))

    def ended(self, number: int, action: str, amount: int) -> tuple[HoldChange, ...]:
        hold = self.shelf.holds[number]
        return (HoldChange(number, action, hold["asset"], in_turn(hold["parts"], amount)),)

    @rule()
    def remember(self) -> None:
        """What is packed away and unpacked is the same account, without what is empty."""
        remembered = Remembered()
        remembered.keep([self.account])
        self.account = replace(self.account, lots={}, holds={}, metrics=Metrics(), facts={}, expired={}, moves=None)
        assert remembered.recall([self.account], None) == []
        self.shelf.forget_the_empty()

    # ---- whatever else may be asked

    @precondition(lambda self: self.shelf.open_holds())
    @rule(data=st.data(), amount=amounts)
    def raise_hold(self, data: st.DataObject, amount: int) -> None:
        number = data.draw(st.sampled_from(self.shelf.open_holds()))
        asset = self.shelf.holds[number]["asset"]
        units = in_turn(self.shelf.usable(asset, self.now), amount)
        if units:
            self.must_happen(HoldChange(number, "raise", asset, units))

    @rule(data=st.data())
    def try_anything(self, data: st.DataObject) -> None:
        for _ in range(3):
            self.happens(data.draw(anything(self.shelf, self.now)))

    @precondition(lambda self: self.shelf.open_holds())
    @rule(data=st.data(), action=st.sampled_from(["void", "lapse"]))
    def try_to_renew(self, data: st.DataObject, action: str) -> None:
        """What is released may be set aside again at once, unless it has expired since."""
        [old] = self.ended(data.draw(st.sampled_from(self.shelf.open_holds())), action, LARGEST)
        self.happens(Transaction(holds=(old, HoldChange(self.shelf.next_hold, "authorise", old.asset, old.units))))

    @rule(number=st.integers(1, 8), remaining=st.sampled_from([0, 0, 3]), held=st.sampled_from([0, 0, 3]))
    def open_anything(self, number: int, remaining: int, held: int) -> None:
        self.happens(Transaction(opened=(Lot(number, "points", EARNED, 0, NEVER, 0, 1, remaining, held),)))

    # ---- what must always hold

    @invariant()
    def same_lots(self) -> None:
        lots = {number: (lot.asset, lot.remaining, lot.held) for number, lot in self.account.lots.items()}
        assert lots == {n: (lot["asset"], lot["left"], self.shelf.held(n)) for n, lot in self.shelf.lots.items()}, "I7"
        for asset in ASSETS:
            assert self.account.balance(asset, self.now) == sum(self.shelf.usable(asset, self.now).values())

    @invariant()
    def same_holds(self) -> None:
        assert self.account.next_hold == self.shelf.next_hold
        assert [*self.account.holds] == [*self.shelf.holds]
        for number, hold in self.account.holds.items():
            naive = self.shelf.holds[number]
            assert (hold.asset, hold.amount, dict(hold.left)) == (naive["asset"], naive["amount"], naive["parts"])
            assert all(getattr(hold, ended) == naive[ended] for ended in ENDS.values())
            assert hold.captured + hold.voided + hold.lapsed + hold.remaining == hold.amount, "I7"

    @invariant()
    def nothing_is_made_or_lost(self) -> None:
        for asset in ASSETS:
            outside = sum(amount for (of, _), amount in self.shelf.books.items() if of == asset)
            assert outside + self.account.total(asset) == 0, "I2"

    @invariant()
    def nothing_is_overdrawn(self) -> None:
        for lot in self.account.lots.values():
            assert lot.remaining <= 0 if lot.kind == DEBT else 0 <= lot.held <= lot.remaining, "I6"


def kept(transaction: Transaction) -> Transaction:
    """Return a transaction as the journal gives it back."""
    effects = canonical(transaction.effects())
    entry = Entry(1, "test", "test", "1", 0, 0, "", True, None, b"{}", effects, b"{}", transaction.postings, b"")  # noqa: FBT003 - an entry's own fields
    again = transaction_of(entry)
    assert again == transaction
    assert canonical(again.effects()) == effects
    return again


TestHolds = Holds.TestCase


class HoldingCore(Core):
    """The core and its model again, with value set aside, captured, raised, lowered and released in between."""

    @initialize(shop=some.shops())
    def open_shop(self, shop: some.Shop) -> None:
        super().open_shop(shop)
        self.model: HoldingModel = HoldingModel(shop)
        self.named = ["nowhere"]

    @rule(event=some.topups | some.adjustments())
    def bring_value(self, event: Event) -> None:
        self.happens(event)

    @rule(asset=st.sampled_from(ASSETS), amount=some.points, lasts=st.sampled_from([0, 0, 1, 30, 24 * 20]))
    def authorise(self, asset: str, amount: str, lasts: int) -> None:
        event = {"type": "hold.authorised", "asset": asset, "amount": amount}
        if lasts:
            event["lapses_at"] = (self.now + timedelta(hours=lasts)).isoformat()
        if self.happens(event).accepted:
            self.named.append(str(self.sent))

    @rule(data=st.data(), late=some.delays)
    def go_on(self, data: st.DataObject, late: timedelta) -> None:
        """Capture, void or change a hold: mostly one that is open, mostly in its own asset."""
        name = data.draw(st.sampled_from([*self.named, *self.model.open_holds() * 3]))
        kind = data.draw(st.sampled_from(["hold.captured", "hold.captured", "hold.voided", "hold.changed"]))
        event: Event = {"type": kind, "hold": name}
        asset = data.draw(st.sampled_from(ASSETS))
        if name in self.model.holds and data.draw(st.integers(0, 9)):
            asset = self.model.holds[name]["asset"]
        if asset != "GBP" or data.draw(st.booleans()):
            event["asset"] = asset
        if kind == "hold.changed" or data.draw(st.booleans()):
            event["amount"] = data.draw(some.points)
        if kind == "hold.captured":
            event["final"] = data.draw(st.booleans())
        noted(f"{kind} is {'accepted' if self.happens(event, late).accepted else 'refused'}")

    @precondition(lambda self: self.model.open_holds())
    @rule(data=st.data(), event=some.purchases(), share=st.sampled_from([1, 2, 5]))
    def pay_from_hold(self, data: st.DataObject, event: Event, share: int) -> None:
        name = data.draw(st.sampled_from(self.model.open_holds()))
        total = Order(event).total
        stored = min(total, sum(self.model.holds[name]["parts"].values())) // share
        event["tenders"] = [
            {"kind": "stored_value", "amount": some.money(stored)},
            {"kind": "card", "amount": some.money(total - stored)},
        ]
        self.happens({**event, "hold": name})

    @invariant()
    def holds_are_what_lots_hold(self) -> None:
        account = self.till.account()
        held: Counter[int] = Counter()
        for hold in account.holds.values():
            assert hold.captured + hold.voided + hold.lapsed + hold.remaining == hold.amount, "I7"
            held.update(dict(hold.left))
        assert {number: lot.held for number, lot in account.lots.items() if lot.held} == held, "I7"
        naive: Counter[int] = Counter()
        for name in self.model.open_holds():
            naive.update(self.model.holds[name]["parts"])
        assert naive == {number: lot["held"] for number, lot in self.model.lots.items() if lot["held"]}
        granted = [
            number for number, lot in sorted(account.lots.items()) if lot.kind != DEBT
        ]  # the model keeps no debts
        ours = dict(zip(granted, range(len(granted)), strict=True))
        theirs = dict(zip(sorted(self.model.lots), range(len(self.model.lots)), strict=True))
        assert {ours[lot]: units for lot, units in held.items()} == {theirs[lot]: n for lot, n in naive.items()}


TestHoldingCore = HoldingCore.TestCase
