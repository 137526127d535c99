"""Mergers undone: at once, all is as it was; later, with what is still there. A naive model keeps the sums."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from stampbook.loading import load
from tests.effort import examples
from tests.plugins.proof import findings, ledger_of, picture
from tests.plugins.test_merging import PROGRAM

if TYPE_CHECKING:
    from stampbook.account import Account

REGISTRY = load(PROGRAM)
REFS = ("a", "b", "c", "d")
OPENED = [{"type": "account.opened", "id": f"o{ref}", "account": ref, "at": "2025-01-01T10:00"} for ref in REFS]
MERGING = {"account.merged", "account.unmerged"}

steps = st.lists(
    st.tuples(
        st.sampled_from(["purchase", "topup", "spend", "account.merged", "account.unmerged", "return", "adjust"]),
        st.sampled_from(REFS),
        st.sampled_from(REFS),
        st.integers(1, 90),
    ),
    max_size=25,
)


def events_of(drawn: list[tuple[str, str, str, int]]) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    for number, (kind, ref, other, amount) in enumerate(drawn):
        data: dict[str, Any] = {
            "type": kind,
            "id": f"e{number}",
            "account": ref,
            "at": f"2025-03-{1 + number:02}T10:00",
        }
        if kind in MERGING:
            data["to"] = other
        elif kind == "return":
            earlier = [each["id"] for each in events if each["type"] == "purchase" and each["account"] == ref]
            if not earlier:
                continue
            data["purchase"] = earlier[amount % len(earlier)]
        elif kind == "adjust":
            data |= {"asset": "points", "amount": f"{amount}", "expires": "2025-03-20T00:00", "reason": "a gift"}
        else:
            data["amount"] = f"{amount}" if kind == "spend" else f"{amount}.00"
            if kind == "purchase":
                data = {key: value for key, value in data.items() if key != "amount"}
                data["lines"] = [{"amount": f"{amount}.00", "category": f"c{amount % 4}"}]
            if kind == "spend":
                data["asset"] = "points"
        events.append(data)
    return [*OPENED, *events]


def sums(books: Any) -> dict[str, int]:
    held: dict[str, int] = defaultdict(int)
    for ref in REFS:
        account = books.account(ref)
        for lot in account.lots.values():
            held[lot.asset] += lot.remaining
        assert account.status != "closed" or not any(lot.remaining for lot in account.lots.values())
    return {asset: units for asset, units in held.items() if units}


@examples(40)
@given(steps)
def test_mergers_make_and_lose_nothing(drawn: list[tuple[str, str, str, int]]) -> None:
    events = events_of(drawn)
    books = ledger_of(REGISTRY, events)
    made: dict[str, int] = defaultdict(int)
    on_the_way: dict[str, int] = defaultdict(int)
    for ref in REFS:
        for entry in books.entries(ref):
            for posting in entry.postings:
                for end, sign in ((posting.destination, 1), (posting.source, -1)):
                    if end == "transfers":
                        on_the_way[posting.asset] += sign * posting.amount
                    elif isinstance(end, int) and "transfers" not in posting:
                        made[posting.asset] += sign * posting.amount
    assert not any(on_the_way.values())
    assert sums(books) == {asset: units for asset, units in made.items() if units}


@examples(25)
@given(steps, st.integers(1, 9), st.integers(0, 5), st.integers(1, 28))
def test_splits_and_ticks_make_no_difference(
    drawn: list[tuple[str, str, str, int]], size: int, batch: int, day: int
) -> None:
    events = events_of(drawn)
    at_once, split = ledger_of(REGISTRY, events), ledger_of(REGISTRY, events, size)
    for ref in REFS:
        assert [entry.hash for entry in at_once.entries(ref)] == [entry.hash for entry in split.entries(ref)]
    before = events[batch * size]["at"] if batch * size < len(events) else "2025-03-28T10:00"
    tick = REGISTRY.context.calendar.parse(min(before, f"2025-03-{day:02}T09:00"))
    ticked = ledger_of(REGISTRY, events, size, {batch: tick})
    for books in (at_once, ticked):
        for _ in books.tick(REGISTRY.context.calendar.parse("2025-05-01")):
            pass
    for ref in REFS:
        assert picture(at_once.account(ref)) == picture(ticked.account(ref))


@examples(12)
@given(steps, st.integers(1, 9))
def test_the_books_are_sound(drawn: list[tuple[str, str, str, int]], size: int) -> None:
    assert findings(PROGRAM, events_of(drawn), size) == ()


@examples(100)
@given(steps, st.permutations(REFS))
def test_a_merger_undone_at_once_is_as_if_it_had_not_been(
    drawn: list[tuple[str, str, str, int]], refs: list[str]
) -> None:
    events, (gone, stays) = events_of(drawn), refs[:2]
    before, after = ledger_of(REGISTRY, events), ledger_of(REGISTRY, events)
    merged = {"type": "account.merged", "id": "m", "account": gone, "to": stays, "at": "2025-04-01T10:00"}
    undone = {"type": "account.unmerged", "id": "u", "account": stays, "to": gone, "at": "2025-04-01T10:00"}
    there, back = after.process([merged, undone])
    assume(there.accepted)
    assert back.accepted
    at = REGISTRY.context.calendar.parse(str(merged["at"]))
    for books in (before, after):
        for _ in books.tick(at):
            pass
    for ref in REFS:
        assert undated(picture(after.account(ref), at)) == undated(picture(before.account(ref), at))


def undated(shown: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a picture without the dates of debts: one that moved to and fro is owed since it came back."""
    status, lots, *rest = shown
    return (
        status,
        sorted([((*terms[:2], 0, 0, 0) if terms[1] == "debt" else terms, left) for terms, left in lots]),
        *rest,
    )


