"""What is left of all grants is what the ledger holds: lot by lot, at any instant, as far as was known at any other."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from stampbook import Engine, UnknownAccountError, grants_of_all
from stampbook.states import account_state
from tests.properties import strategies as some
from tests.properties.test_past import instants, news

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

REFS = ("ann", "ben", "cleo")
Told = list[tuple[int, dict[str, Any] | int]]


def program_of(shop: some.Shop, more: str = "") -> str:
    """Return a program that opens accounts by itself, with further tables."""
    return shop.toml().replace("[assets.GBP]", "open_accounts = 'on first event'\n[assets.GBP]", 1) + more


def learned(engine: Engine, present: list[int], shop: some.Shop, told: Told, refs: Sequence[str]) -> Engine:
    engine.put_text_in_force(program_of(shop))
    for number, (present[0], what) in enumerate(told):
        if isinstance(what, int):
            list(engine.tick(what))
        else:
            engine.process([{**what, "account": refs[number % len(refs)]}])
    return engine


def held(engine: Engine, as_of: int, known_at: int | None) -> Counter[tuple[str, int, str, str, Any]]:
    """Return what each lot holds, as the account's own state says it."""
    found: Counter[tuple[str, int, str, str, Any]] = Counter()
    for ref in REFS:
        try:
            state = account_state(engine, ref, as_of=as_of, known_at=known_at)
        except UnknownAccountError:
            continue
        for holding in state.holdings:
            for lot in holding.lots:
                found[ref, lot.number, holding.asset, lot.kind, lot.expires_at] += lot.remaining.units
    return found


def left(engine: Engine, as_of: int, known_at: int | None) -> Counter[tuple[str, int, str, str, Any]]:
    """Return the same as the sum of what is left of grants."""
    calendar, found = engine.registry().context.calendar, Counter[tuple[str, int, str, str, Any]]()
    for account in grants_of_all(engine, as_of=as_of, known_at=known_at):
        for grant in account.grants:
            assert grant.left == grant.units + sum(step.units for step in grant.steps)
            assert 0 <= grant.left <= grant.units or (grant.kind == "debt" and grant.units <= grant.left <= 0)
            assert all(step.at >= grant.at for step in grant.steps)
            ends = None if grant.expires_at >= 2**63 - 1 else calendar.local(grant.expires_at)
            if grant.left:
                found[account.ref, grant.lot, grant.asset, grant.kind, ends] += grant.left
    return found


def check(db: str, shop: some.Shop, told: Told, asked: Iterator[tuple[int, int | None]]) -> None:
    present = [0]
    with Engine.open(db, create=True, clock=lambda: present[0]) as engine:
        learned(engine, present, shop, told, REFS)
        for as_of, known_at in asked:
            assert left(engine, as_of, known_at) == held(engine, as_of, known_at)


@settings(max_examples=40)
@given(shop=some.shops(), told=news(late=True), data=st.data())
def test_what_is_left_of_grants_is_what_lots_hold(shop: some.Shop, told: Told, data: st.DataObject) -> None:
    moments = st.none() | st.sampled_from([recorded for recorded, _ in told])
    asked = ((data.draw(instants(told)), data.draw(moments)) for _ in range(3))
    with tempfile.TemporaryDirectory() as folder:
        check(f"sqlite:///{Path(folder) / 'books.db'}", shop, told, asked)
