"""What became of the money of an account: paid in and granted, consumed at which price, and given back.

The story begins anew when a refund leaves nothing on the account: what was before is settled.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import orjson

from stampbook import divide
from stampbook_payouts.prices import Prices

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stampbook import Asset, Happened, Posting

PAID = "paid"
DEBT = "debt"
REFUNDS = "refunds"
SALES = "sales"
BREAKAGE = "breakage"
PROMOTION = "promotion"
REFUND_PAID = "refund.paid"
_PAID_OUT = frozenset({REFUND_PAID, "account.closed"})
_INSTALMENT = "bonus.released"
_PAID_FOR = "paid_for"
"""The rule by which bonus comes back as paid value."""
_NOT_CONSUMED = frozenset(["adjustments", "cash", "exchange", "transfers", "opening", PROMOTION, BREAKAGE])
"""Books to which value goes that nobody consumed: put right, taken back, paid back, changed into another currency,
expired, or another account's."""


@dataclass(slots=True)
class TopUp:
    """Money paid in, with the bonus that came with it; smallest units. `lot` holds what is left of the money.

    `seq` is its position in the journal; `given` is what came with it, at once or in instalments, by lot.
    """

    id: str
    source: str
    at: int
    lot: int
    paid: int
    bonus: int = 0
    seq: int = 0
    given: dict[int, int] = field(default_factory=dict)
    entry: Happened | None = None

    @property
    def tender(self) -> str:
        """How it was paid; an empty text where nobody said."""
        told = None if self.entry is None else orjson.loads(self.entry.payload).get("tender")
        return told if isinstance(told, str) else ""


@dataclass(slots=True)
class Use:
    """What was consumed: what the account gave for it, and what that would have cost before discounts.

    `purchase` is the event where the two differ.
    """

    seq: int
    at: int
    nominal: int
    listed: int
    purchase: Happened | None = None


@dataclass(slots=True)
class Story:
    """The top-ups that are not settled, in order, and what was used of them.

    `paid_ever` is all money that ever came in, `refunded_ever` all that ever went back; `first_use` the first instant
    at which anything was consumed, settled or not. `left` is what lots hold, by number.
    """

    topups: list[TopUp] = field(default_factory=list)
    uses: dict[int, Use] = field(default_factory=dict)
    paid_ever: int = 0
    refunded_ever: int = 0
    first_use: int | None = None
    left: dict[int, int] = field(default_factory=dict)
    kinds: dict[int, str] = field(default_factory=dict)
    loose: int = 0
    """Bonus that came before any top-up."""

    @property
    def paid(self) -> int:
        """What was paid in and is not settled."""
        return sum(topup.paid for topup in self.topups)

    @property
    def granted(self) -> int:
        """What was granted on top of that, and neither taken back nor expired."""
        return sum(topup.bonus for topup in self.topups) + self.loose

    @property
    def nominal(self) -> int:
        """What the account gave for all that was consumed."""
        return sum(use.nominal for use in self.uses.values())

    @property
    def listed(self) -> int:
        """What that would have cost before discounts."""
        return sum(use.listed for use in self.uses.values())

    def forget_bonus(self, amount: int) -> None:
        """Leave out bonus that cannot be used: it waits, has expired, or was taken back. The last is left out first."""
        for topup in reversed(self.topups):
            part = min(amount, topup.bonus)
            topup.bonus -= part
            amount -= part
        self.loose = max(0, self.loose - amount)

    def shares(self) -> list[tuple[TopUp, int, int]]:
        """Return each top-up with what was consumed of it, nominal and before discounts: the oldest first."""
        left = sorted(self.uses.values(), key=lambda use: (use.at, use.seq))
        nominal, listed = sum(use.nominal for use in left), sum(use.listed for use in left)
        found: list[tuple[TopUp, int, int]] = []
        loose = self.loose
        for topup in self.topups:
            part = min(nominal, topup.paid + topup.bonus + loose)
            of_list = listed if part == nominal else divide(listed * part, nominal, "half_up")
            loose = 0
            nominal, listed = nominal - part, listed - of_list
            found.append((topup, part, of_list))
        return found


def told(history: Iterable[Happened], money: Asset) -> Story:
    """Return the story that a history tells of the stored value in one currency.

    Args:
        history: the account's accepted events.
        money: the currency.
    """
    story, asset, prices = Story(), money.code, Prices(money)
    left, kinds = story.left, story.kinds
    for entry in history:
        used, is_known = 0, False
        kind = entry.type
        for posting in entry.postings:
            code, amount, lot, book, _ = posting
            if code != asset:
                continue
            if book == SALES and isinstance(lot, int) and kind not in _PAID_OUT and kinds.get(lot) != DEBT:
                left[lot] = left.get(lot, 0) - amount  # most of a long history is this
                used += amount
                continue
            if not is_known:
                kinds.update((opened.number, opened.kind) for opened in entry.opened if opened.asset == asset)
                is_known = True
            used += _posted(story, entry, posting, prices)
        if used > 0:
            listed = prices.listed(entry, used) if kind == "purchase" else used
            if story.first_use is None or entry.at < story.first_use:
                story.first_use = entry.at
            story.uses[entry.seq] = Use(entry.seq, entry.at, used, listed, entry if listed != used else None)
        elif is_known and kind in _PAID_OUT and not any(left.values()):
            story.topups.clear()
            story.uses.clear()
            story.loose = 0
    return story


