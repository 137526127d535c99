"""On what a rule earns: options that stand for a formula."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field, model_validator

from stampbook import PluginConfig, refuse

if TYPE_CHECKING:
    from collections.abc import Sequence

DECIMAL = r"^\d{1,12}(\.\d{1,6})?$"


class Bracket(PluginConfig):
    """One step of a table of rates."""

    start: Annotated[str, Field(alias="from", pattern=DECIMAL, description="value of `of` from which it holds")]
    rate: Annotated[str | None, Field(pattern=DECIMAL, description="units earned for each whole unit of `of`")] = None
    fixed: Annotated[str | None, Field(pattern=DECIMAL, description="units earned, whatever the value")] = None

    @model_validator(mode="after")
    def _one_way(self) -> Bracket:
        if (self.rate is None) == (self.fixed is None):
            refuse("a bracket has either a rate or a fixed amount")
        return self


def each_text(earn: str, of: str, each: str, part: str) -> str:
    """Return the formula of "so much for each 10.00"."""
    count = f"({of}) / {each}"
    return f"floor({count}) * ({earn})" if part == "whole" else f"({count}) * ({earn})"


def bracket_text(of: str, brackets: Sequence[Bracket], mode: str) -> str:
    """Return the formula of a table of rates: each slice at its own rate, or the whole at the rate that it reaches."""
    if mode == "slice":
        parts = []
        for place, bracket in enumerate(brackets):
            top = f"min({of}, {brackets[place + 1].start})" if place + 1 < len(brackets) else f"({of})"
            parts.append(f"max(0, {top} - {bracket.start}) * {bracket.rate}")
        return " + ".join(parts)
    text = "0"
    for bracket in brackets:
        earned = bracket.fixed if bracket.rate is None else f"({of}) * {bracket.rate}"
        text = f"({earned} if ({of}) >= {bracket.start} else {text})"
    return text


def count_text(earn: str, of: str, each: str | None, part: str) -> str | None:
    """Return the formula of how many equal parts count, of which only whole ones earn; None where there are none.

    Those are the parts of `each`, or what a formula rounds down as a whole: "floor(order.net / 10)".
    """
    if each is not None:
        return f"({of}) / {each}" if part == "whole" else None
    text = earn.strip()
    if not text.startswith("floor(") or not text.endswith(")"):
        return None
    inner, depth, quoted = text[len("floor(") : -1], 0, ""
    for sign in inner:
        if quoted:
            quoted = "" if sign == quoted else quoted
        elif sign in "'\"":
            quoted = sign
        else:
            depth += (sign == "(") - (sign == ")")
            if depth < 0:
                return None  # it goes on behind what is rounded
    return inner


def is_amount(name: str) -> bool:
    """Return whether a field that a formula reads says how much was bought."""
    return name.startswith(("order.", "line.")) or name == "event.amount"
