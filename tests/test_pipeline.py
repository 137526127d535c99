from __future__ import annotations

from typing import Any, ClassVar, Literal

import pytest

from stampbook import Due, Event, Fact, Objection, Plugin, PluginConfig, PluginError, Posting, hookimpl
from stampbook.account import Account
from stampbook.errors import InvariantError
from stampbook.events import Expiry
from stampbook.ledger import HoldChange, Transaction
from stampbook.loading import load
from stampbook.periods import NEVER
from stampbook.pipeline import catch_up, next_due
from tests.properties.driver import Till

RULES = """
[program]
name = "Pipeline"
currency = "GBP"
time_zone = "Asia/Shanghai"
[assets.points]
debt = true
[assets.miles]
on_close = "refuse"
[assets.EUR]
on_close = "forfeit"
[metrics.spend]
sum = "order.net"
window = "30 days"
[metrics.cakes]
sum = "line.quantity"
per = "line"
when = "line.sku == 'cake'"
decimals = 1
[[plugin]]
use = "points"
expires = "1 month"
[[plugin.rule]]
name = "base"
earn = "order.net"
[[plugin.rule]]
name = "pending"
earn = "order.net / 10"
pending = "14 days"
expires = "never"
[[plugin]]
use = "tiers"
metric = "spend"
review = "calendar month"
[[plugin.level]]
name = "blue"
[[plugin.level]]
name = "gold"
reach = "100"
multiplier = "2"
[[plugin]]
use = "refunds"
points_spent = "debt"
"""


def shop() -> Till:
    return Till(RULES).opened("2025-01-01")


def happened(till: Till) -> list[tuple[str, str]]:
    iso = till.registry.context.calendar.iso
    return [(decision.event.type, iso(decision.event.at)[:16]) for decision in till.journal["ann"]]


def postings(till: Till) -> list[tuple[Any, ...]]:
    transaction = till.journal["ann"][-1].transaction
    assert transaction is not None
    return [tuple(posting) for posting in transaction.postings]


# ---- the path of one event


def test_a_purchase_draws_counts_assesses_rewards_and_tells_why() -> None:
    till = shop()
    till.tell("topup", amount="30")
    decision = till.tell(
        "purchase",
        lines=[{"sku": "cake", "amount": "80", "quantity": "0.75"}, {"sku": "tea", "amount": "40"}],
        tenders=[{"kind": "stored_value", "amount": "30"}, {"kind": "card", "amount": "90"}],
    )
    transaction = decision.transaction
    assert transaction is not None
    assert postings(till) == [
        ("GBP", 3000, 1, "sales", "purchase"),
        ("points", 240, "promotion", 2, "points.base"),
        ("points", 24, "promotion", 3, "points.pending"),
    ]
    day = till.view().day
    assert transaction.metrics == (("spend", day, 12000), ("cakes", day, 8))
    [fact] = transaction.facts
    assert (fact.name, fact.value, fact.since, fact.reason) == (
        "tier",
        "gold",
        decision.event.at,
        "spend 120.00 reached 100.00",
    )
    assert decision.trace["multiplied"] == [("tiers.gold", "2/1")]
    assert decision.program == till.registry.hash


def test_deciding_changes_nothing() -> None:
    till = shop()
    event = till.read("purchase", {"amount": "5", "at": "2025-06-01"})
    before = till.state()
    assert till.judge(event) == till.judge(event)
    assert till.state() == before


def test_every_kind_of_event_moves_value_between_its_books() -> None:
    till = shop()
    till.tell("topup", amount="10")
    assert postings(till) == [("GBP", 1000, "cash", 1, "topup")]
    till.tell("spend", amount="4")
    assert postings(till) == [("GBP", 400, 1, "sales", "spend")]
    till.tell("adjust", asset="points", amount="9", reason="late parcel")
    assert postings(till) == [("points", 9, "adjustments", 2, "adjust")]
    till.tell("adjust", asset="points", amount="-2", reason="typing error")
    assert postings(till) == [("points", 2, 2, "adjustments", "adjust")]
    till.tell("adjust", amount="-6", reason="emptied")
    till.tell("account.closed", reason="moved away")
    assert postings(till) == [("points", 7, 2, "breakage", "close")]
    assert till.view().status == "closed"


