"""Rewards: what they cost and give, and how a cancelled one goes back to where it came from."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from stampbook import (
    NEVER,
    RENEWED,
    Deposit,
    Due,
    Fact,
    GiveBack,
    Limit,
    Objection,
    Pick,
    PluginError,
    Posting,
    PutBack,
    Remember,
    SetAside,
    Tally,
    Window,
    Withdrawal,
    authorised_by,
    near,
)
from stampbook_redemption.events import RewardGiven, RewardRedeemed, RewardReleased, RewardReserved
from stampbook_redemption.offers import Offer, taken_back

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from stampbook import AccountView, Context, Earlier, Event, Message
    from stampbook_redemption.config import RedemptionConfig, Reward
    from stampbook_redemption.vouchers import Vouchers

REWARDS = "rewards"
"""The book that takes what rewards cost."""

Step = Pick | Posting | PutBack | Withdrawal | Deposit | Objection | Tally | SetAside | GiveBack | Remember
"""What redemption proposes, messages aside."""


class Catalogue:
    """The rewards of a program."""

    def __init__(self, name: str, config: RedemptionConfig, program: Context, vouchers: Vouchers) -> None:
        self._name, self._config, self._program, self._vouchers = name, config, program, vouchers
        self._rewards = {reward.name: reward for reward in config.rewards}
        self._offers = {
            reward.name: Offer(f"{name}.{reward.name}", "reward", reward, program) for reward in config.rewards
        }
        self._prices = {reward.name: self._price(reward) for reward in config.rewards}
        self._extend = None if config.extend_by is None else config.extend_by.ends(program.calendar)
        self._cancel = {
            reward.name: reward.cancel_within.ends(program.calendar)
            for reward in config.rewards
            if reward.cancel_within is not None
        }
        self.limits = tuple(self._limits())
        self.offers = {f"reward {reward.name}": self._scarce(reward) for reward in config.rewards}

    def _scarce(self, reward: Reward) -> str:
        """Return why a reward might not be there when it is to be given; an empty text where it always is."""
        if reward.stock is not None:
            return "it has a stock, which may be used up; write a reward without one"
        if reward.voucher is not None and self._vouchers.is_pool(reward.voucher):
            return f"series {reward.voucher!r} is a pool, which may be used up; write a series whose codes are made"
        return ""

    def _price(self, reward: Reward) -> dict[str, int]:
        prices = reward.prices or {self._config.asset: reward.price or "0"}
        offer = self._offers[reward.name]
        key = "price" if reward.price is not None else "prices"
        units = {code: offer.units(key, code, text) for code, text in prices.items()}
        return {code: amount for code, amount in units.items() if amount}

    def _limits(self) -> Iterator[Limit]:
        for reward in self._config.rewards:
            rule = f"{self._name}.{reward.name}"
            if reward.most is not None:
                yield Limit(rule, "account", "", reward.most, "awards", (rule,), reward.window or Window())
            if reward.stock is not None:
                yield Limit(rule, "campaign", "", reward.stock, "awards", (rule,), lent=True)

    def _found(self, name: str) -> Reward | Objection:
        reward = self._rewards.get(name)
        if reward is None:
            known = near(name, self._rewards) or f"; there are {', '.join(self._rewards) or 'none'}"
            return Objection("unknown_reward", f"there is no reward {name!r}{known}")
        return reward

    def _counted(self, reward: Reward) -> Iterator[Tally]:
        """Yield how taking a reward counts for its account, and for its stock."""
        often = f"{reward.most} in {reward.window}" if reward.window is not None else f"{reward.most} in all"
        full = {
            "account": Objection("limit_reached", f"reward {reward.name!r}: an account may have {often}"),
            "campaign": Objection("out_of_stock", f"reward {reward.name!r}: none is left of {reward.stock}"),
        }
        for limit in self.limits:
            if limit.name == f"{self._name}.{reward.name}":
                yield Tally(limit.metric, 1, full=full[limit.scope])

    def on_reward(self, event: Event, account: AccountView, earlier: Earlier | None) -> Iterator[Step | Message]:
        """Yield what an event of rewards moves, or why it may not be."""
        match event:
            case RewardReserved():
                yield from self.reserved(event, account)
            case RewardReleased():
                yield from self.released(event)
            case RewardRedeemed():
                yield from self.redeemed(event, account)
            case RewardGiven():
                yield from self.given(event, account)
            case _:
                yield from self.cancelled(event, account, earlier)

    def reserved(self, event: RewardReserved, account: AccountView) -> Iterator[Step]:
        """Yield what setting a reward aside does, or why it cannot be."""
        reward = self._found(event.reward)
        if isinstance(reward, Objection):
            yield reward
            return
        yield from self._offers[reward.name].objections(event, account)
        yield from self._counted(reward)
        for asset, amount in self._prices[reward.name].items():
            yield SetAside(asset, amount, event.lapses_at)

    def released(self, event: RewardReleased) -> Iterator[Step]:
        """Yield how a reward that was set aside is there for others again."""
        yield from self._uncounted(event.reward, event.day)

    def _uncounted(self, name: str, day: str) -> Iterator[Tally]:
        reward = self._rewards.get(name)
        for tally in () if reward is None else self._counted(reward):
            yield Tally(tally.metric, -tally.units, date.fromisoformat(day).toordinal())

    def learned(self, event: Event, account: AccountView, at: int) -> Iterator[Fact]:
        """Yield what is concluded about what is set aside: since which day, and that it is so no longer."""
        if isinstance(event, RewardReserved):
            day = date.fromordinal(self._program.calendar.day(event.at)).isoformat()
            yield Fact(f"{self._name}.reserved/{account.position}", event.reward, at, NEVER, day)
            return
        if event.type == "expiry":  # a hold that shrinks pays for the reward no longer
            for number in account.losing_holds(event.lot):  # type: ignore[attr-defined]
                facts = account.facts(f"{self._name}.reserved/{number}")
                if facts and facts[-1].value:
                    yield Fact(facts[-1].name, "", at, NEVER, "what was set aside for it has expired")
            return
        held = self._held(event, account)
        if held is not None:
            yield Fact(held.name, "", at, NEVER, "no longer set aside")

    def _held(self, event: Event, account: AccountView) -> Fact | None:
        """Return what is concluded about the reward for which the hold was made that an event names."""
        number = authorised_by(event.hold) if event.type == "hold.lapsed" else account.named  # type: ignore[attr-defined]
        facts = () if number is None else account.facts(f"{self._name}.reserved/{number}")
        return facts[-1] if facts and facts[-1].value else None

    def following(self, facts: Iterable[Fact], account: AccountView, event: Event) -> Iterator[Due]:
        """Yield that a reward is there for others again, where its hold ended and it was not redeemed."""
        for fact in facts:
            if fact.name.startswith(f"{self._name}.reserved/") and not fact.value:
                held = account.facts(fact.name)[-1]
                if not isinstance(event, RewardRedeemed) or event.reward != held.value:
                    details = {"reward": held.value, "day": held.reason}
                    yield Due(fact.since, "reward.released", f"{self._name}.released:{account.ref}", details)

    def redeemed(self, event: RewardRedeemed, account: AccountView) -> Iterator[Step | Message]:
        """Yield what taking a reward moves, or why it may not be taken."""
        reward = self._found(event.reward)
        if isinstance(reward, Objection):
            yield reward
            return
        rule = f"{self._name}.{reward.name}"
        held = self._held(event, account)
        if held is not None and held.value == reward.name:  # it was counted when it was set aside
            yield Remember("set aside on", held.reason)
        else:
            yield from self._offers[reward.name].objections(event, account)
            yield from self._counted(reward)
        for asset, amount in self._prices[reward.name].items():
            yield Withdrawal(asset, amount, REWARDS, rule)
        yield from self._handed_out(reward, account, event.at)
        if reward.voucher is not None:
            yield from self._vouchers.redeemed_for(reward.voucher, event.code, account)
        elif event.code is not None:
            yield Objection("no_voucher", f"reward {reward.name!r} is no voucher; leave out the code")

    def given(self, event: RewardGiven, account: AccountView) -> Iterator[Step | Message]:
        """Yield what it does that a reward costs nothing; no condition or limit of the catalogue holds for it."""
        reward = self._rewards[event.reward]
        yield from self._handed_out(reward, account, event.at)
        if reward.voucher is not None:
            yield from self._vouchers.issued(reward.voucher, account, int(event.seed, 16))

    def _handed_out(self, reward: Reward, account: AccountView, at: int) -> Iterator[Step]:
        yield from self._offers[reward.name].given(account, at)
        if reward.about:
            yield Remember("which is", reward.about)
        if reward.item:
            yield Remember("item", reward.item)

    def cancelled(self, event: Any, account: AccountView, earlier: Earlier | None) -> Iterator[Step | Message]:
        """Yield what the cancellation of a reward moves, or why it cannot be cancelled."""
        if earlier is None or not isinstance(earlier.event, RewardRedeemed):
            yield Objection("unknown_redemption", f"the account has redeemed nothing under {event.about!r}")
            return
        if event.type in earlier.later:
            yield Objection("cancelled", f"{event.about!r} was cancelled before")
            return
        if event.at < earlier.event.at:
            yield Objection("before_redemption", "it is cancelled before it was redeemed")
            return
        name = earlier.event.reward
        within = self._cancel.get(name)
        if within is not None and event.at >= within(earlier.event.at):
            yield Objection("too_late", f"reward {name!r} may be cancelled within {self._rewards[name].cancel_within}")
        rule = f"{self._name}.{name}"
        yield from taken_back(earlier, account, rule)
        forfeited: dict[str, int] = {}
        for posting in earlier.postings:
            if posting.destination == REWARDS and isinstance(posting.source, int):
                back = self._restored(posting, account, rule)
                if back is None:
                    forfeited[posting.asset] = forfeited.get(posting.asset, 0) + posting.amount
                else:
                    yield back
        if forfeited:
            told = [self._program.asset(asset).told(units) for asset, units in forfeited.items()]
            yield Remember("forfeited", ", ".join(told))
        yield GiveBack()
        if "set aside on" in earlier.remembered:
            yield from self._uncounted(name, earlier.remembered["set aside on"])
        if "code" in earlier.remembered:
            yield self._vouchers.withdrawn(earlier, account)

    def _restored(self, posting: Posting, account: AccountView, rule: str) -> PutBack | Deposit | None:
        """Return how units go back to the lot that they came from; where its time is over, as the policy says."""
        asset, amount, number, _, _ = posting
        lot = account.known_lot(int(number))
        if lot is None:
            message = f"lot {number} of account {account.ref}, which paid for a reward, is not at hand"
            raise PluginError(message)
        reward = self._rewards.get(rule.removeprefix(f"{self._name}."))
        policy = (reward and reward.expired) or self._config.expired
        if lot.expires_at > account.at or policy == "expire" or lot.kind == "paid":
            return PutBack(asset, amount, REWARDS, lot.number, rule)
        if policy == "extend" and lot.kind == RENEWED:  # once for each unit: no way to keep points for ever
            return PutBack(asset, amount, REWARDS, lot.number, rule)
        if policy == "extend" and self._extend is not None:
            until = self._extend(account.at)
            return Deposit(asset, amount, REWARDS, RENEWED, account.at, until, lot.priority, rule)
        return None
