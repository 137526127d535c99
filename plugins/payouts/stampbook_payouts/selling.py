"""When cards are sold by which terms: the table's own and those of cards that were sold before, one after the other."""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING

from stampbook import Objection
from stampbook_payouts.law import ALWAYS, Sold

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stampbook import AccountView, Calendar, PaidIn
    from stampbook_payouts.config import PayoutsConfig

_Place = tuple[str | int, ...]


def periods_of(config: PayoutsConfig) -> list[Sold]:
    """Return from which day until which cards are sold by any terms, by the order of time; none where it is not said.

    The table's own terms begin on the day after those of all earlier cards where nothing else is said.
    """
    earlier = [Sold(_day(terms.sold_from, 0), _day(terms.sold_until, ALWAYS)) for terms in config.earlier]
    if not earlier and config.sold_from is None and config.sold_until is None:
        return []
    begins = max((each.last + 1 for each in earlier), default=0)
    return sorted([*earlier, Sold(_day(config.sold_from, begins), _day(config.sold_until, ALWAYS))])


def misplaced(config: PayoutsConfig) -> Iterator[tuple[_Place, str]]:
    """Yield what is wrong with when cards were sold by which terms: days with two, and days with none in between."""
    order = sorted(
        (Sold(_day(terms.sold_from, 0), _day(terms.sold_until, ALWAYS)), number)
        for number, terms in enumerate(config.earlier)
    )
    for (before, first), (after, second) in pairwise(order):
        name = f"earlier[{first + 1}]"
        yield from _between(before, after, ("earlier", second), name, is_said=config.earlier[second].sold_from)
    if not order:
        return
    last, number = max(order, key=lambda each: each[0].last)
    own = Sold(_day(config.sold_from, last.last + 1), _day(config.sold_until, ALWAYS))
    if own.last <= last.last:
        told = f"cards of earlier[{number + 1}] were sold until {_told(last.last)}"
        yield ("sold_until",), f"{told}; the terms of the table itself are those of the cards that were sold last"
    else:
        yield from _between(last, own, (), f"earlier[{number + 1}]", is_said=config.sold_from)


def _between(
    before: Sold, after: Sold, place: _Place, name: str, *, is_said: str | None
) -> Iterator[tuple[_Place, str]]:
    if after.first <= before.last:
        told = f"cards that were sold until {_told(before.last)} have the terms of {name} already"
        absent = "" if is_said else ", and without sold_from these are of all cards before"
        yield (*place, "sold_from"), f"{told}{absent}; write sold_from = {_told(before.last + 1)!r}"
    elif after.first > before.last + 1:
        gap = f"from {_told(before.last + 1)} to {_told(after.first - 1)}"
        told = f"no terms are said of cards that were sold {gap}, between {name} and these"
        yield (*place, "sold_from"), f"{told}; if none were, let either reach the other"


class Selling:
    """Refuses to sell cards, and passes where the program says so, when no terms are for them.

    Args:
        config: of the table.
        name: of the table.
        calendar: of the program.
    """

    def __init__(self, config: PayoutsConfig, name: str, calendar: Calendar) -> None:
        self._periods = periods_of(config)
        self._is_reloadable = config.reloadable
        self._bounds_passes = config.passes == "as cards"
        self._name, self._calendar = name, calendar

    @property
    def is_bounded(self) -> bool:
        """Whether there are days on which nothing is sold."""
        return bool(self._periods)

    def objections(self, event: PaidIn, account: AccountView) -> Iterator[Objection]:
        """Yield why no money can be paid in on the day of an event: it would sell a card, and has no terms.

        What was sold before, and may be topped up, goes on by the terms by which it was sold.
        """
        if not self._periods or self._has_terms(account.day):
            return
        if self._is_reloadable and event.sells is not True and (event.sells is False or self._was_sold(account)):
            return
        yield self._not_sold("cards", account.day)

    def of_pass(self, account: AccountView) -> Iterator[Objection]:
        """Yield why no pass can be sold on the day of an event, where passes are sold as cards are."""
        if self._bounds_passes and self._periods and not self._has_terms(account.day):
            yield self._not_sold("passes", account.day)

    def _has_terms(self, day: int) -> bool:
        return any(first <= day <= last for first, last in self._periods)

    def _was_sold(self, account: AccountView) -> bool:
        return account.opened_at < account.at and self._has_terms(self._calendar.day(account.opened_at))

    def _not_sold(self, what: str, day: int) -> Objection:
        told = f"no terms are said of {what} that are sold on {_told(day)}: {self._said(what)}"
        return Objection("not_sold", told)

    def _said(self, what: str) -> str:
        first, last = self._periods[0].first, max(each.last for each in self._periods)
        since = f" from {_told(first)}" if first else ""
        until = f" until {_told(last)}" if last < ALWAYS else ""
        return f"those of table {self._name!r} are for {what} sold{since}{until or ' on'} (sold_from, sold_until)"


def _day(text: str | None, absent: int) -> int:
    return absent if text is None else date.fromisoformat(text).toordinal()


def _told(day: int) -> str:
    return date.fromordinal(max(1, min(day, ALWAYS))).isoformat()