def test_each_top_up_keeps_a_lot_of_its_own() -> None:
    till = shop()
    for _ in range(3):
        till.tell("topup", amount="10")
    assert [(lot.number, lot.kind, lot.remaining) for lot in till.account().lots.values()] == [
        (1, "paid", 1000),
        (2, "paid", 1000),
        (3, "paid", 1000),
    ]


def test_a_program_may_choose_which_lots_go_first() -> None:
    till = Till(RULES + '[assets.GBP]\nspend_order = ["paid_first", "created"]\n').opened()
    till.tell("adjust", amount="5", kind="bonus", reason="present")
    till.tell("topup", amount="5")
    till.tell("spend", amount="6")
    assert [lot.remaining for lot in till.account().lots.values()] == [400, 0]


def test_a_closed_account_forfeits_what_its_assets_let_it() -> None:
    till = shop()
    till.tell("topup", amount="5", currency="EUR")
    till.tell("purchase", amount="20")
    assert till.view().pending("points") == 2
    assert till.tell("account.closed").accepted
    assert not any(lot.remaining for lot in till.account().lots.values())
    assert (till.account().due_at, till.tick("2030-01-01")) == (NEVER, [])


def test_a_rule_that_grants_on_closing_cannot_leave_something_behind() -> None:
    rule = "[[plugin.rule]]\nname = 'gift'\non = ['account.closed']\nearn = '5'\n"
    till = Till(f"{RULES}[[plugin]]\nuse = 'points'\nname = 'bye'\n{rule}").opened()
    with pytest.raises(InvariantError, match=r"^I24: account ann would be closed with something in it"):
        till.tell("account.closed")


def test_the_account_is_as_old_as_its_opening() -> None:
    till = Till(RULES)
    till.accounts["ann"] = Account("ann")
    assert till.refusal("topup", amount="1", at="2024-01-01") == ["unknown_account"]
    till.tell("account.opened", at="2025-01-01")
    assert till.account().opened_at == till.instant("2025-01-01")


# ---- refusals


def broke(till: Till) -> None:
    till.tell("purchase", id="p", amount="10")


def in_debt(till: Till) -> None:
    broke(till)
    till.tell("spend", asset="points", amount="10")
    till.tell("return", purchase="p")


def loaded(till: Till) -> None:
    till.tell("topup", amount="5")


def holding(till: Till) -> None:
    loaded(till)
    till.account().apply(Transaction(holds=(HoldChange(1, "authorise", "GBP", ((1, 500),)),)))


def frozen(till: Till) -> None:
    till.tell("account.frozen")


def closed(till: Till) -> None:
    till.tell("account.closed")


def returned(till: Till) -> None:
    broke(till)
    till.tell("return", purchase="p")


def unrefunded(till: Till) -> None:
    broke(till)
    till.registry = load(RULES.split("[[plugin]]", maxsplit=1)[0])


def unborn(till: Till) -> None:
    till.accounts.clear()
    till.journal.clear()


def nothing(_till: Till) -> None:
    pass


