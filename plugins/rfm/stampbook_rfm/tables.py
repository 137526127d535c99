"""Tables that name each combination of scores: definitions in print, patterns and conditions, weighted totals.

A cell is one combination (r, f, m). Whatever a program writes becomes one name for every cell, none without a name
and none with two, before any account is looked at.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise, product
from typing import TYPE_CHECKING, Final

from stampbook import Rounding, divide, near, refuse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

Cell = tuple[int, int, int]
Names = dict[Cell, str]

LARGEST_WITH_DIGITS: Final = 9

STANDARD_GRID: Final = {
    "11": "hibernating",
    "12": "hibernating",
    "13": "at_risk",
    "14": "at_risk",
    "15": "cant_lose",
    "21": "hibernating",
    "22": "hibernating",
    "23": "at_risk",
    "24": "at_risk",
    "25": "cant_lose",
    "31": "about_to_sleep",
    "32": "about_to_sleep",
    "33": "need_attention",
    "34": "loyal",
    "35": "loyal",
    "41": "promising",
    "42": "potential_loyalist",
    "43": "potential_loyalist",
    "44": "loyal",
    "45": "loyal",
    "51": "new",
    "52": "potential_loyalist",
    "53": "potential_loyalist",
    "54": "champions",
    "55": "champions",
}
"""The R x F grid in general use, 25 cells: recency, then frequency, 5 best."""

R_FM_GRID: Final = {
    "11": "lost",
    "12": "hibernating",
    "13": "at_risk",
    "14": "cant_lose",
    "15": "cant_lose",
    "21": "about_to_sleep",
    "22": "need_attention",
    "23": "need_attention",
    "24": "at_risk",
    "25": "at_risk",
    "31": "promising",
    "32": "need_attention",
    "33": "potential_loyalist",
    "34": "loyal",
    "35": "loyal",
    "41": "promising",
    "42": "potential_loyalist",
    "43": "potential_loyalist",
    "44": "loyal",
    "45": "champions",
    "51": "new",
    "52": "potential_loyalist",
    "53": "loyal",
    "54": "champions",
    "55": "champions",
}
"""R x FM with eleven names, FM being the mean of F and M rounded half up, as in SQL recipes for BigQuery."""

KLAVIYO_CODES: Final = {
    "champions": "333 332 323",
    "loyal": "321 322 331 232 233",
    "recent": "312 313 311 222 223",
    "needs_attention": "213 221 123 132 133",
    "at_risk": "231 212 122 131 211",
    "inactive": "111 112 113 121",
}
"""Klaviyo's six groups of three-digit codes, scores 1 to 3, as its help page on the RFM report lists them."""


@dataclass(frozen=True, slots=True)
class Preset:
    """A definition in print: how many classes, which scores its cells name, and its cells."""

    classes: int
    letters: str
    cells: Mapping[str, str]
    recency_days: tuple[int, ...] = ()


PRESETS: Final[Mapping[str, Preset]] = {
    "standard": Preset(5, "r f", STANDARD_GRID),
    "r_fm": Preset(5, "r fm", R_FM_GRID),
    "klaviyo": Preset(
        3, "r f m", {code: name for name, codes in KLAVIYO_CODES.items() for code in codes.split()}, (365, 180)
    ),
}


def cells(classes: int) -> Iterator[Cell]:
    """Return every combination of scores, the lowest first."""
    scores = range(1, classes + 1)
    return product(scores, scores, scores)


def mean_score(f: int, m: int, rounding: Rounding) -> int:
    """Return the mean of two scores, rounded by name."""
    return divide(f + m, 2, rounding)


def code(scores: Sequence[int], classes: int) -> str:
    """Write scores as one code: "545", or "10-9-10" where a score may have two digits."""
    return ("" if classes <= LARGEST_WITH_DIGITS else "-").join(map(str, scores))


def of_grid(grid: Mapping[str, str], letters: str, classes: int, rounding: Rounding) -> Names:
    """Return the names of a grid keyed by codes of the scores in `letters`; refuse it if one is missing or too many."""
    wanted = letters.split()
    named: Names = {}
    used: set[str] = set()
    for cell in cells(classes):
        key = code([_values(cell, rounding)[letter] for letter in wanted], classes)
        if key not in grid:
            refuse(f"cell {key} ({letters.upper().replace(' ', ', ')}) has no name; {classes} classes need all cells")
        used.add(key)
        named[cell] = grid[key]
    for key in grid:
        if key not in used:
            refuse(f"{key} is no cell of {letters.upper().replace(' ', ' x ')} with {classes} classes")
    return named


