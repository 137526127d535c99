"""The pure core against what must always hold, and against a naive second model of itself."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from stampbook.ledger import PROMOTION, SALES
from stampbook.lots import DEBT
from stampbook.periods import moment_of
from tests.properties import strategies as some
from tests.properties.driver import Till
from tests.properties.model import Model

if TYPE_CHECKING:
    from stampbook.ledger import Decision

Event = dict[str, Any]


def tell(till: Till, event: Event) -> Decision:
    return till.tell(event["type"], **{key: value for key, value in event.items() if key != "type"})


def run(shop: some.Shop, events: list[Event]) -> Till:
    till = Till(shop.toml())
    for event in events:
        tell(till, event)
    return till


def check_verdict(decision: Decision, codes: set[str]) -> None:
    """An order with several mistakes may be refused for more than the model, which stops at the first, names."""
    said = {objection.code for objection in decision.objections}
    assert codes <= said
    assert bool(codes) == bool(said)


def check_same(till: Till, model: Model) -> None:
    view = till.view(model.now.isoformat())
    for asset in ("points", "GBP"):
        assert view.balance(asset) == model.balance(asset, model.now)
        assert till.account().total(asset) == model.total(asset)
        assert view.owed(asset) == model.debt[asset]
    for metric in ("spend", "visits", "tea"):
        assert view.metric(metric) == model.metric(metric, model.day(model.now))
    assert view.text("tier") == model.tier
    assert (view.status or "") == model.status


def check_invariants(till: Till) -> None:
    totals = Counter(dict(till.books))
    sums: Counter[str] = Counter()
    for (asset, _), amount in totals.items():
        sums[asset] += amount
    for account in till.accounts.values():
        for lot in account.lots.values():
            sums[lot.asset] += lot.remaining
            assert lot.remaining <= 0 if lot.kind == DEBT else 0 <= lot.held <= lot.remaining, "I6"
        if account.status == "closed":
            assert not any(lot.remaining for lot in account.lots.values()), "I24"
    assert not any(sums.values()), "I2"
    for ref in till.accounts:
        check_returns(till, ref)


def check_returns(till: Till, ref: str) -> None:
    """I15: never more taken back than was granted, nor put back than was drawn, lot by lot."""
    taken: dict[int | None, Counter[str]] = defaultdict(Counter)
    restored: dict[int | None, Counter[int]] = defaultdict(Counter)
    for decision in till.journal[ref]:
        if decision.transaction is not None and decision.about is not None:
            for posting in decision.transaction.postings:
                if posting.destination == PROMOTION:
                    taken[decision.about][posting.asset] += posting.amount
                elif posting.source == SALES and isinstance(posting.destination, int):
                    restored[decision.about][posting.destination] += posting.amount
    for seq in {*taken, *restored}:
        bought = till.journal[ref][(seq or 0) - 1].transaction
        assert bought is not None
        granted: Counter[str] = Counter()
        drawn: Counter[int] = Counter()
        for posting in bought.postings:
            if posting.source == PROMOTION:
                granted[posting.asset] += posting.amount
            elif posting.destination == SALES and isinstance(posting.source, int):
                drawn[posting.source] += posting.amount
        assert taken[seq] <= granted
        assert restored[seq] <= drawn


class Core(RuleBasedStateMachine):
    """Anything may happen to one account, in any order; engine and model must tell the same story."""

    @initialize(shop=some.shops())
    def open_shop(self, shop: some.Shop) -> None:
        self.till, self.model = Till(shop.toml()), Model(shop)
        self.now, self.sent, self.bought = some.START, 0, list[str]()

    def happens(self, event: Event, late: timedelta = timedelta(0)) -> Decision:
        self.sent += 1
        if some.goes_by_levels(self.model.shop, event):
            late = timedelta(0)
        event = {**event, "id": str(self.sent), "at": max(some.START, self.now - late).isoformat()}
        before = self.till.state()
        decision = tell(self.till, event)
        check_verdict(decision, self.model.tell(event))
        if not decision.accepted and self.till.journal["ann"] and self.till.journal["ann"][-1] is decision:
            after = self.till.state()
            if after["seq"] == before["seq"] + 1:
                assert {**after, "seq": 0, "clock": 0} == {**before, "seq": 0, "clock": 0}, "I14"
        if decision.accepted and event["type"] == "purchase":
            self.bought.append(event["id"])
        return decision

    @rule(event=some.purchases(), late=some.delays)
    def purchase(self, event: Event, late: timedelta) -> None:
        self.happens(event, late)

    @precondition(lambda self: self.bought)
    @rule(data=st.data(), late=some.delays)
    def give_back(self, data: st.DataObject, late: timedelta) -> None:
        self.happens(data.draw(some.returns(self.bought)), late)

    @precondition(lambda self: self.bought)
    @rule(data=st.data())
    def give_all_back_twice(self, data: st.DataObject) -> None:
        event = {"type": "return", "purchase": data.draw(st.sampled_from(self.bought))}
        if self.happens(event).accepted:
            again = self.happens(event)
            assert [objection.code for objection in again.objections] == ["nothing_left"]

    @rule(event=some.topups | some.spends | some.adjustments(), late=some.delays)
    def move_value(self, event: Event, late: timedelta) -> None:
        self.happens(event, late)

    @rule(event=some.statuses)
    def change_status(self, event: Event) -> None:
        self.happens(event)

    @precondition(lambda self: self.model.status == "")
    @rule()
    def open_account(self) -> None:
        assert self.happens({"type": "account.opened"}).accepted

    @precondition(lambda self: self.model.status == "frozen")
    @rule()
    def unfreeze(self) -> None:
        assert self.happens({"type": "account.unfrozen"}).accepted

    @rule(step=some.steps)
    def wait(self, step: timedelta) -> None:
        self.now += step

    @rule(step=some.steps)
    def tick(self, step: timedelta) -> None:
        self.now += step
        if self.till.tick(self.now.isoformat()):
            self.model.pass_time(moment_of(self.till.account().clock))

    @invariant()
    def same_story(self) -> None:
        if self.model.status:
            check_same(self.till, self.model)
            then = max(self.now, self.model.now)
            for asset in ("points", "GBP"):
                assert self.till.view(then.isoformat()).balance(asset) == self.model.balance(asset, then)

    @invariant()
    def sound(self) -> None:
        check_invariants(self.till)


TestCore = Core.TestCase


@given(shop=some.shops(), events=some.histories(late=True))
def test_the_engine_and_the_naive_model_agree(shop: some.Shop, events: list[Event]) -> None:
    till, model = Till(shop.toml()), Model(shop)
    last = ""
    for event in events:
        last = max(last, event["at"])
        if some.goes_by_levels(shop, event):
            event["at"] = last
        check_verdict(tell(till, event), model.tell(event))
        check_same(till, model)
    check_invariants(till)


@given(shop=some.shops(), events=some.histories(), data=st.data())
def test_ticking_often_or_never_gives_the_same_balances_at_every_instant(
    shop: some.Shop, events: list[Event], data: st.DataObject
) -> None:
    often, never = Till(shop.toml()), Till(shop.toml())
    now = some.START
    for event in [*events, {"type": "account.frozen", "id": "end", "at": (now + timedelta(days=900)).isoformat()}]:
        until = max(now, datetime.fromisoformat(event["at"]))
        for part in sorted(data.draw(st.lists(st.integers(0, 8), max_size=3))):
            between = (now + (until - now) * part / 8).isoformat()
            often.tick(between)
            for asset in ("points", "GBP"):
                assert often.view(between).balance(asset) == never.view(between).balance(asset)
        now = until
        tell(often, event)
        tell(never, event)
        assert often.state() == never.state()
    assert often.journal == never.journal


@given(shop=some.shops(), events=some.histories(late=True))
def test_deciding_is_pure_and_always_the_same(shop: some.Shop, events: list[Event]) -> None:
    till = Till(shop.toml())
    for data in events:
        event = till.read(data["type"], {key: value for key, value in data.items() if key != "type"})
        before = till.state()
        first, second = till.judge(event), till.judge(event)
        assert first == second
        assert till.state() == before
        till.send(event)


@given(shop=some.shops(), events=some.histories(late=True))
def test_a_refusal_changes_nothing(shop: some.Shop, events: list[Event]) -> None:
    till = Till(shop.toml())
    for event in events:
        if till.accounts:
            till.tick(event["at"])
        before = till.state()
        if not tell(till, event).accepted:
            moved = {"seq": before["seq"], "clock": before["clock"]}
            assert {**till.state(), **moved} == before


@given(
    shop=some.shops(),
    events=some.histories(most=6),
    purchase=some.purchases(),
    data=st.data(),
)
def test_what_came_back_in_parts_was_never_bought(
    shop: some.Shop, events: list[Event], purchase: Event, data: st.DataObject
) -> None:
    assume(shop.points_spent != "pending_only" and not shop.debts)
    at = events[-1]["at"]
    without, till = run(shop, events), run(shop, events)
    assume(tell(till, {**purchase, "id": "P", "at": at}).accepted)
    bought = till.past(till.read("return", {"purchase": "P", "at": at}))
    assert bought is not None
    parts = [*data.draw(st.lists(some.parts, max_size=4)), {}]
    for number, part in enumerate(parts):
        tell(till, {"type": "return", "id": f"part {number}", "purchase": "P", "at": at, **part})
    back = [d.transaction.memo for d in till.journal["ann"] if d.transaction and d.about == bought.purchase.seq]
    assert sum(memo["outside"] + memo["stored_value"] + memo["deducted"] for memo in back) == bought.order.total
    assert list(till.account().metrics) == list(without.account().metrics)
    for days in (0, 10, 20, 31, 40, 62, 100, 400):
        then = (datetime.fromisoformat(at) + timedelta(days=days)).isoformat()
        for asset in ("points", "GBP"):
            assert till.view(then).balance(asset) == without.view(then).balance(asset)