STORED = {"amount": "5", "tenders": [{"kind": "stored_value", "amount": "5"}]}
VERDICTS: list[tuple[str, Any, str, dict[str, Any]]] = [
    ("account_exists", nothing, "account.opened", {}),
    ("account_exists", closed, "account.opened", {}),
    ("unknown_account", unborn, "topup", {"amount": "1", "at": "2025-01-02"}),
    ("unknown_account", unborn, "account.closed", {"at": "2025-01-02"}),
    ("account_closed", closed, "topup", {"amount": "1"}),
    ("account_closed", closed, "account.closed", {}),
    ("account_closed", closed, "account.unfrozen", {}),
    ("account_closed", closed, "adjust", {"amount": "1", "reason": "r"}),
    ("account_frozen", frozen, "purchase", {"amount": "1"}),
    ("account_frozen", frozen, "return", {"purchase": "p"}),
    ("account_frozen", frozen, "topup", {"amount": "1"}),
    ("account_frozen", frozen, "spend", {"amount": "1"}),
    ("account_frozen", frozen, "account.frozen", {}),
    ("account_open", nothing, "account.unfrozen", {}),
    ("insufficient_balance", nothing, "spend", {"amount": "0.01"}),
    ("insufficient_balance", nothing, "spend", {"amount": "1", "asset": "points"}),
    ("insufficient_balance", nothing, "purchase", STORED),
    ("insufficient_balance", nothing, "adjust", {"amount": "-1", "reason": "r"}),
    ("insufficient_balance", holding, "spend", {"amount": "1"}),
    ("open_holds", holding, "account.closed", {}),
    ("balance_left", loaded, "account.closed", {}),
    ("debt", in_debt, "account.closed", {}),
    ("unknown_purchase", nothing, "return", {"purchase": "p"}),
    ("unknown_purchase", nothing, "return", {"amount": "1"}),
    ("wrong_currency", broke, "return", {"purchase": "p", "amount": "1", "currency": "EUR"}),
    ("before_purchase", broke, "return", {"purchase": "p", "at": "2024-12-31"}),
    ("nothing_left", returned, "return", {"purchase": "p"}),
    ("over_return", broke, "return", {"purchase": "p", "amount": "10.01"}),
    ("no_such_line", broke, "return", {"purchase": "p", "lines": [{"line": 2}]}),
    ("no_refund_policy", unrefunded, "return", {"purchase": "p"}),
]


@pytest.mark.parametrize(
    ("code", "given", "type_", "fields"), VERDICTS, ids=lambda value: getattr(value, "__name__", None)
)
def test_every_refusal_has_its_code(code: str, given: Any, type_: str, fields: dict[str, Any]) -> None:
    till = shop()
    given(till)
    before = till.state()
    decision = till.judge(till.read(type_, {"at": "2025-01-01", **fields}))[-1]
    assert code in [objection.code for objection in decision.objections]
    assert decision.transaction is None
    assert all(objection.message and "\n" not in objection.message for objection in decision.objections)
    assert till.state() == before


def then(*steps: Any) -> Any:
    def all_of_them(till: Till) -> None:
        for step in steps:
            step(till)

    return all_of_them


@pytest.mark.parametrize(
    ("codes", "given", "type_", "fields"),
    [
        (["account_closed"], then(frozen, closed), "spend", {"amount": "1"}),
        (["account_frozen"], frozen, "spend", {"amount": "1"}),
        (["account_frozen"], then(returned, frozen), "return", {"purchase": "p"}),
        (["open_holds", "balance_left"], holding, "account.closed", {}),
        (["balance_left", "debt"], then(loaded, in_debt), "account.closed", {}),
        (["wrong_currency"], returned, "return", {"purchase": "p", "currency": "EUR", "at": "2024-12-31"}),
        (["before_purchase"], returned, "return", {"purchase": "p", "at": "2024-12-31"}),
        (["nothing_left"], then(returned, unrefunded), "return", {"purchase": "p"}),
        (["no_such_line", "over_return"], broke, "return", {"purchase": "p", "lines": [{"line": 9}, {"line": 1, "amount": "11"}]}),  # noqa: E501 - on purpose here
    ],
)  # fmt: skip
def test_of_several_reasons_the_order_is_fixed(
    codes: list[str], given: Any, type_: str, fields: dict[str, Any]
) -> None:
    till = shop()
    given(till)
    decision = till.judge(till.read(type_, {"at": "2025-01-01", **fields}))[-1]
    assert [objection.code for objection in decision.objections] == codes


def test_a_refusal_says_by_how_much() -> None:
    till = shop()
    till.tell("topup", amount="5")
    [objection] = till.tell("spend", amount="5.01").objections
    assert objection.message == "5.01 GBP is more than the 5.00 GBP that may be spent"


def test_operators_may_put_a_frozen_account_right() -> None:
    till = shop()
    frozen(till)
    assert till.refusal("adjust", asset="points", amount="1", reason="goodwill") == []
    assert till.refusal("account.unfrozen") == []
    assert till.refusal("topup", amount="1") == []


# ---- time


