"""A second, naive Stampbook for random shops: dictionaries and fractions, from the words of the documentation.

It reads the same events as the engine, in whole units as their senders wrote them, and knows nothing of the
engine's own rooms. All amounts inside are smallest units.
"""

from __future__ import annotations

from calendar import monthrange
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from functools import cache
from math import ceil, floor
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.properties.strategies import Rule, Shop

FAR = datetime(9000, 1, 1, tzinfo=UTC)
Line = dict[str, Any]


@cache
def midnight(zone: str, day: date) -> datetime:
    """The first quarter of an hour at which it is that day."""
    moment = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=15)
    while moment.astimezone(ZoneInfo(zone)).date() < day:
        moment += timedelta(minutes=15)
    return moment


def months_later(day: date, months: int) -> date:
    index = day.year * 12 + day.month - 1 + months
    year, month = index // 12, index % 12 + 1
    return date(year, month, min(day.day, monthrange(year, month)[1]))


def last_valid(text: str, day: date) -> date:
    length, _, ending = text.partition(", ")
    if length == "end of year":
        return date(day.year, 12, 31)
    count, unit = length.split()
    day = day + timedelta(days=int(count)) if unit.startswith("day") else months_later(day, int(count))
    return date(day.year, day.month, monthrange(day.year, day.month)[1]) if ending == "end of month" else day


def window_start(text: str, day: date) -> date:
    if text == "lifetime":
        return date.min
    if text.startswith("calendar"):
        return date(day.year, day.month if text == "calendar month" else 1, 1)
    count, unit = text.split()
    before = day - timedelta(days=int(count)) if unit == "days" else months_later(day, -int(count))
    return before + timedelta(days=1)


def rounded(value: Fraction, mode: str) -> int:
    modes: dict[str, Callable[[Fraction], int]] = {
        "floor": floor,
        "ceil": ceil,
        "half_up": lambda exact: floor(exact + Fraction(1, 2)),
        "half_even": round,
    }
    return modes[mode](value)


def shared_out(total: int, weights: list[Fraction]) -> list[int]:
    """Largest remainder, the earlier part on a tie."""
    whole = sum(weights)
    if not whole:
        return [0] * len(weights)
    exact = [total * weight / whole for weight in weights]
    parts = [floor(part) for part in exact]
    for place in sorted(range(len(parts)), key=lambda place: (parts[place] - exact[place], place))[
        : total - sum(parts)
    ]:
        parts[place] += 1
    return parts


class Order:
    """What a purchase says, line by line, and what came back of it."""

    def __init__(self, event: dict[str, Any]) -> None:
        given = event.get("lines") or [{"quantity": "1", "amount": event["amount"], "sku": "", "category": ""}]
        self.lines: list[Line] = []
        for line in given:
            price = line["amount"] if "amount" in line else Fraction(line["quantity"]) * Fraction(line["unit_price"])
            self.lines.append({**line, "quantity": Fraction(line["quantity"]), "gross": pennies(price)})
        discount = pennies(event["discount"])
        shares = shared_out(discount, [Fraction(line["gross"]) for line in self.lines])
        for line, share in zip(self.lines, shares, strict=True):
            line["net"] = line["gross"] - share
        self.net = sum(line["net"] for line in self.lines)
        tax = pennies(event["tax"]) if event["tax_added"] else 0
        self.total = self.net + tax
        nets = [Fraction(line["net"]) for line in self.lines]
        for line, share in zip(
            self.lines, shared_out(tax, nets if any(nets) else [Fraction(1)] * len(nets)), strict=True
        ):
            line["value"] = line["net"] + share
            line["back"], line["pieces_back"] = 0, Fraction(0)
        tenders = event.get("tenders", [])
        self.stored = sum(pennies(tender["amount"]) for tender in tenders if tender["kind"] == "stored_value")
        self.grants: list[dict[str, Any]] = []
        self.drawn: list[list[int]] = []
        self.refunded = 0
        self.at: datetime
        self.counted: dict[str, list[int]] = {}


def pennies(text: str | Fraction) -> int:
    return floor(Fraction(text) * 100 + Fraction(1, 2))


def free(lot: dict[str, Any]) -> int:
    """What of a lot is not held."""
    return int(lot["left"] - lot["held"])


def pool(lot: dict[str, Any]) -> int:
    """What is free in a lot, or would be had it not expired."""
    return free(lot) + int(lot["lapsed"] - lot.get("counted", 0))


