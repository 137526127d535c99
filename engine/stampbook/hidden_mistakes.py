"""Mistakes that stand behind others.

Where a key is wrong, pydantic does not look at what its table says as a whole, and a plugin is not built at all. So
that all mistakes of a file are reported at once, what is wrong is left out and the rest is looked at again, from the
smallest table outwards. What is said then counts only if it cannot come from leaving something out.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from stampbook.wording import in_words, keys_of, nearest, part_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from stampbook.toml_lines import Path

M = TypeVar("M", bound=BaseModel)

_OF_ITSELF = {"stampbook", "value_error", "assertion_error"}
"""The types of mistakes that a model finds in what it says as a whole."""

_MOST_TRIES = 100
"""So often a hostile file is looked at again, and no more."""

Data = Mapping[str, Any]


class Rest(NamedTuple, Generic[M]):
    """What is left of a table without its mistakes: as data, and as a model where it still makes one."""

    model: M | None
    data: Data
    numbers: Mapping[str, list[int]]
    """The place that each item of a list had before."""
    left_out: frozenset[str]
    hidden: tuple[tuple[Path, str], ...]

    def comes_of_it(self, message: str) -> bool:
        """Return whether a complaint may come from what was left out."""
        return _mentions(message, self.left_out)

    def place(self, place: Path) -> Path:
        """Return the place that something in the rest had in the whole."""
        return _renumbered(place, self.numbers)


def place_of(data: object, detail: Any) -> Path:
    """Return where a mistake is, by the keys of the file: pydantic also names the branches of its unions."""
    place: list[str | int] = []
    for part in detail["loc"]:
        try:
            data = data[part]  # type: ignore[index]  # whatever the file holds
        except (KeyError, IndexError, TypeError):
            if detail["type"] != "missing" or part != detail["loc"][-1]:
                continue
        if part != "[key]":
            place.append(part)
    return tuple(place)


def rest_of(model: type[M], data: Data, places: Iterable[Path], context: object) -> Rest[M]:
    """Look again at a table without what is mistaken in it.

    Args:
        model: what it should be.
        data: the table.
        places: where its mistakes are.
        context: for the model's validators.
    """
    places = list(places)
    inner: dict[Path, list[Path]] = defaultdict(list)
    items: set[Path] = set()
    wrong: set[str] = set()
    for place in places:
        depth = _depth(model, data, place)
        if depth:
            inner[place[:depth]].append(place[depth:])
        if _is_item(model, data, place):
            items.add(place[:2])
        elif place:
            wrong.add(str(place[0]))
    for key in {str(item[0]) for item in items}:
        if len(data[key]) == sum(item[0] == key for item in items):
            wrong.add(key)
    hidden: list[tuple[Path, str]] = []
    for table, mistaken in inner.items():
        part = part_of(model, str(table[0]))
        if part is not None:
            found = rest_of(part.model, _at(data, table), mistaken, context)
            hidden.extend(((*table, *place), message) for place, message in found.hidden)
    kept, numbers = _without(data, wrong, items)
    rest: Rest[M] = Rest(None, kept, numbers, _words_of(model, wrong), tuple(hidden))
    if () in places:  # what it says as a whole is told already
        return rest
    hidden.extend(_named_twice(model, data, kept, items, context))
    rest = rest._replace(hidden=tuple(hidden))
    try:
        return rest._replace(model=model.model_validate(kept, context=context))
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            message = in_words(detail)
            if detail["type"] in _OF_ITSELF and not rest.comes_of_it(message):
                hidden.append((rest.place(place_of(kept, detail)), message))
    return rest._replace(hidden=tuple(dict.fromkeys(hidden)))


def _named_twice(
    model: type[BaseModel], data: Data, kept: Data, items: set[Path], context: object
) -> Iterator[tuple[Path, str]]:
    """Yield what is said of items that share a name with one that is left out: a sound one takes that one's place."""
    for key in sorted({str(item[0]) for item in items}):
        several = data[key]
        if not isinstance(several, list):
            continue
        names = [item.get("name") if isinstance(item, Mapping) else None for item in several]
        sound = [item for number, item in enumerate(several) if (key, number) not in items]
        twice = {name for name in names if isinstance(name, str) and names.count(name) > 1}
        if not sound or not twice:
            continue
        stand_ins = [
            {**sound[0], "name": name} if (key, number) in items and name in twice else item
            for number, (name, item) in enumerate(zip(names, several, strict=True))
            if (key, number) not in items or name in twice
        ]
        try:
            model.model_validate({**kept, key: stand_ins}, context=context)
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                message = in_words(detail)
                if detail["type"] in _OF_ITSELF and not detail["loc"] and _mentions(message, twice):
                    yield (), message


