"""What a refund plugin is asked about a return, and the plan with which it answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from fractions import Fraction

    from stampbook.amounts import Rounding
    from stampbook.ledger import Objection, Posting
    from stampbook.orders import Order
    from stampbook.purchases import Return

MADE_GOOD = "_made_good"
"""Under this name an event remembers how much of what had come with a top-up was made good, by rule: taken, owed or
deducted, but neither let go nor lapsed before. It names the top-up, or has its place in the journal as `topup`.
JSON, in smallest units."""


class Reckoned(NamedTuple):
    """What an award exactly was, in smallest units after all that multiplied it and before it was rounded.

    It became `units` by `rounding`, and by limits; of these the account may have kept a share. `parts` are pairs of
    line number (0 for the order) and how many equal parts of what was bought counted, of which the whole ones earned;
    empty where fractions did. `weights` are pairs of line number and weight by which lines earned it; empty for all.
    `fixed` says that it was the same however much was bought.
    """

    exact: Fraction
    units: int
    rounding: Rounding
    parts: tuple[tuple[int, Fraction], ...] = ()
    weights: tuple[tuple[int, int], ...] = ()
    fixed: bool = False


@dataclass(frozen=True, slots=True)
class Granted:
    """What one rule granted for a purchase, and how much of it earlier returns have settled.

    `lots` are pairs of lot number and amount; `by_line` pairs of line number and amount (empty: the whole
    order). `settled` was taken back, waived or deducted before. `lapsed` has expired since and cannot be taken back:
    it was not spent. `short` is what earlier returns could not take. `reckoned` is what the award exactly was, where
    the program of the purchase kept it (`Context.reckon_awards`).
    """

    rule: str
    asset: str
    amount: int
    lots: tuple[tuple[int, int], ...]
    by_line: tuple[tuple[int, int], ...] = ()
    settled: int = 0
    lapsed: int = 0
    short: int = 0
    reckoned: Reckoned | None = None


@dataclass(frozen=True, slots=True)
class Drawn:
    """Value of the account that paid for a purchase: per lot what was drawn and what returns put back since."""

    lot: int
    amount: int
    restored: int = 0


@dataclass(frozen=True, slots=True)
class Paid:
    """An asset besides money that paid for a part of a purchase: `amount` units stood for `value` of its money.

    `back` is the part of the value that earlier returns gave back, `drawn` the lots that paid.
    """

    asset: str
    amount: int
    value: int
    back: int
    drawn: tuple[Drawn, ...]


class Tendered(NamedTuple):
    """One tender of a purchase: `amount` of its money, of which earlier returns gave `back` a part.

    `place` is its number among the tenders (0 where the purchase names none). `asset` is the money of the order for
    stored value, that of the points for points, and empty for what came from outside.
    """

    place: int
    kind: str
    asset: str
    amount: int
    back: int = 0

    @property
    def left(self) -> int:
        """What has not been given back yet."""
        return self.amount - self.back


class Credit(NamedTuple):
    """The terms of the lot in which money from outside comes back as stored value."""

    kind: str
    expires_at: int
    priority: int = 0


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
    the order that has come back in all. `drawn` is the stored value that paid, `paid` what else of the account did;
    `tenders` are all that paid, those from outside too, in the order of use. `shared` is what rules granted to other
    accounts, where that is known (`Context.reckon_awards`), by the place under which a plan answers.
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
    paid: tuple[Paid, ...] = ()
    tenders: tuple[Tendered, ...] = ()
    shared: tuple[tuple[int, Granted], ...] = ()


@dataclass(slots=True)
class RefundPlan:
    """What a return does: postings, what is settled by rule, and how the money goes back.

    `settled` maps a rule to what this return settles of its grant, whether taken, waived or deducted.
    `lapsed` maps a rule to what of that had expired before, `short` to what could not be taken.
    `outside` is the money to give back by other means than stored value, `deducted` what was kept of it for
    points that are gone. `paid` is the part of it by asset that goes back in what paid: the postings put the units
    back into their lots. `over` are units of lots that paid and whose time is over: lot, units, and the end under which
    they go back instead, or None where they do not. `notes` go into the trace.
    `tenders` is by place what each tender from outside gives of `outside`, `deducted`, `credited` and
    `charged_back`; in proportion to what is left of each where it is empty. `credited` is the money that comes back as
    a new lot under the terms of `credit`, `charged_back` what a payment system took back by itself (with `freezes` the
    account is frozen, and with `reopens` one that is closed is there again if it owes anything then), `exchanged` the
    part of `outside` that pays for what is taken instead. `shared` is by place what comes back now of what other
    accounts got; their share of what came back where it is silent. `let_go` maps a rule to what of `short` is
    neither owed nor kept from the refund: limits and campaigns go on counting it. Where it is None, that is all that is
    short of a rule, unless the plan has its asset owed, or keeps anything of the refund. `awaited` is by asset what of
    it is taken when it comes back: of a hold that is released, or of what was spent before and is undone.
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
    paid: dict[str, int] = field(default_factory=dict)
    over: list[tuple[int, int, int | None]] = field(default_factory=list)
    tenders: dict[int, int] = field(default_factory=dict)
    credited: int = 0
    credit: Credit | None = None
    exchanged: int = 0
    charged_back: int = 0
    freezes: bool = False
    shared: dict[int, int] = field(default_factory=dict)
    reopens: bool = False
    let_go: dict[str, int] | None = None
    awaited: dict[str, int] = field(default_factory=dict)
