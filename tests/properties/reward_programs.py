"""Random programs of rewards: rules of every base, groups, multipliers, two ladders, limits, campaigns, pools, friends.

A program is a value that can be written with its tables in any order.
"""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

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
[metrics.profiles]
on = ['profile_completed']
count = true
[metrics.feedback]
on = ['feedback_given']
count = true
window = 'calendar month'
[events.profile_completed]
[events.feedback_given]
[events.feedback_given.fields]
stars = {{ type = 'whole', least = 1, most = 5 }}
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
WAITS = ("", "", "", "matures = 'on completion'\n")
OF_FEEDBACK = "[[plugin.rule]]\nname = 'feedback'\non = ['feedback_given']\nearn = 'event.stars'\nrank = 90\n"
WHENS = ("weekday(event.at) >= 5", "account.tier == 'gold'", "account.segment == 'loyal'", "order.net >= 15")
OVERS = ("trim", "trim", "refuse award", "refuse event")


@st.composite
def rule(draw: st.DrawFn, number: int) -> str:
    group = draw(st.sampled_from(["", "", "group = 'awards'\n"]))
    base, terms = draw(st.sampled_from(BASES)), draw(st.sampled_from(TERMS))
    waits = "" if "pending" in terms else draw(st.sampled_from(WAITS))
    return f"[[plugin.rule]]\nname = 'r{number}'\n{base}\n{terms}\n{waits}{group}rank = {number}\n"


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
        + draw(st.sampled_from(["", "turn = 'first'\n"]))
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
[[plugin.achievement]]
name = 'profile'
metric = 'profiles'
goal = '1'
grants = '2'
[[plugin.achievement]]
name = 'feedback'
metric = 'feedback'
goal = '2'
repeat = 'once a window'
grants = '4'
asset = 'points'
"""
POOL = """
[[plugin]]
use = 'households'
share = '{share}'
rounding = '{rounding}'
points_spent = '{spent}'
"""
FRIENDS = """
[[plugin]]
use = 'referral'
metric = 'orders'
goal = '{goal}'
friend = '6'
referrer = '13'
only_new = false
{more}
"""
REFUNDS = "[[plugin]]\nuse = 'refunds'\npoints_spent = '{spent}'\ntake_back = '{back}'\n{more}"
WORTH = "unit_values = { points = '0.10' }\n"
SPENT = ("within_balance", "debt", "refuse", "deduct_from_refund")


@st.composite
def together(draw: st.DrawFn, owes: bool) -> list[str]:  # noqa: FBT001 - a strategy
    """Draw tables of a household and of referrals, either, both or none."""
    tables = []
    if draw(st.booleans()):
        share, rounding = draw(st.sampled_from(["100", "50", "33.3"])), draw(st.sampled_from(["floor", "half_up"]))
        tables.append(POOL.format(share=share, rounding=rounding, spent="debt" if owes else "within_balance"))
    if draw(st.booleans()):
        more = draw(
            st.sampled_from(["", "pending = '5 days'", "most = 1", "expires = '2 months'", "within = '9 days'"])
        )
        tables.append(FRIENDS.format(goal=draw(st.sampled_from("12")), more=more))
    return tables


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """Programs with two to five rules, two ladders, and perhaps limits, campaign, achievements, pool and friends."""
    count = draw(st.integers(2, 5))
    spent = draw(st.sampled_from(SPENT))
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
    back = draw(st.sampled_from(["proportional", "increments", "anew"]))
    refunds = REFUNDS.format(spent=spent, back=back, more=WORTH if spent == "deduct_from_refund" else "")
    rules = [draw(rule(number)) for number in range(count)]
    return Program(
        head,
        tuple(caps),
        (spend, VISITS, *stamps, *draw(together(spent == "debt")), refunds),
        (*rules, *draw(st.sampled_from([(), (OF_FEEDBACK,)]))),
        tuple(draw(multiplier(number)) for number in range(draw(st.integers(0, 2)))),
    )
