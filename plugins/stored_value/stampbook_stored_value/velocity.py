"""How fast stored value may be spent, and what is taken for the same spend, sent again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from stampbook import AmountError, Objection, Payable, PluginError, Purchase
from stampbook_stored_value.memory import remember, remembered

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from stampbook import AccountView, Context, Event, Fact
    from stampbook_stored_value.config import Repeat, Velocity

_SECOND = 1_000_000


class Spent(NamedTuple):
    """One spend of stored value, or a hold of it, as it is remembered."""

    at: int
    amount: int
    store: str
    id: str


class Pace(NamedTuple):
    """The most spends, and the most that they come to in smallest units, in any `within` microseconds."""

    within: int
    spends: int | None
    amount: int | None

    def keeps(self, near: Sequence[Spent]) -> bool:
        """Whether so many spends, which are all within the time, are allowed."""
        few = self.spends is None or len(near) <= self.spends
        return few and (self.amount is None or sum(spent.amount for spent in near) <= self.amount)

    def broken_at(self, past: Iterable[Spent], new: Spent) -> Spent | None:
        """Return the spend up to which there would be too much with a new one in it, or None.

        That is the new one, or, where it is told late, one that came after it.
        """
        near = sorted([*past, new])
        for last in near:
            if new.at <= last.at < new.at + self.within:
                window = [spent for spent in near if last.at - self.within < spent.at <= last.at]
                if not self.keeps(window):
                    return last
        return None

    def room(self, past: Iterable[Spent], new: Spent) -> int | None:
        """Return how much a new spend may come to at most, whatever it asks for; None for any amount."""
        if self.amount is None:
            return None
        near = sorted([*past, new._replace(amount=0)])
        sums = [
            sum(spent.amount for spent in near if last.at - self.within < spent.at <= last.at)
            for last in near
            if new.at <= last.at < new.at + self.within
        ]
        return self.amount - max(sums)


class Velocities:
    """All limits of a program on how fast stored value is spent."""

    def __init__(self, name: str, limits: Sequence[Velocity], repeat: Repeat | None, program: Context) -> None:
        self._fact = f"_{name}.spent"
        self._program = program
        self._repeat = repeat
        self._paces: dict[str, list[Pace]] = {}
        for limit in limits:
            code = limit.currency or program.currency.code
            try:
                amount = None if limit.amount is None else program.asset(code).units(limit.amount)
            except AmountError as error:
                message = f"velocity: amount: {error}"
                raise PluginError(message) from None
            self._paces.setdefault(code, []).append(Pace(limit.within, limit.count, amount))
        times = [limit.within for limit in limits] + ([repeat.within] if repeat is not None else [])
        self._longest = max(times, default=0)

    @property
    def any(self) -> bool:
        """Whether there is anything to look at."""
        return self._longest > 0

    def learned(self, event: Event, account: AccountView, at: int) -> Iterator[Fact]:
        """Yield what is to be remembered of a spend; what is too old to matter is forgotten."""
        spent = self._spent(event, account) if self.any else None
        if spent is None:
            return
        code, new = spent
        known: dict[str, Any] = remembered(account, self._fact) or {}
        kept = {each: [list(old) for old in olds if old[0] > at - 2 * self._longest] for each, olds in known.items()}
        kept[code] = sorted([*kept.get(code, []), list(new)])
        yield remember(account, self._fact, kept, at)

    def bounds(self, event: Event, account: AccountView) -> Iterator[Payable | Objection]:
        """Yield how much a spend may come to that asks for as much as there is, or that it was sent again.

        Where there is no room at all it is left as it is, so that the limit says why it is refused.
        """
        spent = self._spent(event, account)
        if spent is None:
            return
        code, new = spent
        known: dict[str, Any] = remembered(account, self._fact) or {}
        past = [Spent(*old) for old in known.get(code, [])]
        if (twin := self._twin(past, new)) is not None:
            yield self._repeated(twin, new, code)
        for pace in self._paces.get(code, ()):
            room = pace.room(past, new)
            if room is not None and room > 0:
                yield Payable(room)

    def objections(self, event: Event, account: AccountView) -> Iterator[Objection]:
        """Yield why a spend comes too fast."""
        spent = self._spent(event, account)
        if spent is None:
            return
        code, new = spent
        known: dict[str, Any] = remembered(account, self._fact) or {}
        past = [Spent(*old) for old in known.get(code, [])]
        twin = self._twin(past, new)
        told = self._program.asset(code).told
        if twin is not None:
            yield self._repeated(twin, new, code)
        for pace in self._paces.get(code, ()):
            last = pace.broken_at(past, new)
            if last is not None:
                yield Objection("spend_velocity", self._sentence(pace, last, told))

    def _repeated(self, twin: Spent, new: Spent, code: str) -> Objection:
        seconds = -(-abs(new.at - twin.at) // _SECOND)
        where = f" at {new.store}" if new.store else ""
        text = f"{self._program.asset(code).told(new.amount)} was spent{where} {seconds} seconds before, as {twin.id}"
        return Objection("repeated_spend", f"{text}; if this is another one, send it with an id of its own")

    def _sentence(self, pace: Pace, last: Spent, told: Any) -> str:
        most = " and ".join(
            [f"{pace.spends} spends"] * (pace.spends is not None)
            + ([] if pace.amount is None else [f"{told(pace.amount)} in all"])
        )
        until = f" up to {self._program.calendar.local(last.at):%Y-%m-%d %H:%M:%S}"
        return f"this would be too much in the {_words(pace.within)}{until}, in which there may be {most}"

    def _twin(self, past: Iterable[Spent], new: Spent) -> Spent | None:
        repeat = self._repeat
        if repeat is None or (repeat.made_ids and not new.id.startswith(repeat.made_ids)):
            return None
        alike = [old for old in past if (old.amount, old.store) == (new.amount, new.store)]
        return next((old for old in reversed(alike) if abs(new.at - old.at) < repeat.within), None)

    def _spent(self, event: Event, account: AccountView) -> tuple[str, Spent] | None:
        """Return what an event spends of stored value, or sets aside of it; captures were counted before."""
        default = self._program.currency.code
        if isinstance(event, Purchase):
            code = event.currency or default
            amount = sum(tender.amount for tender in event.tenders if tender.kind == "stored_value")
            if event.hold is not None and account.set_aside(code):
                return None
        elif event.type in {"spend", "hold.authorised", "hold.changed"}:
            code = getattr(event, "asset", None) or default
            amount = getattr(event, "amount", 0)
            if event.type == "hold.changed":
                amount -= account.set_aside(code)
        else:
            return None
        if amount <= 0 or not self._program.asset(code).is_currency:
            return None
        return code, Spent(event.at, amount, getattr(event, "store", ""), event.id)


def _words(duration: int) -> str:
    seconds = duration // _SECOND
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds % size == 0:
            count = seconds // size
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return f"{seconds} second{'' if seconds == 1 else 's'}"