def _mentions(message: str, words: Iterable[str]) -> bool:
    return any(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", message) for word in words)


def _depth(model: type[BaseModel], data: Data, place: Path) -> int:
    """Return how many parts of a place lead to a table of its own."""
    part = part_of(model, str(place[0])) if place else None
    if part is None or place[0] not in data:
        return 0
    depth = 1 if part.shape == "one" else 2
    return depth if len(place) >= depth and isinstance(_at(data, place[:depth]), Mapping) else 0


def _is_item(model: type[BaseModel], data: Data, place: Path) -> bool:
    """Return whether a place is in one of several items, of which the others make sense without it."""
    if len(place) < 2:  # noqa: PLR2004 - a key and an item
        return False
    several, part = data.get(str(place[0])), part_of(model, str(place[0]))
    shape = "" if part is None else part.shape
    if isinstance(several, list):
        return shape in {"", "list"} and isinstance(place[1], int)
    return shape in {"", "map"} and isinstance(several, Mapping)


def _at(data: Any, place: Path) -> Any:
    for key in place:
        data = data[key]
    return data


def _without(data: Data, keys: set[str], tables: set[Path]) -> tuple[dict[str, Any], dict[str, list[int]]]:
    kept = {key: value for key, value in data.items() if key not in keys}
    numbers: dict[str, list[int]] = {}
    for key in {str(table[0]) for table in tables if table[0] in kept}:
        value = kept[key]
        if isinstance(value, list):
            numbers[key] = [number for number in range(len(value)) if (key, number) not in tables]
            kept[key] = [value[number] for number in numbers[key]]
        else:
            kept[key] = {name: item for name, item in value.items() if (key, name) not in tables}
    return kept, numbers


def _renumbered(place: Path, numbers: Mapping[str, list[int]]) -> Path:
    if len(place) > 1 and place[0] in numbers and isinstance(place[1], int):
        return (place[0], numbers[str(place[0])][place[1]], *place[2:])
    return place


def _words_of(model: type[BaseModel], keys: Iterable[str]) -> frozenset[str]:
    """Return the words by which a complaint can be known to come from the absence of keys: names and defaults."""
    words: set[str] = set()
    known = keys_of(model)
    for key in keys:
        name = key if key in known else nearest(key, known)
        words |= {key, name}
        for field, about in model.model_fields.items():
            if name in {field, about.alias}:
                default = about.default if isinstance(about.default, tuple) else (about.default,)
                words |= {str(value) for value in default if isinstance(value, str)}
    return frozenset(words - {""})


def of_the_whole(error: ValidationError) -> str | None:
    """Return what a model has against all that it was given, if nothing else is wrong."""
    [first, *others] = error.errors(include_url=False)
    return in_words(first) if not others and not first["loc"] and first["type"] in _OF_ITSELF else None


class CannotTellError(Exception):
    """What is left of a table is none that could be complained about."""


def complaints(
    model: type[BaseModel], data: Data, complaint: Callable[[Data], str | None]
) -> Iterator[tuple[Path, str]]:
    """Yield each complaint about a table with its place, where only the first is told at a time.

    The item or key without which there is no such complaint is where it belongs; that is left out, and the rest is
    asked again.

    Args:
        model: what the table is.
        data: the table.
        complaint: the first complaint about a table, or None; raises `CannotTellError`.
    """
    left_out: set[Path] = set()
    message = complaint(data)
    tries = iter(range(_MOST_TRIES))
    while True:
        words = _words_of(model, [str(place[0]) for place in left_out if len(place) == 1])
        if message is None or _mentions(message, words):
            return
        place, following = _cause(data, left_out, message, complaint, tries)
        yield place, message
        left_out.add(place)
        if not place or (len(place) > 1 and all((place[0], name) in left_out for name in _names(data[str(place[0])]))):
            return  # what is said of an empty list or table comes of leaving all of it out
        message = following


def _cause(
    data: Data, left_out: set[Path], message: str, complaint: Callable[[Data], str | None], tries: Iterator[int]
) -> tuple[Path, str | None]:
    """Return what a complaint is about, and what is complained of without it; what it names is tried first."""
    parts = sorted(_parts(data, left_out), key=lambda place: not _is_named(_at(data, place), message))
    for place, _ in zip(parts, tries, strict=False):
        less = {*left_out, place}
        keys = {str(each[0]) for each in less if len(each) == 1}
        try:
            following = complaint(_without(data, keys, {each for each in less if len(each) > 1})[0])
        except CannotTellError:
            following = None if _is_named(_at(data, place), message) else message
        is_missed = following is not None and _mentions(following, keys - {str(each[0]) for each in left_out})
        if is_missed and not _is_named(_at(data, place), message):
            continue
        if following != message:
            return place, following
    return (), None


def _parts(data: Data, left_out: set[Path]) -> Iterator[Path]:
    """Yield the places of items, the last first (it is what follows that does not fit), and then of keys."""
    for key, value in reversed(list(data.items())):
        yield from ((key, name) for name in reversed(_names(value)) if (key, name) not in left_out)
    yield from ((key,) for key, value in data.items() if not _names(value) and (key,) not in left_out)


def _names(value: object) -> list[Any]:
    if isinstance(value, list) and all(isinstance(item, dict) for item in value):
        return list(range(len(value)))
    return list(value) if isinstance(value, dict) else []


def _is_named(item: object, message: str) -> bool:
    """Whether a complaint names an item, or says what a key says."""
    name = item.get("name") if isinstance(item, dict) else item
    return isinstance(name, str) and repr(name) in message
