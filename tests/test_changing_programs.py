"""What a ledger goes through in years: programs that change, plugins that fail, late news. Each once broke it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from stampbook import Award, Due, Objection, Plugin, PluginConfig, PluginError, Posting, hookimpl
from stampbook.engine import Engine
from stampbook.periods import Calendar
from stampbook.replay import state
from stampbook.store import open_store
from stampbook.store.memory import MemoryStore
from stampbook.verifying import verify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from stampbook import AccountView, Event, Transaction
    from stampbook.outcomes import Outcome

UTC_CALENDAR = Calendar("UTC")
P = UTC_CALENDAR.parse


def program(*, zone: str = "UTC", review: bool = True, currency: str = "GBP", metric: str = "order.net") -> str:
    return f"""
[program]
name = "Shop"
currency = "{currency}"
time_zone = "{zone}"
open_accounts = "on first event"

[assets.points]

[metrics.spend]
sum = "{metric}"
window = "calendar month"

[[plugin]]
use = "tiers"
metric = "spend"
{'review = "calendar month"' if review else ""}
[[plugin.level]]
name = "blue"
[[plugin.level]]
name = "gold"
reach = "100"
multiplier = "2"

[[plugin]]
use = "points"
[[plugin.rule]]
name = "base"
earn = "order.net"

