"""An account is closed when everything that is known of it has happened, and time brings it nothing more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from stampbook.engine import Engine
from stampbook.periods import Calendar
from stampbook.states import account_state
from stampbook.verifying import verify

if TYPE_CHECKING:
    from stampbook.outcomes import Outcome

PROGRAM = """
[program]
name = "Closing"
currency = "EUR"
time_zone = "UTC"

[assets.points]

[metrics.spend]
sum = "order.net"
window = "30 days"

[[plugin]]
use = "points"

[[plugin.rule]]
name = "base"
earn = "floor(order.net)"

[[plugin]]
use = "tiers"
metric = "spend"
review = "calendar month"

[[plugin.level]]
name = "blue"

[[plugin.level]]
name = "gold"
reach = "10.00"
"""

P = Calendar("UTC").parse


@pytest.fixture
def engine(any_db: str) -> Any:
    with Engine.open(any_db, create=True, clock=lambda: P("2025-12-31")) as engine:
        engine.put_text_in_force(PROGRAM)
        tell(engine, "account.opened", "2025-01-01")
        yield engine
        assert verify(engine).findings == ()


def tell(engine: Engine, kind: str, at: str, **fields: Any) -> Outcome:
    return engine.post({"type": kind, "id": f"{kind} {at}", "account": "ann", "at": at, **fields})


def test_no_account_was_closed_before_it_was_used(engine: Engine) -> None:
    assert tell(engine, "purchase", "2025-01-10", amount="12.00").accepted
    assert tell(engine, "spend", "2025-01-20", asset="points", amount="5").accepted
    refused = tell(engine, "account.closed", "2025-01-15")
    assert [(each.code, each.message) for each in refused.objections] == [
        ("later_news", "account ann was used since; it cannot have been closed before that")
    ]
    assert tell(engine, "account.closed", "2025-01-20").accepted


def test_news_that_moves_nothing_does_not_keep_an_account_open(engine: Engine) -> None:
    assert tell(engine, "account.frozen", "2025-01-20").accepted
    assert tell(engine, "account.closed", "2025-01-15").accepted


def test_a_closed_account_can_be_looked_at_whatever_would_have_been_due(engine: Engine) -> None:
    assert tell(engine, "purchase", "2025-01-10", amount="12.00").accepted
    assert tell(engine, "account.closed", "2025-01-31").accepted
    for day in ("2025-01-31", "2025-02-01", "2025-04-01"):
        state = account_state(engine, "ann", as_of=P(day))
        assert state.status == "closed"
        assert [fact.value for fact in state.facts if fact.name == "tier"] == ["gold"]
