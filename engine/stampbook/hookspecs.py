"""What a plugin may do: each hook with its arguments, what it returns, and when it is called.

Hooks are called in the order of the plugin tables in the program. Arguments are passed by keyword and a plugin
names only those that it wants. Arguments may be added later; nothing is renamed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import pluggy

from stampbook.amounts import Rounding
from stampbook.lots import EARNED
from stampbook.periods import NEVER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    import click
    import narwhals as nw

    from stampbook.account import AccountView
    from stampbook.events import Event, Order, Return
    from stampbook.ledger import Fact, Objection, Posting, Transaction

API_VERSION = 1
"""Which contract this is; a plugin that sets another one is refused."""

hookspec = pluggy.HookspecMarker("stampbook")
hookimpl = pluggy.HookimplMarker("stampbook")


class Award(NamedTuple):
    """What a reward rule wants to grant: exactly ``numerator / denominator`` whole units of `asset`.

    It is multiplied, stacked and only then rounded, once. `lines` are pairs of line number and weight by which
    a return of some lines knows what those lines had earned; empty means the whole order. `group` names a
    stacking group of the program; awards without one always count.
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


class Multiplier(NamedTuple):
    """Multiplies every award of `asset` on the same event by ``numerator / denominator``."""

    rule: str
    asset: str
    numerator: int
    denominator: int = 1


class Note(NamedTuple):
    """Numbers that a rule read, by the names of the expression language; kept in the trace."""

    rule: str
    read: Mapping[str, object]


class Due(NamedTuple):
    """An event that time brings at an instant; `id` is derived, so that asking twice names the same one."""

    at: int
    type: str
    id: str


@dataclass(frozen=True, slots=True)
class Granted:
    """What one rule granted for a purchase, and how much of it earlier returns have settled.

    `lots` are pairs of lot number and amount; `by_line` pairs of line number and amount (empty: the whole
    order). `settled` was taken back, waived or deducted before. `lapsed` has expired since and cannot be taken back:
    it was not spent. `short` is what earlier returns could not take.
    """

    rule: str
    asset: str
    amount: int
    lots: tuple[tuple[int, int], ...]
    by_line: tuple[tuple[int, int], ...] = ()
    settled: int = 0
    lapsed: int = 0
    short: int = 0


@dataclass(frozen=True, slots=True)
class Drawn:
    """Value of the account that paid for a purchase: per lot what was drawn and what returns put back since."""

    lot: int
    amount: int
    restored: int = 0


@dataclass(frozen=True, slots=True)
class ReturnedLine:
    """One line of the purchase: its value, what came back before, and what comes back now, in money units.

    ``part / whole`` is the share of the line that has come back in all: of its value, or of its quantity where
    it cost nothing.
    """

    line: int
    value: int
    before: int
    now: int
    part: int
    whole: int


@dataclass(frozen=True, slots=True)
class RefundRequest:
    """A return and all that is known of its purchase; money in smallest units of the order's currency.

    `value` is what comes back now, `before` what came back earlier, of `total`; ``part / whole`` is the share of
    the order that has come back in all.
    """

    event: Return
    order: Order
    value: int
    before: int
    total: int
    part: int
    whole: int
    lines: tuple[ReturnedLine, ...]
    granted: tuple[Granted, ...]
    drawn: tuple[Drawn, ...]


@dataclass(slots=True)
class RefundPlan:
    """What a return does: postings, what is settled by rule, and how the money goes back.

    `settled` maps a rule to what this return settles of its grant, whether taken, waived or deducted.
    `lapsed` maps a rule to what of that had expired before, `short` to what could not be taken.
    `outside` is the money to give back by other means than stored value, `deducted` what was kept of it for
    points that are gone. `notes` go into the trace.
    """

    postings: list[Posting] = field(default_factory=list)
    settled: dict[str, int] = field(default_factory=dict)
    lapsed: dict[str, int] = field(default_factory=dict)
    short: dict[str, int] = field(default_factory=dict)
    outside: int = 0
    stored_value: int = 0
    deducted: int = 0
    debts: dict[str, int] = field(default_factory=dict)
    objections: list[Objection] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)


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
    def segment(self, history: nw.LazyFrame[Any], at: datetime) -> nw.LazyFrame[Any]:
        """Return one row an account: `account`, `segment`, and scores of the plugin's choice.

        Called by ``stampbook segments run`` for the whole population. `history` has one row a purchase or
        return: account, at, kind, amount, event, about.
        """
        raise NotImplementedError

    @hookspec
    def assess(self, account: AccountView, at: int, event: Event) -> Iterable[Fact]:
        """Return facts that hold from now on, where they differ from those that hold.

        Called for every accepted event before rewards; the account's metrics include the event.
        """
        raise NotImplementedError

    @hookspec
    def reward(self, event: Event, order: Order | None, account: AccountView) -> Iterable[Award | Multiplier | Note]:
        """Return what the event earns, with notes of the numbers that were read.

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
    def propose(self, event: Event, account: AccountView) -> Iterable[Posting]:
        """Return the postings of an event that the plugin brought itself.

        Called for events of kinds that the plugin registered.
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
    def committed(self, transaction: Transaction, account: AccountView, event: Event) -> None:
        """Tell others.

        Called after the commit; a failure is logged and undoes nothing.
        """
