"""Holds for the naive model, and a naive account for raw transactions that knows every rule that one would break."""

from __future__ import annotations

from collections import Counter
from copy import deepcopy
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tests.properties.model import FAR, Model

if TYPE_CHECKING:
    from stampbook.ledger import HoldChange, Posting, Transaction
    from tests.properties.model import Order
    from tests.properties.strategies import Shop

Event = dict[str, Any]

LARGEST = 10**15
"""The largest amount of one posting; a lot holds up to 2⁶³ − 1."""
ENDS = {"capture": "captured", "void": "voided", "lapse": "lapsed"}
EARLY_BOOKS = {"promotion", "adjustments", "breakage"}


class Shelf:
    """What stands in lots and what is set aside of it. A lot's `left` includes what is held."""

    def __init__(self) -> None:
        self.lots: dict[int, dict[str, Any]] = {}
        self.holds: dict[int, dict[str, Any]] = {}
        self.next_lot = self.next_hold = 1
        self.books: Counter[tuple[str, str]] = Counter()
        self.back: Counter[int] = Counter()

    def held(self, lot: int) -> int:
        """What open holds have left of a lot: there is no other record of it here."""
        return sum(hold["parts"].get(lot, 0) for hold in self.holds.values())

    def free(self, lot: int) -> int:
        return int(self.lots[lot]["left"] - self.held(lot))

    def timely(self, lot: int, at: int) -> bool:
        return bool(self.lots[lot]["from"] <= at < self.lots[lot]["until"])

    def usable(self, asset: str, at: int) -> dict[int, int]:
        """What may be set aside or spent, lot by lot."""
        return {
            number: self.free(number)
            for number, lot in self.lots.items()
            if lot["asset"] == asset and lot["kind"] != "debt" and self.timely(number, at) and self.free(number) > 0
        }

    def open_holds(self) -> list[int]:
        return [number for number, hold in self.holds.items() if hold["parts"]]

    def broken(self, transaction: Transaction, at: int) -> set[str]:
        """Return the numbers of all rules that a transaction would break: none, and it may happen."""
        trial = deepcopy(self)
        codes = trial._open(transaction)
        moved = trial._malformed(transaction.postings)
        if moved:
            return codes | moved  # what follows adds up amounts, and there are none
        drawn: Counter[int] = Counter()
        untimely: Counter[int] = Counter()
        for posting in transaction.postings:
            source, book = posting.source, posting.destination
            if isinstance(source, int):
                drawn[source] += posting.amount
                lot = self.lots.get(source) or trial.lots[source]
                late = at >= lot["until"] and book != "breakage"
                early = at < lot["from"] and book not in EARLY_BOOKS
                untimely[source] += posting.amount if late or early else 0
        captured: Counter[int] = Counter()
        for posting in transaction.postings:
            if posting.source == "breakage" and isinstance(posting.destination, int):
                trial.back[posting.destination] += posting.amount
        for change in transaction.holds:
            codes |= trial._hold(change, at, self, captured)
        trial._post(transaction.postings)
        codes |= {"I6" for number in trial.lots if trial._below(number)}
        codes |= {"I1" for lot in trial.lots.values() if abs(lot["left"]) >= 2**63}
        codes |= {"I12" for number, units in untimely.items() if units > captured[number]}
        codes |= {"I7" for number, units in captured.items() if units > drawn[number]}
        return codes

    def apply(self, transaction: Transaction, at: int) -> None:
        before = deepcopy(self)
        self._open(transaction)
        for change in transaction.holds:
            self._hold(change, at, before, Counter())
        self._post(transaction.postings)

    def forget_the_empty(self) -> None:
        self.lots = {number: lot for number, lot in self.lots.items() if lot["left"]}
        self.holds = {number: self.holds[number] for number in self.open_holds()}

    def _open(self, transaction: Transaction) -> set[str]:
        codes: set[str] = set()
        for lot in transaction.opened:
            if lot.number != self.next_lot or lot.remaining or lot.held:
                codes.add("I9")
            terms = {"asset": lot.asset, "kind": lot.kind, "from": lot.effective_at, "until": lot.expires_at}
            self.lots[lot.number] = {**terms, "left": 0}
            self.next_lot = lot.number + 1
        return codes

    def _malformed(self, postings: tuple[Posting, ...]) -> set[str]:
        codes: set[str] = set()
        for posting in postings:
            if not 0 < posting.amount <= LARGEST or posting.source == posting.destination:
                codes.add("I1")
            for end in (posting.source, posting.destination):
                if isinstance(end, int):
                    lot = self.lots.get(end)
                    if lot is None:
                        codes.add("I1")
                    elif lot["asset"] != posting.asset:
                        codes.add("I20")
                elif not end:
                    codes.add("I1")
        return codes

    def _post(self, postings: tuple[Posting, ...]) -> None:
        for posting in postings:
            for end, amount in ((posting.source, -posting.amount), (posting.destination, posting.amount)):
                if isinstance(end, int):
                    self.lots[end]["left"] += amount
                else:
                    self.books[posting.asset, end] += amount

    def _below(self, number: int) -> bool:
        left = self.lots[number]["left"]
        return bool(left > 0) if self.lots[number]["kind"] == "debt" else left < max(0, self.held(number))

    def _hold(self, change: HoldChange, at: int, before: Shelf, captured: Counter[int]) -> set[str]:
        """Let one step of a hold happen as far as it can, with what was there before; say which rules it breaks."""
        units = dict(change.units)
        if not units or len(units) < len(change.units) or any(amount <= 0 for amount in units.values()):
            return {"I7"}
        if change.action == "authorise":
            return {"I8"} if change.hold < self.next_hold else self._authorise(change, units, at, before)
        hold = self.holds.get(change.hold)
        if hold is None or change.hold not in before.holds or change.action not in {*ENDS, "raise"}:
            return {"I8"}
        if change.action == "raise":
            return self._raise(change, units, at, before)
        codes = {"I20"} if hold["asset"] != change.asset else set()
        for lot, amount in units.items():
            left = hold["parts"].get(lot, 0) - amount
            if left < 0:
                codes.add("I8")
            hold["parts"][lot] = left
            hold[ENDS[change.action]] += amount
            if change.action == "capture":
                captured[lot] += amount
        hold["parts"] = {lot: left for lot, left in hold["parts"].items() if left}
        return codes

    def _authorise(self, change: HoldChange, units: dict[int, int], at: int, before: Shelf) -> set[str]:
        codes = self._unfree(change.asset, units, at, before)
        ended = dict.fromkeys(ENDS.values(), 0)
        self.holds[change.hold] = {"asset": change.asset, "amount": sum(units.values()), "parts": units, **ended}
        self.next_hold = change.hold + 1
        return codes

    def _raise(self, change: HoldChange, units: dict[int, int], at: int, before: Shelf) -> set[str]:
        hold = self.holds[change.hold]
        if not hold["parts"] or hold["asset"] != change.asset:
            return {"I8"}
        codes = self._unfree(change.asset, units, at, before)
        hold["amount"] += sum(units.values())
        for lot, amount in units.items():
            hold["parts"][lot] = hold["parts"].get(lot, 0) + amount
        return codes

    def _unfree(self, asset: str, units: dict[int, int], at: int, before: Shelf) -> set[str]:
        """Which rules it breaks to set that aside."""
        codes = set()
        for lot, amount in units.items():
            if lot not in before.lots or self.lots[lot]["asset"] != asset:
                codes.add("I20")
            elif (
                not self.timely(lot, at) or self.lots[lot]["kind"] == "debt" or amount > self.free(lot) + self.back[lot]
            ):
                codes.add("I6")
        return codes


