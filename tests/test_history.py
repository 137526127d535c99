"""Events that are judged by all that happened before, and events that are only tried."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import pytest

from stampbook import Engine, Event, Message, Plugin, PluginConfig, PluginError, Purchase, Remember, hookimpl
from stampbook.testing import Ledger
from stampbook.verifying import verify

if TYPE_CHECKING:
    from pathlib import Path

    from stampbook import AccountView

PROGRAM = """
[program]
name = "Asks"
currency = "GBP"
time_zone = "Europe/London"
open_accounts = "on first event"
[[plugin]]
use = "asks"
"""


class Asked(Event):
    of_history: ClassVar[bool] = True

    type: Literal["asked"] = "asked"


class Passed(Event):
    type: Literal["passed"] = "passed"
    on: str


class AskedWithout(Event):
    type: Literal["asked.without"] = "asked.without"


class Asks(Plugin[PluginConfig]):
    """Remembers what happened before, and what purchases came to."""

    @hookimpl
    def register_events(self) -> list[type[Event]]:
        return [Asked, AskedWithout, Passed]

    @hookimpl
    def propose(self, event: Event, account: AccountView) -> list[Remember | Message]:
        if isinstance(event, Passed):
            return [Message(event.on, "asked", {})]
        history = account.history
        purchases = [entry.event for entry in history if entry.type == "purchase"]
        spent = sum(each.order_in("GBP").total for each in purchases if isinstance(each, Purchase))
        lots = [lot.kind for entry in history for lot in entry.opened]
        moved = sum(posting.amount for entry in history for posting in entry.postings)
        known = [entry.remembered["_kinds"] for entry in history if entry.remembered]
        told = f"{' '.join(entry.id for entry in history if entry.source == 'till')}; {spent}; {lots}; {moved}"
        return [Remember("_kinds", told), Remember("before", str(len(known)))]


def sent(kind: str, name: str, at: str, **more: object) -> dict[str, object]:
    return {"type": kind, "id": name, "source": "till", "account": "ann", "at": at, **more}


EVENTS = [
    sent("topup", "t", "2025-01-01", amount="9.00"),
    sent("asked", "first", "2025-01-02"),
    sent("purchase", "p", "2025-01-03", amount="4.00", tenders=[{"kind": "stored_value", "amount": "4.00"}]),
    sent("spend", "refused", "2025-01-04", amount="100.00"),
    sent("asked", "second", "2025-01-05"),
]
SECOND = {"_kinds": "t first p; 400; ['paid']; 1300", "before": "1"}


@pytest.mark.parametrize("together", [True, False])
def test_an_event_sees_all_that_was_accepted_before_it(tmp_path: Path, *, together: bool) -> None:
    with Engine.open(f"sqlite:///{tmp_path / 'a.db'}", create=True, plugins={"asks": Asks}) as engine:
        engine.put_text_in_force(PROGRAM)
        outcomes = engine.process(EVENTS) if together else [engine.post(event) for event in EVENTS]
        assert outcomes[1].memo["remembered"] == {"_kinds": "t; 0; ['paid']; 900", "before": "0"}
        assert outcomes[4].memo["remembered"] == SECOND
        assert verify(engine).ok


def test_a_plugin_that_did_not_say_so_has_no_history_at_hand() -> None:
    ledger = Ledger(PROGRAM, plugins={"asks": Asks})
    ledger.post(type="asked")
    with pytest.raises(PluginError, match="of_history = True"):
        ledger.post(type="asked.without")


def test_a_preview_says_what_would_be_and_writes_nothing(tmp_path: Path) -> None:
    with Engine.open(f"sqlite:///{tmp_path / 'a.db'}", create=True, plugins={"asks": Asks}) as engine:
        engine.put_text_in_force(PROGRAM)
        engine.process(EVENTS[:4])
        head = verify(engine).head
        assert engine.preview(EVENTS[4]).memo["remembered"] == SECOND
        assert engine.preview(EVENTS[4]).seq == engine.preview(EVENTS[4]).seq
        refused = engine.preview(sent("spend", "much", "2025-01-06", amount="100.00"))
        assert [each.code for each in refused.objections] == ["insufficient_balance"]
        assert verify(engine).head == head
        assert engine.post(EVENTS[4]).memo["remembered"] == SECOND


def test_a_preview_raises_what_posting_would(tmp_path: Path) -> None:
    with Engine.open(f"sqlite:///{tmp_path / 'a.db'}", create=True, plugins={"asks": Asks}) as engine:
        engine.put_text_in_force(PROGRAM)
        with pytest.raises(PluginError, match="of_history"):
            engine.preview(sent("asked.without", "x", "2025-01-06"))


def test_an_event_that_another_account_sends_sees_the_history_too(tmp_path: Path) -> None:
    with Engine.open(f"sqlite:///{tmp_path / 'a.db'}", create=True, plugins={"asks": Asks}) as engine:
        engine.put_text_in_force(PROGRAM)
        outcomes = engine.process([*EVENTS[:4], {**sent("passed", "x", "2025-01-05", on="ann"), "account": "bob"}])
        assert outcomes[-1].accepted
        with engine.store.reader() as session:
            last = session.journal("ann")[-1]
        assert last.type == "asked"
        assert b"t first p; 400" in last.effects
        assert verify(engine).ok


def test_an_event_of_no_account_is_refused_whatever_was_before(tmp_path: Path) -> None:
    text = PROGRAM.replace("on first event", "refuse")
    with Engine.open(f"sqlite:///{tmp_path / 'a.db'}", create=True, plugins={"asks": Asks}) as engine:
        engine.put_text_in_force(text)
        outcomes = engine.process([sent("asked", f"a{number}", "2025-01-05") for number in range(3)])
        assert [outcome.objections[0].code for outcome in outcomes] == ["unknown_account"] * 3
        assert verify(engine).ok
