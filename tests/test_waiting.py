"""Events that wait for a process: nothing is lost, and each account's keep their order."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from stampbook.waiting import Waiting

REFS = st.sampled_from("abcde")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), REFS),
        st.tuples(st.just("join"), REFS, REFS),
        st.tuples(st.just("take"), st.integers(1, 5), st.integers(1, 60)),
    ),
    max_size=60,
)


@given(STEPS)
def test_nothing_is_lost_and_every_account_keeps_its_order(steps: list[tuple[Any, ...]]) -> None:
    waiting, head = Waiting(), {ref: ref for ref in "abcde"}
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


def test_events_of_an_account_come_together_and_the_first_to_wait_goes_first() -> None:
    waiting = Waiting()
    for text in ("b1", "a1", "b2", "c1", "a2"):
        waiting.put(text[0], text.encode())
    assert waiting.take(3, 1000) == [b"b1", b"b2", b"a1"]
    waiting.put("b", b"b3")
    assert waiting.take(9, 1000) == [b"a2", b"c1", b"b3"]
    assert waiting.take(9, 1000) == []


def test_a_large_event_ends_a_batch_and_what_is_left_of_its_account_comes_next() -> None:
    waiting = Waiting()
    for text in (b"a" * 9, b"a" * 5, b"a"):
        waiting.put("a", text)
    assert waiting.take(9, 10) == [b"a" * 9, b"a" * 5]
    assert waiting.take(9, 10) == [b"a"]
