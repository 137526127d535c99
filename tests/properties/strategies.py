"""Random shops and what happens in them: programs as plain values, and events as their senders write them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

Event = dict[str, Any]


@dataclass(frozen=True)
class Rule:
    """One earning rule. `earn` is ("times", factor) or ("each", money); `when` is "", "tea" or a least net."""

    name: str
    per: str
    earn: tuple[str, str]
    when: str
    rounding: str
    expires: str
    pending: str
    kind: str
    asset: str
    group: str
    rank: int
    priority: int

    def toml(self) -> str:
        how, number = self.earn
        net = f"{self.per}.net"
        lines = [
            "[[plugin.rule]]",
            f"name = '{self.name}'",
            f"per = '{self.per}'",
            f"earn = '{net} * {number}'" if how == "times" else f"earn = 'floor({net} / {number})'",
            f"rounding = '{self.rounding}'",
            f"expires = '{self.expires}'",
            f"kind = '{self.kind}'",
            f"asset = '{self.asset}'",
            f"priority = {self.priority}",
            f"rank = {self.rank}",
        ]
        if self.when == "tea":
            lines.append(
                "when = \"line.category == 'tea'\"" if self.per == "line" else "when = \"'tea' in order.categories\""
            )
        elif self.when:
            lines.append(f"when = '{net} >= {self.when}'")
        if self.pending:
            lines.append(f"pending = '{self.pending}'")
        if self.group:
            lines.append(f"group = '{self.group}'")
        return "\n".join(lines)


@dataclass(frozen=True)
class Ladder:
    """The tiers: three levels of the metric "spend"; `top` multiplies most."""

    middle: str
    top: str
    keep: str
    review: str
    downgrade: str

    def toml(self) -> str:
        review = f"review = '{self.review}'\n" if self.review else ""
        return f"""
[[plugin]]
use = 'tiers'
metric = 'spend'
downgrade = '{self.downgrade}'
{review}
[[plugin.level]]
name = 'blue'
[[plugin.level]]
name = 'silver'
reach = '{self.middle}'
multiplier = '1.25'
[[plugin.level]]
name = 'gold'
reach = '{self.top}'
keep = '{self.keep}'
multiplier = '2'
"""


@dataclass(frozen=True)
class Shop:
    """A whole program."""

    zone: str = "UTC"
    decimals: int = 0
    debts: tuple[str, ...] = ()
    window: str = "12 months"
    rules: tuple[Rule, ...] = ()
    stacking: str = "sum"
    ladder: Ladder | None = None
    points_spent: str = "within_balance"
    stored_value: str = "proportional"
    unit_value: str = "0.01"
    unknown_returns: str = "refuse"

    def toml(self) -> str:
        debt = {asset: str(asset in self.debts).lower() for asset in ("points", "GBP")}
        values = (
            f"unit_values = {{ points = '{self.unit_value}' }}" if self.points_spent == "deduct_from_refund" else ""
        )
        return "\n".join(
            [
                f"""
[program]
name = 'Random'
currency = 'GBP'
time_zone = '{self.zone}'
unknown_returns = '{self.unknown_returns}'
[assets.GBP]
debt = {debt["GBP"]}
[assets.points]
decimals = {self.decimals}
debt = {debt["points"]}
[metrics.spend]
sum = 'order.net'
window = '{self.window}'
[metrics.visits]
count = true
window = 'calendar month'
[metrics.tea]
sum = 'line.quantity'
per = 'line'
when = "line.category == 'tea'"
decimals = 3
window = 'lifetime'
[stacking]
promo = '{self.stacking}'
""",
                f"[[plugin]]\nuse = 'points'\n{''.join(rule.toml() + chr(10) for rule in self.rules)}"
                if self.rules
                else "",
                self.ladder.toml() if self.ladder else "",
                f"""