[[plugin]]
use = "refunds"
"""


def engine_of(url: str | None = None, *, now: str = "2024-01-01", plugins: Mapping[str, Any] | None = None) -> Engine:
    store = MemoryStore() if url is None else open_store(url, create=True)
    return Engine(store, clock=lambda: P(now), plugins=plugins)


def buy(engine: Engine, name: str, at: str | datetime, amount: str = "10.00", **more: Any) -> Outcome:
    return engine.post({"type": "purchase", "id": name, "account": "ann", "at": at, "amount": amount, **more})


def tier(engine: Engine, at: str) -> str:
    fact = state(engine, "ann", as_of=P(at)).fact("tier", P(at))
    return "" if fact is None else fact.value


@pytest.fixture
def books(sqlite_db: str) -> Iterator[Engine]:
    with engine_of(sqlite_db) as engine:
        engine.put_text_in_force(program())
        yield engine


def test_a_time_zone_that_changes_reviews_each_period_and_locks_nobody_out(books: Engine) -> None:
    buy(books, "p", "2024-01-10", "150.00")
    books.put_text_in_force(program(zone="America/New_York"), effective_from=P("2024-02-01T01:00+00:00"))
    books.clock = lambda: P("2024-03-05")
    assert sum(books.tick()) >= 2
    assert buy(books, "q", "2024-03-05").accepted
    assert verify(books).ok


def test_a_program_that_begins_later_is_not_forgotten_by_accounts_touched_before(books: Engine) -> None:
    books.put_text_in_force(program(review=False), effective_from=P("2023-06-01"))
    books.put_text_in_force(program(), effective_from=P("2024-02-01"))
    buy(books, "p", "2024-01-10", "150.00")
    books.clock = lambda: P("2024-06-01")
    assert tier(books, "2024-01-11") == "gold"
    assert tier(books, "2024-05-31") == "blue"
    assert sum(books.tick()) > 0
    assert tier(books, "2024-05-31") == "blue"
    assert verify(books).ok


def test_what_was_known_then_does_not_change_by_a_program_put_in_force_since(books: Engine) -> None:
    buy(books, "p", "2024-01-10", "150.00")
    books.clock = lambda: P("2024-03-15")
    asked = {"as_of": P("2024-03-10"), "known_at": P("2024-02-15")}
    before = state(books, "ann", **asked).facts
    books.put_text_in_force(program(review=False), effective_from=P("2024-01-20"))
    assert state(books, "ann", **asked).facts == before


def test_a_time_given_as_a_datetime_counts_like_one_given_as_text(sqlite_db: str) -> None:
    with engine_of(sqlite_db) as first:
        first.put_text_in_force(program())
        for day in (1, 2):
            buy(first, f"p{day}", datetime(2024, 1, day, tzinfo=UTC), "60.00")
        assert tier(first, "2024-01-03") == "gold"
        assert verify(first).ok


def test_the_currency_of_the_books_cannot_change(books: Engine) -> None:
    with pytest.raises(PluginError, match="the books are kept in GBP"):
        books.put_text_in_force(program(currency="JPY"))


def test_late_news_leaves_every_past_readable(books: Engine) -> None:
    books.post({"type": "account.opened", "id": "o", "account": "ann", "at": "2024-01-01"})
    buy(books, "p", "2024-01-20")
    books.post({"type": "account.frozen", "id": "f", "account": "ann", "at": "2024-01-10"})
    assert state(books, "ann", as_of=P("2024-01-15")).status == "frozen"
    buy(books, "early", "2023-12-01")
    assert state(books, "ann", as_of=P("2024-01-05")).status == "open"


def test_an_operator_s_misspelt_account_is_not_opened(books: Engine) -> None:
    outcome = books.post({"type": "account.frozen", "id": "f", "account": "nobody", "at": "2024-01-01"})
    assert [objection.code for objection in outcome.objections] == ["unknown_account"]


class Rash(Plugin[PluginConfig]):
    """A plugin whose doings depend on the id of the event."""

    @hookimpl
    def reward(self, event: Event) -> Any:
        bad: dict[str, Callable[[], Any]] = {
            "raises": lambda: 1 // 0,
            "no-list": lambda: 5,
            "no-award": lambda: ["hello"],
            "float": lambda: [Award("rash.x", "points", 1, effective_at=1.5)],  # type: ignore[arg-type]
            "zero": lambda: [Award("rash.x", "points", 1, 0)],
            "far": lambda: [Award("rash.x", "points", 1, expires_at=10**30)],
            "kind": lambda: [Award("rash.x", "points", 1, kind="a\x00b")],
        }
        return bad[event.id]() if event.id in bad else []

    @hookimpl
    def review(self, transaction: Transaction, account: AccountView, event: Event) -> list[Objection]:
        if event.id == "mutates":
            transaction.postings = (Posting("points", 10**6, account.lots[0].number, "promotion", "x"),)
            transaction.memo.clear()
        return []


def rash_engine() -> Engine:
    engine = engine_of(plugins={"rash": Rash})
    engine.put_text_in_force(program() + '[[plugin]]\nuse = "rash"\n')
    return engine


@pytest.mark.parametrize("name", ["raises", "no-list", "no-award", "float", "zero", "far", "kind"])
def test_a_plugin_that_fails_fails_its_event_alone(name: str) -> None:
    engine = rash_engine()
    events = [
        {"type": "purchase", "id": id_, "account": "ann", "at": "2024-01-01", "amount": "1.00"}
        for id_ in ("before", name, "after")
    ]
    assert [outcome.status for outcome in engine.process(events)] == ["accepted", "failed", "accepted"]


def test_what_a_review_does_to_a_transaction_does_not_reach_the_books() -> None:
    engine = rash_engine()
    buy(engine, "first", "2024-01-01")
    outcome = buy(engine, "mutates", "2024-01-02")
    assert [posting.amount for posting in outcome.postings] == [10]
    assert outcome.memo["granted"]


def test_a_metric_beyond_the_range_of_amounts_fails_its_event_alone() -> None:
    engine = engine_of()
    engine.put_text_in_force(program(metric="order.net * 1000000"))
    events = [
        {"type": "purchase", "id": id_, "account": "ann", "at": "2024-01-01", "amount": amount}
        for id_, amount in (("a", "1.00"), ("b", "9000000000000"), ("c", "1.00"))
    ]
    assert [outcome.status for outcome in engine.process(events)] == ["accepted", "failed", "accepted"]


def test_many_small_returns_keep_as_much_as_one() -> None:
    text = program().replace(
        'use = "refunds"\n',
        'use = "refunds"\npoints_spent = "deduct_from_refund"\nunit_values = { points = "0.005" }\n',
    )

    def kept(parts: int) -> int:
        engine = engine_of()
        engine.put_text_in_force(text)
        buy(engine, "p", "2024-01-01", "90.00")
        spend = {"type": "spend", "id": "s", "account": "ann", "at": "2024-01-02", "asset": "points", "amount": "90"}
        engine.post(spend)
        back = {"type": "return", "account": "ann", "at": "2024-01-03", "purchase": "p", "amount": f"{90 // parts}.00"}
        return sum(engine.post({**back, "id": f"r{n}"}).memo["deducted"] for n in range(parts))

    assert kept(90) == kept(1) == 45


class Undecided(Plugin[PluginConfig]):
    """Cannot say what is due while an account holds 7.00."""

    Config = PluginConfig

    @hookimpl
    def due(self, account: AccountView) -> list[Due]:
        if account.balance("GBP") == 700:
            message = "no idea"
            raise ValueError(message)
        return []


@pytest.mark.parametrize("programs", [1, 2])
def test_an_event_after_which_nobody_can_say_what_is_due_leaves_nothing(sqlite_db: str, programs: int) -> None:
    with engine_of(sqlite_db, now="2025-06-01", plugins={"undecided": Undecided}) as engine:
        engine.put_text_in_force(program() + "[[plugin]]\nuse = 'undecided'\n")
        for _ in range(programs - 1):
            later = program(metric="order.gross") + "[[plugin]]\nuse = 'undecided'\n"
            engine.put_text_in_force(later, effective_from=P("2025-05-01"))
        topups = [
            {"type": "topup", "id": str(day), "account": "ann", "at": f"2025-01-0{day}", "amount": amount}
            for day, amount in enumerate(("5.00", "2.00", "1.00"), 1)
        ]
        assert [outcome.status for outcome in engine.process(topups)] == ["accepted", "failed", "accepted"]
        assert verify(engine).findings == ()
        assert state(engine, "ann").balance("GBP", P("2025-06-01")) == 600
