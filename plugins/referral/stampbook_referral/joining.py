"""Referrals of accounts that become one, or two again: what goes along, and what goes back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from stampbook import NEVER, Fact
from stampbook_referral.rules import REWARDED, UNDONE, Standing, slots_of, slots_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from stampbook import AccountJoined, AccountParted, AccountParting, AccountView


class Names(NamedTuple):
    """What the facts of a table are called; `origin` is where a referral came from that an account brought along.

    `revealed` is what the account that ended had from a referral of which the other side is the account that stayed.
    """

    standing: str
    by: str
    of: str
    friends: str
    days: str
    origin: str
    taken: str
    revealed: str

    @classmethod
    def of_table(cls, name: str) -> Names:
        """Return the names of the facts of a table."""
        return cls(
            name,
            f"{name}.by",
            f"{name}.of.",
            f"{name}.friends",
            f"{name}.days",
            f"_{name}.origin",
            f"_{name}.of:",
            f"_{name}.revealed",
        )


class Revealed(NamedTuple):
    """A referral of which both sides are one account now: the friend, and how the side that ended stood, as text."""

    friend: str = ""
    side: str = ""
    standing: str = ""

    @classmethod
    def read(cls, facts: Sequence[Fact]) -> Revealed:
        """Read what was concluded last."""
        text = last(facts)
        return cls(*json.loads(text)) if text else cls()


class Origin(NamedTuple):
    """Who was referred, at which instant, and with which account the referral came."""

    friend: str = ""
    since: int = 0
    came_with: str = ""


def last(facts: Sequence[Fact]) -> str:
    """Return the value that was concluded last, or an empty text."""
    return facts[-1].value if facts else ""


def origin_of(facts: Sequence[Fact]) -> Origin:
    """Return where a referral came from that an account brought along."""
    text = last(facts)
    return Origin(*json.loads(text)) if text else Origin()


def revealed(names: Names, event: AccountJoined, account: AccountView) -> Revealed:
    """Return the referral of which both sides become one account, if there is one."""
    friend = origin_of(event.facts_of_other(names.origin)).friend or event.other
    if last(event.facts_of_other(names.by)) and last(account.facts(names.of + friend)):
        return Revealed(friend, "friend", last(event.facts_of_other(names.standing)))
    friend = origin_of(account.facts(names.origin)).friend or account.ref
    theirs = last(event.facts_of_other(names.of + friend))
    by = last(account.facts(names.by))
    return Revealed(friend, "referrer", theirs) if by and (theirs or by == event.other) else Revealed()


def goes_along(names: Names, event: AccountJoined, account: AccountView) -> bool:
    """Whether the account has no referral of its own, and the other has one that is not by this account."""
    by = last(event.facts_of_other(names.by))
    return bool(by) and by != account.ref and not last(account.facts(names.by))


def of_friend(names: Names, event: AccountJoined, at: int) -> Iterator[Fact]:
    """Yield the facts of a friend that go along with her account."""
    past = event.facts_of_other(names.by)
    before = origin_of(event.facts_of_other(names.origin))
    origin = Origin(before.friend or event.other, before.since or past[-1].since, event.other)
    reason = f"merged with {event.other}"
    yield Fact(names.by, past[-1].value, at, NEVER, reason)
    yield Fact(names.standing, last(event.facts_of_other(names.standing)), at, NEVER, reason)
    yield Fact(names.origin, json.dumps(origin), at, NEVER)


def of_referrer(names: Names, event: AccountJoined, account: AccountView, at: int) -> Iterator[Fact]:
    """Yield the facts of a referrer that go along with her account: each friend, how many, and on which days."""
    taken: list[str] = []
    rewarded = 0
    for name, past in event.all_of_other():
        friend = name.removeprefix(names.of)
        if friend in {name, account.ref} or not past[-1].value or last(account.facts(name)):
            continue
        taken.append(friend)
        rewarded += Standing.read(past[-1].value).state == REWARDED
        yield Fact(name, past[-1].value, at, NEVER, f"merged with {event.other}")
    if taken:
        yield Fact(names.taken + event.other, json.dumps(taken), at, NEVER)
    theirs = slots_of(last(event.facts_of_other(names.days)))
    yield from _counted(names, account, at, rewarded, theirs, [])


def leaving(names: Names, event: AccountParting, account: AccountView, at: int) -> Iterator[Fact]:
    """Yield what is no longer an account's own, since the one that brought it leaves."""
    reason = f"no longer merged with {event.to}"
    if origin_of(account.facts(names.origin)).came_with == event.to:
        for name in (names.by, names.standing, names.origin):
            yield Fact(name, "", at, NEVER, reason)
    taken = last(account.facts(names.taken + event.to))
    if not taken:
        return
    yield Fact(names.taken + event.to, "", at, NEVER)
    standings = []
    for friend in json.loads(taken):
        standings.append(Standing.read(last(account.facts(names.of + friend))))
        yield Fact(names.of + friend, "", at, NEVER, reason)
    rewarded = sum(standing.state == REWARDED for standing in standings)
    yield from _counted(names, account, at, -rewarded, [], _days(standings))


