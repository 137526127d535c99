"""All that moves customers' money on two accounts in two currencies, in any order: what must hold of it, every time."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from hypothesis import event as note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from stampbook.engine import Engine
from stampbook.loading import load
from stampbook.replay import state
from stampbook.testing import Ledger
from stampbook.verifying import verify
from tests.effort import examples
from tests.plugins.cards import ONE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stampbook import Outcome
    from stampbook.lots import Lot

TEXT = """
[program]
name = "Money"
currency = "GBP"
open_accounts = "on first event"
[assets.GBP]
debt = true
partial = "allow"
partial_rest = "cash"
over_capture = "20%"
after_capture = "keep"
[assets.EUR]
debt = true
partial = "allow"
partial_rest = "cash"
[[plugin]]
use = "stored_value"
[[plugin.bonus]]
name = "gift"
expires = "2 days"
[[plugin.bonus.bracket]]
from = "10"
share = "10%"
[[plugin.exchange]]
from = "GBP"
to = "EUR"
rate = "0.85"
[[plugin]]
use = "refunds"
points_spent = "debt"
[plugin.chargeback]
freeze = false
given_away = "followed"
[[plugin]]
use = "cards"
prefix = "6035"
length = 12
[[plugin]]
use = "payouts"
packs = ["contract"]
[[plugin]]
use = "transfers"
asset = "GBP"
kinds = ["paid", "bonus"]
[[plugin]]
use = "transfers"
name = "euros"
asset = "EUR"
kinds = ["paid", "bonus"]
"""
PROGRAM = load(TEXT)
START = datetime(2025, 3, 1, 8)  # noqa: DTZ001 - the program's zone is UTC, and all is told in it
REFS = ("ann", "bob")
LEAST_FOR_GIFT = 1000

refs = st.sampled_from(["ann", "ann", "bob"])
currencies = st.sampled_from(["GBP", "GBP", "GBP", "EUR"])
amounts = st.integers(1, 400) | st.sampled_from([1000, 1009, 2500])
hours = st.sampled_from([0, 0, 1, 5, 13, 24, 60])
Sums = Counter[tuple[str, str]]


class Money(RuleBasedStateMachine):
    """Each step is told to the books, and what it did to the sums of both accounts is compared with what it may do."""

    def __init__(self) -> None:
        super().__init__()
        self.books, self.now = Ledger(PROGRAM), START
        self.events: list[dict[str, Any]] = []
        self.topups: dict[str, list[Any]] = {}
        self.bought: dict[str, dict[str, Any]] = {}
        self.cards: list[str] = []
        self.holds: dict[str, tuple[str, str]] = {}
        self.asked: list[tuple[str, str]] = []
        self.paid_in: Counter[str] = Counter()
        self.paid_out: Counter[str] = Counter()
        self.before: Sums = Counter()
        for ref in REFS:
            self.tell("account.opened", ref, 0)
            self.topup(ref, "GBP", 2 * LEAST_FOR_GIFT, 0)
            self.topup(ref, "EUR", 500, 0)

    def tell(self, kind: str, ref: str, later: int, **fields: Any) -> Outcome:
        self.now += timedelta(hours=later, minutes=1)
        self.books.tick(self.now.isoformat())
        self.before = self.sums()
        said = {"type": kind, "id": f"e{len(self.events)}", "account": ref, "at": self.now.isoformat(), **fields}
        self.events.append(said)
        outcome = self.books.post(**said)
        if not outcome.accepted:
            assert self.change() == {}, "what is refused moves nothing"
        note(f"{kind}: {outcome.status}")
        return outcome

    @property
    def last(self) -> str:
        return f"e{len(self.events) - 1}"

    def lots(self, ref: str) -> list[Lot]:
        account = self.books.engine.account(ref) if any(each["account"] == ref for each in self.events) else None
        return [] if account is None else [*account.lots.values()]

    @property
    def everyone(self) -> list[str]:
        return [*REFS, *self.cards]

    def sums(self) -> Sums:
        found: Sums = Counter()
        for ref in self.everyone:
            for lot in self.lots(ref):
                found[lot.asset, lot.kind] += lot.remaining
        return found

    def change(self) -> dict[tuple[str, str], int]:
        now = self.sums()
        return {key: now[key] - self.before[key] for key in {*now, *self.before} if now[key] != self.before[key]}

    def moved(self, asset: str) -> int:
        return sum(units for (code, _), units in self.change().items() if code == asset)

    @rule(ref=refs, asset=currencies, amount=amounts, later=hours)
    def topup(self, ref: str, asset: str, amount: int, later: int) -> None:
        self.pay_in(ref, asset, amount, later, "keep")

    @rule(ref=refs, asset=currencies, amount=amounts, later=hours)
    def topup_that_repays(self, ref: str, asset: str, amount: int, later: int) -> None:
        self.pay_in(ref, asset, amount, later, "repay")

    def pay_in(self, ref: str, asset: str, amount: int, later: int, debt: str) -> None:
        assert self.tell("topup", ref, later, amount=text(amount), currency=asset, debt=debt).accepted
        self.paid_in[asset] += amount
        self.topups[self.last] = [ref, asset, amount]
        gift = amount // 10 if asset == "GBP" and amount >= LEAST_FOR_GIFT else 0
        assert self.moved(asset) == amount + gift
        if debt == "keep":
            assert self.change().get((asset, "paid"), 0) == amount, "a debt is left as it is"

    @precondition(lambda self: ONE not in self.cards)
    @rule(amount=amounts, later=hours)
    def sell_a_card(self, amount: int, later: int) -> None:
        assert self.tell("card.issued", ONE, later).accepted
        self.cards.append(ONE)
        assert self.tell("card.activated", ONE, 0, amount=text(amount), tender="card").accepted
        self.paid_in["GBP"] += amount
        self.topups[self.last] = [ONE, "GBP", amount]

    @precondition(lambda self: self.cards)
    @rule(amount=amounts, later=hours)
    def spend_from_the_card(self, amount: int, later: int) -> None:
        outcome = self.tell("card.spent", ONE, later, amount=text(amount))
        assert self.moved("GBP") == (-amount if outcome.accepted else 0)

    @precondition(lambda self: self.cards)
    @rule(ref=refs, later=hours)
    def claim_the_card(self, ref: str, later: int) -> None:
        owed = self.sums()["GBP", "debt"]
        self.tell("card.claimed", ONE, later, to=ref)
        assert self.moved("GBP") == 0
        assert self.sums()["GBP", "debt"] >= owed, "what arrives may repay"

    @rule(data=st.data(), amount=st.none() | amounts, later=hours)
    def charge_back(self, data: st.DataObject, amount: int | None, later: int) -> None:
        name = data.draw(st.sampled_from(sorted(self.topups)))
        ref, asset, left = self.topups[name]
        fields = {} if amount is None else {"amount": text(amount)}
        outcome = self.tell("topup.charged_back", ref, later, about=name, **fields)
        back = left if amount is None else amount
        assert outcome.accepted == (0 < back <= left)
        if outcome.accepted:
            self.topups[name][2] -= back
            bonus = sum(
                posting.amount
                for entry in self.heard()
                for posting in entry.postings
                if posting.destination == "promotion"
            )
            assert self.moved(asset) == -back - bonus, "all of it is taken, or owed, on one account or another"

    def heard(self) -> list[Any]:
        """Return the entries of the last event, wherever it was heard of."""
        return [entry for ref in self.everyone for entry in self.books.journal(ref) if entry.id == self.last]

    @rule(ref=refs, asset=currencies, amount=amounts, later=hours)
    def spend(self, ref: str, asset: str, amount: int, later: int) -> None:
        outcome = self.tell("spend", ref, later, amount=text(amount), asset=asset)
        assert self.moved(asset) == (-amount if outcome.accepted else 0)

    @rule(ref=refs, asset=currencies, amount=amounts, stored=st.integers(0, 6), later=hours)
    def buy(self, ref: str, asset: str, amount: int, stored: int, later: int) -> None:
        of_wallet = amount * stored // 6
        tenders = [{"kind": "stored_value", "amount": text(of_wallet)}] if of_wallet else []
        tenders += [{"kind": "cash", "amount": text(amount - of_wallet)}] if of_wallet < amount else []
        outcome = self.tell("purchase", ref, later, amount=text(amount), currency=asset, tenders=tenders)
        if outcome.accepted:
            assert self.moved(asset) == -of_wallet
            bought = {"account": ref, "asset": asset, "left": amount, "wallet": of_wallet}
            self.bought[self.last] = bought

    @rule(ref=refs, asset=currencies, amount=amounts, later=hours)
    def spend_what_there_is(self, ref: str, asset: str, amount: int, later: int) -> None:
        self.is_as_much_as_there_is(
            self.tell("spend", ref, later, amount=text(amount), asset=asset, partial=True), ref, asset, amount
        )

    @rule(ref=refs, asset=currencies, amount=amounts, later=hours)
    def buy_for_what_there_is(self, ref: str, asset: str, amount: int, later: int) -> None:
        tenders = [{"kind": "stored_value", "amount": text(amount), "partial": True}]
        outcome = self.tell("purchase", ref, later, amount=text(amount), currency=asset, tenders=tenders)
        paid = self.is_as_much_as_there_is(outcome, ref, asset, amount)
        if paid:
            self.bought[self.last] = {"account": ref, "asset": asset, "left": amount, "wallet": paid}

    def is_as_much_as_there_is(self, outcome: Outcome, ref: str, asset: str, amount: int) -> int:
        paid = outcome.in_part[0].paid if outcome.accepted else 0
        assert self.moved(asset) == -paid
        assert paid == amount or self.books.balance(asset, account=ref) == "0.00"
        return paid

    @precondition(lambda self: self.bought)
    @rule(data=st.data(), amount=st.none() | amounts, later=hours)
    def give_back(self, data: st.DataObject, amount: int | None, later: int) -> None:
        name = data.draw(st.sampled_from(sorted(self.bought)))
        bought = self.bought[name]
        fields = {} if amount is None else {"amount": text(amount)}
        outcome = self.tell("return", bought["account"], later, purchase=name, currency=bought["asset"], **fields)
        back: int = bought["left"] if amount is None else amount
        assert outcome.accepted == (0 < back <= bought["left"])
        if outcome.accepted:
            to_wallet = sum(posting.amount for posting in outcome.postings if posting.source == "sales")
            bought["left"] -= back
            bought["wallet"] -= to_wallet
            assert 0 <= to_wallet <= back
            assert 0 <= bought["wallet"] <= bought["left"], "no tender gives more than it gave, all in the end"

    @rule(ref=refs, asset=currencies, amount=amounts, later=hours)
    def buy_and_undo(self, ref: str, asset: str, amount: int, later: int) -> None:
        paid = [{"kind": "stored_value", "amount": text(amount)}]
        if not self.tell("purchase", ref, later, amount=text(amount), currency=asset, tenders=paid).accepted:
            return
        before, name = self.before, self.last
        assert self.tell("return", ref, 0, purchase=name, currency=asset).accepted
        over = any(lot.asset == asset and lot.expires_at <= self.instant() for lot in self.lots(ref))
        if not over and not before[asset, "debt"]:
            assert +self.sums() == +before, "a full return undoes its purchase"

    def instant(self) -> int:
        return PROGRAM.context.calendar.parse(self.now.isoformat())

    @rule(ref=refs, asset=currencies, amount=amounts, later=hours)
    def set_aside(self, ref: str, asset: str, amount: int, later: int) -> None:
        if self.tell("hold.authorised", ref, later, amount=text(amount), asset=asset).accepted:
            assert self.change() == {}
            self.holds[self.last] = (ref, asset)

    @precondition(lambda self: self.holds)
    @rule(data=st.data(), amount=amounts, later=hours)
    def capture(self, data: st.DataObject, amount: int, later: int) -> None:
        name = data.draw(st.sampled_from(sorted(self.holds)))
        ref, asset = self.holds[name]
        outcome = self.tell("hold.captured", ref, later, hold=name, asset=asset, amount=text(amount))
        if outcome.accepted:
            taken = sum(posting.amount for posting in outcome.postings if posting.destination == "sales")
            assert taken == amount
            assert self.moved(asset) <= -amount, "what ended under the hold may go as well"

    @precondition(lambda self: self.holds)
    @rule(data=st.data(), later=hours)
    def release(self, data: st.DataObject, later: int) -> None:
        name = data.draw(st.sampled_from(sorted(self.holds)))
        ref, asset = self.holds[name]
        self.tell("hold.voided", ref, later, hold=name, asset=asset)
        assert self.moved(asset) <= 0

    @rule(ref=refs, asset=currencies, amount=amounts, later=hours)
    def give(self, ref: str, asset: str, amount: int, later: int) -> None:
        to = "bob" if ref == "ann" else "ann"
        self.tell("transfer", ref, later, to=to, asset=asset, amount=text(amount))
        assert self.moved(asset) == 0
        if not self.before[asset, "debt"]:
            assert self.change() == {}, "a transfer keeps each kind as much as it was"

    @rule(ref=refs, amount=amounts, later=hours)
    def exchange(self, ref: str, amount: int, later: int) -> None:
        if self.tell("exchange", ref, later, asset="GBP", amount=text(amount), to="EUR").accepted:
            assert (self.moved("GBP"), self.moved("EUR")) == (-amount, amount * 85 // 100)
            of_paid = -self.change().get(("GBP", "paid"), 0) * 85 // 100
            # What is paid for with money stays money: it may be refunded in the other currency too.
            self.paid_in["EUR"] += of_paid + 1

    @rule(ref=refs, later=hours)
    def ask(self, ref: str, later: int) -> None:
        outcome = self.tell("refund.requested", ref, later, cause="consumer", operator="li")
        assert self.change() == {}, "nothing moves on a quote"
        if outcome.accepted:
            self.asked.append((ref, self.last))

    @precondition(lambda self: self.asked)
    @rule(place=st.integers(0, 3), approves=st.sampled_from([True, True, False]), later=hours)
    def pay_out(self, place: int, *, approves: bool, later: int) -> None:
        ref, name = self.asked[-1 - place % len(self.asked)]
        self.tell("refund.approved" if approves else "refund.rejected", ref, later, about=name)
        assert self.change() == {}
        outcome = self.tell("refund.paid", ref, 0, about=name)
        for posting in outcome.postings if outcome.accepted else ():
            if posting.destination == "refunds":
                self.paid_out[posting.asset] += posting.amount

    @rule(later=hours)
    def tick(self, later: int) -> None:
        self.now += timedelta(hours=later)
        self.books.tick(self.now.isoformat())

    @invariant()
    def nothing_is_below_zero_and_holds_are_of_lots(self) -> None:
        for ref in REFS:
            lots = self.lots(ref)
            assert all(0 <= lot.held <= lot.remaining for lot in lots if lot.kind != "debt")
            assert all(lot.remaining <= 0 for lot in lots if lot.kind == "debt")
            held: Counter[int] = Counter()
            for hold in self.books.engine.account(ref).holds.values():
                held.update(dict(hold.left))
            assert held == Counter({lot.number: lot.held for lot in lots if lot.held})

    @invariant()
    def no_more_is_paid_out_than_was_paid_in(self) -> None:
        assert all(self.paid_out[asset] <= self.paid_in[asset] for asset in self.paid_out)

    @invariant()
    def all_that_is_gone_from_lots_is_in_books(self) -> None:
        books: Counter[str] = Counter()
        for ref in self.everyone:
            for entry in self.books.journal(ref):
                for posting in entry.postings:
                    for end, sign in ((posting.source, -1), (posting.destination, 1)):
                        books[posting.asset] += sign * posting.amount if isinstance(end, str) else 0
        for asset in ("GBP", "EUR"):
            assert books[asset] + sum(units for (code, _), units in self.sums().items() if code == asset) == 0

    def teardown(self) -> None:
        """The same in one batch on SQLite gives the same, and proves itself."""
        with TemporaryDirectory() as folder, Engine.open(f"sqlite:///{folder}/books.db", create=True) as engine:
            engine.put_text_in_force(TEXT)
            engine.process(self.events)
            list(engine.tick(self.instant()))
            assert not list(verify(engine).findings)
            for ref in self.everyone:
                lots = state(engine, ref, as_of=self.instant()).lots.values()
                assert told(lots) == told(self.lots(ref))


def told(lots: Iterable[Lot]) -> list[tuple[Any, ...]]:
    return sorted((lot.asset, lot.kind, lot.expires_at, lot.remaining, lot.held) for lot in lots if lot.remaining)


def text(units: int) -> str:
    return f"{units // 100}.{units % 100:02}"


TestMoney = Money.TestCase
TestMoney.settings = examples(15, stateful_step_count=30, deadline=None)
