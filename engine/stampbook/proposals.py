"""What plugins propose: value that moves, debts, holds, counts, a status; and what accounts share."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from stampbook.lots import EARNED
from stampbook.periods import NEVER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stampbook.ledger import Message, Objection


class Withdrawal(NamedTuple):
    """Value that a plugin's event takes from the account, in the order in which it is spent, into a book.

    Where there is not enough the event is refused. `amount` is in smallest units.
    """

    asset: str
    amount: int
    book: str
    rule: str = ""


class Deposit(NamedTuple):
    """Value that a plugin's event brings to the account from a book, into a lot of these terms; debt is repaid first.

    `amount` is in smallest units. Paid value comes only from the books ``cash``, ``exchange``, ``transfers`` and
    ``opening``, and has a lot of its own. `origin` is the journal position of the earlier event of the account to which
    the lot belongs: of the top-up, where a bonus is released later; 0 for the event at hand.
    """

    asset: str
    amount: int
    book: str
    kind: str = EARNED
    effective_at: int = 0
    expires_at: int = NEVER
    priority: int = 0
    rule: str = ""
    origin: int = 0


class Payment(NamedTuple):
    """A part of an order that an asset pays: `amount` smallest units of it stand for `value` smallest units of money.

    They are drawn in the spend order, or from the hold that the purchase names where it is of that asset. With
    `of_this_order` what the order itself earns may pay for it.
    """

    asset: str
    amount: int
    value: int
    rule: str = ""
    of_this_order: bool = False


class Debt(NamedTuple):
    """What a plugin's event has the account owe from now on, out of a book; the asset allows debt.

    `amount` is in smallest units.
    """

    asset: str
    amount: int
    book: str
    rule: str = ""


class PutBack(NamedTuple):
    """Units that go back into the lot of the account that they came from, out of the book into which they went.

    Where the account owes the asset, and the lot is still good, they repay that first. `amount` is in smallest units.
    """

    asset: str
    amount: int
    book: str
    lot: int
    rule: str = ""


class Payable(NamedTuple):
    """The most that an event may take that is to be paid as far as there is something to spend (`partial`).

    `amount` is in smallest units of what the event asks for: of money where points pay for a tender. Their plugin says
    in `asset` which points those are.
    """

    amount: int
    asset: str = ""


class Tally(NamedTuple):
    """What a plugin's event adds to a metric on a local day (that of the event where it is 0).

    `units` are smallest units of the metric, of either sign. The metric is one of the program's, a value of one that
    counts different values (``metric:value``), one that a plugin declared with `Context.declare_counter`, or the
    `Limit.metric` of one of its limits, of scope ``account`` or ``campaign``. With `full` it counts against that limit:
    where less than `units` is left of it, the event is refused with this objection.
    """

    metric: str
    units: int
    day: int = 0
    full: Objection | None = None


class GiveBack(NamedTuple):
    """Takes back from limits and metrics what the earlier event counted that the event at hand names."""


class SetAside(NamedTuple):
    """Sets an amount of an asset aside until it is taken, released, or lapses; the hold is the event's own.

    An event may set several assets aside, each once: later events name it, and take of each what they need.
    """

    asset: str
    amount: int
    lapses_at: int = NEVER


class Remember(NamedTuple):
    """A text that the entry keeps under a name, for who asks what became of the event, and for later events.

    One whose name starts with an underscore is for plugins and programs; statements do not tell it.
    """

    name: str
    value: str


class Pick(NamedTuple):
    """Asks the engine for the next free one of the plugin's own accounts, such as a code of a pool.

    Free is an account whose ref begins with `prefix`, of which `fact` has `value` and nothing was ever concluded under
    `lacks`, and which has something that may be spent. The event is proposed anew with `AccountView.picked`, the
    account's ref and the value of its fact `tells`; where that account refuses what is sent to it, the next is tried.
    Where there is none, the event is refused with `none`.
    """

    prefix: str
    fact: str
    value: str
    lacks: str
    tells: str
    none: Objection


class IfRefused(NamedTuple):
    """An event that follows at once where the event at hand is refused: a wrong PIN that is to be counted, say.

    It is of a kind that the plugin registered with `brought_by_time`; `id` and `details` are as those of a `Due`.
    It is decided and kept whatever refuses the event at hand on its own account, and once, however often that is sent.
    What another account refuses leaves nothing.
    """

    type: str
    id: str
    details: Mapping[str, Any] = MappingProxyType({})


class Mature(NamedTuple):
    """Lets what is pending under these terms be spent from now on: `units` smallest units, as far as they are there."""

    asset: str
    units: int
    kind: str
    effective_at: int
    expires_at: int
    priority: int
    rule: str = ""


class StatusChange(NamedTuple):
    """What a plugin's event makes of the account: ``closed``, once nothing is left in it, ``frozen``, or ``open``."""

    status: str


Noted = Tally | StatusChange | SetAside | GiveBack | Remember | Pick | IfRefused
"""What plugins propose that moves no value between accounts and books."""


class Earned(NamedTuple):
    """What one rule is about to grant on an event, after stacking, multipliers, rounding and limits.

    `units` are smallest units, `lines` pairs of line number and units (empty: the whole order). With `waits` it matures
    when its purchase is completed.
    """

    rule: str
    asset: str
    units: int
    kind: str
    effective_at: int
    expires_at: int
    priority: int
    lines: tuple[tuple[int, int], ...] = ()
    waits: bool = False


class Share(NamedTuple):
    """The part of what a rule grants that goes to another account instead: `units`, which `message` brings there.

    The account that earned keeps the rest. Where the grant has lines, the message's `by_line` says what comes of each.
    """

    rule: str
    units: int
    message: Message
