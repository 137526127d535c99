"""What rewards promise whatever a program says: no order of tables, batches or ticks decides; returns undo it all."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stampbook import Registry, load_program
from stampbook.account_view import AccountView
from stampbook.engine import Engine
from stampbook.ledger import PROMOTION
from stampbook.replay import brought_up
from stampbook.store.memory import MemoryStore
from stampbook.testing import Ledger
from stampbook.verifying import verify
from stampbook_achievements import Achievements
from stampbook_points import Points
from stampbook_referral import Referral
from stampbook_refunds import Refunds
from stampbook_tiers import Tiers
from stampbook_together import Households
from tests.effort import examples
from tests.properties import reward_histories as shops
from tests.properties import reward_programs as some

Event = dict[str, Any]
NOTHING = {"", "0", "waiting", "undone"}
"""What facts say of that which is not so: a friend who got there and is undone is as one who never got there."""
PLUGINS = {
    "points": Points,
    "tiers": Tiers,
    "refunds": Refunds,
    "achievements": Achievements,
    "households": Households,
    "referral": Referral,
}


@lru_cache(maxsize=64)
def built(text: str) -> Registry:
    return load_program(text)


def played(registry: Registry, events: list[Event]) -> Ledger:
    ledger = Ledger(registry)
    for event in events:
        ledger.engine.post(event)
    return ledger


def refs_of(events: list[Event]) -> list[str]:
    """Return the accounts that are there: who joins a household is one already."""
    return sorted({event["account"] for event in events if not event["type"].startswith("household.")})


def granted(ledger: Ledger, ref: str) -> list[Any]:
    """Return of each entry what it was, and what each rule granted or had taken from it."""
    found = []
    for entry in ledger.engine.entries(ref):
        by_rule: dict[tuple[str, str], int] = {}
        for posting in entry.postings:
            sign = (posting.source == PROMOTION) - (posting.destination == PROMOTION)
            key = (posting.rule, posting.asset)
            by_rule[key] = by_rule.get(key, 0) + sign * posting.amount
        codes = [code for code, *_ in orjson.loads(entry.trace).get("objections", ())]
        found.append((entry.type, entry.at, entry.accepted, codes, by_rule))
    if ref == shops.POOL:  # what one purchase brings it is alike, in whichever order it is told
        found.sort(key=lambda each: (each[1], each[0], sorted(each[-1].items())))
    return found


def spent(ledger: Ledger) -> dict[str, int]:
    """Return of each campaign what it has granted to all accounts, as its leases say."""
    store = ledger.engine.store
    assert isinstance(store, MemoryStore)
    return {name: lease.spent for name, lease in store.leases.items() if lease.spent}


def counted(ledger: Ledger, refs: list[str]) -> list[tuple[str, int]]:
    """Return what limits and campaigns have counted on accounts."""
    return [
        (name, value)
        for ref in refs
        for name, _, value in ledger.engine.account(ref).metrics
        if name.startswith(("cap/", "campaign/")) and value
    ]


def holdings(ledger: Ledger, ref: str, at: datetime, days: tuple[int, ...] = (0, 5, 20, 40, 100, 400)) -> Event:
    """Return what an account has, counts and is, and what it will have left on later days."""
    account = ledger.engine.account(ref)
    balances: list[tuple[int, int, int, int]] = []
    for later in days:
        instant = ledger.registry.context.calendar.parse((at + timedelta(days=later)).isoformat())
        view = AccountView(
            brought_up(ledger.engine, ledger.engine.account(ref), instant), instant, ledger.registry.context
        )
        balances.append((view.balance("points"), view.pending("points"), view.owed("points"), view.balance("stamps")))
    return {
        "balances": balances,
        "metrics": list(account.metrics),
        "facts": {name: facts[-1].value for name, facts in account.facts.items() if facts[-1].value not in NOTHING},
    }


@examples(60)
@given(some.programs(), shops.histories(), st.data())
def test_the_order_of_tables_decides_nothing(program: some.Program, events: list[Event], data: st.DataObject) -> None:
    tables = data.draw(st.permutations(range(len(program.tables) + 1)))
    rules = data.draw(st.permutations(range(len(program.rules) + len(program.multipliers))))
    limits = data.draw(st.permutations(range(len(program.limits))))
    as_written, shuffled = built(program.text()), built(program.text(tables, rules, limits))
    events = shops.fits(events, program.text())
    one, other = played(as_written, events), played(shuffled, events)
    at = datetime.fromisoformat(events[-1]["at"])
    for ref in refs_of(events):
        assert granted(one, ref) == granted(other, ref)
        assert holdings(one, ref, at) == holdings(other, ref, at)


@examples(30)
@given(some.programs(), shops.histories(most=8), st.permutations(list(PLUGINS)))
def test_the_order_in_which_plugins_were_found_decides_nothing(
    program: some.Program, events: list[Event], order: list[str]
) -> None:
    events = shops.fits(events, program.text())
    found = load_program(program.text(), plugins={name: PLUGINS[name] for name in order})
    one, other = played(built(program.text()), events), played(found, events)
    for ref in refs_of(events):
        assert [entry.hash for entry in one.engine.entries(ref)] == [entry.hash for entry in other.engine.entries(ref)]


@examples(60)
@given(some.programs(), shops.histories(), st.lists(st.sampled_from(["", "", "end", "end and tick"]), max_size=12))
def test_batches_and_ticks_make_no_difference(program: some.Program, events: list[Event], ends: list[str]) -> None:
    registry, events = built(program.text()), shops.fits(events, program.text())
    single, batched = played(registry, events), Ledger(registry)
    waiting: list[Event] = []
    for place, event in enumerate(events):
        waiting.append(event)
        end = ends[place] if place < len(ends) else ""
        if end:
            batched.engine.process(waiting)
            waiting = []
        if end == "end and tick":
            at = datetime.fromisoformat(event["at"])
            later = datetime.fromisoformat(events[min(place + 1, len(events) - 1)]["at"])
            batched.tick((at + (later - at) / 2).isoformat())
            batched.tick(later.isoformat())
    batched.engine.process(waiting)
    last = events[-1]["at"]
    single.tick(last)
    batched.tick(last)
    for ref in refs_of(events):
        one, other = (
            [(entry.id, entry.at, entry.accepted, entry.postings, entry.effects, entry.trace) for entry in entries]
            for entries in (single.engine.entries(ref), batched.engine.entries(ref))
        )
        assert one == other


@examples(80)
@given(some.programs(), shops.histories(most=8), st.lists(shops.purchase(), min_size=1, max_size=4), st.data())
def test_a_return_of_everything_restores_what_there_was(
    program: some.Program, events: list[Event], bought: list[Event], data: st.DataObject
) -> None:
    registry, events = built(program.text()), shops.fits(events, program.text())
    before, after = played(registry, events), played(registry, events)
    at = datetime.fromisoformat(events[-1]["at"])
    stamped = {"source": "test", "at": at.isoformat()}
    made: list[Event] = []
    for number, event in enumerate(bought):
        told = {**stamped, "id": f"p{number}", **event}
        for ledger in (before, after):  # an account that was opened by a purchase stays open
            opening = {**stamped, "type": "account.opened", "id": f"o{number}", "account": event["account"]}
            ledger.engine.post(opening)
        if after.engine.post(told).accepted:
            made.append(told)
    for number, event in enumerate(data.draw(st.permutations(made))):
        back = {**stamped, "type": "return", "account": event["account"], "purchase": event["id"]}
        if data.draw(st.booleans()):
            after.engine.post({**back, "id": f"part-{number}", "lines": [{"line": 1}]})
        if data.draw(st.booleans()):
            after.engine.post({**back, "id": f"completed-{number}", "type": "purchase.completed"})
        outcome = after.engine.post({**back, "id": f"rest-{number}"})
        assert outcome.accepted or [objection.code for objection in outcome.objections] == ["nothing_left"]
    for ref in refs_of([*events, *bought]):
        assert holdings(after, ref, at) == holdings(before, ref, at)
    assert spent(after) == spent(before)


@examples(40)
@given(some.programs(), st.lists(shops.purchase(), min_size=1, max_size=6), st.data())
def test_after_a_return_of_everything_limits_and_campaigns_have_granted_nothing(
    program: some.Program, bought: list[Event], data: st.DataObject
) -> None:
    ledger, at = played(built(program.text()), []), (shops.START + timedelta(days=2)).isoformat()
    made = [{"source": "test", "at": at, "id": f"p{number}", **event} for number, event in enumerate(bought)]
    made = [event for event in made if ledger.engine.post(event).accepted]
    budget = sum(value for name, value in counted(ledger, refs_of(made)) if name == "campaign/spring")
    assert spent(ledger) == ({"spring": budget} if budget else {})
    for number, event in enumerate(data.draw(st.permutations(made))):
        back = {"source": "test", "at": at, "type": "return", "account": event["account"], "purchase": event["id"]}
        ledger.engine.post({**back, "id": f"part-{number}", "lines": [{"line": 1}]})
        ledger.engine.post({**back, "id": f"rest-{number}"})
    assert counted(ledger, refs_of(made)) == []
    assert spent(ledger) == {}


@examples(15)
@given(program=some.programs(), events=shops.histories())
def test_the_books_prove_themselves(program: some.Program, events: list[Event], tmp_path_factory: Any) -> None:
    database = tmp_path_factory.mktemp("books") / "a.db"
    with Engine.open(f"sqlite:///{database}", create=True) as engine:
        engine.put_text_in_force(program.text())
        engine.process(shops.fits(events, program.text()))
        assert verify(engine).findings == ()


MANY = """
import json, sys
for name in sys.argv[1:]:
    __import__(name)