class HoldingModel(Model):
    """The naive model, with value set aside: holds by the id of the event that authorised them."""

    def __init__(self, shop: Shop) -> None:
        super().__init__(shop)
        self.holds: dict[str, dict[str, Any]] = {}

    def open_holds(self) -> list[str]:
        return [name for name, hold in self.holds.items() if hold["parts"]]

    def let_holds_lapse(self, until: datetime) -> None:
        for name in self.open_holds():
            hold = self.holds[name]
            if hold["until"] <= until:
                self.moves += [(hold["until"], lot, units) for lot, units in hold["parts"].items()]
                self.release(name, sum(hold["parts"].values()))

    def on_hold_authorised(self, event: Event, at: datetime) -> set[str]:
        until = datetime.fromisoformat(event["lapses_at"]) if "lapses_at" in event else FAR
        asset = event["asset"]
        parts = self.set_aside(asset, self.units(asset, event["amount"]), at)
        if parts is None:
            return {"insufficient_balance"}
        self.holds[event["id"]] = {"asset": asset, "parts": parts, "until": until, "latest": at}
        return set()

    def on_hold_captured(self, event: Event, at: datetime) -> set[str]:
        if codes := self.amiss(event, at):
            return codes
        return self.settled(self.capture(event["hold"], self.asked(event), [], final=event["final"]))

    def on_hold_voided(self, event: Event, at: datetime) -> set[str]:
        """What would have been used last is released first."""
        if codes := self.amiss(event, at):
            return codes
        if self.asked(event) > sum(self.holds[event["hold"]]["parts"].values()):
            return {"over_void"}
        self.release(event["hold"], self.asked(event))
        return self.settled(set())

    def on_hold_changed(self, event: Event, at: datetime) -> set[str]:
        if codes := self.amiss(event, at):
            return codes
        hold = self.holds[event["hold"]]
        more = self.asked(event) - sum(hold["parts"].values())
        self.release(event["hold"], max(0, -more))
        if more > 0:
            parts = self.set_aside(hold["asset"], more, at)
            if parts is None:
                return {"insufficient_balance"}
            hold["latest"] = max(hold["latest"], at)
            for lot, units in parts.items():
                hold["parts"][lot] = hold["parts"].get(lot, 0) + units
        return self.settled(set())

    def pay(self, event: Event, order: Order, at: datetime) -> set[str]:
        if "hold" not in event:
            return super().pay(event, order, at)
        return self.amiss(event, at) or self.settled(self.capture(event["hold"], order.stored, order.drawn, final=True))

    def settled(self, codes: set[str]) -> set[str]:
        """What was released of an expired lot goes at once."""
        if not codes:
            self.pass_time(self.now)
        return codes

    def amiss(self, event: Event, at: datetime) -> set[str]:
        """Why an event cannot go on with the hold that it names."""
        hold = self.holds.get(event["hold"])
        if hold is None:
            return {"unknown_hold"}
        if not hold["parts"]:
            return {"hold_ended"}
        if hold["asset"] != event.get("asset", "GBP"):
            return {"wrong_asset"}
        return {"before_hold"} if at < hold["latest"] else set()

    def asked(self, event: Event) -> int:
        hold = self.holds[event["hold"]]
        if "amount" not in event:
            return int(sum(hold["parts"].values()))
        return self.units(hold["asset"], event["amount"])

    def set_aside(self, asset: str, units: int, at: datetime) -> dict[int, int] | None:
        """Hold what a spend would take."""
        drawn: list[list[int]] = []
        if self.draw(asset, units, at, drawn):
            return None
        for lot, part in drawn:
            self.lots[lot]["left"] += part
            self.lots[lot]["held"] += part
        return {lot: part for lot, part in drawn}  # noqa: C416 - pairs that are lists

    def capture(self, name: str, units: int, drawn: list[list[int]], *, final: bool) -> set[str]:
        parts = self.holds[name]["parts"]
        if units > sum(parts.values()):
            return {"over_capture"}
        for lot in list(parts):
            part = min(units, parts[lot])
            if part:
                self.let_go(name, lot, part)
                self.lots[lot]["left"] -= part
                drawn.append([lot, part])
                units -= part
        if final:
            self.release(name, sum(parts.values()))
        return set()

    def release(self, name: str, units: int) -> None:
        parts = self.holds[name]["parts"]
        for lot in reversed(list(parts)):
            part = min(units, parts[lot])
            units -= part
            self.let_go(name, lot, part)

    def let_go(self, name: str, lot: int, units: int) -> None:
        parts = self.holds[name]["parts"]
        parts[lot] -= units
        self.lots[lot]["held"] -= units
        if not parts[lot]:
            del parts[lot]