def test_time_catches_up_first_each_thing_at_its_own_instant() -> None:
    till = shop()
    till.tell("purchase", amount="100", at="2025-01-15")
    till.tell("purchase", amount="1", at="2025-01-20")
    till.tell("topup", amount="1", at="2025-03-02")
    assert happened(till)[3:] == [
        ("tier.review", "2025-02-01T00:00"),
        ("expiry", "2025-02-16T00:00"),
        ("expiry", "2025-02-21T00:00"),
        ("tier.review", "2025-03-01T00:00"),
        ("topup", "2025-03-02T00:00"),
    ]
    assert till.view().text("tier") == "blue"


def test_what_is_due_at_the_very_instant_of_an_event_comes_first() -> None:
    till = shop()
    till.tell("purchase", amount="10", at="2025-01-15")
    assert till.refusal("spend", asset="points", amount="10", at="2025-02-16T00:00") == ["insufficient_balance"]
    assert happened(till)[-2:] == [("expiry", "2025-02-16T00:00"), ("spend", "2025-02-16T00:00")]
    till = shop()
    till.tell("purchase", amount="10", at="2025-01-15")
    assert till.refusal("spend", asset="points", amount="10", at="2025-02-15T23:59:59.999999") == []


def test_time_passes_on_a_frozen_account() -> None:
    till = shop()
    till.tell("purchase", amount="10", at="2025-01-15")
    frozen(till)
    [expiry] = till.tick("2025-02-16")
    assert (expiry.event.type, till.books["points", "breakage"]) == ("expiry", 10)


def test_time_catches_up_even_if_the_event_is_refused() -> None:
    till = shop()
    till.tell("purchase", amount="10", at="2025-01-15")
    till.tell("spend", amount="1", at="2025-02-20")
    assert [(decision.event.type, decision.accepted) for decision in till.journal["ann"][-2:]] == [
        ("expiry", True),
        ("spend", False),
    ]


def test_catching_up_before_anything_is_due_brings_nothing() -> None:
    till = shop()
    till.tell("purchase", amount="10", at="2025-01-15")
    account = till.account()
    assert list(catch_up(till.registry, account, account.due_at - 1)) == []
    expiry = next(catch_up(till.registry, account, account.due_at))
    assert isinstance(expiry.event, Expiry)
    assert till.account().lots[1].remaining == 10
    assert next_due(till.registry, account) == account.due_at


def test_ids_of_what_time_brings_are_derived_and_never_repeat() -> None:
    till = shop()
    till.tell("purchase", amount="100", at="2025-01-15")
    till.tell("purchase", amount="100", at="2025-02-20")
    till.tick("2025-12-31")
    own = [decision.event for decision in till.journal["ann"] if decision.event.source == "stampbook"]
    assert len({event.id for event in own}) == len(own) == 5
    assert {event.account for event in own} == {"ann"}


def test_held_value_expires_only_when_it_is_free() -> None:
    till = shop()
    till.tell("purchase", amount="10", at="2025-01-15")
    till.account().apply(Transaction(holds=(HoldChange(1, "authorise", "points", ((1, 4),)),)))
    till.tick("2025-03-01")
    assert (till.account().lots[1].remaining, till.books["points", "breakage"]) == (4, 6)


# ---- late events


def test_a_late_event_is_judged_at_its_own_time() -> None:
    till = shop()
    till.tell("purchase", amount="100", at="2025-01-15")
    till.tell("purchase", amount="10", at="2025-01-10")
    assert till.journal["ann"][-1].trace["awards"][0] == ("points.base", "points", 10), "gold came later"
    assert till.view("2025-02-10").metric("spend") == 100_00
    assert till.view("2025-02-08").metric("spend") == 110_00


def test_what_a_late_event_grants_may_be_over_already() -> None:
    till = shop()
    till.tell("topup", amount="1", at="2025-04-01")
    till.tell("purchase", amount="10", at="2025-01-15")
    assert happened(till)[-2:] == [("purchase", "2025-01-15T00:00"), ("expiry", "2025-02-16T00:00")]
    assert (till.balance(), till.books["points", "breakage"]) == ("1", 10)
    assert till.account().clock == till.instant("2025-04-01")