def _posted(story: Story, entry: Happened, posting: Posting, prices: Prices) -> int:
    """Take up one posting, and return what it says was consumed."""
    _, amount, source, destination, rule = posting
    if isinstance(source, int):
        _moved(story, source, -amount)
        if isinstance(destination, int):
            _moved(story, destination, amount)
        elif story.kinds.get(source) == DEBT:
            return 0
        elif entry.type in _PAID_OUT:
            _refunded(story, source, amount, destination)
        elif destination in _NOT_CONSUMED:
            _went(story, source, amount)
        else:
            return amount
    elif isinstance(destination, int):
        _moved(story, destination, amount)
        if rule == _PAID_FOR and source == SALES:
            _unused(story, entry, amount, source, prices)
            _was_paid_for(story, entry, destination, amount)
        elif story.kinds.get(destination) != DEBT:
            _came(story, entry, destination, amount - _unused(story, entry, amount, source, prices), source)
    return 0


def _moved(story: Story, lot: int, amount: int) -> None:
    story.left[lot] = story.left.get(lot, 0) + amount


def _came(story: Story, entry: Happened, lot: int, amount: int, book: str) -> None:
    is_paid = story.kinds.get(lot) == PAID
    if book == SALES:
        if not amount:
            return
    elif is_paid and book != BREAKAGE:
        story.paid_ever += amount
    known = next((topup for topup in story.topups if topup.lot == lot), None)
    if is_paid and known is not None:
        known.paid += amount
    elif is_paid:
        since = next((opened.effective_at for opened in entry.opened if opened.number == lot), entry.at)
        story.topups.append(TopUp(entry.id, entry.source, since, lot, amount, story.loose, entry.seq, entry=entry))
        story.loose = 0
    elif story.topups:
        brought_by = _topup_of(story, entry)
        topup = brought_by or story.topups[-1]
        topup.bonus += amount
        if brought_by is not None:
            topup.given[lot] = topup.given.get(lot, 0) + amount
    else:
        story.loose += amount


def _was_paid_for(story: Story, entry: Happened, lot: int, amount: int) -> None:
    """Take up bonus that comes back as paid value, since money had repaid it when it was owed."""
    story.forget_bonus(amount)
    story.paid_ever += amount
    story.topups.append(TopUp(entry.id, entry.source, entry.at, lot, amount, seq=entry.seq, entry=entry))


def _topup_of(story: Story, entry: Happened) -> TopUp | None:
    """Return the top-up that brought a bonus: in its own event, or as an instalment, which names its position."""
    seq = orjson.loads(entry.payload).get("topup") if entry.type == _INSTALMENT else entry.seq
    return next((topup for topup in reversed(story.topups) if topup.seq == seq), None)


def _unused(story: Story, entry: Happened, amount: int, book: str, prices: Prices) -> int:
    """Undo what a purchase consumed that comes back, and return how much of it that is.

    A line that comes back takes its own discount along, and no other's.
    """
    use = None if book != SALES or entry.about is None else story.uses.get(entry.about)
    if use is None or not use.nominal:
        return 0
    back = min(amount, use.nominal)
    of_list = None
    if use.purchase is not None and back < use.nominal:
        of_list = prices.came_back(use.purchase, entry, back)
    if of_list is None:
        of_list = divide(use.listed * back, use.nominal, "half_up")
    use.nominal -= back
    use.listed = max(use.listed - of_list, use.nominal) if use.nominal else 0
    return back


def _went(story: Story, lot: int, amount: int) -> None:
    if story.kinds.get(lot) == PAID:
        story.paid_ever -= amount
        for topup in story.topups:
            if topup.lot == lot:
                topup.paid -= amount
        return
    for topup in story.topups:
        part = min(amount, topup.bonus, topup.given.get(lot, 0))
        if part:
            topup.bonus -= part
            topup.given[lot] -= part
            amount -= part
    story.forget_bonus(amount)


def _refunded(story: Story, lot: int, amount: int, book: str) -> None:
    if book == REFUNDS:
        story.refunded_ever += amount
    if story.kinds.get(lot) == PAID:
        for topup in story.topups:
            if topup.lot == lot:
                topup.paid -= amount
    else:
        _went(story, lot, amount)
