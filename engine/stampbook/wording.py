"""What pydantic finds wrong with data, in words for an operator; and the parts of a model that a mistake is in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import BaseModel

from stampbook.errors import near

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_LONGEST = 60

_PLAIN = {
    "less_than_equal": "{input} is more than {le}",
    "greater_than_equal": "{input} is less than {ge}",
    "less_than": "{input} is not below {lt}",
    "greater_than": "{input} is not above {gt}",
    "string_type": "{input} is not text; write it in quotes",
    "string_unicode": "{input} is not text; write it in quotes",
    "string_too_short": "must not be empty",
    "string_too_long": "is longer than {max_length} characters",
    "too_short": "must not be empty",
    "bool_type": "{input} is neither true nor false; write it without quotes",
    "bool_parsing": "{input} is neither true nor false; write it without quotes",
    "int_type": "{input} is not a whole number",
    "int_parsing": "{input} is not a whole number; write it without quotes",
    "int_parsing_size": "{input} has too many digits",
    "int_from_float": "{input} is not a whole number",
    "list_type": "{input} is not a list; write it in [ ]",
    "tuple_type": "{input} is not a list; write it in [ ]",
    "dict_type": "{input} is not {table}",
    "model_type": "{input} is not {table}",
    "model_attributes_type": "{input} is not {table}",
}
_PATTERNS = {
    r"^[^\x00-\x1f\x7f]+$": "{input} holds a control character, such as the end of a line; leave it out",
    r"\w": "{input} names nothing; write it with a letter or a digit",
    r"^[^\x00]*$": "{input} holds the character U+0000; leave it out",
    r"^\d{4}-\d{2}-\d{2}$": "{input} is not a date; write 2025-01-31",
    r"^[+-]?\d+(\.\d+)?$": "{input} is not a decimal number; write '12.50'",
    r"^[1-5][1-5]$": "{input} is not two digits from 1 to 5, such as '55'",
    r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$": (
        "{input} cannot be a name here; write small letters, digits and _, with dots between words: 'survey.done'"
    ),
    r"^([A-Z0-9]{1,11}-?)?$": (
        "{input} is not how codes may begin; write at most 11 large letters and digits, and after them, if you like, "
        "one '-': 'FILM-'"
    ),
    r"^(100|\d{1,2}(\.\d{1,4})?)%$": "{input} is not a part of a whole; write '50%' or '12.5%', at most '100%'",
    r"^(100(\.0{1,4})?|\d{1,2}(\.\d{1,4})?)%$": "{input} is not a part of a whole; write '50%', at most '100%'",
    r"^\d{0,10}$": "{input} is not at most ten digits; write '6180'",
    r"^[a-z][a-z_]{0,31}$": "{input} is not a name of small letters and _; write 'membership_card'",
    r"^\d{1,3}(\.\d{1,4})?%$": "{input} is not a share; write '10%' or '12.5%'",
    r'^[^"\r\n]$': "{input} is not one character; write ';' or '\\t'",
}
_NUMBER = re.compile(r"\^(-\?)?\\d\{1,(\d+)\}\(\\\.\\d\{1,(\d+)\}\)\?\$")
_NAME = re.compile(r"\^\[(a-z|A-Za-z)\]\[\1(0-9_-?)\]\{0,(\d+)\}\$")
_SIGNS = {"0-9_": "letters, digits and _", "0-9_-": "letters, digits, _ and -"}
_CHOICE = re.compile(r"\^\((\w+(?:\|\w+)+)\)\$")
_UNBROKEN = re.compile(r"(\S{80})\S{40,}")


def in_words(detail: Any, *, table: str = "a table") -> str:
    """Return one of pydantic's mistakes in our words.

    Args:
        detail: of `ValidationError.errors`.
        table: what the format of the data calls keys with values.
    """
    kind, context = detail["type"], detail.get("ctx", {})
    given = shown(detail["input"], table=table)
    if kind == "missing":
        return "missing"
    if kind in {"literal_error", "enum"}:
        return _not_among(given, str(context["expected"]).replace(" or ", ", ").split(", "))
    if kind == "string_pattern_mismatch":
        return _not_as_written(given, context["pattern"])
    plain = _PLAIN.get(kind)
    return brief(str(detail["msg"])) if plain is None else plain.format(input=given, table=table, **context)


def _not_as_written(given: str, pattern: str) -> str:
    choice = _CHOICE.fullmatch(pattern)
    if choice is not None:
        return _not_among(given, [repr(name) for name in choice[1].split("|")])
    number = _NUMBER.fullmatch(pattern)
    if number is not None:
        sign, before, after = number.groups()
        least = "" if sign else ", not below zero"
        digits = f"at most {before} digits before the point and {after} after it"
        return f"{given} is not a number that can stand here; write '12.5', say: {digits}{least}"
    name = _NAME.fullmatch(pattern)
    if name is not None:
        letters, more, most = name.groups()
        kinds = ("small " if letters == "a-z" else "") + _SIGNS[more]
        return f"{given} cannot be a name here; write {kinds}, a letter first, at most {int(most) + 1} of them"
    words = _PATTERNS.get(pattern)
    return f"{given} is not written as it must be ({pattern})" if words is None else words.format(input=given)


def _not_among(given: str, names: Sequence[str]) -> str:
    hint = near(given.strip("'"), [name.strip("'") for name in names])
    return f"{given} is not one of {', '.join(names)}{hint}"


def shown(value: object, *, table: str = "a table") -> str:
    """Return a value as a message shows it: briefly, whatever it is."""
    if isinstance(value, (Mapping, list, tuple)):
        return table if isinstance(value, Mapping) else "a list"  # however deep it is
    try:
        text = repr(value)
    except ValueError:
        return "a number of too many digits"
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "…"


def brief(message: str) -> str:
    """Return a message in which nothing goes on and on, so that one line stays one line."""
    return _UNBROKEN.sub(r"\1…", message)


class Part(NamedTuple):
    """What a key of a model holds: one table (``one``), several in a list (``list``), or several by name (``map``)."""

    shape: str
    model: type[BaseModel]


def keys_of(model: type[BaseModel]) -> list[str]:
    """Return the keys of a model as they are written."""
    return [field.alias or name for name, field in model.model_fields.items()]


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the known name that a misspelt one is near to, or an empty string."""
    hint = near(name, known := list(known))
    return next((each for each in known if hint.endswith(f" {each!r}?)")), "")


def part_of(model: type[BaseModel], key: str) -> Part | None:
    """Return what tables a key of a model holds, if any."""
    for name, field in model.model_fields.items():
        if key in {name, field.alias}:
            return _part(field.annotation, "one")
    return None


def _part(annotation: Any, shape: str) -> Part | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return Part(shape, annotation)
    inner = getattr(annotation, "__args__", ())
    origin = getattr(annotation, "__origin__", None)
    if origin in {list, tuple}:
        shape = "list"
    elif origin in {dict, Mapping}:
        inner, shape = inner[1:], "map"
    return next((part for argument in inner if (part := _part(argument, shape)) is not None), None)


def model_at(model: type[BaseModel], place: Iterable[str | int]) -> type[BaseModel] | None:
    """Return the model of the table at a place within the data of another, if it is known."""
    found: type[BaseModel] | None = model
    by_name = False
    for key in place:
        if isinstance(key, int) or by_name:
            by_name = False
            continue
        part = None if found is None else part_of(found, key)
        found, by_name = (None, False) if part is None else (part.model, part.shape == "map")
    return found
