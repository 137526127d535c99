"""A payment system takes money back that was paid in: what is left of it, wherever it is by now, and what is owed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from stampbook import Debt, Deposit, Message, Objection, Posting, RefundPlan, Remember, StatusChange
from stampbook_refunds.funding import dues, settled
from stampbook_refunds.whereabouts import BREAKAGE, FOLLOWED, LAPSED, Whereabouts, lapsed_before

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from stampbook import AccountView, Asset, Context
    from stampbook_refunds.config import Chargeback
    from stampbook_refunds.events import ChargebackFollowed, TopUpChargedBack
    from stampbook_refunds.funding import Known
    from stampbook_refunds.taking import Taker

_CASH, _FORFEITED = "cash", "forfeited"
NO_CHARGEBACKS = "the program does not say what a chargeback does; add [plugin.chargeback] to its refunds"


class _Taken(NamedTuple):
    """What a chargeback takes on one account: proposals, what each lot gives, and how much came of what.

    `here` was left, `forfeited` had been given up to the shop, `on` went on and is taken elsewhere, `short` is owed or
    lost here.
    """

    steps: list[Any]
    lots: dict[int, int]
    here: int
    forfeited: int
    on: int
    short: int


class Chargebacks:
    """Plans what becomes of money that a payment system takes back.

    Args:
        name: of the table, which its rules bear.
        program: the assets.
        terms: what the program says of chargebacks, if anything.
        taker: takes back what came with a top-up.
    """

    def __init__(self, name: str, program: Context, terms: Chargeback | None, taker: Taker) -> None:
        self._name, self._program, self._terms, self._taker = name, program, terms, taker

    def charged_back(self, event: TopUpChargedBack, account: AccountView, known: Known) -> Iterator[Any]:
        """Yield what a chargeback of paid-in money moves, or why it may not be."""
        asset, terms = known.asset, self._terms
        if terms is None:
            yield Objection("no_chargebacks", NO_CHARGEBACKS)
            return
        # What stands for something on an account that was merged has no history here.
        places = Whereabouts(() if known.earlier.elsewhere else account.history, asset.code)
        if gone := self._gone(account, places):
            yield gone
            return
        most = known.whole - known.before
        asked = most if event.amount is None else event.amount
        if not asked or asked > most:
            told = f"{asset.told(asked)} is more than the {asset.text(most)} that have not gone back yet"
            yield Objection("over_chargeback", told if asked else "all of that top-up went back before")
            return
        taken = self._taken(account, known.lots, asked, asset, places, hop=0)
        if taken.on and account.late:
            told = f"what it paid for went on to {places.successor or 'another account'} since; send it as of now"
            yield Objection("later_news", told)
            return
        yield from taken.steps
        plan = RefundPlan(let_go={})
        before = lapsed_before(account.history, known.earlier.seq)
        for grant, due in dues(known, known.before + asked, "proportional", places, before):
            self._taker.take(grant, due, account, plan, taken.lots)
        yield from settled(plan, known, asked, self._name)
        if plan.lapsed:
            yield Remember(LAPSED, json.dumps(plan.lapsed, sort_keys=True))
        yield from self._told(taken, asset)
        yield from self._status(account, owes=bool(plan.debts) or self._owes(taken))

    def followed(self, event: ChargebackFollowed, account: AccountView) -> Iterator[Any]:
        """Yield what a chargeback takes of money that came from the account where it was paid in."""
        asset, terms = self._program.asset(event.asset), self._terms
        if terms is None:
            yield Objection("no_chargebacks", NO_CHARGEBACKS)
            return
        places = Whereabouts(account.history, asset.code)
        lots = [lot for part in event.parts for lot in places.arrived(event.giver, *part)]
        refused = None if _merged_into(account) else self._gone(account, places)
        if refused and event.hop == 1:
            yield refused
            return
        taken = self._taken(account, lots, event.amount, asset, places, hop=event.hop, lets_go=refused is not None)
        yield from taken.steps
        yield from self._told(taken, asset, lets_go=refused is not None)
        if refused is None:
            yield from self._status(account, owes=self._owes(taken))

    def _gone(self, account: AccountView, places: Whereabouts) -> Objection | None:
        """Return why a chargeback is not for an account that is closed, and what to do; None where it is kept."""
        if account.status != "closed":
            return None
        if merged := _merged_into(account):
            told = f"account {account.ref} was merged into {merged}; send it there"
            return Objection("account_merged", told)
        if places.successor or (self._terms is not None and self._terms.closed == "reopen"):
            return None
        told = f"account {account.ref} is closed; closed = 'reopen' in [plugin.chargeback] of refunds has it kept"
        return Objection("account_closed", told)

    def _taken(
        self, account: AccountView, lots: Sequence[int], asked: int, asset: Asset, places: Whereabouts, *, hop: int,
        lets_go: bool = False,
    ) -> _Taken:  # fmt: skip
        """Return what is taken of money that is, or was, in some lots.

        First what is left there, then what was given up to the shop, whose income is undone, then what went on. What
        was spent is owed: by the account to which all went on when this one was closed for good, if there is one.

        Args:
            account: at hand.
            lots: in which the money was.
            asked: how much of it is taken back.
            asset: the currency.
            places: where the money went.
            hop: 0 where the money was paid in, else that of the event.
            lets_go: whether nobody owes anything.
        """
        terms = self._terms
        assert terms is not None  # noqa: S101 - asked before
        steps: list[Any] = []
        by_lot: dict[int, int] = {}
        rest = asked
        for number in lots:
            there = account.known_lot(number)
            part = min(rest, 0 if there is None else max(0, there.free))
            if part:
                steps.append(Posting(asset.code, part, number, _CASH, self._name))
                by_lot[number], rest = part, rest - part
        here = asked - rest
        for number in lots:
            # Late news finds what was given up since still there, and has taken it above.
            seen = by_lot.get(number, 0) if account.late else 0
            part = min(rest, max(0, places.forfeited(number) - seen))
            undone = self._undone(account, number, part, asset)
            steps += undone
            rest -= part if undone else 0
        forfeited = asked - rest - here
        parts: dict[str, list[tuple[int, int, int]]] = {}
        amounts: dict[str, int] = {}
        followed: dict[str, int] = {}
        for sent in places.sent(lots, given=terms.given_away == "followed"):
            part = min(rest, max(0, sent.left))
            if part:
                parts.setdefault(sent.to, []).append((sent.seq, sent.first, sent.units))
                amounts[sent.to] = amounts.get(sent.to, 0) + part
                followed[sent.key], rest = part, rest - part
        on = sum(followed.values())
        owed = terms.rest == "debt" and not lets_go
        if rest and owed and account.status == "closed" and places.successor:
            amounts[places.successor] = amounts.get(places.successor, 0) + rest
            on, rest = on + rest, 0
        if rest and owed:
            steps.append(Debt(asset.code, rest, _CASH, self._name))
        if followed:
            steps.append(Remember(FOLLOWED, json.dumps(followed, sort_keys=True)))
        for place, (to, amount) in enumerate(amounts.items()):
            asks = not hop and not place  # one other account may refuse, for the chargeback to be refused with it
            data = {"giver": account.ref, "asset": asset.code, "amount": amount, "parts": parts.get(to, [])}
            data["hop"] = 1 if asks else hop + 2
            steps.append(Message(to, "chargeback.followed", data, required=asks))
            steps.append(Remember(f"went on to {to}", asset.text(amount)))
        return _Taken(steps, by_lot, here, forfeited, on, rest)

    def _undone(self, account: AccountView, number: int, part: int, asset: Asset) -> list[Any]:
        """Return how so much of what was given up to the shop is its income no more; nothing where it cannot be."""
        lot = account.known_lot(number)
        if not part or lot is None:
            return []
        if account.at < lot.expires_at:
            back = Posting(asset.code, part, BREAKAGE, number, self._name)
            return [back, Posting(asset.code, part, number, _CASH, self._name)]
        if not asset.debt:
            return []
        # Nothing passes through a lot whose time is over: it is owed for an instant, and repaid out of the income.
        return [Debt(asset.code, part, _CASH, self._name), Deposit(asset.code, part, BREAKAGE, rule=self._name)]

    def _told(self, taken: _Taken, asset: Asset, *, lets_go: bool = False) -> Iterator[Remember]:
        yield Remember("taken", asset.text(taken.here))
        if taken.forfeited:
            yield Remember(_FORFEITED, asset.text(taken.forfeited))
        if taken.short:
            yield Remember("owed" if self._owes(taken) and not lets_go else "lost", asset.text(taken.short))

    def _owes(self, taken: _Taken) -> bool:
        return bool(taken.short) and self._terms is not None and self._terms.rest == "debt"

    def _status(self, account: AccountView, *, owes: bool) -> Iterator[StatusChange]:
        """Yield what becomes of the account."""
        freezes = self._terms is not None and self._terms.freeze
        if freezes and account.status == "open":
            yield StatusChange("frozen")
        elif account.status == "closed" and owes:
            yield StatusChange("frozen" if freezes else "open")


def _merged_into(account: AccountView) -> str:
    """Return the account into which one was merged, or an empty text."""
    facts = account.facts("merged_into")
    return facts[-1].value if facts else ""
