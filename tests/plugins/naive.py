"""Some schemes once more in plain Python, row by row as their pages define them, to be compared with the frames."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from math import ceil, sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from tests.plugins.histories import day

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.plugins.histories import Row

ZONE = "Europe/Vienna"


class Bought(NamedTuple):
    """A purchase with what is left of it, or a lonely return."""

    at: datetime
    amount: int
    net: int
    off: int

    @property
    def counted(self) -> bool:
        return self.amount > 0 and self.net > 0


def net(rows: Iterable[Row], at: datetime) -> dict[str, list[Bought]]:
    seen = [row for row in rows if row["at"] <= at]
    back: Counter[tuple[str, str]] = Counter()
    sold = {(row["account"], row["event"]) for row in seen if row["kind"] == "purchase"}
    found: dict[str, list[Bought]] = defaultdict(list)
    for row in seen:
        if row["kind"] == "return" and (row["account"], row["about"]) in sold:
            back[row["account"], row["about"]] += row["amount"]
        elif row["kind"] == "return":
            found[row["account"]].append(Bought(row["at"], 0, -row["amount"], 0))
    for row in seen:
        if row["kind"] == "purchase":
            left = row["amount"] - back[row["account"], row["event"]]
            found[row["account"]].append(Bought(row["at"], row["amount"], left, row["discount"] or 0))
    return found


def whole_days(at: datetime, moment: datetime) -> int:
    return (at - moment) // timedelta(days=1)


def first_of(days: int, at: datetime) -> datetime:
    """Return the first instant of a window of so many local days, that of the instant included."""
    local = at.astimezone(ZoneInfo(ZONE)).date() - timedelta(days=days - 1)
    return datetime(local.year, local.month, local.day, tzinfo=ZoneInfo(ZONE)).astimezone(UTC)


def lifecycle(bought: dict[str, list[Bought]], at: datetime, *, lapse: bool) -> dict[str, str]:
    visits = {ref: sorted({whole_days(at, each.at) for each in own if each.counted}) for ref, own in bought.items()}
    gaps = {ref: [(one, two - one) for one, two in pairwise(own)] for ref, own in visits.items()}
    everybodys = sorted(gap for own in gaps.values() for _, gap in own)
    usual = max(7, _covering(everybodys)) if everybodys else 180

    def stage(ref: str) -> str:
        if not visits[ref]:
            return "none"
        own = sorted(gap for _, gap in gaps[ref])
        limit = max(7, _covering(own)) if len(own) >= 3 else usual

        def lost(days: int) -> bool:
            return days >= 180 if lapse else days > 2 * limit

        since, known = visits[ref][0], visits[ref][-1]
        ages = [(whole_days(at, each.at), each.net) for each in bought[ref]]
        recent = sum(worth for age, worth in ages if age < 90)
        before = sum(worth for age, worth in ages if 90 <= age < 180)
        stages = {
            "lost": lost(since),
            "at_risk": since >= 144 if lapse else since > limit,
            "new": known <= 90,
            "won_back": any(age <= 90 and lost(gap) for age, gap in gaps[ref]),
            "growing": before > 0 and recent * 10 >= before * 12,
        }
        return next((name for name, holds in stages.items() if holds), "mature")

    return {ref: stage(ref) for ref in bought}


def _covering(gaps: Sequence[int]) -> int:
    return gaps[ceil(Fraction(4, 5) * len(gaps)) - 1]


def behaviour(
    bought: dict[str, list[Bought]], complaints: Iterable[tuple[str, float]], at: datetime, *, days: int
) -> dict[str, str]:
    since = first_of(days, at)
    complained = Counter(ref for ref, on_day in complaints if since <= day(on_day) <= at)

    def sort(ref: str) -> str:
        own = [each for each in bought[ref] if each.at >= since]
        orders = [each for each in own if each.counted]
        paid, back = sum(each.amount for each in own), sum(each.amount - each.net for each in own if each.amount)
        if complained[ref] >= 3 or (paid > 0 and back * 100 >= paid * 40):
            return "complaint_heavy"
        if len(orders) >= 3 and sum(each.off > 0 for each in orders) * 100 >= len(orders) * 60:
            return "discount_driven"
        ages = [whole_days(at, each.at) for each in bought[ref] if each.counted]
        if not ages:
            return "none"
        return "active" if min(ages) <= 60 else "lost" if min(ages) > 180 else "potential"

    return {ref: sort(ref) for ref in bought}


def balance(refs: Iterable[str], moves: Sequence[tuple[str, float, str, int]], at: datetime) -> dict[str, str]:
    seen = [move for move in moves if day(move[1]) <= at]
    since = first_of(90, at)
    held = {ref: sum(amount for owner, _, _, amount in seen if owner == ref) for ref in refs}
    full = [amount for amount in held.values() if amount > 0]

    def layer(ref: str) -> str:
        if held[ref] <= 0:
            return "empty"
        better = sum(amount > held[ref] for amount in full)
        name = "high" if better * 5 < len(full) else "middle" if better * 2 < len(full) else "low"
        own = [move for move in seen if move[0] == ref]
        change = sum(amount for _, on_day, _, amount in own if day(on_day) >= since)
        done = [whole_days(at, day(on_day)) for _, on_day, kind, _ in own if kind != "expiry"]
        if done and min(done) > 180:
            return f"{name}_dormant"
        return name + ("_rising" if change > 0 else "_falling" if change < 0 else "_steady")

    return {ref: layer(ref) for ref in held}


def preference(refs: Iterable[str], rows: Iterable[Row], at: datetime, *, days: int) -> dict[str, str]:
    since, z = first_of(days, at), NormalDist().inv_cdf(0.9)
    kept: Counter[tuple[str, str, str]] = Counter()
    inside = set()
    for row in rows:
        if row["at"] <= at and row["category"]:
            is_sale = row["kind"] == "purchase"
            key = row["account"], row["event"] if is_sale else row["about"], row["category"]
            if is_sale and row["at"] >= since:
                inside.add(key)
            kept[key] += row["amount"] if is_sale else -row["amount"]
    orders = [key for key in inside if kept[key] > 0]
    many = {ref: len({event for owner, event, _ in orders if owner == ref}) for ref in refs}
    everybodys, total = Counter(value for _, _, value in orders), sum(many.values())

    def chosen(ref: str) -> str:
        own = Counter(value for owner, _, value in orders if owner == ref)
        n = many[ref]
        top = [value for value, count in own.items() if count == max(own.values())]

        def sure(value: str) -> bool:
            p = own[value] / n
            least = (p + z * z / (2 * n) - z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))) / (1 + z * z / n)
            return n >= 3 and round(least, 6) > round(everybodys[value] / total, 6)

        if not top or not all(map(sure, top)):
            return "none"
        return top[0] if len(top) == 1 else "mixed"

    return {ref: chosen(ref) for ref in many}
