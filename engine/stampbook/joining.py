"""Two accounts that become one, or two again, as events: what plugins that keep facts of their own go by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from stampbook.event_base import Event
from stampbook.event_fields import Ref
from stampbook.ledger import Fact

if TYPE_CHECKING:
    from collections.abc import Iterator

_Whole = Annotated[int, Field(strict=True)]
_Told = tuple[str, _Whole, _Whole, str]


class _Carrying(Event):
    of_known_account: ClassVar[bool] = True
    brought_by_time: ClassVar[bool] = True
    earns: ClassVar[bool] = False

    other: Ref
    carried: tuple[tuple[str, tuple[_Told, ...]], ...] = ()

    def facts_of_other(self, name: str) -> tuple[Fact, ...]:
        """Return all that was concluded about the other account under a name, in the order of time.

        Only facts come along that a plugin asks for with `Context.carry_facts`.
        """
        return next((facts for each, facts in self.all_of_other() if each == name), ())

    def all_of_other(self) -> Iterator[tuple[str, tuple[Fact, ...]]]:
        """Yield the names of the facts that come along, each with all that was concluded under it."""
        for name, told in self.carried:
            yield name, tuple(Fact(name, value, since, until, reason) for value, since, until, reason in told)


class AccountJoined(_Carrying):
    """Another account (`other`) goes up into this one; plugins take over from it what they keep as facts."""


class AccountParting(Event):
    """An account that went up into this one (`to`) leaves again: what came from it is no longer this one's."""

    of_known_account: ClassVar[bool] = True
    earns: ClassVar[bool] = False

    to: Ref


class AccountParted(_Carrying):
    """This account is one of its own again; `other` is the one from which it comes out, with its facts of now."""


__all__ = ["AccountJoined", "AccountParted", "AccountParting"]
