"""What a plugin may do: each hook with its arguments, what it returns, and when it is called.

Hooks are called in the order of the plugin tables in the program. Arguments are passed by keyword and a plugin
names only those that it wants. Arguments may be added later; nothing is renamed.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import pluggy

from stampbook.amounts import Rounding
from stampbook.ledger import Message, Objection, Posting
from stampbook.lots import EARNED
from stampbook.periods import NEVER, Window
from stampbook.proposals import Debt, Deposit, Mature, Noted, PutBack, Withdrawal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    import click
    import narwhals as nw

    Frame = nw.LazyFrame[Any]

    from stampbook.account_view import AccountView
    from stampbook.earlier import Earlier
    from stampbook.event_base import Event
    from stampbook.events import AccountClosed
    from stampbook.goals import Progress
    from stampbook.ledger import Fact, Transaction
    from stampbook.orders import Order
    from stampbook.proposals import Earned, Payable, Payment, Remember, Share
    from stampbook.purchases import Purchase, Tender
    from stampbook.refund_plans import RefundPlan, RefundRequest

CAP = "cap/"
"""What the metric of an account's limit is called before the limit's own name."""
CAMPAIGN = "campaign/"
"""What the metric of what a campaign granted to an account is called before its own name."""

API_VERSION = 1
"""Which contract this is; a plugin that sets another one is refused."""

hookspec = pluggy.HookspecMarker("stampbook")
hookimpl = pluggy.HookimplMarker("stampbook")


class Award(NamedTuple):
    """What a reward rule wants to grant: exactly ``numerator / denominator`` whole units of `asset`.

    It is multiplied, stacked and only then rounded, once. `lines` are pairs of line number and weight by which
    a return of some lines knows what those lines had earned; empty means the whole order. `group` names a
    stacking group of the program; awards without one always count. Where only some can count, or a limit leaves too
    little for all, those of a lower `rank` come first. With `on_completion` it matures when its purchase is completed,
    if that is before `effective_at`. For partial returns (see `Reckoned`): `parts` are how many equal parts of what was
    bought count, where only whole ones earn, as line (0: the order), numerator, denominator: 219 and 100 for 21.90 at
    one for each 10.00; a `fixed` one is the same however much was bought.
    """

    rule: str
    asset: str
    numerator: int
    denominator: int = 1
    rounding: Rounding = Rounding.FLOOR
    kind: str = EARNED
    effective_at: int = 0
    expires_at: int = NEVER
    priority: int = 0
    group: str = ""
    lines: tuple[tuple[int, int], ...] = ()
    rank: int = 0
    on_completion: bool = False
    parts: tuple[tuple[int, int, int], ...] = ()
    fixed: bool = False


class Multiplier(NamedTuple):
    """Multiplies awards of `asset` on the same event by ``numerator / denominator``: those of some `rules`, or all.

    `group` names a stacking group of the program, of which one factor comes; groups and multipliers without one go
    together as the program's `multipliers` says. Where only one can count, that of the lowest `rank` does.
    """

    rule: str
    asset: str
    numerator: int
    denominator: int = 1
    rules: tuple[str, ...] = ()
    group: str = ""
    rank: int = 0


class Entitlement(NamedTuple):
    """What an account came to be entitled to by all that happened to it, or no longer is: an achievement.

    `units` are smallest units of `asset`: above zero they are granted, exactly as many; below zero they are taken back,
    within what can be (see `AccountView.takeable`), first from lots of the same kind, end and priority: name those with
    which it was granted. Nothing multiplies, stacks or limits it, and a return of the event
    that brought it does not take it back in proportion: the plugin says when it is undone.

    With `owed` the account owes what was spent of it already, if the asset allows debt; where its time is over it is
    let go, and no other value is taken for it.
    """

    rule: str
    asset: str
    units: int
    kind: str = EARNED
    effective_at: int = 0
    expires_at: int = NEVER
    priority: int = 0
    owed: bool = False


class Stake(NamedTuple):
    """What a rule of a plugin may bring, so that a program can be checked before it is used.

    `what` is ``award`` or ``multiplier``. `terms` is any text that differs where two awards of equal size would not
    leave an account alike: their lots, their rounding. `on` are the kinds of event on which it may come: any where
    there are none.
    """

    rule: str
    asset: str
    what: str = "award"
    group: str = ""
    rank: int = 0
    terms: str = ""
    on: tuple[str, ...] = ()


class MoneyEnds(NamedTuple):
    """What the options of a plugin let become of customers' own money: after a time it is gone.

    `place` is where in its table they say so, and `months` for how many months the money is good for sure. `card` is
    ``bearer`` or ``registered`` where that holds of such cards only.
    """

    place: tuple[str | int, ...]
    months: int
    card: str = ""


class MoneyHeld(NamedTuple):
    """How much of customers' own money the options of a plugin let one card hold.

    `place` is where in its table they say so, `most` what they say, in smallest units of the program's currency; None
    where they say nothing. `card` is ``bearer`` or ``registered`` where that holds of such cards only.
    """

    place: tuple[str | int, ...]
    most: int | None
    card: str = ""


class Limit(NamedTuple):
    """A most that awards may come to.

    `most` is in smallest units of `asset`, or a number of awards where `counts` is ``awards``. `scope` is
    ``transaction``, ``account`` (over `window`) or ``campaign`` (for all accounts together). `rules` are those that it
    holds for: every award of the asset where there are none. Outside ``since`` to ``until`` its rules award nothing;
    without `most` that is all it says. Of what is `lent`, time gives back what was counted: accounts with open holds
    are brought up to the instant before it is used up. A campaign that is `first` acts before limits.
    """

    name: str
    scope: str
    asset: str
    most: int | None
    counts: str = "amount"
    rules: tuple[str, ...] = ()
    window: Window | None = None
    over: str = "trim"
    since: int = -NEVER
    until: int = NEVER
    lent: bool = False
    first: bool = False

    @property
    def metric(self) -> str:
        """The metric by which it is counted, or an empty text where nothing is kept of it."""
        if self.most is None or self.scope == "transaction":
            return ""
        return (CAP if self.scope == "account" else CAMPAIGN) + self.name


class Note(NamedTuple):
    """Numbers that a rule read, by the names of the expression language; kept in the trace."""

    rule: str
    read: Mapping[str, object]


class GoodUntil(NamedTuple):
    """Makes every award of `asset` on the same event good until `expires_at`, where that is later than its own end."""

    rule: str
    asset: str
    expires_at: int


class Extension(NamedTuple):
    """Makes one lot of the account good until `expires_at`, where that is later than its own end.

    The lot stays what it is: what was drawn from it, what is held of it and what was granted into it go with it.
    """

    rule: str
    lot: int
    expires_at: int


_Move = Posting | Withdrawal | Deposit | PutBack | Debt | Mature
Proposal = _Move | Noted | Message | Objection
"""What `propose` returns."""


class Due(NamedTuple):
    """An event that time brings at an instant; `id` is derived, so that asking twice names the same one.

    `details` are further fields of the event's model, worked out from the account: plain data as the journal keeps it.
    """

    at: int
    type: str
    id: str
    details: Mapping[str, Any] = MappingProxyType({})


class Hooks:
    """The hooks. A plugin implements those that it needs, each marked with `hookimpl`."""

    @hookspec
    def register_events(self) -> Iterable[type[Event]]:
        """Return models of further kinds of event.

        Called once, when the program is loaded. Two plugins that bring the same kind are both named in the
        error, with their distributions.
        """
        raise NotImplementedError

    @hookspec
    def register_commands(self, cli: click.Group) -> None:
        """Add commands to the command line.

        Called when a command is asked for that the engine does not have, with the plugins of the program in force;
        a name of the engine's own commands cannot be taken. The `obj` of the root context is what ``--db`` said.
        """

    @hookspec
    def segment(
        self,
        history: nw.LazyFrame[Any],
        at: datetime,
        purchases: nw.LazyFrame[Any],
        lines: nw.LazyFrame[Any],
        accounts: nw.LazyFrame[Any],
        movements: nw.LazyFrame[Any],
        activity: nw.LazyFrame[Any],
        counts: nw.LazyFrame[Any],
    ) -> nw.LazyFrame[Any]:
        """Return one row an account: `account`, `segment`, and scores of the plugin's choice.

        Called by ``stampbook segments run`` for the whole population as of an instant. Only the frames that a scheme
        names are read; `stampbook.population` says what is in each. One that names `accounts` answers for all of
        them, any other for those in `history`. `purchases` is the history net of returns, worked out once a run.
        """
        raise NotImplementedError

    @hookspec
    def assess(self, account: AccountView, at: int, event: Event) -> Iterable[Fact]:
        """Return facts that hold from now on, where they differ from those that hold.

        Called for every accepted event before rewards; the account's metrics include the event.
        """
        raise NotImplementedError

    @hookspec
    def reward(
        self, event: Event, order: Order | None, account: AccountView
    ) -> Iterable[Award | Multiplier | Note | GoodUntil | Extension | Entitlement | Message]:
        """Return what the event earns, with notes of the numbers that were read, and messages to other accounts.

        An extension makes a lot that is there good for longer.

        Called for every event that can earn: purchases (with their order), top-ups, and events of plugins.
        """
        raise NotImplementedError

    @hookspec
    def refund(self, request: RefundRequest, account: AccountView) -> RefundPlan | None:
        """Return how a return is made good, or None to leave it to the next plugin.

        Called for a return of a known purchase. The first plan decides; the engine checks it.
        """
        raise NotImplementedError

    @hookspec
    def pay(self, event: Purchase, order: Order, account: AccountView) -> Iterable[Payment | Objection]:
        """Return what pays for the tenders of a purchase besides stored value, before anything is earned."""
        raise NotImplementedError

    @hookspec
    def payable(
        self, event: Event, tender: Tender | None, order: Order | None, account: AccountView,
        there: Callable[[str, int], int],
    ) -> Iterable[Payable | Objection]:  # fmt: skip
        """Return how much an event may take at most that is to be paid as far as there is something to spend.

        Called for a spend, a hold, and each tender of a purchase that is `partial`. What lots hold is known: `there`
        returns how much of an amount of an asset may be spent here. The event is judged then as if it had asked for the
        least of all bounds, or as it is where that is nothing.
        """
        raise NotImplementedError

    @hookspec
    def pay_out(
        self, event: AccountClosed, asset: str, account: AccountView
    ) -> list[Posting | Remember | Objection | Note] | None:
        """Return what an account that is closed pays out of an asset, or None to leave it to the next plugin.

        Called where the asset's `on_close` is ``pay_out`` and nothing else keeps the account open; its history is at
        hand. The first answer decides, and leaves nothing of the asset; a note says how it was worked out. Where there
        is none what was paid in goes back at par.
        """
        raise NotImplementedError

    @hookspec
    def propose(self, event: Event, account: AccountView, earlier: Earlier | None) -> Iterable[Proposal]:
        """Return what an event that the plugin brought itself moves: withdrawals, deposits, postings, messages.

        Called for events of kinds that the plugin registered. `earlier` is the accepted event of the account that it
        names in fields `about` and `about_source`, as its `names` says.
        """
        raise NotImplementedError

    @hookspec
    def share(self, event: Event, earned: Sequence[Earned], account: AccountView) -> Iterable[Share]:
        """Return which part of what the event earned goes to another account.

        Called for every event that earned something, when what each rule grants is known, and for each entitlement by
        itself. A return takes back from the account what it kept, and tells the other account by the message's
        `on_return`; so does an entitlement that is taken back, at once.
        """
        raise NotImplementedError

    @hookspec
    def review(self, transaction: Transaction, account: AccountView, event: Event) -> Iterable[Objection]:
        """Return reasons to refuse the whole transaction.

        Called last, for every transaction that the engine found sound. All objections are reported.
        """
        raise NotImplementedError

    @hookspec
    def due(self, account: AccountView, at: int) -> Iterable[Due]:
        """Return what time brings to the account up to `at`: at least the earliest.

        Called whenever the account has changed. Each becomes an event of a kind that the plugin registered.
        """
        raise NotImplementedError

    @hookspec
    def follow(
        self, facts: Sequence[Fact], account: AccountView, event: Event, transaction: Transaction
    ) -> Iterable[Due]:
        """Return events that follow at once when an event has changed facts: a tier was entered or left, say.

        Called after an event that changed facts, with the account as it was before; `transaction` is what the event
        moved, with all that it granted. What it returns happens at the same instant, each as an event of a kind that
        the plugin registered, or of one that gives what it `wants` of another plugin, in this order.
        """
        raise NotImplementedError

    @hookspec
    def progress(self, account: AccountView) -> Iterable[Progress]:
        """Return how far the account is from goals: to reach the next level, to keep the one that it has.

        Called for statements and the like; never while an event is decided.
        """
        raise NotImplementedError

    @hookspec
    def standing(self, account: AccountView) -> Iterable[Fact]:
        """Return the facts that would hold if the account were judged anew now, those included that hold already.

        Called to tell whom a change of the program would move; never while an event is decided.
        """
        raise NotImplementedError

    @hookspec
    def committed(self, transaction: Transaction, account: AccountView, event: Event) -> None:
        """Tell others.

        Called after the commit; a failure is logged and undoes nothing.
        """
