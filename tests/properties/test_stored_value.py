"""Stored value in two currencies against a naive wallet: top-ups, bonuses, spends, holds, returns, exchanges."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from stampbook.engine import Engine
from stampbook.loading import load
from stampbook.replay import entries_of, state
from stampbook.testing import Ledger
from stampbook.verifying import verify
from tests.effort import examples
from tests.properties.wallet import Wallet

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stampbook.lots import Lot

TEXT = """
[program]
name = "Wallet"
currency = "GBP"
open_accounts = "on first event"
[assets.GBP]
over_capture = "20%"
after_capture = "keep"
[assets.EUR]
over_capture = "20%"
[[plugin]]
use = "stored_value"
[[plugin.bonus]]
name = "gift"
expires = "2 days"
[[plugin.bonus.bracket]]
from = "10"
share = "10%"
[[plugin.bonus]]
name = "parts"
expires = "1 day"
[plugin.bonus.instalments]
count = 3
every = "day"
first = "later"
[[plugin.bonus.bracket]]
from = "10"
gives = "1"
[[plugin.exchange]]
from = "GBP"
to = "EUR"
rate = "0.85"
[[plugin.low]]
below = "5"
[[plugin]]
use = "refunds"
"""
PROGRAM = load(TEXT)

currencies = st.sampled_from(["GBP", "GBP", "EUR"])
amounts = st.integers(1, 400) | st.sampled_from([1000, 1009, 2500])
hours = st.sampled_from([0, 0, 1, 5, 13, 24, 60])
START = datetime(2025, 3, 1, 8)  # noqa: DTZ001 - the program's zone is UTC, and all is told in it


class StoredValue(RuleBasedStateMachine):
    """Anything may happen to one wallet, in any order; the books and the model hold the same of each kind."""

    def __init__(self) -> None:
        super().__init__()
        self.books, self.model, self.now = Ledger(PROGRAM), Wallet(), START
        self.events: list[dict[str, Any]] = []
        self.tell("account.opened", 0)

    def tell(self, kind: str, later: int, **fields: Any) -> tuple[bool, str]:
        self.now += timedelta(hours=later, minutes=1)
        self.model.pass_time(self.now)
        name = f"e{len(self.events)}"
        event = {"type": kind, "id": name, "account": "customer", "at": self.now.isoformat(), **fields}
        self.events.append(event)
        return self.books.post(**event).accepted, name

    @rule(asset=currencies, amount=amounts, later=hours)
    def topup(self, asset: str, amount: int, later: int) -> None:
        accepted, _ = self.tell("topup", later, amount=text(amount), currency=asset)
        assert accepted
        self.model.topup(asset, amount, self.now)

    @rule(asset=currencies, amount=amounts, later=hours)
    def spend(self, asset: str, amount: int, later: int) -> None:
        accepted, _ = self.tell("spend", later, amount=text(amount), asset=asset)
        assert accepted == (self.model.spend(asset, amount, self.now) is not None)

    @rule(asset=currencies, amount=amounts, later=hours)
    def buy(self, asset: str, amount: int, later: int) -> None:
        paid = [{"kind": "stored_value", "amount": text(amount)}]
        accepted, name = self.tell("purchase", later, amount=text(amount), currency=asset, tenders=paid)
        assert accepted == self.model.purchase(name, asset, amount, self.now)
        if accepted:
            self.model.bought[name]["currency"] = asset

    @precondition(lambda self: self.model.bought)
    @rule(data=st.data(), amount=st.none() | amounts, later=hours)
    def give_back(self, data: st.DataObject, amount: int | None, later: int) -> None:
        name = data.draw(st.sampled_from(sorted(self.model.bought)))
        fields = {} if amount is None else {"amount": text(amount)}
        accepted, _ = self.tell("return", later, purchase=name, currency=self.model.bought[name]["currency"], **fields)
        assert accepted == self.model.give_back(name, amount, self.now)

    @rule(asset=currencies, amount=amounts, later=hours)
    def set_aside(self, asset: str, amount: int, later: int) -> None:
        accepted, name = self.tell("hold.authorised", later, amount=text(amount), asset=asset)
        assert accepted == self.model.hold(name, asset, amount, self.now)

    @precondition(lambda self: self.model.holds)
    @rule(data=st.data(), amount=amounts, final=st.booleans() | st.none(), later=hours)
    def capture(self, data: st.DataObject, amount: int, *, final: bool | None, later: int) -> None:
        name = data.draw(st.sampled_from(sorted(self.model.holds)))
        asset = self.model.holds[name]["asset"]
        said = {} if final is None else {"final": final}
        accepted, _ = self.tell("hold.captured", later, hold=name, asset=asset, amount=text(amount), **said)
        ends = asset == "EUR" if final is None else final
        assert accepted == self.model.capture(name, amount, self.now, final=ends)

    @precondition(lambda self: self.model.holds)
    @rule(data=st.data(), later=hours)
    def release(self, data: st.DataObject, later: int) -> None:
        name = data.draw(st.sampled_from(sorted(self.model.holds)))
        accepted, _ = self.tell("hold.voided", later, hold=name, asset=self.model.holds[name]["asset"])
        assert accepted == self.model.void(name, self.now)

    @rule(amount=amounts, later=hours)
    def exchange(self, amount: int, later: int) -> None:
        accepted, _ = self.tell("exchange", later, asset="GBP", amount=text(amount), to="EUR")
        assert accepted == self.model.exchange(amount, self.now)

    @rule(later=hours)
    def tick(self, later: int) -> None:
        self.now += timedelta(hours=later)
        self.model.pass_time(self.now)
        self.books.tick(self.now.isoformat())

    @invariant()
    def each_kind_holds_what_the_wallet_holds(self) -> None:
        lots = self.books.view(at=self.now.isoformat()).lots
        assert all(0 <= lot.held <= lot.remaining for lot in lots)
        assert by_kind(lots) == self.model.sums()

    def teardown(self) -> None:
        """The same in one batch on SQLite gives the same, proves itself, and neither makes nor loses a unit."""
        with TemporaryDirectory() as folder, Engine.open(f"sqlite:///{folder}/books.db", create=True) as engine:
            engine.put_text_in_force(TEXT)
            now = PROGRAM.context.calendar.parse(self.now.isoformat())
            engine.process(self.events)
            list(engine.tick(now))
            assert not list(verify(engine).findings)
            account = state(engine, "customer", as_of=now)
            assert by_kind(account.lots.values()) == self.model.sums()
            held: Counter[int] = Counter()
            for hold in account.holds.values():
                held.update(dict(hold.left))
            assert held == Counter({lot.number: lot.held for lot in account.lots.values() if lot.held})
            books: Counter[str] = Counter()
            for entry in entries_of(engine, "customer"):
                for posting in entry.postings:
                    for end, sign in ((posting.source, -1), (posting.destination, 1)):
                        books[posting.asset] += sign * posting.amount if isinstance(end, str) else 0
            lots: Counter[str] = Counter()
            for lot in account.lots.values():
                lots[lot.asset] += lot.remaining
            assert all(books[asset] + lots[asset] == 0 for asset in ("GBP", "EUR"))


def by_kind(lots: Iterable[Lot]) -> dict[tuple[str, str], tuple[int, int]]:
    """Return by asset and kind what lots hold, and what of it is set aside."""
    found: dict[tuple[str, str], tuple[int, int]] = {}
    for lot in lots:
        left, held = found.get((lot.asset, lot.kind), (0, 0))
        found[lot.asset, lot.kind] = (left + lot.remaining, held + lot.held)
    return {key: sums for key, sums in found.items() if any(sums)}


def text(units: int) -> str:
    return f"{units // 100}.{units % 100:02}"


TestStoredValue = StoredValue.TestCase
TestStoredValue.settings = examples(10, stateful_step_count=25, deadline=None)
