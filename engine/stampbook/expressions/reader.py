"""From text to a small, checked syntax tree: every word, bracket, number, size and depth, with its column."""

from __future__ import annotations

import ast
import keyword
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import NoReturn

from stampbook.errors import ExpressionError

LONGEST = 4_000
"""Characters that an expression may have."""

MOST_PARTS = 500
"""Names, values and operations that an expression may have."""

DEEPEST = 60
"""Levels that brackets and operations may nest; ``a + b + c`` has three."""

LARGEST_NUMBER = 2**63 - 1
"""A number as written is a ratio of two whole numbers up to this one."""

_TOO_DEEP = f"nested more than {DEEPEST} levels deep"
_WORDS = frozenset({"and", "or", "not", "in", "if", "else", "True", "False"})
_JOINING_WORDS = _WORDS - {"True", "False"}
_REFUSED_WORDS = frozenset(keyword.kwlist) - _WORDS
_CLOSING = {"(": ")", "[": "]"}
_LONGEST_QUOTE = 40
_LONGEST_NAME = 100
_LONGEST_NUMBER = 60
_LONGEST_EXPONENT = 3

_TOKEN = re.compile(
    r"""
      (?P<space> [ \t\r\n]+ )
    | (?P<number> (?: \d+(?:_\d+)* (?:\.\d*)? | \.\d+ ) (?:[eE][+-]?\d+)? )
    | (?P<name> [A-Za-z_][A-Za-z0-9_]* )
    | (?P<text> '[^'\\\x00-\x1f\x7f\ud800-\udfff]*' | "[^"\\\x00-\x1f\x7f\ud800-\udfff]*" )
    | (?P<quote> ['"] )
    | (?P<refused> \*\* | << | >> | <> | := | -> | && | \|\| | =[<>] | \.\.+
                 | =(?!=) | !(?!=) | [&|^~@:;{}\#?$`\\] )
    | (?P<operator> // | == | != | <= | >= | [-+*/%<>()\[\].,] )
    | (?P<other> . )
    """,
    re.VERBOSE | re.ASCII | re.DOTALL,
)
_NUMBER_TAIL = re.compile(r"[\w.]*", re.ASCII)

_HINTS = {
    "=": "write == to compare",
    "=>": "write >=",
    "=<": "write <=",
    "<>": "write != for 'differs from'",
    "!": "write 'not'",
    "&": "write 'and'",
    "&&": "write 'and'",
    "|": "write 'or'",
    "||": "write 'or'",
    "**": "there are no powers",
    "?": "write 'a if condition else b'",
    "#": "there are no comments in an expression",
    "is": "write == to compare",
    "None": "every name has a value",
}


@dataclass(frozen=True, slots=True)
class Tree:
    """A text that was read: its syntax tree, and the exact value of the number at each column."""

    text: str
    root: ast.expr
    numbers: dict[int, Fraction]
    _source: bytes
    _shift: int

    def column(self, node: ast.expr) -> int:
        """Return the 1-based column, in characters, at which `node` begins."""
        return len(self._source[: node.col_offset].decode()) + self._shift + 1

    def fail(self, node: ast.expr, message: str) -> NoReturn:
        """Raise ExpressionError at `node`."""
        _fail(self.text, self.column(node), message)


def read(text: str) -> Tree:
    """Read `text`, so that what remains is small, shallow and made of known words only.

    Raises:
        ExpressionError: it is empty, too long, too large, too deep, or cannot be read.
    """
    if not text.strip(" \t\r\n"):
        _fail(text, 1, "the expression is empty")
    if len(text) > LONGEST:
        _fail(text, LONGEST + 1, f"longer than {LONGEST:,} characters")
    numbers = _Words(text).check()
    # No text holds a line break and there are no comments, so that a line break is only ever a space.
    line = re.sub(r"[\t\r\n]", " ", text)
    source = line.lstrip(" ")
    root = _parse(source, text)
    tree = Tree(text, root, numbers, source.encode(), len(line) - len(source))
    _measure(tree)
    return tree


