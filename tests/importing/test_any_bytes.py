"""Whatever the bytes are, an import ends in counts or in one line."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, example, given
from hypothesis import strategies as st

from stampbook.errors import ProgramError
from stampbook.importing import import_file
from stampbook.importing.mapping import parse_mapping
from tests.effort import examples
from tests.importing.shop import CSV_HEAD, MISTAKES, heads, lines, minimal, survives, whole_parquet, write

if TYPE_CHECKING:
    from stampbook.engine import Engine

# Any bytes at all


FUZZ = examples(60, suppress_health_check=[HealthCheck.function_scoped_fixture])
PIECES = st.sampled_from(
    [b'"', b",", b"\n", b"\r", b"\x00", b"\xff", b"{", b"}", b'"type":', b"purchase", b"1.0", b"\xef\xbb\xbf"]
)
MANY = st.one_of(st.binary(max_size=200), st.lists(PIECES, max_size=60).map(b"".join))


@FUZZ
@given(MANY)
def test_any_bytes_as_json_lines(engine: Engine, content: bytes) -> None:
    survives(engine, write("fuzz.jsonl", content))


@FUZZ
@given(MANY)
def test_any_bytes_as_csv(engine: Engine, content: bytes) -> None:
    survives(engine, write("fuzz.csv", CSV_HEAD.encode() + content))
    survives(engine, write("fuzz.csv", content))
    survives(
        engine, write("map.csv", b"n,who,when,a\n" + content), mapping=write("m.toml", 'group_by = "n"\n' + minimal())
    )


@examples(30, suppress_health_check=[HealthCheck.function_scoped_fixture])  # each starts a process
@given(st.integers(0, 2000), st.binary(min_size=1, max_size=8))
@example(4, b"\xff" * 8)
def test_any_damage_to_a_parquet(engine: Engine, place: int, noise: bytes) -> None:
    whole = whole_parquet()
    place %= len(whole)
    survives(engine, write("fuzz.parquet", whole[:place] + noise + whole[place + len(noise) :]))


@FUZZ
@given(MANY)
def test_any_bytes_as_gzip(engine: Engine, content: bytes) -> None:
    survives(engine, write("fuzz.jsonl.gz", gzip.compress(content)[: len(content) + 5]))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(
    ["type", "id", "account", "at", "amount", "lines", "source", "currency", "event", "purchase", "tenders"]
)
VALUES = JSON | st.sampled_from(
    ["purchase", "return", "topup", "adjust", "account.opened", "2025-01-01", "1.00", "a", "GBP"]
)


@FUZZ
@given(st.lists(st.dictionaries(KEYS, VALUES, max_size=8), min_size=1, max_size=6))
def test_any_objects_as_events(engine: Engine, rows: list[dict[str, Any]]) -> None:
    path = write("fuzz.jsonl", lines(*rows))
    survives(engine, path)
    before = heads(engine)
    assert import_file(engine, path).accepted == 0
    assert heads(engine) == before


@FUZZ
@given(st.text(max_size=120) | st.lists(st.sampled_from(MISTAKES.split()), max_size=30).map(" ".join))
def test_any_text_as_a_mapping(text: str) -> None:
    try:
        parse_mapping(text, "map.toml", {})
    except ProgramError as error:
        assert error.mistakes  # noqa: PT017 - most texts are wrong
