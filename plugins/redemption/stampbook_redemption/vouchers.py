"""Vouchers: every code has an account of its own, which holds the uses that it has left.

So a code is locked, journalled, expired, held and verified like any account, and two tills that present it at the same
instant are two writers of one account. What one account does to a code goes there as a message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stampbook import (
    NEVER,
    Deposit,
    Fact,
    GiveBack,
    Limit,
    Message,
    Objection,
    Pick,
    PluginError,
    Posting,
    Remember,
    Tally,
    Window,
    Withdrawal,
    near,
)
from stampbook_redemption.codes import canonical, is_whole, made
from stampbook_redemption.events import (
    VoucherAssigned,
    VoucherIssued,
    VoucherLoaded,
    VoucherPresented,
    VoucherRedeemed,
    VoucherReturned,
    VoucherVoided,
    VoucherWithdrawn,
)
from stampbook_redemption.offers import PROMOTION, Offer, taken_back
from stampbook_redemption.orders import ForOrders

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from stampbook import AccountView, Context, Earlier, Event
    from stampbook_redemption.config import RedemptionConfig, Series

ACCOUNT = "voucher:"
"""How the ref of a code's account begins."""

TAKEN_BY_CODES = frozenset(
    {
        "voucher.loaded", "voucher.voided", "spend",
        "hold.authorised", "hold.captured", "hold.changed", "hold.voided",
    }
)  # fmt: skip
"""The kinds of event that tills and operators send to the account of a code."""

_ABSENT = "there is no such code"

_Step = Pick | Posting | Withdrawal | Deposit | Objection | Message | Tally | GiveBack | Remember
_ON_CODES = (VoucherLoaded, VoucherIssued, VoucherAssigned, VoucherWithdrawn, VoucherVoided)


def account_of(code: str) -> str:
    """Return the ref of the account of a code, however it was typed."""
    return ACCOUNT + canonical(code)


def _by(account: AccountView) -> dict[str, Any]:
    """Return who does something with a code: the account, and those that were merged into it, if any."""
    merged = account.merged_refs
    return {"by": account.ref, "also": merged} if merged else {"by": account.ref}