def owing(ref: str, day: int) -> list[dict[str, Any]]:
    """Return events after which an account owes 50 points: it returns what it bought with them spent."""
    at = f"2025-02-{day:02}T"
    line = {"amount": "50.00", "category": "books"}
    return [
        {"type": "purchase", "id": f"p{ref}", "account": ref, "at": "2025-01-02T10:00", "lines": [line]},
        {"type": "spend", "id": f"s{ref}", "account": ref, "at": f"{at}10:00", "asset": "points", "amount": "50"},
        {"type": "return", "id": f"r{ref}", "account": ref, "at": f"{at}11:00", "purchase": f"p{ref}"},
    ]


@pytest.mark.parametrize("gone", REFS)
@pytest.mark.parametrize("stays", REFS)
def test_debts_come_back_with_their_account(gone: str, stays: str) -> None:
    if gone == stays:
        return
    events = [*OPENED, *owing("a", 1), *owing("b", 2)]
    line = {"amount": "30.00", "category": "games"}
    events += [
        {"type": "purchase", "id": f"more{ref}{day}", "account": ref, "at": f"2025-{day}T10:00", "lines": [line]}
        for ref, day in (("c", "01-03"), ("c", "02-20"), ("d", "02-21"))
    ]
    before, after = ledger_of(REGISTRY, events), ledger_of(REGISTRY, events)
    there, back = after.process(
        [
            {"type": "account.merged", "id": "m", "account": gone, "to": stays, "at": "2025-03-01T10:00"},
            {"type": "account.unmerged", "id": "u", "account": stays, "to": gone, "at": "2025-03-02T10:00"},
        ]
    )
    assert there.accepted
    assert back.accepted
    at = REGISTRY.context.calendar.parse("2025-03-02T10:00")
    for ref in REFS:
        assert lots_of(after.account(ref)) == lots_of(before.account(ref))
        assert picture(after.account(ref), at)[2:] == picture(before.account(ref), at)[2:]


def lots_of(account: Account) -> list[tuple[Any, ...]]:
    """Return what an account has and owes; since when it owes makes no difference."""
    lots = picture(account)[1]
    return [((*terms[:2], *terms[3:]) if terms[1] == "debt" else terms, units) for terms, units in lots]


REVIEWED = PROGRAM.replace('window = "12 months"', 'window = "calendar year"')


@pytest.mark.parametrize("size", [1, 3, 100])
def test_what_fell_due_while_an_account_was_merged_comes_when_it_is_open_again(size: int) -> None:
    bought: dict[str, Any] = {"type": "purchase", "lines": [{"amount": "150.00", "category": "books"}]}
    events: list[dict[str, Any]] = [
        {**bought, "id": "1", "account": "a", "at": "2024-06-01T10:00"},
        {**bought, "id": "2", "account": "b", "at": "2024-06-02T10:00"},
        {"type": "account.merged", "id": "3", "account": "a", "to": "b", "at": "2024-12-20T10:00"},
        {"type": "account.unmerged", "id": "4", "account": "b", "to": "a", "at": "2025-01-10T10:00"},
        {**bought, "id": "5", "account": "c", "at": "2025-01-11T10:00"},
        {**bought, "id": "6", "account": "a", "at": "2026-01-12T10:00"},
    ]
    assert findings(REVIEWED, events, size) == ()
    books = ledger_of(REVIEWED, events[:5], size)
    for _ in books.tick(REGISTRY.context.calendar.parse("2026-02-01")):
        pass
    assert {fact.value for ref in ("a", "b") for fact in books.account(ref).facts["tier"][-1:]} == {""}