def of_conditions(segments: Mapping[str, Sequence[str]], classes: int, rounding: Rounding) -> Names:
    """Return the names that patterns or conditions give; refuse them if a cell has no name, or two."""
    tests = {name: [_test(text, classes) for text in texts] for name, texts in segments.items()}
    named: Names = {}
    for cell in cells(classes):
        values = _values(cell, rounding)
        found = [name for name, alternatives in tests.items() if any(test(values) for test in alternatives)]
        if not found:
            refuse(f"cell {code(cell, classes)} (R, F, M) is in no segment")
        if len(found) > 1:
            refuse(f"cell {code(cell, classes)} (R, F, M) is in {found[0]!r} and in {found[1]!r}")
        named[cell] = found[0]
    for name in segments:
        if name not in named.values():
            refuse(f"no cell is in {name!r}")
    return named


def of_totals(levels: Mapping[str, int], weights: tuple[int, int, int], classes: int) -> Names:
    """Return for each cell the highest level that its weighted total reaches; refuse levels that nobody can be in."""
    ladder = sorted(levels.items(), key=lambda level: level[1], reverse=True)
    for (higher, start), (lower, other) in pairwise(ladder):
        if start == other:
            refuse(f"{higher!r} and {lower!r} both start at {start}")
    named: Names = {}
    for cell in cells(classes):
        total = sum(weight * score for weight, score in zip(weights, cell, strict=True))
        name = next((name for name, start in ladder if total >= start), None)
        if name is None:
            refuse(f"a total of {total} is below the lowest level; let one start at {sum(weights)} or less")
        named[cell] = name
    for name, start in ladder:
        if name not in named.values():
            refuse(f"no total is in {name!r}, which starts at {start}; totals go up to {sum(weights) * classes}")
    return named


def _values(cell: Cell, rounding: Rounding) -> dict[str, int]:
    r, f, m = cell
    return {"r": r, "f": f, "m": m, "fm": mean_score(f, m, rounding)}


_SPAN = r"\d+(?:\s*-\s*\d+)?"
_PART = re.compile(rf"(?P<letter>\w+)\s*(?:\bin\b|=)\s*(?P<scores>{_SPAN}(?:\s*,\s*{_SPAN})*)", re.ASCII)
_PLACE = re.compile(r"\[(?P<set>[1-9](?:-?[1-9])*)\]|(?P<digit>[1-9])|(?P<any>[*.])", re.ASCII)
_LETTERS = ("r", "f", "m", "fm")


def _test(text: str, classes: int) -> Callable[[Mapping[str, int]], bool]:
    allowed = _pattern(text, classes) if text[:1] in set("[*.123456789") else _condition(text)
    for letter, scores in allowed.items():
        if beyond := [score for score in scores if not 1 <= score <= classes]:
            refuse(f"{text!r}: {letter.upper()} goes from 1 to {classes}, not {beyond[0]}")
    return lambda values: all(values[letter] in scores for letter, scores in allowed.items())


def _condition(text: str) -> dict[str, frozenset[int]]:
    allowed: dict[str, frozenset[int]] = {}
    for part in re.split(r"\s+and\s+", text.strip()):
        match = _PART.fullmatch(part)
        if match is None:
            refuse(f"{part!r} is not a condition on scores; write 'r in 4-5 and f in 1,2' or '[4-5][12]*'")
        letter = match["letter"]
        if letter not in _LETTERS:
            refuse(f"{letter!r} is not a score{near(letter, _LETTERS)}; there are r, f, m and fm")
        if letter in allowed:
            refuse(f"{text!r} says {letter} twice")
        allowed[letter] = frozenset(score for span in match["scores"].split(",") for score in _span(span, text))
    return allowed


def _pattern(text: str, classes: int) -> dict[str, frozenset[int]]:
    places = list(_PLACE.finditer(text))
    if "".join(place[0] for place in places) != text or len(places) not in {2, 3}:
        refuse(f"{text!r} is not a pattern of two or three scores; write '[4-5][12]*' for R, F and M")
    if classes > LARGEST_WITH_DIGITS:
        refuse(f"{text!r}: with {classes} classes a score may have two digits; write 'r in 4-{classes} and f = 1'")
    allowed: dict[str, frozenset[int]] = {}
    for letter, place in zip("rfm", places, strict=False):
        if place["digit"]:
            allowed[letter] = frozenset({int(place["digit"])})
        elif place["set"]:
            spans = re.findall(r"\d-\d|\d", place["set"])
            allowed[letter] = frozenset(score for span in spans for score in _span(span, text))
    return allowed


def _span(span: str, text: str) -> range:
    first, _, last = span.partition("-")
    low, high = int(first), int(last or first)
    if low > high:
        refuse(f"{text!r}: {span.strip()} runs backwards")
    return range(low, high + 1)