from stampbook.testing import Ledger
given = json.load(sys.stdin)
ledger = Ledger(given["program"])
for event in given["events"]:
    ledger.engine.post(event)
print(ledger.engine.entries("ann")[-1].hash.hex())
"""


MODULES = sorted({plugin.__module__.partition(".")[0] for plugin in PLUGINS.values()})


@pytest.mark.parametrize("order", [MODULES, [*reversed(MODULES)]])
def test_the_order_of_import_decides_nothing(order: list[str]) -> None:
    rules = [f"[[plugin.rule]]\nname = 'r{n}'\n{base}\nrank = {n}\n" for n, base in enumerate(some.BASES)]
    head = some.HEAD.format(debt="true", awards="best", factors="sum")
    limits = "[limits.month]\nmax = '90'\nwindow = 'calendar month'\n"
    plugins = "".join((some.SPEND.format(downgrade="matching", gift=some.GIFT), some.VISITS, some.STAMPS))
    plugins += some.POOL.format(share="50", rounding="floor", spent="debt") + some.FRIENDS.format(goal="2", more="")
    refunds = some.REFUNDS.format(spent="debt", back="anew", more="")
    program = f"{head}{limits}[[plugin]]\nuse = 'points'\n{''.join(rules)}{plugins}{refunds}"
    lines = [{"sku": "a", "category": "tea", "quantity": "2", "amount": "33.33"}, {"sku": "b", "amount": "7.00"}]
    opened: list[Event] = [
        {"type": "account.opened", "id": ref, "account": ref, "at": "2025-01-01"} for ref in ("home", "ben")
    ]
    joined: Event = {"type": "household.joined", "to": "home"}
    referred: Event = {"type": "account.referred", "by": "ben"}
    events: list[Event] = [
        *opened,
        *({**event, "id": event["type"], "account": "ann", "at": "2025-01-01"} for event in (joined, referred)),
        *(
            {"type": "purchase", "id": f"p{n}", "account": "ann", "at": f"2025-01-0{n}T10:00", "lines": lines}
            for n in range(1, 6)
        ),
    ]
    events.append({"type": "return", "id": "r", "account": "ann", "at": "2025-01-09", "purchase": "p2"})
    given_ = json.dumps({"program": program, "events": events})
    done = subprocess.run(
        [sys.executable, "-c", MANY, *order], input=given_, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    ledger = played(built(program), events)
    assert done.stdout.strip() == ledger.engine.entries("ann")[-1].hash.hex()
