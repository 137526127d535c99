"""Pure arithmetic of tiers: which level an account reaches, and where a review leaves it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from stampbook import Period

    Met = Callable[["Goal"], bool]


class Want(NamedTuple):
    """What one measure has to come to: a metric in its smallest units, or a tenure."""

    metric: str
    units: int = 0
    tenure: Period | None = None


class Goal(NamedTuple):
    """What is wanted: all of it, or any one; or one of several `ways`, whose wants together are its wants."""

    wants: tuple[Want, ...]
    any_one: bool = False
    ways: tuple[Goal, ...] = ()

    @classmethod
    def of_ways(cls, ways: Sequence[Goal]) -> Goal:
        """Return the goal that is met in any of several ways."""
        if len(ways) == 1:
            return ways[0]
        return cls(tuple(dict.fromkeys(want for way in ways for want in way.wants)), any_one=True, ways=tuple(ways))

    @property
    def each_way(self) -> tuple[Goal, ...]:
        """The ways in which it is met, itself where there is but one."""
        return self.ways or (self,)

    @property
    def free(self) -> bool:
        """Whether it asks for nothing."""
        if self.ways:
            return any(way.free for way in self.ways)
        return all(want.tenure is None and not want.units for want in self.wants)


class Step(NamedTuple):
    """A level with what reaches and what keeps it, and its multiplier as a ratio."""

    name: str
    reach: Goal
    keep: Goal
    invitation: bool = False
    numerator: int = 1
    denominator: int = 1


def above(keep: Goal, reach: Goal) -> Iterator[tuple[Want, Want]]:
    """Yield what has to come to more to keep a level than to reach it, with what reaches it.

    Of several ways those are compared that want the same measures.
    """
    plain = not keep.ways and not reach.ways
    for kept_by in keep.each_way:
        for reached_by in reach.each_way:
            units = {want.metric: want for want in reached_by.wants if want.tenure is None}
            wanted = [want for want in kept_by.wants if want.tenure is None]
            if plain or units.keys() == {want.metric for want in wanted}:
                yield from (
                    (want, units[want.metric])
                    for want in wanted
                    if want.metric in units and want.units > units[want.metric].units
                )


def reached(steps: Sequence[Step], met: Met, invited: str, above: int = -1) -> int:
    """Return the position of the highest level that is reached, or `above` where none beyond it is."""
    for place in range(len(steps) - 1, above, -1):
        step = steps[place]
        if (not step.invitation or step.name == invited) and met(step.reach):
            return place
    return above


def kept(steps: Sequence[Step], met: Met, highest: int) -> int:
    """Return the position of the highest level, up to one, that is kept, or -1."""
    return next((place for place in range(highest, -1, -1) if met(steps[place].keep)), -1)


def lowered(steps: Sequence[Step], rank: int, met: Met, downgrade: str) -> int:
    """Return the position to which a review takes a level down, where nothing higher is reached."""
    if rank < 0 or downgrade == "none" or met(steps[rank].keep):
        return rank
    return rank - 1 if downgrade == "one step" else kept(steps, met, rank - 1)
