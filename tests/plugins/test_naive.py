"""Schemes say what the same definitions say row by row, whatever was bought, given back or paid in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from stampbook.loading import load
from stampbook.population import Frames
from stampbook.segments import run_segments
from tests.effort import examples
from tests.plugins import naive
from tests.plugins.histories import accounts, activity, buys, day, gives_back, history, line, lines, movements

if TYPE_CHECKING:
    import random

    from tests.plugins.histories import Row

PROGRAM = f"""
[program]
name = "Shop"
currency = "GBP"
time_zone = "{naive.ZONE}"
[events.complaint]

[[plugin]]
use = "lifecycle"

[[plugin]]
use = "lifecycle"
name = "lapse"
rule = "lapse"

[[plugin]]
use = "behaviour"
complaints = ["complaint"]
returned_from = "40%"
window = "200 days"

[[plugin]]
use = "balance"
by = "both"

[[plugin]]
use = "preference"
window = "200 days"
"""
DAYS = 420


class World:
    """What some accounts did: often a rhythm of their own, and returns that may be more than was bought."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.refs = [f"a{number}" for number in range(chance.randint(1, 7))]
        self.sales: list[Row] = []
        self.lines: list[Row] = []
        self.moves: list[tuple[str, float, str, int]] = []
        self.complaints: list[tuple[str, float]] = []
        for ref in self.refs:
            self._buy(ref)
            for _ in range(chance.choice([0, 0, 1, 3, 6])):
                kind = chance.choice(["topup", "spend", "expiry"])
                self.moves.append((ref, self._when(), kind, chance.choice([100, 500, -100, -500])))
            self.complaints += [(ref, self._when()) for _ in range(chance.choice([0, 0, 1, 5]))]

    def _when(self) -> float:
        return round(self.chance.uniform(0, DAYS), self.chance.choice([0, 1, 3]))

    def _buy(self, ref: str) -> None:
        chance = self.chance
        rhythm, now = chance.choice([None, chance.randint(1, 40)]), self._when() / 2
        for number in range(chance.choice([0, 1, 1, 2, 3, 5, 8, 12])):
            now = self._when() if rhythm is None else round(now + rhythm * chance.choice([1, 1, 1, 0.5, 2, 5]), 3)
            event, goods = f"{ref}#{number}", [chance.choice(["tea", "cake", "book", ""]) for _ in range(2)]
            prices = [chance.choice([0, 100, chance.randint(1, 5000)]) for _ in goods]
            self.sales.append(buys(ref, now, sum(prices), event, discount=chance.choice([0, 0, 5, None])))
            self.lines += [line(ref, now, name, price, event=event) for name, price in zip(goods, prices, strict=True)]
            if chance.random() < 0.3:
                later, back = now + chance.choice([0, 3, 100]), chance.choice([prices[0], sum(prices), 9999])
                self.sales.append(gives_back(ref, later, back, event))
                returned = min(back, prices[0])
                self.lines.append(line(ref, later, goods[0], returned, kind="return", event=f"{event}-", about=event))
        if chance.random() < 0.3:
            self.sales.append(gives_back(ref, self._when(), chance.randint(0, 3000), chance.choice([None, "unknown"])))


@examples(60)
@given(st.randoms(use_true_random=False), st.sampled_from([0, 200.5, 300, 400]) | st.floats(0, DAYS))
def test_schemes_say_what_their_definitions_say_row_by_row(chance: random.Random, on_day: float) -> None:
    world, at = World(chance), day(on_day)
    frames = Frames(
        history(world.sales),
        lines(world.lines),
        accounts({"account": ref} for ref in world.refs),
        movements(world.moves),
        activity((ref, when, "complaint") for ref, when in world.complaints),
    )
    said = {
        run.scheme: dict(run.frame.select("account", "segment").iter_rows())
        for run in run_segments(load(PROGRAM).segmenters(), frames, at)
    }
    bought = naive.net(world.sales, at)
    assert said == {
        "lifecycle": naive.lifecycle(bought, at, lapse=False),
        "lapse": naive.lifecycle(bought, at, lapse=True),
        "behaviour": naive.behaviour(bought, world.complaints, at, days=200),
        "balance": naive.balance(world.refs, world.moves, at),
        "preference": naive.preference(bought, world.lines, at, days=200),
    }
