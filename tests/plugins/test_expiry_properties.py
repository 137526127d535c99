"""Whatever a program says of expiry: value is conserved, ticks change nothing, and no promise is shortened."""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from stampbook import NEVER, AccountView, Fact, Plugin, PluginConfig, Registry, Validity, hookimpl, load_program
from stampbook.ledger import BREAKAGE, PROMOTION
from stampbook.testing import Ledger
from tests.effort import examples

ZONES = ["UTC", "Europe/London", "America/Sao_Paulo", "Africa/Cairo", "Pacific/Auckland"]
TEXTS = [
    "never",
    "20 days",
    "1 month",
    "2 months, end of month",
    "end of quarter",
    "31 march",
    "30 june or 31 december, at least 1 month",
    "31 january of the following year",
    "membership anniversary",
]
EXTENSIONS = ["", "extend = [{ on = ['purchase', 'spend'], to = '2 months' }]", "extend = [{ to = '31 march' }]"]
WARNINGS = ["", "warn = ['5 days', '1 month']", "on_change = 'better'\nwarn = ['1 day']"]
TIERED = "{{ by = 'tier', default = '{0}', gold = '{1}' }}"

DAYS = st.integers(0, 500)
KINDS = ["purchase", "purchase", "spend", "hold.authorised", "hold.voided", "return", "extend"]


class Ladder(Plugin[PluginConfig]):
    """Gold from 60.00 on."""

    @hookimpl
    def assess(self, account: AccountView, at: int) -> list[Fact]:
        gold = account.metric("spend") >= 6000 and account.text("tier") != "gold"
        return [Fact("tier", "gold", at, NEVER)] if gold else []


@lru_cache(maxsize=512)
def program(zone: str, expires: str, last_day: str, extend: str, warn: str) -> Registry:
    return load_program(
        f"""
[program]
name = "Expiry"
currency = "GBP"
time_zone = "{zone}"
[assets.points]
[metrics.spend]
sum = "order.net"
[[plugin]]
use = "points"
expires = {expires}
last_day = "{last_day}"
{extend}
{warn}
[[plugin.rule]]
name = "base"
earn = "order.net"
[[plugin.rule]]
name = "promo"
kind = "bonus"
expires = "10 days"
earn = "order.net / 2"
[[plugin]]
use = "refunds"
[[plugin]]
use = "ladder"
""",
        plugins={"ladder": Ladder},
    )


PROGRAMS = st.builds(
    program,
    st.sampled_from(ZONES),
    st.sampled_from(
        [*map(repr, TEXTS), TIERED.format("1 month", "membership anniversary"), TIERED.format("20 days", "never")]
    ),
    st.sampled_from(["included", "excluded"]),
    st.sampled_from(EXTENSIONS),
    st.sampled_from(WARNINGS),
)
HISTORIES = st.lists(st.tuples(DAYS, st.sampled_from(KINDS), st.integers(1, 30)), min_size=1, max_size=12).map(sorted)


def event(registry: Registry, number: int, day: int, kind: str, amount: int) -> dict[str, Any]:
    calendar = registry.context.calendar
    start = calendar.day(calendar.parse("2025-01-15"))
    data: dict[str, Any] = {
        "type": kind,
        "id": f"{kind} {number}",
        "at": calendar.iso(calendar.start_of(start + day) + amount),
    }
    if kind == "purchase":
        return data | {"amount": str(amount)}
    if kind == "return":
        return data | {"purchase": f"purchase {number - amount % 5 - 1}"}
    data["asset"] = "points"
    if kind == "hold.voided":
        return data | {"hold": f"hold.authorised {number - amount % 5 - 1}"}
    if kind == "extend":
        return data | {"until": calendar.iso(calendar.start_of(start + day + amount)), "reason": "test"}
    return data | {"amount": str(amount)}


def play(registry: Registry, history: list[tuple[int, str, int]], ticks: list[int]) -> Ledger:
    books = Ledger(registry)
    calendar = registry.context.calendar
    books.post(type="account.opened", at="2025-01-15")
    start = calendar.day(books.now)
    for number, (day, kind, amount) in enumerate(history):
        for tick in ticks:
            if tick <= day:
                books.tick(calendar.iso(calendar.start_of(start + tick)))
        books.post(**event(registry, number, day, kind, amount))
    return books


@examples(60)
@given(PROGRAMS, HISTORIES, st.lists(DAYS, max_size=8))
def test_ticks_often_or_never_give_the_same_books(
    registry: Registry, history: list[tuple[int, str, int]], ticks: list[int]
) -> None:
    seldom, often = play(registry, history, []), play(registry, history, sorted(ticks))
    calendar = registry.context.calendar
    for day in range(0, 700, 7):
        at = calendar.iso(calendar.start_of(calendar.day(calendar.parse("2026-01-01")) + day))
        assert seldom.balance("points", at=at) == often.balance("points", at=at)
    for books in (seldom, often):
        books.tick("2028-01-01")
    journals = [[entry._replace(recorded_at=0, hash=b"") for entry in books.journal()] for books in (seldom, often)]
    assert journals[0] == journals[1]


@examples(60)
@given(PROGRAMS, HISTORIES)
def test_value_is_conserved_and_no_promise_is_shortened(
    registry: Registry, history: list[tuple[int, str, int]]
) -> None:
    books = play(registry, history, [])
    books.tick("2040-01-01")
    account = books.engine.account("customer")
    held: dict[int, int] = defaultdict(int)
    promised: dict[int, int] = {}
    for entry in books.journal():
        effects = orjson.loads(entry.effects)
        promised |= {lot: expires_at for lot, _, _, _, expires_at, _ in effects.get("lots", ())}
        for lot, _, amount, before, until, _ in effects.get("extended", ()):
            assert promised[lot] == before < until
            assert entry.at < before, "what has ended is not revived"
            assert amount == held[lot]
            promised[lot] = until
        for posting in entry.postings:
            if isinstance(posting.source, int):
                held[posting.source] -= posting.amount
                if posting.destination == BREAKAGE:
                    assert entry.at >= promised[posting.source], "nothing goes before its end"
                    assert entry.at == promised[posting.source] or "hold.authorised" in {kind for _, kind, _ in history}
                elif posting.destination != PROMOTION:
                    assert entry.at < promised[posting.source]
            if isinstance(posting.destination, int):
                held[posting.destination] += posting.amount
    assert {lot: left for lot, left in held.items() if left} == {
        number: lot.remaining for number, lot in account.lots.items() if lot.remaining
    }


@settings(deadline=None)
@given(PROGRAMS, DAYS, st.integers(1, 30))
def test_a_grant_is_good_to_the_end_of_its_last_day(registry: Registry, day: int, amount: int) -> None:
    books = play(registry, [(day, "purchase", amount)], [])
    calendar, config = registry.context.calendar, registry.plugins[0].config
    if not isinstance(config.expires, Validity):
        return
    [lot] = [lot for lot in books.view().lots if lot.kind == "earned"]
    if config.expires.never:
        assert lot.expires_at == NEVER
        return
    bought = calendar.day(books.now)
    opened = calendar.day(calendar.parse("2025-01-15"))
    last = config.expires.last_day(bought, calendar, opened)
    if config.last_day == "included":
        assert (calendar.day(lot.expires_at - 1), calendar.day(lot.expires_at)) == (last, last + 1)
    else:
        assert calendar.day(lot.expires_at) == (last if last > bought else calendar.day(lot.expires_at))
        assert calendar.day(lot.expires_at) > bought
