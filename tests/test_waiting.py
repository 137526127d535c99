"""Events that wait for a process: nothing is lost, and each account's keep their order."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stampbook.spooling import Spool
from stampbook.waiting import Waiting

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LARGE = 1 << 30

REFS = st.sampled_from("abcde")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), REFS),
        st.tuples(st.just("join"), REFS, REFS),
        st.tuples(st.just("take"), st.integers(1, 5), st.integers(1, 60)),
    ),
    max_size=60,
)


@given(STEPS, st.sampled_from([0, 300, 700, LARGE]))
def test_nothing_is_lost_and_every_account_keeps_its_order(steps: list[tuple[Any, ...]], most: int) -> None:
    with closing(Spool()) as spool:
        play(steps, Waiting(spool, most))


def play(steps: list[tuple[Any, ...]], waiting: Waiting) -> None:
    head = {ref: ref for ref in "abcde"}
    given_: dict[str, list[bytes]] = defaultdict(list)
    taken: list[bytes] = []

    def take(most: int, most_bytes: int) -> None:
        before, texts = waiting.count, waiting.take(most, most_bytes)
        assert len(texts) <= most
        assert sum(map(len, texts[:-1])) < most_bytes
        assert bool(texts) == bool(before)
        taken.extend(texts)

    for number, (what, *rest) in enumerate(steps):
        if what == "put":
            text = f"{rest[0]}{number}".encode()
            given_[rest[0]].append(text)
            waiting.put(head[rest[0]], text)
        elif what == "join":
            one, other = head[rest[0]], head[rest[1]]
            if one != other:
                waiting.join(one, other)
                head = {ref: one if of == other else of for ref, of in head.items()}
        else:
            take(*rest)
    while waiting.count:
        take(3, 1 << 20)
    assert waiting.size == 0
    for ref, texts in given_.items():
        assert [text for text in taken if text.decode()[0] == ref] == texts
    assert len(taken) == sum(map(len, given_.values()))


@pytest.fixture(params=[0, LARGE], ids=["spooled", "in memory"])
def waiting(request: pytest.FixtureRequest) -> Iterator[Waiting]:
    with closing(Spool()) as spool:
        yield Waiting(spool, request.param)


def test_events_of_an_account_come_together_and_the_first_to_wait_goes_first(waiting: Waiting) -> None:
    for text in ("b1", "a1", "b2", "c1", "a2"):
        waiting.put(text[0], text.encode())
    assert waiting.take(3, 1000) == [b"b1", b"b2", b"a1"]
    waiting.put("b", b"b3")
    assert waiting.take(9, 1000) == [b"a2", b"c1", b"b3"]
    assert waiting.take(9, 1000) == []


def test_a_large_event_ends_a_batch_and_what_is_left_of_its_account_comes_next(waiting: Waiting) -> None:
    for text in (b"a" * 9, b"a" * 5, b"a"):
        waiting.put("a", text)
    assert waiting.take(9, 10) == [b"a" * 9, b"a" * 5]
    assert waiting.take(9, 10) == [b"a"]


def test_what_is_spooled_takes_little_memory_and_its_files_go_with_the_last_text() -> None:
    spool = Spool()
    waiting = Waiting(spool, 0)
    texts = [str(number % 10).encode() * 2_000_000 for number in range(100)]
    for number, text in enumerate(texts):
        waiting.put(str(number % 7), text)
    assert waiting.size < 20_000
    assert spool.size > 190_000_000
    taken = [text for _ in texts for text in waiting.take(1, LARGE)]
    assert sorted(taken) == sorted(texts)
    assert spool.size <= 64_000_000
    spool.close()
    assert spool.size == 0


def test_where_nothing_can_be_spooled_memory_holds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "not there"))
    waiting = Waiting(Spool(), 0)
    for text in (b"a1", b"b1", b"a2"):
        waiting.put(text.decode()[0], text)
    assert waiting.take(9, 1000) == [b"a1", b"a2", b"b1"]
    assert waiting.size == 0