[[plugin]]
use = 'refunds'
points_spent = '{self.points_spent}'
stored_value = '{self.stored_value}'
{values}
""",
            ]
        )


ZONES = st.sampled_from(["UTC", "Europe/London", "Asia/Shanghai", "America/Sao_Paulo"])
VALIDITIES = st.sampled_from(["never", "20 days", "1 month", "2 months, end of month", "end of year"])
WINDOWS = st.sampled_from(["lifetime", "30 days", "3 months", "12 months", "calendar month", "calendar year"])


@st.composite
def rules(draw: st.DrawFn, name: str, rank: int) -> Rule:
    asset, factors = draw(st.sampled_from([("points", ["1", "0.7", "10"]), ("GBP", ["0.05", "0.013"])]))
    return Rule(
        name=name,
        per=draw(st.sampled_from(["order", "line"])),
        earn=draw(
            st.tuples(st.just("times"), st.sampled_from(factors))
            | st.tuples(st.just("each"), st.sampled_from(["3", "0.5"]))
        ),
        when=draw(st.sampled_from(["", "", "tea", "5"])),
        rounding=draw(st.sampled_from(["floor", "ceil", "half_up", "half_even"])),
        expires=draw(VALIDITIES),
        pending=draw(st.sampled_from(["", "", "14 days", "1 month"])),
        kind=draw(st.sampled_from(["earned", "bonus"])),
        asset=asset,
        group=draw(st.sampled_from(["", "promo"])),
        rank=rank,
        priority=draw(st.sampled_from([0, 0, 5])),
    )


@st.composite
def ladders(draw: st.DrawFn) -> Ladder:
    return Ladder(
        middle=draw(st.sampled_from(["10", "25.50"])),
        top=draw(st.sampled_from(["60", "150"])),
        keep=draw(st.sampled_from(["30", "60"])),
        review=draw(st.sampled_from(["", "calendar month", "calendar quarter"])),
        downgrade=draw(st.sampled_from(["matching", "one step", "none"])),
    )


POLICIES = ["pending_only", "within_balance", "debt", "refuse", "deduct_from_refund"]


@st.composite
def shops(draw: st.DrawFn) -> Shop:
    """Programs with up to three earning rules, perhaps tiers, and every refund policy."""
    policy = draw(st.sampled_from(POLICIES))
    debts = draw(st.sampled_from([("points",), ("points", "GBP")])) if policy == "debt" else ()
    ranks = draw(st.integers(1, 3).flatmap(lambda count: st.permutations(range(count))))
    return Shop(
        zone=draw(ZONES),
        decimals=draw(st.sampled_from([0, 0, 1])),
        debts=debts,
        window=draw(WINDOWS),
        rules=tuple(draw(rules(f"r{number}", rank)) for number, rank in enumerate(ranks)),
        stacking=draw(st.sampled_from(["sum", "best", "first", "exclusive"])),
        ladder=draw(st.none() | ladders()),
        points_spent=policy,
        stored_value=draw(st.sampled_from(["proportional", "first", "last"])),
        unknown_returns=draw(st.sampled_from(["refuse", "refuse", "accept"])),
    )


def money(pennies: int) -> str:
    return str(Decimal(pennies) / 100)


amounts = st.one_of(st.integers(1, 30), st.integers(100, 5_000), st.sampled_from([999, 1_000, 10_001])).map(money)
points = st.integers(1, 120).map(str)


@st.composite
def order_lines(draw: st.DrawFn) -> Event:
    line: Event = {"sku": draw(st.sampled_from("abc")), "category": draw(st.sampled_from(["tea", "cake"]))}
    line["quantity"] = draw(st.sampled_from(["1", "1", "2", "3", "0.5"]))
    line[draw(st.sampled_from(["amount", "unit_price"]))] = money(draw(st.integers(0, 3_000)))
    return line


def line_total(line: Event) -> int:
    if "amount" in line:
        return int(Decimal(line["amount"]) * 100)
    exact = Decimal(line["quantity"]) * Decimal(line["unit_price"]) * 100
    return int(exact + Decimal("0.5"))


@st.composite
def purchases(draw: st.DrawFn) -> Event:
    """Orders with lines or one amount, discount, tax, and perhaps a part that stored value pays."""
    event: Event = {"type": "purchase"}
    if draw(st.booleans()):
        event["lines"] = draw(st.lists(order_lines(), min_size=1, max_size=3))
        gross = sum(line_total(line) for line in event["lines"])
    else:
        event["amount"] = draw(amounts)
        gross = int(Decimal(event["amount"]) * 100)
    discount = draw(st.sampled_from([0, 0, 0, min(7, gross), gross // 3, gross]))
    added = draw(st.booleans())
    tax = draw(st.sampled_from([0, 0, 13 if added else min(13, gross - discount)]))
    event |= {"discount": money(discount), "tax": money(tax), "tax_added": added}
    total = gross - discount + (tax if event["tax_added"] else 0)
    stored = draw(st.sampled_from([0, 0, total // 3, min(total, 250), total]))
    if stored:
        event["tenders"] = [
            {"kind": "stored_value", "amount": money(stored)},
            {"kind": "card", "amount": money(total - stored)},
        ]
    return event


@st.composite
def returned_lines(draw: st.DrawFn) -> Event:
    named: Event = draw(
        st.sampled_from([{"line": 1}, {"line": 1}, {"line": 2}, {"line": 3}, {"sku": "a"}, {"sku": "b"}, {"sku": "z"}])
    )
    counted: Event = draw(
        st.sampled_from([{}, {"quantity": "1"}, {"quantity": "0.5"}, {"amount": "0.37"}, {"amount": "4"}])
    )
    return {**named, **counted}


parts = amounts.map(lambda amount: {"amount": amount}) | returned_lines().map(lambda line: {"lines": [line]})
"""One part of a purchase that comes back."""


@st.composite
def returns(draw: st.DrawFn, bought: list[str]) -> Event:
    """Returns of the whole rest, of an amount, or of lines; mostly of a purchase that was made."""
    event: Event = {"type": "return"}
    if draw(st.integers(0, 9)):
        event["purchase"] = draw(st.sampled_from([*bought, *bought, "nowhere"]))
    how = draw(st.sampled_from(["whole", "amount", "amount", "lines"])) if "purchase" in event else "amount"
    if how == "amount":
        event["amount"] = draw(amounts)
    elif how == "lines":
        event["lines"] = draw(st.lists(returned_lines(), min_size=1, max_size=2))
    return event


topups = amounts.map(lambda amount: {"type": "topup", "amount": amount})
spends = points.map(lambda amount: {"type": "spend", "asset": "points", "amount": amount}) | amounts.map(
    lambda amount: {"type": "spend", "amount": amount}
)


@st.composite
def adjustments(draw: st.DrawFn) -> Event:
    event: Event = {"type": "adjust", "reason": "goodwill", "amount": draw(st.sampled_from("+-")) + draw(points)}
    event["asset"] = draw(st.sampled_from(["points", "GBP"]))
    event["kind"] = draw(st.sampled_from(["adjusted", "earned", "bonus"]))
    return event


statuses = st.sampled_from(["account.frozen", "account.unfrozen", "account.closed", "account.opened"]).map(
    lambda type_: {"type": type_}
)

STEPS = [0, 0, 1, 7, 24, 24 * 6, 24 * 14, 24 * 31, 24 * 31, 24 * 150]
"""Hours between two events."""

steps = st.sampled_from(STEPS).map(lambda hours: timedelta(hours=hours))
delays = st.sampled_from([0, 0, 0, 0, 1, 24 * 5, 24 * 40]).map(lambda hours: timedelta(hours=hours))
START = datetime(2024, 1, 31, 0, tzinfo=UTC)


@st.composite
def happenings(draw: st.DrawFn, bought: list[str]) -> Event:
    """Anything that may happen once some purchases were made."""
    kind = draw(st.integers(0, 19))
    if kind < 7 or (kind < 12 and not bought):
        return draw(purchases())
    if kind < 12:
        return draw(returns(bought))
    if kind < 15:
        return draw(topups)
    if kind < 17:
        return draw(spends)
    return draw(adjustments() if kind < 19 else statuses)


def goes_by_levels(shop: Shop, event: Event) -> bool:
    """Whether an event counts for levels, of which the naive model knows no late news: see plugins/test_tiers_late."""
    return shop.ladder is not None and event["type"] in {"purchase", "return"}


@st.composite
def histories(draw: st.DrawFn, *, most: int = 14, late: bool = False) -> list[Event]:
    """Events of one account, its opening first; a few are told late where `late` says so."""
    at = START
    events: list[Event] = [{"type": "account.opened", "id": "0", "at": at.isoformat()}]
    bought: list[str] = []
    for number in range(1, draw(st.integers(1, most)) + 1):
        at += draw(steps)
        happened = at - draw(delays) if late else at
        event = {**draw(happenings(bought)), "id": str(number), "at": max(START, happened).isoformat()}
        if event["type"] == "purchase":
            bought.append(event["id"])
        events.append(event)
    return events
