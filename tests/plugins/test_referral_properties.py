"""Referrals, whatever friends buy, bring back and spend: both sides agree, in batches too, and back to nothing."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from stampbook import Registry, load_program
from stampbook.testing import Ledger
from tests.effort import examples

HEAD = """
[program]
name = "Friends"
currency = "GBP"
open_accounts = "on first event"
[assets.points]
[metrics.orders]
count = true
[[plugin]]
use = "refunds"
[[plugin]]
use = "referral"
metric = "orders"
friend = "3"
referrer = "5"
"""

REFS = ("ann", "ben", "cy", "dan")

OPTIONS = st.fixed_dictionaries(
    {"goal": st.sampled_from(["'1'", "'2'"])},
    optional={
        "most": st.integers(1, 2),
        "within": st.sampled_from(["'3 days'", "'20 days'"]),
        "on_return": st.sampled_from(["'keep'", "'take back'"]),
        "pending": st.just("'5 days'"),
    },
).map(lambda options: HEAD + "".join(f"{key} = {value}\n" for key, value in options.items()))

ACTS = st.lists(
    st.tuples(
        st.sampled_from(["refer", "buy", "buy", "back", "spend"]),
        st.sampled_from(REFS),
        st.sampled_from(REFS),
        st.integers(1, 28),
    ),
    max_size=25,
)

Act = tuple[str, str, str, int]


@lru_cache(maxsize=256)
def built(text: str) -> Registry:
    return load_program(text)


def events_of(acts: list[Act]) -> list[dict[str, Any]]:
    """Return opened accounts and what they do, most of it told late; returns and spends come at the end."""
    events: list[dict[str, Any]] = [{"type": "account.opened", "account": ref, "at": "2025-01-01"} for ref in REFS]
    bought: dict[str, list[str]] = {}
    for number, (what, ref, other, day) in enumerate(acts, len(REFS)):
        event: dict[str, Any] = {"account": ref, "at": f"2025-03-{day:02d}T10:00"}
        if what == "refer":
            event |= {"type": "account.referred", "by": other}
        elif what == "buy":
            event |= {"type": "purchase", "amount": "1.00"}
            bought.setdefault(ref, []).append(f"e{number}")
        elif what == "back" and bought.get(ref):
            event |= {"type": "return", "purchase": bought[ref].pop(day % len(bought[ref])), "at": "2025-03-29"}
        else:
            event |= {"type": "spend", "asset": "points", "amount": "2", "at": "2025-03-30"}
        events.append(event)
    return [{"id": f"e{number}", "source": "test", **event} for number, event in enumerate(events)]


def played(text: str, events: list[dict[str, Any]]) -> Ledger:
    ledger = Ledger(built(text))
    for event in events:
        ledger.engine.post(event)
    return ledger


@examples(200)
@given(OPTIONS, ACTS)
def test_both_sides_of_every_referral_agree_with_each_other_and_with_the_balances(text: str, acts: list[Act]) -> None:
    ledger = played(text, events_of(acts))
    accounts = {ref: ledger.engine.account(ref) for ref in REFS}

    def last(ref: str, name: str) -> str:
        facts = accounts[ref].facts.get(name)
        return facts[-1].value if facts else ""

    spent = dict.fromkeys(REFS, 0)
    for ref in REFS:
        for entry in ledger.engine.entries(ref):
            if entry.type == "spend" and entry.accepted:
                spent[ref] += 2
    for ref in REFS:
        by = last(ref, "referral.by")
        assert by != ref
        mine = last(ref, "referral")
        assert bool(by) == bool(mine)
        granted = int(mine.split()[1]) if "points" in mine else 0
        rewarded = 0
        for friend in REFS:
            theirs = last(ref, f"referral.of.{friend}")
            state = last(friend, "referral").split(" ")[0]
            assert not theirs or last(friend, "referral.by") == ref
            if theirs.startswith("rewarded") or theirs == "over the limit":
                assert state == "rewarded"
            elif theirs:
                assert state == "undone"
            rewarded += theirs.startswith("rewarded")
            granted += int(theirs.split()[1]) if "points" in theirs else 0
        assert int(last(ref, "referral.friends") or 0) == rewarded
        if "most" in text:
            assert len(last(ref, "referral.days").split()) <= int(text.partition("most = ")[2][0])
        assert accounts[ref].total("points") == granted - spent[ref]
        counted = accounts[ref].metrics.counters.get("orders")
        if mine.startswith("rewarded") and "keep" not in text:
            assert counted is not None
            assert sum(counted.days.values()) >= int(text.partition("goal = '")[2][0])


@examples(100)
@given(OPTIONS, ACTS, st.lists(st.booleans(), min_size=30, max_size=30))
def test_batches_and_ticks_make_no_difference(text: str, acts: list[Act], breaks: list[bool]) -> None:
    events = events_of(acts)
    single, batched = played(text, events), Ledger(built(text))
    waiting: list[dict[str, Any]] = []
    for event, ends in zip(events, breaks, strict=False):
        waiting.append(event)
        if ends:
            batched.engine.process(waiting)
            waiting = []
            batched.tick("2025-01-01")
    batched.engine.process(waiting)
    for ref in REFS:
        assert [entry.hash for entry in single.engine.entries(ref)] == [
            entry.hash for entry in batched.engine.entries(ref)
        ]


@examples(100)
@given(OPTIONS, ACTS)
def test_a_return_of_everything_restores_what_was_before(text: str, acts: list[Act]) -> None:
    text = text.replace("on_return = 'keep'\n", "")
    events = events_of([act for act in acts if act[0] in {"refer", "buy"}])
    ledger = played(text, events)
    for event in events:
        if event["type"] == "purchase":
            back = {"type": "return", "purchase": event["id"], "account": event["account"], "at": "2025-04-01"}
            assert ledger.engine.post({**back, "id": f"r-{event['id']}", "source": "test"}).accepted
    for ref in REFS:
        account = ledger.engine.account(ref)
        assert account.total("points") == 0
        assert not list(account.metrics)
        for name, facts in account.facts.items():
            assert name == "referral.by" or facts[-1].value in {"waiting", "undone", "0", ""}
