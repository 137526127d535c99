"""Households: accounts that earn into one pool, and members who may spend from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from stampbook import (
    AmountError,
    Debt,
    Deposit,
    Fact,
    Mature,
    Message,
    Objection,
    Plugin,
    PluginError,
    Posting,
    Share,
    Tally,
    Withdrawal,
    divide,
    hookimpl,
    split,
)
from stampbook_together.households_config import HouseholdsConfig
from stampbook_together.households_events import (
    KINDS,
    HouseholdEarned,
    HouseholdJoined,
    HouseholdLeft,
    HouseholdMatured,
    HouseholdMemberJoined,
    HouseholdMemberLeft,
    HouseholdReceived,
    HouseholdReleased,
    HouseholdReturned,
    HouseholdRole,
    HouseholdSpent,
)
from stampbook_together.membership import MEMBERS, POOL, Membership, is_pool
from stampbook_together.moving import received, sent

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from stampbook import AccountView, Earned, Event, Lot, Transaction
    from stampbook_together.households_config import SpendLimit

_SALES, _PROMOTION = "sales", "promotion"
_NOT_SPENT = {_PROMOTION, "breakage", "adjustments", "transfers"}
_SPENDS = {"transfer", "hold.authorised"}
_ENDS = {"account.closed", "account.merged"}
_PERCENT = 100

_Steps = list[Posting | Withdrawal | Deposit | Debt | Mature | Tally | Message | Objection]


class _Limit(NamedTuple):
    """A limit with its counter, and its most in smallest units."""

    name: str
    counter: str
    asset: str
    most: int
    of_member: bool
    but_owner: bool


class Households(Plugin[HouseholdsConfig]):
    """Takes a share of what members earn into a pool, and lets them take from it."""

    Config = HouseholdsConfig
    sole = "an account is in one household"
    linked = frozenset({POOL})

    def prepare(self) -> None:
        """Read the share and the limits."""
        config, program = self.config, self.program
        for code in (*config.assets, *(limit.asset for limit in config.limits)):
            if code not in program.assets:
                message = f"{code!r} is not an asset of the program, which has {', '.join(program.assets)}"
                raise PluginError(message)
        if config.points_spent == "debt" and not any(asset.debt for asset in program.assets.values()):
            message = "points_spent = 'debt' needs an asset that allows it: [assets.points] debt = true"
            raise PluginError(message)
        whole, _, fraction = config.share.partition(".")
        self._share = (int(whole + fraction), 10 ** len(fraction) * _PERCENT)
        self._membership = Membership(config.spenders, config.most_members)
        self._limits = [self._worked_out(limit) for limit in config.limits]

    def _worked_out(self, limit: SpendLimit) -> _Limit:
        asset = self.program.asset(limit.asset)
        try:
            most = asset.units(limit.most)
        except AmountError as error:
            message = f"limit {limit.name!r}: most: {error}"
            raise PluginError(message) from None
        counter = f"{self.name}/{limit.name}"
        self.program.declare_counter(counter, asset.decimals, limit.window)
        return _Limit(limit.name, counter, limit.asset, most, limit.of == "member", limit.but_owner)

    @hookimpl
    def register_events(self) -> list[type[Event]]:
        """Bring what members and operators do, and what it means to the other account."""
        return [*KINDS]

    # Earning

    @hookimpl
    def share(self, earned: Sequence[Earned], account: AccountView) -> list[Share]:
        """Send the pool's part of each award there; what waits for the completion of a purchase waits there, too."""
        pool = account.text(POOL)
        if not pool:
            return []
        shares: list[Share] = []
        for each in earned:
            of_asset = not self.config.assets or each.asset in self.config.assets
            of_rule = not self.config.rules or each.rule in self.config.rules
            units = divide(each.units * self._share[0], self._share[1], self.config.rounding)
            if not of_asset or not of_rule or units <= 0:
                continue
            data = {
                "member": account.ref,
                "rule": each.rule,
                "asset": each.asset,
                "units": units,
                "kind": each.kind,
                "effective_at": each.effective_at,
                "expires_at": each.expires_at,
                "priority": each.priority,
            }
            parts = split(units, [part for _, part in each.lines]) if each.lines else []
            by_line = tuple(zip((line for line, _ in each.lines), parts, strict=True))
            done = "household.matured" if each.waits else ""
            message = Message(
                pool,
                "household.earned",
                data,
                required=False,
                on_return="household.returned",
                by_line=by_line,
                on_completion=done,
            )
            shares.append(Share(each.rule, units, message))
        return shares

    # What happens to members and pools

    @hookimpl
    def propose(self, event: Event, account: AccountView) -> _Steps:  # noqa: PLR0911 - one case a kind of event
        """Move what is pooled, released, spent or taken back; object where nobody may."""
        match event:
            case HouseholdJoined():
                return [*self._membership.joins(event, account)]
            case HouseholdMemberJoined():
                return [*self._membership.takes(event, account)]
            case HouseholdLeft():
                return [*self._membership.leaves(account)]
            case HouseholdMemberLeft():
                return [*self._membership.lets_go(event, account)]
            case HouseholdRole():
                return [*self._membership.names(event, account)]
            case HouseholdEarned():
                terms = (event.kind, event.effective_at, event.expires_at, event.priority)
                return [Deposit(event.asset, event.units, _PROMOTION, *terms, self._rule(event))]
            case HouseholdMatured():
                terms = (event.kind, event.effective_at, event.expires_at, event.priority)
                return [Mature(event.asset, event.units, *terms, self._rule(event))]
            case HouseholdReturned():
                return [*self._taken_back(event, account)]
            case HouseholdSpent():
                return self._spend(event, account)
            case HouseholdReleased():
                return self._release(event, account)
            case HouseholdReceived():
                return [*received(event.asset, event.parts, self.name)]
            case _:
                return []

    def _rule(self, event: HouseholdEarned | HouseholdMatured | HouseholdReturned) -> str:
        return f"{self.name}.{event.rule}"

    def _taken_back(self, event: HouseholdReturned, account: AccountView) -> Iterator[Posting | Debt]:
        """Yield what takes a part back: from lots that may hold it, then from those that end last."""
        at, since = account.at, event.effective_at if event.completed_at is None else event.completed_at
        terms = (event.kind, event.expires_at, event.priority)

        def order(lot: Lot) -> tuple[bool, bool, int, int]:
            alike = (lot.kind, lot.expires_at, lot.priority) == terms
            own = alike and (lot.effective_at == since or lot.effective_at <= at >= since)  # as grants share lots
            return (not own, (lot.effective_at <= at) != (since <= at), -lot.expires_at, -lot.number)

        lots = sorted(
            (
                lot
                for lot in account.lots
                if lot.asset == event.asset and lot.kind != "paid" and lot.free > 0 and lot.expires_at > at
            ),
            key=order,
        )
        left = event.units
        for lot in lots:
            part = min(left, lot.free)
            if part:
                left -= part
                yield Posting(event.asset, part, lot.number, _PROMOTION, self._rule(event))
        owes = self.config.points_spent == "debt" and self.program.asset(event.asset).debt
        if left and owes and event.expires_at > account.at:
            yield Debt(event.asset, left, _PROMOTION, self._rule(event))

    def _spend(self, event: HouseholdSpent, account: AccountView) -> _Steps:
        code = event.asset or self.program.currency.code
        objections = [*self._membership.may_spend(event.member, account), *self._over(code, event, account)]
        if objections:
            return [*objections]
        return [Withdrawal(code, event.amount, _SALES, self.name), *self._counts(code, event)]

    def _release(self, event: HouseholdReleased, account: AccountView) -> _Steps:
        code = event.asset or self.program.currency.code
        objections = [*self._membership.may_spend(event.by or event.to, account), *self._over(code, event, account)]
        if event.by is not None:
            objections += self._membership.is_member(event.to, account)
        chosen, short = account.draw(code, event.amount)
        if short:
            asset = self.program.asset(code)
            there = asset.told(event.amount - short)
            text = f"{asset.told(event.amount)} is more than the {there} in the pool"
            objections.append(Objection("insufficient_balance", text))
        if objections:
            return [*objections]
        postings, parts = sent(account, code, chosen, self.name)
        data = {"pool": account.ref, "asset": code, "parts": parts}
        return [*postings, *self._counts(code, event), Message(event.to, "household.received", data)]

    def _over(self, code: str, event: HouseholdSpent | HouseholdReleased, account: AccountView) -> Iterator[Objection]:
        asset, who = self.program.asset(code), _who(event)
        for limit in self._limits:
            if limit.asset != code or (limit.but_owner and self._membership.owner(account) == who):
                continue
            counter = f"{limit.counter}:{who}" if limit.of_member else f"{limit.counter}:"
            left = max(0, limit.most - account.metric_at_most(counter))
            if event.amount > left:
                wanted, there = (asset.told(units) for units in (event.amount, left))
                text = f"limit {limit.name}: {wanted} is more than the {there} left"
                yield Objection("limit_reached", text)

    def _counts(self, code: str, event: HouseholdSpent | HouseholdReleased) -> list[Tally]:
        return [
            Tally(f"{limit.counter}:{_who(event) if limit.of_member else ''}", event.amount)
            for limit in self._limits
            if limit.asset == code
        ]

    @hookimpl
    def assess(self, event: Event, account: AccountView, at: int) -> list[Fact]:
        """Conclude who belongs to whom."""
        return self._membership.facts(event, account, at)

    @hookimpl
    def review(self, transaction: Transaction, account: AccountView, event: Event) -> list[Objection]:
        """Object where a pool is spent in nobody's name, or an account ends that others count on."""
        if event.type in _ENDS:
            if account.text(POOL):
                return [Objection("in_household", f"the account earns into {account.text(POOL)}; let it leave first")]
            if is_pool(account):
                text = f"{account.text(MEMBERS)} members earn into this account; let them leave first"
                return [Objection("has_members", text)]
            return []
        if self.config.direct == "allow" or isinstance(event, KINDS) or not is_pool(account):
            return []
        spends = event.type in _SPENDS or any(
            isinstance(posting.source, int) and posting.destination not in _NOT_SPENT
            for posting in transaction.postings
        )
        text = "members earn into this account: send household.spent, which names the member who spends"
        return [Objection("names_no_member", text)] if spends else []


def _who(event: HouseholdSpent | HouseholdReleased) -> str:
    return event.member if isinstance(event, HouseholdSpent) else event.by or event.to


__all__ = ["Households"]