def test_a_late_event_cannot_spend_what_came_later() -> None:
    till = shop()
    till.tell("topup", amount="10", at="2025-02-01")
    assert till.refusal("spend", amount="1", at="2025-01-31") == ["insufficient_balance"]


# ---- plugins on the path


class Bell(Event):
    brought_by_time: ClassVar[bool] = True
    type: Literal["bell"] = "bell"


class Move(Event):
    type: Literal["move"] = "move"
    amount: int = 0
    source_end: str | int = "promotion"
    destination_end: str | int = 1


class Clock(Plugin[PluginConfig]):
    """Rings once a thousand years from now, forever, or moves what it is told to move."""

    forever: ClassVar[bool] = False
    refuses: ClassVar[bool] = False

    @hookimpl
    def register_events(self) -> list[type[Event]]:
        return [Bell, Move]

    @hookimpl
    def due(self, account: Any) -> list[Due]:
        return [Due(account.at, "bell", f"{self.name}:{account.at}")] if self.forever else []

    @hookimpl
    def propose(self, event: Event) -> list[Posting]:
        if not isinstance(event, Move):
            return []
        return [Posting("GBP", event.amount, event.source_end, event.destination_end, "clock")]

    @hookimpl
    def assess(self, event: Event, at: int) -> list[Fact]:
        return [Fact("heard", event.type, at, NEVER)]

    @hookimpl
    def review(self, event: Event) -> list[Objection]:
        return [Objection("too_loud", "not at night")] if self.refuses and event.type in {"expiry", "move"} else []


def with_clock() -> Till:
    text = RULES + "[[plugin]]\nuse = 'clock'\n"
    return Till(load(text, plugins={"clock": Clock})).opened("2025-01-01")


def test_a_plugins_own_event_moves_what_the_plugin_proposes() -> None:
    till = with_clock()
    till.tell("topup", amount="1")
    till.send(Move(id="m", account="ann", at=till.account().clock, amount=25))
    assert (till.balance("GBP"), till.view().text("heard")) == ("1.25", "move")


@pytest.mark.parametrize(
    ("move", "code"),
    [
        ({"amount": 0}, "I1"),
        ({"amount": -1}, "I1"),
        ({"amount": 1, "destination_end": 9}, "I1"),
        ({"amount": 101, "source_end": 1, "destination_end": "sales"}, "I6"),
        ({"amount": 1, "source_end": 2, "destination_end": 1}, "I20"),
    ],
)
def test_no_plugin_gets_round_the_invariants(move: dict[str, Any], code: str) -> None:
    till = with_clock()
    till.tell("topup", amount="1")
    till.tell("purchase", amount="5")
    before = till.state()
    with pytest.raises(InvariantError, match=f"^{code}: "):
        till.send(Move(id="m", account="ann", at=till.account().clock, **move))
    assert till.state() == before


def test_a_fact_that_holds_already_is_not_learned_again() -> None:
    till = with_clock()
    till.tell("topup", amount="1")
    till.tell("topup", amount="1")
    assert [fact.value for fact in till.account().facts["heard"]] == ["topup"]


def test_a_plugin_that_objects_refuses_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    till = with_clock()
    till.tell("topup", amount="1")
    monkeypatch.setattr(Clock, "refuses", True)
    decision = till.send(Move(id="m", account="ann", at=till.account().clock, amount=25))
    assert decision.objections == (Objection("too_loud", "not at night", "clock"),)
    assert (decision.transaction, till.balance("GBP")) == (None, "1.00")


def test_what_time_brings_cannot_be_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    till = with_clock()
    till.tell("purchase", amount="10", at="2025-01-15")
    monkeypatch.setattr(Clock, "refuses", True)
    with pytest.raises(PluginError, match="time brings expiry:ann:3, which is refused: not at night"):
        till.tick("2025-03-01")


def test_time_that_never_ends_is_the_plugins_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    till = with_clock()
    monkeypatch.setattr(Clock, "forever", True)
    till.tell("topup", amount="1")
    monkeypatch.setattr("stampbook.pipeline.range", lambda _: range(50), raising=False)
    with pytest.raises(PluginError, match="account ann: a plugin's due events never end"):
        till.tick("2025-03-01")
