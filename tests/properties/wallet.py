"""A naive wallet of two currencies: a list of lots as dictionaries, worked out with nothing of the engine's."""

from __future__ import annotations

from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

FAR = datetime(9999, 1, 1)  # noqa: DTZ001 - the program's zone is UTC, and all is told in it
DAY = timedelta(days=1)
Parts = list[list[Any]]
"""Pairs of a lot and an amount."""

RATE = Fraction("0.85")
TIP = Fraction(1, 5)


def midnight(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0, second=0, microsecond=0)


class Wallet:
    """What the program of the state machine says, step by step.

    A top-up of 10.00 or more is given a tenth at once, good for that day and two more, and 1.00 in three parts from the
    next day on, each good for that day and one more. What ends first is spent first, then bonus before paid.
    """

    def __init__(self) -> None:
        self.lots: list[dict[str, Any]] = []
        self.promised: list[list[Any]] = []
        self.holds: dict[str, dict[str, Any]] = {}
        self.bought: dict[str, dict[str, Any]] = {}

    def add(self, asset: str, kind: str, left: int, start: datetime, ends: datetime) -> None:
        lot = {"asset": asset, "kind": kind, "left": left, "held": 0, "start": start, "ends": ends}
        self.lots.append({**lot, "number": len(self.lots)})

    def pass_time(self, at: datetime) -> None:
        for when, units in sorted(each for each in self.promised if each[0] <= at):
            self.add("GBP", "bonus", units, when, midnight(when) + 2 * DAY)
        self.promised = [each for each in self.promised if each[0] > at]
        for lot in self.lots:
            if lot["ends"] <= at:
                lot["left"] = lot["held"]

    def choose(self, asset: str, amount: int, at: datetime) -> Parts | None:
        usable = [lot for lot in self.lots if lot["asset"] == asset and lot["ends"] > at and lot["left"] > lot["held"]]
        parts: Parts = []
        for lot in sorted(usable, key=lambda lot: (lot["ends"], lot["kind"] == "paid", lot["start"], lot["number"])):
            units = min(amount, lot["left"] - lot["held"])
            if units:
                parts.append([lot, units])
            amount -= units
        return None if amount else parts

    def spend(self, asset: str, amount: int, at: datetime) -> Parts | None:
        parts = self.choose(asset, amount, at)
        for lot, units in parts or ():
            lot["left"] -= units
        return parts

    def topup(self, asset: str, amount: int, at: datetime) -> None:
        self.add(asset, "paid", amount, at, FAR)
        if asset == "GBP" and amount >= 1000:
            self.add("GBP", "bonus", amount // 10, at, midnight(at) + 3 * DAY)
            self.promised += [[midnight(at) + number * DAY, units] for number, units in ((1, 34), (2, 33), (3, 33))]

    def purchase(self, name: str, asset: str, amount: int, at: datetime) -> bool:
        parts = self.spend(asset, amount, at)
        if parts is not None:
            self.bought[name] = {"left": amount, "parts": parts}
        return parts is not None

    def give_back(self, name: str, amount: int | None, at: datetime) -> bool:
        bought = self.bought[name]
        back: int = bought["left"] if amount is None else amount
        if not 0 < back <= bought["left"]:
            return False
        bought["left"] -= back
        for part in reversed(bought["parts"]):
            units = min(back, part[1])
            part[1] -= units
            part[0]["left"] += units
            back -= units
        self.pass_time(at)
        return True

    def hold(self, name: str, asset: str, amount: int, at: datetime) -> bool:
        parts = self.choose(asset, amount, at)
        if parts is None:
            return False
        for lot, units in parts:
            lot["held"] += units
        self.holds[name] = {"asset": asset, "whole": amount, "parts": parts}
        return True

    def capture(self, name: str, amount: int, at: datetime, *, final: bool) -> bool:
        hold = self.holds[name]
        there = sum(units for _, units in hold["parts"])
        more = max(0, amount - there)
        if not there or more > hold["whole"] * TIP // 1:
            return False
        if more and self.spend(hold["asset"], more, at) is None:
            return False
        amount -= more
        for part in hold["parts"]:
            units = min(amount, part[1])
            part[1] -= units
            part[0]["left"] -= units
            part[0]["held"] -= units
            amount -= units
        return self.void(name, at) or True if final else True

    def void(self, name: str, at: datetime) -> bool:
        hold = self.holds[name]
        there = sum(units for _, units in hold["parts"])
        for part in hold["parts"]:
            part[0]["held"] -= part[1]
            part[1] = 0
        self.pass_time(at)
        return bool(there)

    def exchange(self, amount: int, at: datetime) -> bool:
        total = int(amount * RATE)
        parts = self.choose("GBP", amount, at) if total else None
        if not parts:
            return False
        exact = [Fraction(total * units, amount) for _, units in parts]
        got = [int(share) for share in exact]
        for place in sorted(range(len(parts)), key=lambda place: (got[place] - exact[place], place))[
            : total - sum(got)
        ]:
            got[place] += 1
        for (lot, units), part in zip(parts, got, strict=True):
            lot["left"] -= units
            if part:
                self.add("EUR", lot["kind"], part, lot["start"], lot["ends"])
        return True

    def sums(self) -> dict[tuple[str, str], tuple[int, int]]:
        """Return by asset and kind what there is, and what of it is set aside."""
        found: dict[tuple[str, str], tuple[int, int]] = {}
        for lot in self.lots:
            key = (lot["asset"], lot["kind"])
            left, held = found.get(key, (0, 0))
            found[key] = (left + lot["left"], held + lot["held"])
        return {key: sums for key, sums in found.items() if any(sums)}
