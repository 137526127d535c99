"""Random programs of rewards: rules of every base, groups, multipliers, two ladders, limits, campaigns; and shops.

A program is a value that can be written with its tables in any order.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st

Event = dict[str, Any]

REFS = ("ann", "ben")
START = datetime(2024, 1, 30, 12)  # noqa: DTZ001 - local time of the program

HEAD = """
[program]
name = 'Random rewards'
currency = 'GBP'
time_zone = 'Europe/London'
open_accounts = 'on first event'
[assets.points]
debt = {debt}
[assets.stamps]
[attributes]
birthday = 'month and day'
segment = 'text'
[metrics.spend]
sum = 'order.net'
window = '12 months'
[metrics.visits]
count = true
window = 'calendar month'
[metrics.orders]
count = true
[stacking]
awards = '{awards}'
factors = '{factors}'
"""


@dataclass(frozen=True)
class Program:
    """A program in parts; `tables` are those of plugins, `rules` and `multipliers` belong to the points table."""

    head: str
    limits: tuple[str, ...]
    tables: tuple[str, ...]
    rules: tuple[str, ...]
    multipliers: tuple[str, ...]

    def text(
        self, tables: list[int] | None = None, rules: list[int] | None = None, limits: list[int] | None = None
    ) -> str:
        """Return the file; plugins, parts of the points table, and limits and campaigns in an order of choice."""
        caps = "".join(self.limits[place] for place in limits or range(len(self.limits)))
        parts = (*self.rules, *self.multipliers)
        points = "[[plugin]]\nuse = 'points'\nexpires = '3 months, end of month'\n" + "".join(
            parts[place] for place in rules or range(len(parts))
        )
        plugins = (points, *self.tables)
        return self.head + caps + "".join(plugins[place] for place in tables or range(len(plugins)))


BASES = (
    "earn = 'floor(order.net)'",
    "earn = 'order.paid_outside * 1.5'\nrounding = 'half_up'",
    "earn = '1'\neach = '3.00'",
    "earn = '3'\nper = 'visit'",
    "earn = 'line.net / 4'\nper = 'line'",
    "earn = '2'\nper = 'unit'\nwhen = \"line.category == 'tea'\"",
    "earn = 'order.net / 2'\nonly = { categories = ['tea'] }",
    "of = 'order.net'\nbracket = [{ from = '0', rate = '0.5' }, { from = '20', rate = '2' }]",
    "earn = '7'\nwhen = 'metric.orders % 3 == 2'",
    "earn = '5'\nwhen = 'is_month(account.birthday)'",
    "earn = '11'\nwhen = 'metric.orders == 0'",
)
TERMS = ("", "", "expires = 'never'", "pending = '14 days'", "kind = 'bonus'", "priority = 5", "expires = '10 days'")
WHENS = ("weekday(event.at) >= 5", "account.tier == 'gold'", "account.segment == 'loyal'", "order.net >= 15")
OVERS = ("trim", "trim", "refuse award", "refuse event")


@st.composite
def rule(draw: st.DrawFn, number: int) -> str:
    group = draw(st.sampled_from(["", "", "group = 'awards'\n"]))
    base, terms = draw(st.sampled_from(BASES)), draw(st.sampled_from(TERMS))
    return f"[[plugin.rule]]\nname = 'r{number}'\n{base}\n{terms}\n{group}rank = {number}\n"


@st.composite
def multiplier(draw: st.DrawFn, number: int) -> str:
    group = draw(st.sampled_from(["", "group = 'factors'\n"]))
    only = draw(st.sampled_from(["", "rules = ['r0']\n"]))
    by = draw(st.sampled_from(["2", "1.5", "0.9"]))
    when = draw(st.sampled_from(WHENS))
    return f"[[plugin.multiplier]]\nname = 'm{number}'\nby = '{by}'\nwhen = \"{when}\"\nrank = {number}\n{group}{only}"


@st.composite
def limit(draw: st.DrawFn, number: int) -> str:
    per = draw(st.sampled_from(["transaction", "account"]))
    window = draw(st.sampled_from(["1 day", "calendar week", "calendar month", "30 days", "lifetime"]))
    return (
        f"[limits.l{number}]\nmax = '{draw(st.sampled_from(['1', '10', '40']))}'\nper = '{per}'\n"
        f"over = '{draw(st.sampled_from(OVERS))}'\n"
        + (f"window = '{window}'\n" if per == "account" else "")
        + draw(st.sampled_from(["", "", "counts = 'awards'\n", "counts = 'value'\nunit_value = '0.5'\n"]))
        + draw(st.sampled_from(["", "rules = ['points.r0']\n"]))
    )


@st.composite
def campaign(draw: st.DrawFn, rules: int) -> str:
    name = f"points.r{draw(st.integers(0, rules - 1))}"
    budget = draw(st.sampled_from(["3", "25", "100"]))
    return (
        f"[campaigns.spring]\nrules = ['{name}']\nbudget = '{budget}'\nover = '{draw(st.sampled_from(OVERS))}'\n"
        "first_day = '2024-01-31'\nlast_day = '2024-06-30'\n"
        + draw(st.sampled_from(["", "counts = 'awards'\n", "counts = 'value'\nunit_value = '0.1'\n"]))
    )


SPEND = """
[[plugin]]
use = 'tiers'
metric = 'spend'
review = 'calendar month'
returns = 'at once'
downgrade = '{downgrade}'
[[plugin.level]]
name = 'blue'
[[plugin.level]]
name = 'silver'
reach = '20'
multiplier = '1.5'
[[plugin.level]]
name = 'gold'
reach = '60'
keep = '30'
multiplier = '2'
expires = '12 months'
{gift}
"""
GIFT = "[[plugin.level.gift]]\nname = 'welcome'\namount = '9'\ntake_back = true\n"
VISITS = """
[[plugin]]
use = 'tiers'
name = 'club'
fact = 'club'
metric = 'visits'
returns = 'at once'
[[plugin.level]]
name = 'guest'
[[plugin.level]]
name = 'regular'
reach = '2'
multiplier = '1.1'
"""
STAMPS = """
[[plugin]]
use = 'achievements'
asset = 'stamps'
[[plugin.achievement]]
name = 'third'
metric = 'orders'
goal = '3'
repeat = 'every time'
grants = '1'
"""
REFUNDS = "[[plugin]]\nuse = 'refunds'\npoints_spent = '{spent}'\n"


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """Programs with two to five rules, two ladders, and perhaps limits, a campaign and an achievement."""
    count = draw(st.integers(2, 5))
    spent = draw(st.sampled_from(["within_balance", "debt", "refuse"]))
    awards = draw(st.sampled_from(["sum", "best", "first", "exclusive"]))
    factors = draw(st.sampled_from(["sum", "best", "first", "exclusive", "multiplied"]))
    head = f"multipliers = '{draw(st.sampled_from(['product', 'best', 'sum']))}'\n" + HEAD.format(
        debt=str(spent == "debt").lower(), awards=awards, factors=factors
    )
    caps = [draw(limit(number)) for number in range(draw(st.integers(0, 3)))]
    if draw(st.booleans()):
        caps.append(draw(campaign(count)))
    spend = SPEND.format(
        downgrade=draw(st.sampled_from(["matching", "one step"])), gift=draw(st.sampled_from(["", GIFT]))
    )
    stamps = [STAMPS] if draw(st.booleans()) else []
    return Program(
        head,
        tuple(caps),
        (spend, VISITS, *stamps, REFUNDS.format(spent=spent)),
        tuple(draw(rule(number)) for number in range(count)),
        tuple(draw(multiplier(number)) for number in range(draw(st.integers(0, 2)))),
    )


@st.composite
def purchase(draw: st.DrawFn) -> Event:
    lines = draw(
        st.lists(
            st.fixed_dictionaries(
                {
                    "sku": st.sampled_from("abc"),
                    "category": st.sampled_from(["tea", "cake"]),
                    "quantity": st.sampled_from(["1", "2", "0.5"]),
                    "amount": st.sampled_from(["0.00", "0.99", "3.00", "12.34", "33.33", "80.00"]),
                }
            ),
            min_size=1,
            max_size=3,
        )
    )
    return {"type": "purchase", "account": draw(st.sampled_from(REFS)), "lines": lines}


@st.composite
def histories(draw: st.DrawFn, most: int = 12) -> list[Event]:
    """Purchases, returns of some, spending, and what is declared of accounts, in the order of time."""
    at = START
    events: list[Event] = []
    bought: list[tuple[str, str]] = []
    for number in range(draw(st.integers(1, most))):
        at += timedelta(hours=draw(st.sampled_from([0, 1, 20, 24, 24 * 7, 24 * 31, 24 * 62])))
        kind = draw(st.integers(0, 9))
        event: Event
        if kind < 6 or not bought:
            event = draw(purchase())
            bought.append((event["account"], f"e{number}"))
        elif kind < 8:
            ref, name = draw(st.sampled_from(bought))
            part: Event = draw(st.sampled_from([{}, {"lines": [{"line": 1}]}, {"amount": "0.50"}]))
            event = {"type": "return", "account": ref, "purchase": name, **part}
        else:
            about: Event = draw(
                st.sampled_from(
                    [
                        {"type": "spend", "asset": "points", "amount": "4"},
                        {"type": "account.described", "attributes": {"birthday": "02-29", "segment": "loyal"}},
                    ]
                )
            )
            event = {"account": draw(st.sampled_from(REFS)), **about}
        events.append({"id": f"e{number}", "source": "test", "at": at.isoformat(), **event})
    return events
