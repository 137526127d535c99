from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import polars as pl
import pytest

from stampbook import Engine, PluginError, StampbookError
from stampbook.histories import read_frames
from stampbook.periods import Calendar
from stampbook.segmenting import segment
from stampbook.states import account_state
from stampbook.store.reading import accounts_page, count_accounts, refs_like
from stampbook.store.segment_runs import members, runs, scores_of, sizes

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = """
[program]
name = "Shop"
currency = "EUR"
open_accounts = "on first event"
unknown_returns = "accept"

[assets.points]
[assets.USD]

[[plugin]]
use = "points"

[[plugin.rule]]
name = "base"
earn = "floor(order.net)"

[[plugin]]
use = "refunds"

[[plugin]]
use = "rfm"
"""
AT = Calendar().parse


@pytest.fixture
def engine(any_db: str) -> Iterator[Engine]:
    with Engine.open(any_db, create=True, clock=lambda: AT("2025-06-01")) as engine:
        engine.put_text_in_force(PROGRAM)
        rows: list[dict[str, object]] = [
            {
                "type": "purchase",
                "id": f"p{number}-{visit}",
                "account": f"a{number:02d}",
                "at": f"2025-0{visit}-01",
                "amount": f"{number}.00",
            }
            for number in range(12)
            for visit in range(1, 2 + number % 4)
        ]
        lines = [{"sku": "x", "amount": "2.00"}, {"sku": "y", "amount": "3.00"}]
        base: dict[str, object] = {"account": "a01", "at": "2025-04-01"}
        rows += [
            {"type": "purchase", "id": "lines", **base, "lines": lines, "discount": "1.00"},
            {"type": "purchase", "id": "taxed", **base, "amount": "10.00", "tax": "2.00", "tax_added": True},
            {"type": "purchase", "id": "total", **base, "amount": "10.00", "total": "10.00"},
            {"type": "purchase", "id": "dollars", **base, "amount": "10.00", "currency": "USD"},
            {"type": "purchase", "id": "lines", "source": "web", **base, "amount": "1.00"},
            {"type": "return", "id": "r1", **base, "purchase": "lines", "lines": [{"line": 1}]},
            {"type": "return", "id": "r2", "source": "web", **base, "purchase": "taxed", "purchase_source": "default"},
            {"type": "return", "id": "r3", **base, "amount": "0.50"},
            {"type": "return", "id": "r4", **base, "purchase": "total", "amount": "99"},
            {"type": "return", "id": "r5", **base, "purchase": "dollars", "amount": "4.00"},
            {"type": "account.frozen", "id": "f", "account": "a00", "at": "2025-05-01"},
        ]
        assert not any(outcome.error for outcome in engine.process(rows))
        yield engine


def test_pages_follow_one_another(engine: Engine) -> None:
    seen: list[str] = []
    while page := accounts_page(engine.store, after=seen[-1] if seen else "", limit=5):
        assert all(account.lots or account.ref == "a00" for account in page)
        seen += [account.ref for account in page]
    assert seen == [f"a{number:02d}" for number in range(12)]
    assert [account.ref for account in accounts_page(engine.store, status="frozen")] == ["a00"]
    assert count_accounts(engine.store) == {"open": 11, "frozen": 1}
    assert refs_like(engine.store, "a1") == ["a10", "a11"]
    assert refs_like(engine.store, "%") == []


def test_the_history_has_what_was_paid_and_what_came_back(engine: Engine) -> None:
    past = read_frames(engine, AT("2025-06-01"), {"history"})
    assert past.left_out == 2
    dollars = read_frames(engine, AT("2025-06-01"), (), currency="USD").frames.history
    assert isinstance(dollars, pl.LazyFrame)
    assert dollars.collect().select("event", "kind", "amount", "about").sort("event").rows() == [
        ("dollars", "purchase", 1000, None),
        ("r5", "return", 400, "dollars"),
    ]
    assert isinstance(past.frames.history, pl.LazyFrame)
    rows = past.frames.history.collect().filter(account="a01").sort("event").to_dicts()
    assert {(row["event"], row["kind"], row["amount"], row["about"]) for row in rows} == {
        ("p1-1", "purchase", 100, None),
        ("p1-2", "purchase", 100, None),
        ("lines", "purchase", 400, None),
        ("taxed", "purchase", 1200, None),
        ("total", "purchase", 1000, None),
        ("web\tlines", "purchase", 100, None),
        ("r1", "return", 160, "lines"),
        ("web\tr2", "return", 1200, "taxed"),
        ("r3", "return", 50, None),
    }
    assert len(read_frames(engine, AT("2025-01-15"), ()).frames.history.collect()) == 12


def test_a_run_is_kept_once_with_all_its_members(engine: Engine) -> None:
    [made], _ = segment(engine, at=AT("2025-05-31"))
    [again], _ = segment(engine, at=AT("2025-05-31"))
    assert (made.is_new, again.is_new, made.run) == (True, False, again.run)
    assert (len(made.moves), again.moves, made.told) == (12, (), None)
    assert made.shares.equals(again.shares)
    assert runs(engine.store) == [made.run]
    kept = list(members(engine.store, "rfm", made.run.at))
    assert [member.account for member in kept] == [f"a{number:02d}" for number in range(12)]
    counts = sizes(engine.store, "rfm", made.run.at)
    assert sum(counts.values()) == made.run.accounts == 12
    assert orjson.loads(made.run.segments) == counts
    first = next(iter(counts))
    assert len(list(members(engine.store, "rfm", made.run.at, segment=first))) == counts[first]
    [(run, member)] = scores_of(engine.store, "a11")
    assert (run, orjson.loads(member.scores)["frequency"]) == (made.run, 4)


def test_a_run_belongs_to_what_was_known_from_then_on(engine: Engine) -> None:
    segment(engine, at=AT("2025-03-15"))
    segment(engine, at=AT("2025-05-31"))
    assert account_state(engine, "a01", as_of=AT("2025-03-01")).segments == ()
    assert account_state(engine, "a01", as_of=AT("2025-03-20")).segments[0].since.month == 3
    assert [run.at for run in runs(engine.store, until=AT("2025-04-01"))] == [AT("2025-03-15")]
    assert runs(engine.store, known_at=AT("2025-05-01")) == []


def test_a_changed_option_is_another_definition(engine: Engine) -> None:
    segment(engine, at=AT("2025-05-31"))
    engine.put_text_in_force(PROGRAM + 'scores = "ntile"\n', effective_from=AT("2025-05-01"))
    [other], _ = segment(engine, at=AT("2025-05-31"))
    assert other.is_new
    assert len(runs(engine.store, scheme="rfm")) == 2


def test_a_scheme_that_is_not_there(engine: Engine) -> None:
    with pytest.raises(PluginError, match="no segmentation scheme 'rmf'"):
        segment(engine, schemes=["rmf"])


def test_without_the_analytics_extra_it_says_so(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stampbook.segmenting.find_spec", lambda _: None)
    with pytest.raises(StampbookError, match=r"stampbook\[analytics\]"):
        segment(engine)
