"""News that comes late finds what there was at its own instant and ever since, tick or no tick."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stampbook import Plugin, PluginConfig, Posting, RefundPlan, RefundRequest, hookimpl
from stampbook.engine import Engine, in_batches
from stampbook.errors import InvariantError
from stampbook.loading import load
from stampbook.lots import DEBT
from stampbook.periods import Calendar
from stampbook.replay import MemoryLedger, state
from stampbook.states import account_state
from stampbook.verifying import verify

if TYPE_CHECKING:
    from stampbook.outcomes import Outcome

PROGRAM = """
[program]
name = "Late"
currency = "EUR"
time_zone = "UTC"
open_accounts = "on first event"

[assets.points]
decimals = 0

[[plugin]]
use = "points"
expires = "1 month"

[[plugin.rule]]
name = "base"
earn = "floor(order.net)"

[[plugin]]
use = "refunds"
"""

P = Calendar("UTC").parse


@pytest.fixture
def engine(any_db: str) -> Any:
    with Engine.open(any_db, create=True, clock=lambda: P("2025-12-31")) as engine:
        engine.put_text_in_force(PROGRAM)
        yield engine
        assert verify(engine).findings == ()


def tell(engine: Engine, kind: str, id_: str, at: str, **fields: Any) -> Outcome:
    return engine.post({"type": kind, "id": id_, "account": "ann", "at": at, **fields})


def total(engine: Engine) -> int:
    with engine.store.reader() as session:
        account = session.accounts(["ann"])["ann"]
        session.fill([account], None)
    return account.total("points")


def test_a_late_spend_gets_what_it_would_have_got_in_time(engine: Engine) -> None:
    tell(engine, "purchase", "p1", "2025-01-10", amount="30.00")
    tell(engine, "purchase", "p2", "2025-01-20", amount="10.00")
    assert sum(engine.tick(P("2025-03-15"))) == 2
    assert total(engine) == 0
    late = tell(engine, "spend", "s1", "2025-01-25", asset="points", amount="35")
    assert late.accepted
    assert total(engine) == 0
    again = tell(engine, "spend", "s2", "2025-01-25", asset="points", amount="6")
    assert [objection.code for objection in again.objections] == ["insufficient_balance"]
    assert tell(engine, "spend", "s3", "2025-02-15", asset="points", amount="5").accepted
    assert not tell(engine, "spend", "s4", "2025-02-15", asset="points", amount="1").accepted


def test_what_had_expired_at_its_own_instant_stays_expired(engine: Engine) -> None:
    tell(engine, "purchase", "p1", "2025-01-10", amount="30.00")
    list(engine.tick(P("2025-03-15")))
    late = tell(engine, "spend", "s1", "2025-02-11", asset="points", amount="1")
    assert [objection.code for objection in late.objections] == ["insufficient_balance"]


def test_what_a_late_spend_used_is_no_longer_counted_as_expired(engine: Engine) -> None:
    tell(engine, "purchase", "p1", "2025-01-10", amount="30.00")
    list(engine.tick(P("2025-03-15")))
    tell(engine, "spend", "s1", "2025-01-25", asset="points", amount="20")
    outcome = tell(engine, "return", "r1", "2025-03-16", purchase="p1")
    assert outcome.accepted
    assert outcome.memo["lapsed"] == {"points.base": 10}


_DAYS = st.integers(0, 80).map(lambda day: f"2025-{1 + day // 28:02d}-{1 + day % 28:02d}")
_EVENTS = st.lists(
    st.tuples(st.sampled_from(["purchase", "purchase", "spend"]), _DAYS, st.integers(1, 40), st.booleans()), max_size=12
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(_EVENTS, st.integers(1, 5))
def test_ticks_and_batches_make_no_difference_even_to_late_news(
    script: list[tuple[str, str, int, bool]], size: int
) -> None:
    registry = load(PROGRAM, "late.toml")
    events: list[dict[str, Any]] = []
    ticks: list[bool] = []
    for number, (kind, at, amount, tick) in enumerate(script):
        event = {"type": kind, "id": str(number), "account": "ann", "at": at, "amount": str(amount)}
        events.append(event if kind == "purchase" else {**event, "asset": "points"})
        ticks.append(tick)
    often, seldom = MemoryLedger(registry, clock=lambda: 0), MemoryLedger(registry, clock=lambda: 0)
    seen = ""
    for event, tick in zip(events, ticks, strict=True):
        seen = max(seen, event["at"])
        often.post(event)
        if tick:
            list(often.tick(P(seen)))
    for part in in_batches(events, size):
        seldom.process(part)
    with often.store.reader() as one, seldom.store.reader() as other:
        assert [entry.accepted for entry in one.journal("ann") if entry.source != "stampbook"] == [
            entry.accepted for entry in other.journal("ann") if entry.source != "stampbook"
        ]
        if events:
            assert {n: lot for n, lot in one.accounts(["ann"])["ann"].lots.items() if lot.remaining} == {
                n: lot for n, lot in other.accounts(["ann"])["ann"].lots.items() if lot.remaining
            }


def test_a_late_spend_uses_nothing_that_came_later(engine: Engine) -> None:
    """Both purchases share a lot: their points end on one day. In between, it must never have stood below zero."""
    whole = PROGRAM.replace('"1 month"', '"1 month, end of month"')
    engine.put_text_in_force(whole, effective_from=P("2024-01-01"))
    tell(engine, "purchase", "p1", "2025-01-10", amount="10.00")
    tell(engine, "purchase", "p2", "2025-01-20", amount="30.00")
    tell(engine, "spend", "s1", "2025-01-25", asset="points", amount="5")
    late = tell(engine, "spend", "s2", "2025-01-15", asset="points", amount="11")
    assert [objection.message for objection in late.objections] == [
        "11 points is more than the 10 points that may be spent"
    ]
    assert tell(engine, "spend", "s3", "2025-01-15", asset="points", amount="10").accepted
    held = tell(engine, "hold.authorised", "h1", "2025-01-15", asset="points", amount="1")
    assert [objection.code for objection in held.objections] == ["insufficient_balance"]
    assert tell(engine, "spend", "s4", "2025-01-25", asset="points", amount="25").accepted
    assert total(engine) == 0
    for day in range(10, 27):
        lots = state(engine, "ann", as_of=P(f"2025-01-{day}")).lots.values()
        assert all(lot.remaining >= 0 for lot in lots)


def test_a_late_spend_in_the_batch_of_what_came_later(engine: Engine) -> None:
    whole = PROGRAM.replace('"1 month"', '"1 month, end of month"')
    engine.put_text_in_force(whole, effective_from=P("2024-01-01"))
    tell(engine, "purchase", "p1", "2025-01-10", amount="10.00")
    later = {"type": "purchase", "id": "p2", "account": "ann", "at": "2025-01-20", "amount": "30.00"}
    late = {"type": "spend", "id": "s1", "account": "ann", "at": "2025-01-15", "asset": "points", "amount": "11"}
    answers = engine.process([later, late])
    assert [answer.status for answer in answers] == ["accepted", "refused"]


def test_an_asset_that_came_later_is_not_listed_before(engine: Engine) -> None:
    tell(engine, "account.opened", "o", "2025-01-01")
    tell(engine, "purchase", "p1", "2025-01-10", amount="10.00")
    assert [each.asset for each in account_state(engine, "ann", as_of=P("2025-01-10")).holdings] == ["points"]
    assert account_state(engine, "ann", as_of=P("2025-01-09")).holdings == ()


def test_a_lot_that_was_opened_later_can_be_looked_at_before(engine: Engine) -> None:
    """Late news of an earlier purchase joins the lot of a later one, whose points are good from a day that is over."""
    whole = PROGRAM.replace('"1 month"', '"1 month, end of month"')
    whole = whole.replace('"floor(order.net)"', '"floor(order.net)"\npending = "3 days, end of month"')
    engine.put_text_in_force(whole, effective_from=P("2024-01-01"))
    tell(engine, "purchase", "p1", "2025-01-10", amount="10.00")
    tell(engine, "purchase", "p2", "2025-01-05", amount="5.00")
    [holding] = account_state(engine, "ann", as_of=P("2025-01-06")).holdings
    [lot] = holding.lots
    assert (str(lot.remaining), lot.condition, lot.origin) == ("5 points", "pending", "p2")


MONTHLY = PROGRAM.replace('"1 month"', '"1 month, end of month"')


def lots_never_below_zero(engine: Engine) -> None:
    for day in range(10, 32):
        lots = state(engine, "ann", as_of=P(f"2025-01-{day}")).lots.values()
        assert all(lot.remaining >= lot.held >= 0 for lot in lots if lot.kind != DEBT)


@pytest.mark.parametrize(
    ("policy", "left", "owed", "deducted"),
    [
        ("within_balance", 30, 0, 0),
        ("debt", 21, 9, 0),
        ("deduct_from_refund", 30, 0, 9),
        ("refuse", 31, 0, 0),
    ],
)
def test_a_late_return_takes_nothing_that_came_later(
    engine: Engine, policy: str, left: int, owed: int, deducted: int
) -> None:
    options = "\nunit_values = { points = '0.01' }" if policy == "deduct_from_refund" else ""
    text = MONTHLY.replace('use = "refunds"', f'use = "refunds"\npoints_spent = "{policy}"{options}')
    engine.put_text_in_force(text.replace("decimals = 0", "debt = true"), effective_from=P("2024-01-01"))
    tell(engine, "purchase", "p1", "2025-01-10", amount="10.00")
    tell(engine, "spend", "s1", "2025-01-14", asset="points", amount="9")
    tell(engine, "purchase", "p2", "2025-01-20", amount="30.00")
    late = tell(engine, "return", "r1", "2025-01-12", purchase="p1")
    if policy == "refuse":
        assert [each.code for each in late.objections] == ["points_spent"]
    else:
        assert late.memo["short"] == {"points.base": 9}
        assert late.memo["deducted"] == deducted
    assert total(engine) == left
    [holding] = account_state(engine, "ann", as_of=P("2025-01-21")).holdings
    assert holding.owed.units == owed
    lots_never_below_zero(engine)


def test_a_late_return_takes_what_was_there_all_the_time(engine: Engine) -> None:
    engine.put_text_in_force(MONTHLY, effective_from=P("2024-01-01"))
    tell(engine, "purchase", "p1", "2025-01-10", amount="10.00")
    tell(engine, "purchase", "p2", "2025-01-12", amount="5.00")
    tell(engine, "spend", "s1", "2025-01-14", asset="points", amount="11")
    tell(engine, "purchase", "p3", "2025-01-20", amount="30.00")
    late = tell(engine, "return", "r1", "2025-01-11", purchase="p1")
    assert late.memo["short"] == {"points.base": 6}
    assert total(engine) == 30
    lots_never_below_zero(engine)


@pytest.mark.parametrize("ticked", [False, True])
def test_a_late_return_takes_what_has_expired_since(engine: Engine, ticked: bool) -> None:  # noqa: FBT001 - a case
    tell(engine, "purchase", "p1", "2025-01-10", amount="30.00")
    tell(engine, "purchase", "p2", "2025-02-01", amount="10.00")
    if ticked:
        list(engine.tick(P("2025-02-15")))
    back = tell(engine, "return", "r1", "2025-01-20", purchase="p1")
    assert (back.memo["lapsed"], back.memo["short"]) == ({}, {})
    assert sum(posting.amount for posting in back.postings if posting.destination == "promotion") == 30
    assert total(engine) == 10


@pytest.mark.parametrize("ticked", [False, True])
def test_late_activity_extends_what_has_expired_since(engine: Engine, ticked: bool) -> None:  # noqa: FBT001 - a case
    extending = PROGRAM.replace(
        "[[plugin.rule]]", "[[plugin.extend]]\nname = 'active'\non = ['topup']\nto = '2 months'\n\n[[plugin.rule]]"
    )
    engine.put_text_in_force(extending, effective_from=P("2024-01-01"))
    tell(engine, "purchase", "p1", "2025-01-10", amount="30.00")
    if ticked:
        list(engine.tick(P("2025-02-15")))
    tell(engine, "topup", "t1", "2025-02-01", amount="1.00")
    assert total(engine) == 30
    list(engine.tick(P("2025-04-02")))
    assert total(engine) == 0


def test_a_late_hold_is_honoured_out_of_what_has_expired_since(engine: Engine) -> None:
    tell(engine, "purchase", "p1", "2025-01-10", amount="30.00")
    list(engine.tick(P("2025-03-15")))
    assert tell(engine, "hold.authorised", "h1", "2025-02-01", asset="points", amount="30").accepted
    assert total(engine) == 30
    assert tell(engine, "hold.captured", "c1", "2025-03-16", hold="h1", asset="points", amount="20").accepted
    assert total(engine) == 0


def test_what_was_set_aside_then_is_not_spent_late(engine: Engine) -> None:
    tell(engine, "purchase", "p1", "2025-01-10", amount="30.00")
    tell(engine, "hold.authorised", "h1", "2025-01-11", asset="points", amount="20")
    tell(engine, "hold.voided", "v1", "2025-01-20", hold="h1", asset="points")
    late = tell(engine, "spend", "s1", "2025-01-15", asset="points", amount="11")
    assert [each.code for each in late.objections] == ["insufficient_balance"]
    assert tell(engine, "spend", "s2", "2025-01-15", asset="points", amount="10").accepted
    lots_never_below_zero(engine)


@pytest.mark.parametrize("kind", ["hold.captured", "hold.voided", "hold.changed"])
def test_nothing_becomes_of_a_hold_before_it_was_there(engine: Engine, kind: str) -> None:
    tell(engine, "purchase", "p1", "2025-01-10", amount="30.00")
    tell(engine, "hold.authorised", "h1", "2025-01-15", asset="points", amount="20")
    early = tell(engine, kind, "e1", "2025-01-14", hold="h1", asset="points", amount="5")
    assert [each.code for each in early.objections] == ["before_hold"]
    tell(engine, "hold.changed", "r1", "2025-01-20", hold="h1", asset="points", amount="25")
    early = tell(engine, kind, "e2", "2025-01-16", hold="h1", asset="points", amount="5")
    assert [each.message for each in early.objections] == [
        "it is dated before the last time that something was set aside under 'h1'"
    ]
    assert tell(engine, kind, "e3", "2025-01-20", hold="h1", asset="points", amount="5").accepted
    lots_never_below_zero(engine)


def test_what_a_lapsing_hold_releases_expires_then_and_not_before(engine: Engine) -> None:
    tell(engine, "purchase", "p1", "2025-01-10", amount="30.00")
    tell(engine, "hold.authorised", "h1", "2025-02-01", asset="points", amount="30", lapses_at="2025-02-20")
    list(engine.tick(P("2025-03-01")))
    lot = state(engine, "ann", as_of=P("2025-02-15")).lots[1]
    assert (lot.remaining, lot.held) == (30, 30)
    assert total(engine) == 0


class _Greedy(Plugin[PluginConfig]):
    Config = PluginConfig

    @hookimpl
    def refund(self, request: RefundRequest) -> RefundPlan:
        [grant] = request.granted
        [(lot, units)] = grant.lots
        return RefundPlan(
            outside=request.value,
            settled={grant.rule: units},
            postings=[Posting("points", units, lot, "promotion", grant.rule)],
        )


def test_a_plugin_that_takes_what_came_later_breaks_an_invariant() -> None:
    text = MONTHLY.replace('use = "refunds"', 'use = "greedy"')
    books = MemoryLedger(load(text, plugins={"greedy": _Greedy}), clock=lambda: P("2025-12-31"))
    tell(books, "purchase", "p1", "2025-01-10", amount="10.00")
    tell(books, "spend", "s1", "2025-01-14", asset="points", amount="9")
    tell(books, "purchase", "p2", "2025-01-20", amount="30.00")
    with pytest.raises(InvariantError, match="I6: lot 1 of account ann had 1 points at some time since, and 10 would"):
        tell(books, "return", "r1", "2025-01-12", purchase="p1")


def test_late_news_fills_the_first_of_the_lots_that_it_makes_alike(any_db: str) -> None:
    rules = "".join(
        f"[[plugin.rule]]\nname = 'after-{days}'\nearn = '3'\npending = '{days} days'\n" for days in range(1, 7)
    )
    program = PROGRAM.replace('expires = "1 month"', 'expires = "1 month"\nextend = [{ on = ["purchase"] }]')
    program = program.replace('[[plugin]]\nuse = "refunds"', f'{rules}[[plugin]]\nuse = "refunds"')
    with Engine.open(any_db, create=True, clock=lambda: P("2025-12-31")) as engine:
        engine.put_text_in_force(program)
        tell(engine, "purchase", "p1", "2025-01-10", amount="30.00")
        tell(engine, "purchase", "p2", "2025-03-10", amount="10.00")
        # All lots of January have expired; this gives all of them one end, that of what it earns itself.
        late = tell(engine, "purchase", "late", "2025-01-20", amount="20.00")
        base = [posting.destination for posting in late.postings if posting.rule == "points.base"]
        assert base == [1]
        assert verify(engine).findings == ()