class _Words:
    """Checks a text word by word, before Python's own parser sees any of it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.numbers: dict[int, Fraction] = {}
        self.open: list[tuple[str, int]] = []

    def check(self) -> dict[int, Fraction]:
        """Refuse whatever is no part of the language; return the numbers by column."""
        after_value = False
        for match in _TOKEN.finditer(self.text):
            group, word, column = match.lastgroup, match[0], match.start() + 1
            if group == "space":
                continue
            self._check_word(match, word, column)
            if group == "operator":
                after_value = word in ")]"
                continue
            is_value = word not in _JOINING_WORDS
            if is_value and after_value:
                self._fail(f"an operator or a comma is missing before {_short(word)}", column)
            after_value = is_value
        if self.open:
            bracket, column = self.open[-1]
            self._fail(f"{bracket!r} is never closed", column)
        return self.numbers

    def _check_word(self, match: re.Match[str], word: str, column: int) -> None:
        match match.lastgroup:
            case "operator":
                self._bracket(word, column)
            case "number":
                self._number(match)
            case "name" if word in _REFUSED_WORDS:
                self._refuse(word, column)
            case "name" if len(word) > _LONGEST_NAME:
                self._fail("the name is too long", column)
            case "name" | "text":
                pass
            case _:
                self._refuse_character(match)

    def _bracket(self, word: str, column: int) -> None:
        if word in _CLOSING:
            self.open.append((word, column))
            if len(self.open) > DEEPEST:
                self._fail(_TOO_DEEP, column)
        elif word in _CLOSING.values():
            if not self.open:
                self._fail(f"{_short(word)} closes nothing", column)
            bracket, _ = self.open.pop()
            if _CLOSING[bracket] != word:
                self._fail(f"{_short(word)} does not close {bracket!r}", column)

    def _number(self, match: re.Match[str]) -> None:
        word, column = match[0], match.start() + 1
        tail = _NUMBER_TAIL.match(self.text, match.end())
        if tail and tail[0]:
            self._fail(f"{_short(word + tail[0])} is not a number", column)
        digits, _, exponent = word.lower().replace("_", "").partition("e")
        if len(digits) > _LONGEST_NUMBER or len(exponent) > _LONGEST_EXPONENT:
            self._fail("the number has too many digits", column)
        value = Fraction(digits) * Fraction(10) ** int(exponent or 0)
        if max(value.numerator, value.denominator) > LARGEST_NUMBER:
            self._fail("the number has too many digits", column)
        self.numbers[column] = value

    def _refuse_character(self, match: re.Match[str]) -> NoReturn:
        word, column = match[0], match.start() + 1
        if match.lastgroup == "refused":
            self._refuse(word, column)
        if match.lastgroup == "quote":
            end = self.text.find(word, column)
            if end < 0:
                self._fail("the text is never closed: its second quote is missing", column)
            bad = re.search(r"[\\\x00-\x1f\x7f\ud800-\udfff]", self.text[column:end])
            place = column + (bad.start() if bad else 0)
            self._fail(f"a text cannot hold {self.text[place]!r}", place + 1)
        self._fail(f"{_short(word)} cannot be used outside a text", column)

    def _refuse(self, word: str, column: int) -> NoReturn:
        hint = _HINTS.get(word)
        self._fail(f"{_short(word)} cannot be used here" + (f": {hint}" if hint else ""), column)

    def _fail(self, message: str, column: int) -> NoReturn:
        _fail(self.text, column, message)


def _parse(source: str, text: str) -> ast.expr:
    try:
        return ast.parse(source, mode="eval").body
    except SyntaxError as error:
        end = len(text.rstrip()) + 1
        column = error.offset + len(text) - len(source) if error.offset else end
        _fail(
            text,
            min(column, end),
            "something is missing at the end" if column >= end else "cannot be read from here on",
        )
    except (RecursionError, MemoryError):
        _fail(text, 1, _TOO_DEEP)


def _measure(tree: Tree) -> None:
    parts = 0
    waiting: list[tuple[ast.AST, int]] = [(tree.root, 1)]
    while waiting:
        node, depth = waiting.pop()
        if isinstance(node, ast.expr):
            parts += 1
            if depth > DEEPEST:
                tree.fail(node, _TOO_DEEP)
            if parts > MOST_PARTS:
                _fail(tree.text, 1, f"larger than {MOST_PARTS} parts")
        waiting.extend((child, depth + 1) for child in ast.iter_child_nodes(node))


def _fail(text: str, column: int, message: str) -> NoReturn:
    raise ExpressionError(message, text=text, column=column)


def _short(word: str) -> str:
    return repr(word if len(word) <= _LONGEST_QUOTE else word[: _LONGEST_QUOTE - 1] + "…")
