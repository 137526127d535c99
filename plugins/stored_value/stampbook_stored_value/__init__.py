"""Stored value: what may be topped up, what is given for it, how fast it may be spent, and when it is low."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stampbook import Plugin, TopUp, hookimpl
from stampbook_stored_value.bonuses import ReadyBonus
from stampbook_stored_value.config import StoredValueConfig
from stampbook_stored_value.coupons import Coupons
from stampbook_stored_value.events import (
    BONUSES,
    BalanceLow,
    BalanceRecovered,
    BonusPledged,
    BonusReleased,
    BonusReviewed,
    Exchanged,
    TopUpDeclined,
    TopUpRequested,
)
from stampbook_stored_value.exchanging import Exchanges
from stampbook_stored_value.instalments import Releases
from stampbook_stored_value.keeping import Pledges
from stampbook_stored_value.levels import Asking, Level
from stampbook_stored_value.topups import TopUps
from stampbook_stored_value.velocity import Velocities

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from stampbook import AccountView, Award, Due, Event, Fact, Objection, Payable, Progress, Tender, Transaction

__all__ = ["StoredValue"]

_Watcher = Releases | Pledges | Coupons | Level | Asking | Velocities


class StoredValue(Plugin[StoredValueConfig]):
    """Gives bonuses for top-ups and keeps them within bounds; a bonus is the rule ``<table>.<bonus>`` in the ledger."""

    Config = StoredValueConfig
    alone = True
    sole = "its bounds and limits are of a whole account"

    def prepare(self) -> None:
        """Read amounts in the smallest units of their assets."""
        config, program = self.config, self.program
        bonuses = [ReadyBonus(self.name, bonus, program) for bonus in config.bonuses]
        self._at_once = [ready for ready in bonuses if ready.bonus.instalments is None]
        self._topups = TopUps(config.topups, program)
        self._coupons = Coupons(self.name, config.coupons, program)
        self.wants = self._coupons.wants
        self._releases = Releases(self.name, bonuses, config.refund_books, program)
        self._pledges = Pledges(self.name, bonuses, config.refund_books, program)
        self.stakes = tuple(ready.stake for ready in self._at_once)
        self._velocities = Velocities(self.name, config.velocities, config.repeat, program)
        self._exchanges = Exchanges(self.name, config.exchanges, program)
        self._levels = [Level(self.name, low, program) for low in config.lows]
        self._asking = [Asking(self.name, rule, program) for rule in config.automatic]
        self.prompt = bool(self._levels or self._asking or self._pledges.any or len(self._at_once) < len(bonuses))

    @hookimpl
    def register_events(self) -> list[type[Event]]:
        """Bring what time brings to stored value."""
        return [
            *BONUSES,
            BalanceLow,
            BalanceRecovered,
            TopUpRequested,
            TopUpDeclined,
            Exchanged,
        ]

    @hookimpl
    def reward(self, event: Event, account: AccountView) -> Iterable[Award]:
        """Return what a top-up is given at once."""
        if not isinstance(event, TopUp):
            return ()
        wanted = [(ready, ready.units_for(event, account)) for ready in self._at_once]
        return [ready.award(units, event, account) for ready, units in wanted if units]

    @hookimpl
    def propose(self, event: Event, account: AccountView) -> Iterable[Any]:
        """Return what an event of stored value moves."""
        if isinstance(event, BonusReleased):
            return self._releases.released(event, account)
        if isinstance(event, BonusPledged):
            return self._pledges.pledged(event)
        if isinstance(event, BonusReviewed):
            return self._pledges.reviewed(event, account)
        return self._exchanges.exchanged(event, account) if isinstance(event, Exchanged) else ()

    @hookimpl
    def assess(self, account: AccountView, at: int, event: Event) -> Iterable[Fact]:
        """Remember what is still to be given, what was spent lately, and what was said of the balance."""
        watchers: tuple[_Watcher, ...] = (
            self._releases,
            self._pledges,
            self._coupons,
            *self._levels,
            *self._asking,
            self._velocities,
        )
        return [fact for each in watchers for fact in each.learned(event, account, at)]

    @hookimpl
    def follow(
        self, facts: Sequence[Fact], account: AccountView, event: Event, transaction: Transaction
    ) -> Iterable[Due]:
        """Return what follows from a top-up: what came under a condition, and what of the catalogue."""
        yield from self._pledges.following(facts, event, account, transaction)
        yield from self._coupons.following(facts, account, event)

    @hookimpl
    def progress(self, account: AccountView) -> Iterable[Progress]:
        """Tell what is to be done to keep bonuses."""
        return self._pledges.progress(account)

    @hookimpl
    def payable(self, event: Event, tender: Tender | None, account: AccountView) -> Iterable[Payable | Objection]:
        """Return how fast stored value may be spent, where an event asks for as much as there is."""
        if not self._velocities.any or (tender is not None and tender.kind != "stored_value"):
            return ()
        return self._velocities.bounds(event, account)

    @hookimpl
    def review(self, transaction: Transaction, account: AccountView, event: Event) -> Iterable[Objection]:
        """Object to a top-up that is out of bounds, and to spends that come too fast."""
        return [
            *self._topups.objections(event, transaction, account),
            *(self._velocities.objections(event, account) if self._velocities.any else ()),
        ]

    @hookimpl
    def due(self, account: AccountView) -> Iterable[Due]:
        """Return the next parts of bonuses, and what is to be said of the balance."""
        clocks: tuple[Releases | Pledges | Level | Asking, ...] = (
            self._releases,
            self._pledges,
            *self._levels,
            *self._asking,
        )
        return [due for each in clocks for due in each.due(account)]