def back_again(names: Names, event: AccountParted, account: AccountView, at: int) -> Iterator[Fact]:
    """Yield how the referrals of an account stand that is one of its own again: as they came to stand meanwhile."""
    reason = f"no longer merged with {event.other}"
    if origin_of(event.facts_of_other(names.origin)).came_with == account.ref:
        now = last(event.facts_of_other(names.standing))
        if now != last(account.facts(names.standing)):
            yield Fact(names.standing, now, at, NEVER, reason)
    before: list[Standing] = []
    after: list[Standing] = []
    taken = json.loads(last(event.facts_of_other(names.taken + account.ref)) or "[]")
    for friend in taken:
        name = names.of + friend
        old, new = last(account.facts(name)), last(event.facts_of_other(name))
        if old != new:
            before.append(Standing.read(old))
            after.append(Standing.read(new))
            yield Fact(name, new, at, NEVER, reason)
    step = sum(each.state == REWARDED for each in after) - sum(each.state == REWARDED for each in before)
    yield from _counted(names, account, at, step, _days(after), _days(before))


def two_again(names: Names, event: AccountParted, account: AccountView, at: int) -> Iterator[Fact]:
    """Yield that what was taken back from both sides of a referral, as of one customer, is not had by this side."""
    reason = f"no longer merged with {event.other}"
    friend = origin_of(account.facts(names.origin)).friend or account.ref
    if _is_rewarded(account.facts(names.standing)) and last(event.facts_of_other(names.of + friend)) == UNDONE:
        yield Fact(names.standing, UNDONE, at, NEVER, reason)
    name = names.of + (origin_of(event.facts_of_other(names.origin)).friend or event.other)
    if _is_rewarded(account.facts(name)) and last(event.facts_of_other(names.standing)) == UNDONE:
        yield Fact(name, UNDONE, at, NEVER, reason)
        yield from _counted(names, account, at, -1, [], _days([Standing.read(last(account.facts(name)))]))


def _is_rewarded(facts: Sequence[Fact]) -> bool:
    return Standing.read(last(facts)).state == REWARDED


def _days(standings: Sequence[Standing]) -> list[int]:
    return [day for standing in standings if standing.day for day in slots_of(standing.day)]


def _counted(
    names: Names, account: AccountView, at: int, step: int, more: Sequence[int], less: Sequence[int]
) -> Iterator[Fact]:
    """Yield how many friends are rewarded now, and on which days friends got there."""
    if step:
        yield Fact(names.friends, str(int(last(account.facts(names.friends)) or 0) + step), at, NEVER)
    if more or less:
        days = [*slots_of(last(account.facts(names.days))), *more]
        for day in less:
            if day in days:
                days.remove(day)
        yield Fact(names.days, slots_text(days), at, NEVER)
