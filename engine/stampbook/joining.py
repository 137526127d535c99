"""Two accounts that become one, or two again, as events: what plugins that keep facts of their own go by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from stampbook.event_base import Event
from stampbook.event_fields import Ref  # noqa: TC001 - pydantic reads it when it runs
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
    arrived: tuple[tuple[_Whole, _Whole], ...] | None = None
    """Of which lot there how many units come along, in the order in which they do; 0 where it is of none. It is told
    where a plugin asks for it with `Context.carry_facts`."""

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


class EarlierRecalled(Event):
    """What is known of an earlier event of an account that was merged into this one, since an event names it.

    `path` are the accounts through which it came, `other` the last of them, whose event it was; `told` is what its
    journal says of it: see `stampbook.recalled`.
    """

    of_known_account: ClassVar[bool] = True
    brought_by_time: ClassVar[bool] = True
    earns: ClassVar[bool] = False

    type: Literal["earlier.recalled"] = "earlier.recalled"
    other: Ref
    path: tuple[Ref, ...]
    position: _Whole
    told: dict[str, Any]

    @property
    def words(self) -> str:
        """Which event."""
        event = self.told["event"]
        return f"{event['type']} {event['id']}"


class EarlierSettled(Event):
    """What became of an earlier event of this account (`position`) on the account (`other`) that it was merged into.

    `kind` is what happened there, `memo` what later events need to know of it, `metrics` what no longer counts here.
    """

    of_known_account: ClassVar[bool] = True
    brought_by_time: ClassVar[bool] = True
    earns: ClassVar[bool] = False
    on_closed: ClassVar[bool] = True

    type: Literal["earlier.settled"] = "earlier.settled"
    other: Ref
    position: _Whole
    kind: str
    memo: dict[str, Any]
    metrics: tuple[tuple[str, _Whole, _Whole], ...] = ()

    @property
    def words(self) -> str:
        """What happened."""
        return self.kind


__all__ = ["AccountJoined", "AccountParted", "AccountParting", "EarlierRecalled", "EarlierSettled"]
