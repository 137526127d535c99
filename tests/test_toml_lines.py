from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from stampbook.toml_lines import key_lines

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_where_keys_and_tables_stand() -> None:
    assert key_lines(
        '''\
# a program
name = "x"   # [not.a.table]

[a.b]
'c d' = [
  1, # ]
  2,
]
"e\\"f".g = """
[no]
x = 1
"""
[[plugin]]
use = "p"
[[plugin.rule]]
earn = 1
[[ plugin . rule ]] # two
earn = 2
[plugin.sub]
z = { y = 1 }
[[plugin]]
[[plugin.rule]]
earn = 3
'''
    ) == {
        ("name",): 2,
        ("a", "b"): 4,
        ("a", "b", "c d"): 5,
        ("a", "b", 'e"f'): 9,
        ("a", "b", 'e"f', "g"): 9,
        ("plugin",): 13,
        ("plugin", 0): 13,
        ("plugin", 0, "use"): 14,
        ("plugin", 0, "rule"): 15,
        ("plugin", 0, "rule", 0): 15,
        ("plugin", 0, "rule", 0, "earn"): 16,
        ("plugin", 0, "rule", 1): 17,
        ("plugin", 0, "rule", 1, "earn"): 18,
        ("plugin", 0, "sub"): 19,
        ("plugin", 0, "sub", "z"): 20,
        ("plugin", 1): 21,
        ("plugin", 1, "rule"): 22,
        ("plugin", 1, "rule", 0): 22,
        ("plugin", 1, "rule", 0, "earn"): 23,
    }


def test_a_long_dotted_key_costs_no_more_than_its_length() -> None:
    assert len(key_lines("a." * 50_000 + "a = 1")) == 20


# ---- against the standard parser, on generated documents

names = st.sampled_from(["a", "b", "c-d", "1", '"e f"', '"[x]"', "'g.h'", '"i\\"j"', '"\\u00e9"', "'#'"])
scalars = st.sampled_from(
    [
        "1",
        "true",
        '"x"',
        "'y = 1'",
        '"#"',
        '"""\n[z]\nq = 1\n"""',
        "'''\n# \"\n'''",
        '"\\""',
        '""',
        "''",
        '""""a"""',
        '"""a\\""""',
        "2025-01-01",
    ]
)
spaces = st.sampled_from(["", " ", "\t"])
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: "[\n" + ", # ]\n".join([*items, "]"]))
        | st.lists(inner, max_size=2).map(lambda items: f"[{', '.join(items)}]")
        | inner.map(lambda item: f"{{ k = {item} }}")
    ),
    max_leaves=4,
)


@st.composite
def documents(draw: st.DrawFn) -> str:
    """Headers, keys, comments and blank lines; what the standard parser refuses is left out."""
    text = ""
    for _ in range(draw(st.integers(0, 12))):
        key = draw(st.lists(names, min_size=1, max_size=3).map(draw(st.sampled_from([".", " . "])).join))
        pad = draw(spaces)
        statement = draw(
            st.sampled_from(
                ["", "# x = 1 [", f"{pad}[{pad}{key}{pad}]", f"[[{key}]]{pad}", f"{pad}[[{pad}{key} ]] # c"]
            )
            | values.map(lambda value, key=key, pad=pad: f"{pad}{key}{pad}={pad}{value}{pad}# '")  # type: ignore[misc]
        )
        longer = text + statement + draw(st.sampled_from(["\n", "\n\n", "\r\n"]))
        try:
            tomllib.loads(longer)
        except tomllib.TOMLDecodeError:
            continue
        text = longer
    return text


def paths(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if path:
        yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from paths(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from paths(inner, (*path, number))


@given(documents())
def test_every_line_is_that_of_a_key_of_the_document(text: str) -> None:
    lines = key_lines(text)
    assert set(lines) <= set(paths(tomllib.loads(text)))
    written = text.split("\n")
    for path, line in lines.items():
        statement = written[line - 1].strip()
        assert statement.startswith("[") or "=" in statement, (path, statement)
        assert not statement.startswith("#")


@given(documents(), names, scalars)
def test_a_key_that_is_put_in_is_found_where_it_was_put(text: str, name: str, value: str) -> None:
    longer = f"{text}[the-end]\n\n{name} = {value}\n"
    path = ("the-end", next(iter(tomllib.loads(f"{name} = 1"))))
    assert key_lines(longer)[path] == text.count("\n") + 3


@given(documents())
def test_every_key_outside_values_is_found(text: str) -> None:
    data = tomllib.loads(text)
    assert {path[0] for path in key_lines(text) if len(path) == 1} >= {
        key for key, value in data.items() if not isinstance(value, dict)
    }