class Vouchers:
    """The series of a program, and what happens to the accounts of their codes."""

    def __init__(self, name: str, config: RedemptionConfig, program: Context) -> None:
        self._name, self._asset, self._program = name, config.vouchers, program
        self._series = {each.name: each for each in config.series}
        if self._series and self._asset not in program.assets:
            message = f"series need an asset that counts the uses of a code; add [assets.{self._asset}]"
            raise PluginError(message)
        self._one = program.asset(self._asset).units("1") if self._series else 1
        self._offers = {
            each.name: Offer(f"{name}.series.{each.name}", "voucher series", each, program) for each in config.series
        }
        self._orders = {each.name: ForOrders(each, program) for each in config.series}
        self._ends = {
            each.name: each.expires.ends(program.calendar) for each in config.series if each.expires is not None
        }
        self.limits = tuple(
            Limit(rule, "account", "", each.per_account, "awards", (rule,), Window())
            for each in config.series
            if each.per_account is not None
            for rule in (f"{name}.series.{each.name}",)
        )
        self.bound = any(each.holder == "account" or self._orders[each.name].asks for each in config.series)

    # ---- what a customer's account does --------------------------------------------------------------

    def is_pool(self, name: str) -> bool:
        """Whether the codes of a series are loaded from a list, which may be used up."""
        return self._series[name].pool

    def redeemed_for(self, name: str, code: str | None, account: AccountView) -> Iterator[_Step]:
        """Yield how an account gets the code that it redeemed: one that is made, or the one of a pool that is named."""
        series = self._series[name]
        if series.pool:
            if code is None:
                if account.picked is None:
                    yield self._next_of(series)
                    return
                ref, written = account.picked
                code = written or ref.removeprefix(ACCOUNT)
            data = {"series": name, "holder": account.ref, "code": code}
            yield Remember("code", code)
            yield Message(account_of(code), "voucher.assigned", data, absent=_ABSENT)
        elif code is not None:
            yield Objection("no_pool", f"codes of series {name!r} are made; leave out the code")
        else:
            yield from self.issued(name, account, account.derive(f"{self._name}.{name}:{account.position}"))

    def _next_of(self, series: Series) -> Pick:
        """Return how the next free code of a pool is found."""
        told = f"the pool of series {series.name!r} has no free code left; load more, or name one in code"
        return Pick(
            account_of(series.prefix),
            f"{self._name}.series",
            series.name,
            f"{self._name}.holder",
            f"{self._name}.code",
            Objection("no_code_left", told),
        )

    def issued(self, name: str, account: AccountView, number: int) -> Iterator[_Step]:
        """Yield how a code is made of a number for an account."""
        series = self._series[name]
        code = series.prefix + made(number, series.length)
        yield Remember("code", code)
        data = {"series": name, "holder": account.ref, "code": code}
        yield Message(account_of(code), "voucher.issued", data, opens=True)

    def withdrawn(self, earlier: Earlier, account: AccountView) -> Message:
        """Return what the account of a code is told when the reward is cancelled that it came from."""
        code = earlier.remembered["code"]
        return Message(account_of(code), "voucher.withdrawn", {"code": code, **_by(account)})

    def redeemed(self, event: VoucherRedeemed, account: AccountView) -> Iterator[_Step]:
        """Yield what using a code gives, and what its account is told."""
        found = self._series_of(event)
        if isinstance(found, Objection):
            yield found
            return
        offer = self._offers[found.name]
        yield from offer.objections(event, account)
        yield from self._orders[found.name].objections(event)
        told = f"an account may use {found.per_account} of series {found.name!r}"
        for limit in self.limits:
            if limit.name == f"{self._name}.series.{found.name}":
                yield Tally(limit.metric, 1, full=Objection("limit_reached", told))
        yield from offer.given(account, event.at)
        if found.worth:
            yield Remember("worth", found.worth)
        data = {"series": found.name, "code": event.code, **_by(account)}
        yield Message(account_of(event.code), "voucher.presented", data, absent=_ABSENT)

    def _series_of(self, event: VoucherRedeemed) -> Series | Objection:
        """Return the series of a code: the one named, or else that with the longest beginning that fits."""
        code = canonical(event.code)
        if event.series is not None:
            found = self._series.get(event.series)
            if found is None:
                known = near(event.series, self._series) or f"; there are {', '.join(self._series) or 'none'}"
                return Objection("unknown_series", f"there is no series {event.series!r}{known}")
        else:
            fitting = [each for each in self._series.values() if code.startswith(canonical(each.prefix))]
            longest = max((len(each.prefix) for each in fitting), default=0)
            fitting = [each for each in fitting if len(each.prefix) == longest]
            if len(fitting) != 1:
                known = ", ".join(each.name for each in fitting or self._series.values()) or "none"
                return Objection("unknown_series", f"say of which series {event.code!r} is: {known}")
            found = fitting[0]
        if not found.pool and not self._made(found, code):
            return Objection("mistyped_code", f"{event.code!r} is no code of series {found.name!r}: it is mistyped")
        return found

    def _made(self, series: Series, code: str) -> bool:
        prefix = canonical(series.prefix)
        signs = code.removeprefix(prefix)
        return code.startswith(prefix) and len(signs) == series.length and is_whole(signs)

    def cancelled(self, event: Any, account: AccountView, earlier: Earlier | None) -> Iterator[_Step]:
        """Yield what it moves that the use of a code is cancelled, or why it cannot be."""
        if earlier is None or not isinstance(earlier.event, VoucherRedeemed):
            yield Objection("unknown_redemption", f"the account has used no code under {event.about!r}")
        elif event.type in earlier.later:
            yield Objection("cancelled", f"{event.about!r} was cancelled before")
        elif event.at < earlier.event.at:
            yield Objection("before_redemption", "it is cancelled before it was redeemed")
        else:
            code = earlier.event.code
            yield from taken_back(earlier, account, f"{self._name}.voucher")
            yield GiveBack()
            yield Message(account_of(code), "voucher.returned", {"code": code, "by": account.ref})

    # ---- what happens to the account of a code -------------------------------------------------------

    def on_code(self, event: Event, account: AccountView) -> Iterable[_Step]:
        """Return what an event moves on the account of a code."""
        match event:
            case VoucherLoaded() | VoucherIssued():
                return self._filled(event, account)
            case VoucherAssigned():
                return self._assigned(event, account)
            case VoucherPresented():
                return self._presented(event, account)
            case VoucherReturned():
                return self._returned(account)
            case VoucherWithdrawn():
                return self._unused(event, account)
            case VoucherVoided():
                return self._voided(account)
        return []

    def _filled(self, event: VoucherLoaded | VoucherIssued, account: AccountView) -> Iterator[_Step]:
        series = self._series.get(event.series)
        if series is None or series.pool != isinstance(event, VoucherLoaded):
            pools = [each.name for each in self._series.values() if each.pool]
            told = f"there is no series {event.series!r} whose codes are loaded; there are {', '.join(pools) or 'none'}"
            yield Objection("unknown_series", told)
            return
        if account.ref != account_of(event.code):
            told = f"code {event.code!r} belongs on account {account_of(event.code)!r}, not on {account.ref!r}"
            yield Objection("wrong_account", told)
        if account.facts(f"{self._name}.series"):
            yield Objection("code_exists", f"code {event.code!r} is there already")
        alike = [each.name for each in self._series.values() if not each.pool and self._begins(each, event.code)]
        if series.pool and alike:
            told = f"code {event.code!r} begins and is as long as the codes that series {alike[0]!r} makes"
            yield Objection("looks_made", told)
        yield self._uses(series, series.uses, event.at, self._end(series, event.at, account))

    def _begins(self, series: Series, code: str) -> bool:
        prefix, signs = canonical(series.prefix), canonical(code)
        return signs.startswith(prefix) and len(signs) == len(prefix) + series.length

    def _end(self, series: Series, at: int, account: AccountView) -> int:
        ends = self._ends.get(series.name)
        return NEVER if ends is None else ends(at, account.opened_at or at)

    def _uses(self, series: Series, uses: int, since: int, until: int) -> Deposit:
        rule = f"{self._name}.series.{series.name}"
        return Deposit(self._asset, uses * self._one, PROMOTION, effective_at=since, expires_at=until, rule=rule)

    def _assigned(self, event: VoucherAssigned, account: AccountView) -> Iterator[Objection]:
        wrong = self._wrong(event.series, account)
        if wrong is not None:
            yield wrong
        elif account.text(f"{self._name}.holder"):
            yield Objection("code_given", "it was given to an account before")
        elif self._left(account) < self._all(account):
            yield Objection("code_used", "it was used, is void, set aside, or over")

    def _presented(self, event: VoucherPresented, account: AccountView) -> Iterator[_Step]:
        wrong = self._wrong(event.series, account)
        if wrong is not None:
            yield wrong
            return
        series, holder = self._series.get(event.series), account.text(f"{self._name}.holder")
        if series is not None and series.holder == "account" and holder not in {event.by, *(event.also or ())}:
            yield Objection("not_yours", "it was issued to another account")
        if account.text(f"{self._name}.void"):
            yield Objection("code_void", f"it is void: {account.text(f'{self._name}.void')}")
        elif self._left(account) >= self._one:
            yield Withdrawal(self._asset, self._one, "rewards", f"{self._name}.series.{event.series}")
        elif account.holds:
            yield Objection("code_held", "it is set aside")
        elif (fact := self._about(account)) is not None and fact.until <= account.at:
            yield Objection("code_expired", "its time is over")
        else:
            yield Objection("code_used", "it was used")

    def _returned(self, account: AccountView) -> Iterator[_Step]:
        fact = self._about(account)
        if fact is None:
            yield Objection("unknown_series", "it is no code")
        elif account.text(f"{self._name}.void"):
            yield Objection("code_void", "it is void since")
        else:
            rule = f"{self._name}.series.{fact.value}"
            yield Deposit(self._asset, self._one, "rewards", "earned", fact.since, fact.until, 0, rule)

    def _unused(self, event: VoucherWithdrawn, account: AccountView) -> Iterator[_Step]:
        fact = self._about(account)
        if fact is None or account.text(f"{self._name}.holder") not in {event.by, *(event.also or ())}:
            yield Objection("not_yours", "it was not issued to this account")
        elif self._left(account) < self._all(account):
            yield Objection("code_used", "it was used, is void, set aside, or over, so that its reward stays")
        else:
            yield Withdrawal(self._asset, self._left(account), PROMOTION, f"{self._name}.series.{fact.value}")

    def _voided(self, account: AccountView) -> Iterator[_Step]:
        left, fact = self._left(account), self._about(account)
        if fact is None:
            yield Objection("unknown_series", f"account {account.ref} is of no code")
        elif not left:
            yield Objection("nothing_left", "it has no use left that could be made void")
        else:
            yield Withdrawal(self._asset, left, "breakage", f"{self._name}.series.{fact.value}")

    def _wrong(self, series: str, account: AccountView) -> Objection | None:
        """Return why a code is none of a series: it is of another, or was not there yet."""
        fact = self._about(account)
        if fact is None or fact.since > account.at:
            return Objection("unknown_account", _ABSENT)
        if fact.value != series:
            return Objection("wrong_series", f"it is of series {fact.value!r}, not of {series!r}")
        return None

    def _about(self, account: AccountView) -> Fact | None:
        """Return of which series a code is, since when, and until when it is good."""
        facts = account.facts(f"{self._name}.series")
        return facts[-1] if facts else None

    def _left(self, account: AccountView) -> int:
        return account.balance(self._asset)

    def _all(self, account: AccountView) -> int:
        """Return all the uses that a code had, whatever its series says now."""
        facts = account.facts(f"{self._name}.uses")
        return int(facts[-1].value) * self._one if facts else 1

    def learned(self, event: Event, account: AccountView, at: int) -> Iterator[Fact]:
        """Yield what is concluded about a code: its series and until when, whose it is, and why it is void."""
        if not isinstance(event, _ON_CODES):
            return
        if isinstance(event, VoucherLoaded | VoucherIssued):
            until = self._end(self._series[event.series], event.at, account)
            yield Fact(f"{self._name}.series", event.series, at, max(until, at + 1), "")
            if isinstance(event, VoucherLoaded):
                yield Fact(f"{self._name}.code", event.code, at, NEVER, "as it was written")
            yield Fact(f"{self._name}.uses", str(self._series[event.series].uses), at, NEVER, "")
        if isinstance(event, VoucherLoaded | VoucherIssued | VoucherAssigned) and event.holder:
            yield Fact(f"{self._name}.holder", event.holder, at, NEVER, "")
        if isinstance(event, VoucherVoided):
            yield Fact(f"{self._name}.void", event.reason, at, NEVER, "")
        if isinstance(event, VoucherWithdrawn):
            yield Fact(f"{self._name}.void", "its reward was cancelled", at, NEVER, "")

    def review(self, event: Event, account: AccountView) -> Iterator[Objection]:
        """Yield why a code that only its holder may use, or for some orders, is not simply spent or set aside."""
        if event.type in {"spend", "hold.authorised"} and account.ref.startswith(ACCOUNT):
            fact = self._about(account)
            series = None if fact is None else self._series.get(fact.value)
            if series is not None and series.holder == "account":
                yield Objection("not_yours", "only the account that it was issued to may use it; post voucher.redeemed")
            elif series is not None and self._orders[series.name].asks:
                yield Objection("no_order", "it is for some orders only; post voucher.redeemed with the order")
