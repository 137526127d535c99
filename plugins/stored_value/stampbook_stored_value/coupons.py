"""What the catalogue gives for top-ups: coupons, vouchers, goods. Another plugin hands them out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from stampbook import AmountError, Due, PluginError, TopUp
from stampbook_stored_value.memory import remember

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from stampbook import AccountView, Context, Event, Fact
    from stampbook_stored_value.config import Coupon


class _Ready(NamedTuple):
    """A coupon with its bounds in smallest units of its currency; `below` is None where there is no upper one."""

    coupon: Coupon
    currency: str
    start: int
    below: int | None


class Coupons:
    """The rewards that top-ups bring; each follows its top-up at once, as an event of its own."""

    def __init__(self, name: str, coupons: Sequence[Coupon], program: Context) -> None:
        self._name = name
        self._fact = f"_{name}.coupons"
        self._default = program.currency.code
        self._ready = [_ready(coupon, program) for coupon in coupons]
        self.wants: Mapping[str, tuple[str | int, ...]] = {
            f"reward {coupon.reward}": ("coupon", place, "reward") for place, coupon in enumerate(coupons)
        }

    def learned(self, event: Event, account: AccountView, at: int) -> Iterator[Fact]:
        """Yield the memory of what a top-up brings, since only what changes facts has a sequel."""
        if isinstance(event, TopUp) and (names := self._brought(event, account)):
            yield remember(account, self._fact, [account.position, *names], at)

    def _brought(self, event: TopUp, account: AccountView) -> list[str]:
        currency = event.currency or self._default
        return [
            ready.coupon.reward
            for ready in self._ready
            if ready.currency == currency
            and ready.start <= event.amount
            and (ready.below is None or event.amount < ready.below)
            and (ready.coupon.when is None or ready.coupon.when.test(event, None, None, account, None))
        ]

    def following(self, facts: Sequence[Fact], account: AccountView, event: Event) -> Iterator[Due]:
        """Yield the rewards that follow from a top-up; `account` is as it was before."""
        for fact in facts:
            if fact.name == self._fact:
                topup, *names = json.loads(fact.value)
                for number, reward in enumerate(names, start=1):
                    why = f"{self._name}.{reward}"
                    seed = account.derive(f"{why}:{topup}:{number}")
                    details = {"reward": reward, "why": why, "seed": f"{seed:x}"}
                    yield Due(event.at, "reward.given", f"{why}:{account.ref}", details)


def _ready(coupon: Coupon, program: Context) -> _Ready:
    asset = program.asset(coupon.currency or program.currency.code)
    try:
        below = None if coupon.below is None else asset.units(coupon.below)
        return _Ready(coupon, asset.code, asset.units(coupon.start), below)
    except AmountError as error:
        message = f"coupon {coupon.reward!r}: {error}"
        raise PluginError(message) from None