class Model:
    """One account of one shop."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.status = ""
        self.now = datetime.min.replace(tzinfo=UTC)
        self.lots: dict[int, dict[str, Any]] = {}
        self.joinable: set[int] = set()
        self.earlier: set[int] = set()
        self.debt = {"points": 0, "GBP": 0}
        self.days: dict[str, dict[date, int]] = {"spend": {}, "visits": {}, "tea": {}}
        self.tiers: list[tuple[datetime, str]] = []
        self.orders: dict[str, Order] = {}
        self.moves: list[tuple[datetime, int, int]] = []

    # ---- what can be seen

    def day(self, at: datetime) -> date:
        return at.astimezone(ZoneInfo(self.shop.zone)).date()

    def balance(self, asset: str, at: datetime) -> int:
        return sum(free(lot) for lot in self.usable(asset, at))

    def usable(self, asset: str, at: datetime) -> list[dict[str, Any]]:
        return [lot for lot in self.lots.values() if lot["asset"] == asset and lot["from"] <= at < lot["until"]]

    def total(self, asset: str) -> int:
        return int(sum(lot["left"] for lot in self.lots.values() if lot["asset"] == asset)) - self.debt[asset]

    def metric(self, name: str, day: date) -> int:
        window = {"spend": self.shop.window, "visits": "calendar month", "tea": "lifetime"}[name]
        return sum(value for on, value in self.days[name].items() if window_start(window, day) <= on <= day)

    @property
    def tier(self) -> str:
        return self.tiers[-1][1] if self.tiers else ""

    def tier_at(self, at: datetime) -> str:
        """A late event is judged by the tier of its own time."""
        return next((name for since, name in reversed(self.tiers) if since <= at), "")

    # ---- time

    def pass_time(self, until: datetime) -> None:
        """Lots expire at the end of their last day; tiers are reviewed at the start of each unit."""
        if self.status:
            for at in self._reviews(until):
                self.review(at)
            self.let_holds_lapse(until)
            for lot in self.lots.values():
                if lot["until"] <= until:
                    lot["lapsed"] += free(lot)
                    lot["left"] = lot["held"]
        self.now = max(self.now, until)

    def let_holds_lapse(self, until: datetime) -> None:
        """Nothing is held here; see `holds.HoldingModel`."""

    def _reviews(self, until: datetime) -> list[datetime]:
        ladder = self.shop.ladder
        if ladder is None or not ladder.review or self.status == "closed":
            return []
        starts = []
        day = self.day(self.now).replace(day=1)
        while (start := midnight(self.shop.zone, day)) <= until:
            if start > self.now and (ladder.review == "calendar month" or day.month % 3 == 1):
                starts.append(start)
            day = months_later(day, 1)
        return starts

    def review(self, at: datetime) -> None:
        ladder = self.shop.ladder
        assert ladder is not None
        reach = {"blue": 0, "silver": pennies(ladder.middle), "gold": pennies(ladder.top)}
        keep = {**reach, "gold": pennies(ladder.keep)}
        names = list(reach)
        value = self.metric("spend", self.day(at) - timedelta(days=1))
        rank = names.index(self.tier)
        if not rank or value >= keep[self.tier] or ladder.downgrade == "none":
            return
        earned = max(names.index(name) for name in names if value >= reach[name])
        if ladder.downgrade == "one step":
            self.tiers.append((at, names[max(rank - 1, earned)]))
        else:
            kept = max(names.index(name) for name in names[:rank] if value >= keep[name])
            self.tiers.append((at, names[max(kept, earned)]))

    def promote(self, at: datetime) -> None:
        """Up at once, never down."""
        ladder = self.shop.ladder
        if ladder is None:
            return
        ranks = ["", "blue", "silver", "gold"]
        reach = {"blue": 0, "silver": pennies(ladder.middle), "gold": pennies(ladder.top)}
        value = self.metric("spend", self.day(at))
        reached = max(ranks.index(name) for name in reach if value >= reach[name])
        if reached > ranks.index(self.tier):
            self.tiers.append((at, ranks[reached]))

    # ---- events

    def tell(self, event: dict[str, Any]) -> set[str]:
        """Let one event happen; return the codes for which it is refused, none if it is accepted."""
        at = datetime.fromisoformat(event["at"])
        self.pass_time(at)
        self.joinable = {number for number, lot in self.lots.items() if lot["left"]}
        self.earlier = set(self.lots)
        type_ = event["type"]
        if type_ == "account.opened":
            if self.status:
                return {"account_exists"}
        elif self.status in {"", "closed"}:
            return {"account_closed" if self.status else "unknown_account"}
        elif self.status == "frozen" and type_ not in {
            "account.frozen",
            "account.unfrozen",
            "account.closed",
            "adjust",
        }:
            return {"account_frozen"}
        before, debt, noted = {number: pool(lot) for number, lot in self.lots.items()}, dict(self.debt), len(self.moves)
        codes: set[str] = getattr(self, "on_" + type_.replace("account.", "").replace(".", "_"))(event, at)
        moved = Counter({number: pool(lot) - before.get(number, 0) for number, lot in self.lots.items()})
        for _, number, units in self.moves[noted:]:
            moved[number] -= units  # what time brought at once
        self.moves += [(at, number, units) for number, units in moved.items() if units]
        if self.debt != debt:
            self.moves.append((at, 0, 0))
        if not codes and type_ != "purchase":
            self.promote(self.now)
        return codes

    def on_opened(self, _event: dict[str, Any], _at: datetime) -> set[str]:
        self.status = "open"
        return set()

    def on_frozen(self, _event: dict[str, Any], _at: datetime) -> set[str]:
        if self.status == "frozen":
            return {"account_frozen"}
        self.status = "frozen"
        return set()

    def on_unfrozen(self, _event: dict[str, Any], _at: datetime) -> set[str]:
        if self.status == "open":
            return {"account_open"}
        self.status = "open"
        return set()

    def on_closed(self, _event: dict[str, Any], at: datetime) -> set[str]:
        """Money must be gone, points are forfeit, debts must be paid, nothing may be held or have moved since."""
        codes = {"later_news" for when, _, _ in self.moves if when > at}
        if any(lot["held"] for lot in self.lots.values()):
            codes.add("open_holds")
        if any(self.debt.values()):
            codes.add("debt")
        if any(lot["left"] for lot in self.lots.values() if lot["asset"] == "GBP"):
            codes.add("balance_left")
        if not codes:
            self.status = "closed"
            for lot in self.lots.values():
                lot["left"] = 0
        return codes

    def on_topup(self, event: dict[str, Any], at: datetime) -> set[str]:
        self.lot(
            {
                "asset": "GBP",
                "kind": "paid",
                "from": at,
                "until": FAR,
                "priority": 0,
                "left": pennies(event["amount"]),
                "held": 0,
                "lapsed": 0,
            }
        )
        return set()

    def on_spend(self, event: dict[str, Any], at: datetime) -> set[str]:
        asset = event.get("asset", "GBP")
        return self.draw(asset, self.units(asset, event["amount"]), at, [])

    def on_adjust(self, event: dict[str, Any], at: datetime) -> set[str]:
        units = self.units(event["asset"], event["amount"])
        if units < 0:
            return self.draw(event["asset"], -units, at, [])
        self.grant(event["asset"], units, event["kind"], at, FAR, 0, at)
        return set()

    def on_purchase(self, event: dict[str, Any], at: datetime) -> set[str]:
        order = Order(event)
        order.at = at
        if codes := self.pay(event, order, at):
            return codes
        counts = {
            "spend": order.net,
            "visits": 1,
            "tea": int(sum(line["quantity"] for line in order.lines if line["category"] == "tea") * 1000),
        }
        for name, value in counts.items():
            self.days[name][self.day(at)] = self.days[name].get(self.day(at), 0) + value
            order.counted[name] = [value, 0]
        self.promote(self.now)
        self.reward(order, at)
        self.orders[event["id"]] = order
        return set()

    def pay(self, _event: dict[str, Any], order: Order, at: datetime) -> set[str]:
        return self.draw("GBP", order.stored, at, order.drawn)

    def reward(self, order: Order, at: datetime) -> None:
        wanted = [(rule, *self.earned(rule, order)) for rule in self.shop.rules]
        wanted = [(rule, value, lines) for rule, value, lines in wanted if value > 0]
        for asset in ("points", "GBP"):
            group = [wish for wish in wanted if wish[0].group and wish[0].asset == asset]
            if group and self.shop.stacking != "sum":
                keep = min(group, key=lambda wish: (-wish[1] if self.shop.stacking == "best" else 0, wish[0].rank))
                out = wanted if self.shop.stacking == "exclusive" else group
                wanted = [wish for wish in wanted if wish is keep or wish[0].asset != asset or wish not in out]
        factor = {"silver": Fraction(5, 4), "gold": Fraction(2)}.get(self.tier_at(at), Fraction(1))
        for rule, value, lines in wanted:
            scale = 100 if rule.asset == "GBP" else 10**self.shop.decimals
            units = rounded(value * scale * (factor if rule.asset == "points" else 1), rule.rounding)
            if units <= 0:
                continue
            start = (
                midnight(self.shop.zone, last_valid(rule.pending, self.day(at)) + timedelta(1)) if rule.pending else at
            )
            end = FAR
            if rule.expires != "never":
                end = midnight(self.shop.zone, last_valid(rule.expires, self.day(at)) + timedelta(1))
            parts = self.grant(rule.asset, units, rule.kind, start, end, rule.priority, at)
            by_line = (
                dict(zip(lines, shared_out(units, list(lines.values())), strict=True)) if any(lines.values()) else {}
            )
            order.grants.append(
                {
                    "rule": rule.name,
                    "asset": rule.asset,
                    "units": units,
                    "lots": parts,
                    "lines": by_line,
                    "settled": 0,
                    "lapsed": 0,
                }
            )
        self.pass_time(self.now)

    def earned(self, rule: Rule, order: Order) -> tuple[Fraction, dict[int, Fraction]]:
        def earn(net: int) -> Fraction:
            how, number = rule.earn
            return (
                Fraction(net, 100) * Fraction(number)
                if how == "times"
                else Fraction(floor(Fraction(net, 100) / Fraction(number)))
            )

        def holds(net: int, tea: bool) -> bool:  # noqa: FBT001 - two facts of one thing
            return tea if rule.when == "tea" else not rule.when or net >= pennies(rule.when)

        if rule.per == "order":
            tea = any(line["category"] == "tea" for line in order.lines)
            return (earn(order.net) if holds(order.net, tea) else Fraction(0)), {}
        lines = {
            number: earn(line["net"])
            for number, line in enumerate(order.lines)
            if holds(line["net"], line["category"] == "tea")
        }
        return sum(lines.values(), Fraction(0)), lines

    # ---- value in and out

    def units(self, asset: str, text: str) -> int:
        return int(Fraction(text) * (100 if asset == "GBP" else 10**self.shop.decimals))

    def lot(self, terms: dict[str, Any]) -> int:
        number = len(self.lots) + 1
        self.lots[number] = terms
        self.joinable.add(number)
        return number

    def grant(
        self, asset: str, units: int, kind: str, start: datetime, end: datetime, priority: int, at: datetime
    ) -> dict[int, int]:
        """Debt is repaid first; what is left joins a lot of equal terms that is not empty, or begins one."""
        repaid = min(units, self.debt[asset])
        self.debt[asset] -= repaid
        units -= repaid
        if not units:
            return {}
        for number, lot in self.lots.items():
            same = (lot["asset"], lot["kind"], lot["until"], lot["priority"]) == (asset, kind, end, priority)
            if asset == "GBP" and kind == "bonus" and number in self.earlier:
                continue  # bonus value has a lot for each event, as paid value has
            if same and number in self.joinable and (lot["from"] == start or max(lot["from"], start) <= at):
                lot["left"] += units
                return {number: units}
        terms = {
            "asset": asset,
            "kind": kind,
            "from": start,
            "until": end,
            "priority": priority,
            "left": units,
            "held": 0,
            "lapsed": 0,
        }
        return {self.lot(terms): units}

    def draw(self, asset: str, units: int, at: datetime, drawn: list[list[int]]) -> set[str]:
        """Priority, then earliest expiry, then bonus before paid, then effective, then created."""
        numbers = [
            number for number, lot in self.lots.items() if lot["asset"] == asset and lot["from"] <= at < lot["until"]
        ]
        most = {n: self.least(n, at) for n in numbers}
        if units > sum(most.values()):
            return {"insufficient_balance"}

        def order(number: int) -> tuple[Any, ...]:
            lot = self.lots[number]
            return lot["priority"], lot["until"], lot["kind"] == "paid", lot["from"], number

        for number in sorted(numbers, key=order):
            part = min(units, most[number])
            if part:
                self.use(number, part)
                units -= part
                drawn.append([number, part])
        return set()

    def use(self, number: int, units: int) -> None:
        """Take from a lot; what has expired since is brought back for it."""
        lot = self.lots[number]
        back = max(0, units - free(lot))
        lot["lapsed"] -= back
        lot["left"] += back - units

    def least(self, number: int, at: datetime) -> int:
        """What late news may take: no more than was free at every instant since, as if nothing had expired since."""
        lot = self.lots[number]
        if at >= self.now:
            return free(lot)
        return max(0, (pool(lot) if at < lot["until"] else free(lot)) - self.came_later(number, at))

    def came_later(self, number: int, at: datetime) -> int:
        """How much less was free in a lot at some time since an instant than is now, but for what expired."""
        instants = {when for when, _, _ in self.moves if when > at} | {at}
        since = [sum(delta for when, n, delta in self.moves if n == number and when > instant) for instant in instants]
        return max(0, *since)

    # ---- what comes back

    def on_return(self, event: dict[str, Any], at: datetime) -> set[str]:
        order = self.orders.get(event.get("purchase", ""))
        if order is None:
            accepted = self.shop.unknown_returns == "accept" and "amount" in event
            return set() if accepted else {"unknown_purchase"}
        if at < order.at:
            return {"before_purchase"}
        now = self.coming_back(event, order)
        if isinstance(now, str):
            return {now}
        share, line_shares = self.shares(order, now)
        dues = []
        for grant in order.grants:
            parts = grant["lines"]
            due = sum(floor(parts[n] * line_shares[n]) for n in parts) if parts else floor(grant["units"] * share)
            dues.append(max(0, due - grant["settled"]))
        return self.give_back(order, now, dues, at)

    def give_back(self, order: Order, now: list[tuple[Fraction, int]], dues: list[int], at: datetime) -> set[str]:
        share, line_shares = self.shares(order, now)
        takes, shorts, lapses = self.taking(order, dues, at)
        if self.shop.points_spent == "refuse" and any(shorts):
            return {"points_spent"}
        for number, units in takes:
            self.use(number, units)
        for grant, due, short, lapse in zip(order.grants, dues, shorts, lapses, strict=True):
            grant["settled"] += due
            grant["lapsed"] += lapse
            for number in grant["lots"] if lapse else ():
                self.lots[number]["counted"] = self.lots[number].get("counted", 0) + lapse
            if self.shop.points_spent == "debt" and grant["asset"] in self.shop.debts:
                self.debt[grant["asset"]] += short
        self.put_back(order, sum(money for _, money in now))
        for line, (count, money) in zip(order.lines, now, strict=True):
            line["back"] += money
            line["pieces_back"] += count
        for name, counted in order.counted.items():
            undone = floor(counted[0] * share)
            if name == "tea":
                lines = zip(order.lines, line_shares, strict=True)
                undone = sum(floor(line["quantity"] * 1000 * part) for line, part in lines if line["category"] == "tea")
            less = undone - counted[1]
            counted[1] += less
            self.days[name][self.day(order.at)] -= less
        self.pass_time(self.now)
        return set()

    def shares(self, order: Order, now: list[tuple[Fraction, int]]) -> tuple[Fraction, list[Fraction]]:
        """How much of the order, and of each line, has come back in all.

        Of a line by value or by pieces, whichever is more; of several by value, or by pieces where all is free.
        """
        lines = [
            max(
                Fraction(line["back"] + money, line["value"]) if line["value"] else Fraction(0),
                Fraction(line["pieces_back"] + count, line["quantity"]),
            )
            for line, (count, money) in zip(order.lines, now, strict=True)
        ]
        if len(lines) == 1:
            share = lines[0]
        elif order.total:
            share = Fraction(sum(line["back"] for line in order.lines) + sum(money for _, money in now), order.total)
        else:
            pieces = sum(line["pieces_back"] for line in order.lines) + sum(count for count, _ in now)
            share = Fraction(pieces, sum(line["quantity"] for line in order.lines))
        return share, lines

    def coming_back(self, event: dict[str, Any], order: Order) -> list[tuple[Fraction, int]] | str:
        """Pieces and value by line, or why not."""
        rests = [(line["quantity"] - line["pieces_back"], line["value"] - line["back"]) for line in order.lines]
        if "amount" in event:
            amount, lefts = pennies(event["amount"]), [rest for _, rest in rests]
            if amount > sum(lefts):
                return "over_return"
            return [(Fraction(0), part) for part in shared_out(amount, [Fraction(rest) for rest in lefts])]
        if "lines" not in event:
            now = [
                rest if rest[1] or not line["value"] else (Fraction(0), 0)
                for line, rest in zip(order.lines, rests, strict=True)
            ]
            return now if any(count or money for count, money in now) else "nothing_left"
        coming = [(Fraction(0), 0)] * len(order.lines)
        problems = [problem for asked in event["lines"] if (problem := self.line_back(asked, order, coming))]
        return problems[0] if problems else coming

    def line_back(self, asked: dict[str, Any], order: Order, coming: list[tuple[Fraction, int]]) -> str:
        """Add what one line of a return brings to what comes back; say why if it cannot."""
        if "line" in asked:
            named = [asked["line"] - 1] if asked["line"] <= len(order.lines) else []
        else:
            named = [place for place, line in enumerate(order.lines) if line.get("sku", "") == asked["sku"]]
        if not named:
            return "no_such_line"
        lines = [(place, order.lines[place]) for place in named]
        if "amount" in asked:
            money = pennies(asked["amount"])
            for place, line in lines:
                part = min(money, line["value"] - line["back"] - coming[place][1])
                coming[place] = (coming[place][0], coming[place][1] + part)
                money -= part
            return "over_return" if money else ""
        there = sum(line["quantity"] - line["pieces_back"] - coming[place][0] for place, line in lines)
        wanted = Fraction(asked["quantity"]) if "quantity" in asked else there
        if not there or wanted > there:
            return "over_return"
        for place, line in lines:
            pieces, value = coming[place]
            part = min(wanted, line["quantity"] - line["pieces_back"] - pieces)
            wanted -= part
            if part:
                money = line["value"] - line["back"] - value
                left = line["quantity"] - line["pieces_back"] - pieces
                coming[place] = (pieces + part, value + floor(money * part / left))
        return ""

    def taking(self, order: Order, dues: list[int], at: datetime) -> tuple[list[tuple[int, int]], list[int], list[int]]:
        """From the grant's own lots, pending ones first; what expired goes; then the balance, bought value last.

        What expired of a lot goes to one return only, whichever purchase it is of.
        """
        left = {number: self.least(number, at) for number in self.lots}
        unclaimed = {number: pool(lot) - free(lot) for number, lot in self.lots.items()}
        if at < self.now:
            for number, lot in self.lots.items():
                over = lot["until"] <= at
                unclaimed[number] = max(0, unclaimed[number] - self.came_later(number, at)) if over else 0
        takes: list[tuple[int, int]] = []
        shorts: list[int] = []
        lapses: list[int] = []
        for grant, due in zip(order.grants, dues, strict=True):
            mine = [number for number, lot in self.lots.items() if lot["asset"] == grant["asset"] and at < lot["until"]]
            mine.sort(
                key=lambda n: (self.lots[n]["kind"] == "paid", self.lots[n]["priority"], self.lots[n]["until"], n)
            )
            own = [number for number in mine if number in grant["lots"]]
            pending = [number for number in own if self.lots[number]["from"] > at]
            ready = [number for number in mine if self.lots[number]["from"] <= at]
            own_stages = [(number, grant["lots"][number]) for number in pending]
            other_stages: list[tuple[int, int]] = []
            if self.shop.points_spent != "pending_only":
                own_stages += [(n, grant["lots"][n]) for n in own]
                other_stages = [(n, left[n]) for n in ready]
            short = self.take(own_stages, due, left, takes)
            lapse = 0
            for number, part in grant["lots"].items():
                lapse = max(0, min(short, part - grant["lapsed"], unclaimed[number]))
                unclaimed[number] -= lapse
            lapses.append(lapse)
            shorts.append(self.take(other_stages, short - lapse, left, takes))
        return takes, shorts, lapses

    @staticmethod
    def take(stages: list[tuple[int, int]], wanted: int, left: dict[int, int], takes: list[tuple[int, int]]) -> int:
        """Take from lots in turn; return what is still wanted."""
        for number, most in stages:
            part = min(wanted, left[number], most)
            if part:
                takes.append((number, part))
                left[number] -= part
                wanted -= part
        return wanted

    def put_back(self, order: Order, value: int) -> None:
        """What stored value paid goes back to its lots, newest use first."""
        stored_left = sum(units for _, units in order.drawn)
        total_left = order.total - order.refunded
        outside_left = total_left - stored_left
        if self.shop.stored_value == "first":
            stored = min(value, stored_left)
        elif self.shop.stored_value == "last":
            stored = max(0, value - outside_left)
        else:
            exact = Fraction(value * stored_left, total_left) if total_left else Fraction(0)
            stored = min(max(rounded(exact, "half_up"), value - outside_left), stored_left)
        order.refunded += value
        for use in reversed(order.drawn):
            part = min(stored, use[1])
            use[1] -= part
            stored -= part
            self.lots[use[0]]["left"] += part
