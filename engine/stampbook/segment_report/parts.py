"""What a report is put together from: sections with their pictures and tables, and how a cell is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    import altair as alt
    import polars as pl

    from stampbook.amounts import Asset

Kind = Literal["text", "count", "money", "percent", "days", "number", "date"]
"""What a column holds; money is in the smallest unit."""

WIDE: Final = 720
PHONE: Final = 340
"""How wide pictures are drawn, in pixels: for a page, and for a phone."""

_LEAST: Final = 0.001
"""Smaller numbers are written with two digits that count, others with three after the point."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its name in the frame and in files, its heading, and what it holds."""

    name: str
    heading: str
    kind: Kind = "text"

    @property
    def is_number(self) -> bool:
        """Whether it is set to the right."""
        return self.kind not in {"text", "date"}


@dataclass(frozen=True, slots=True)
class Table:
    """A table: all of it in a file, and the first rows of it on the page.

    Attributes:
        name: of its file, without an ending.
        caption: what it is, in a sentence.
        columns: those that are shown and written, in this order.
        frame: its rows.
        shown: how many rows the page shows; None shows all.
        folded: whether the page hides it until it is asked for, since a picture says the same.
    """

    name: str
    caption: str
    columns: tuple[Column, ...]
    frame: pl.DataFrame
    shown: int | None = None
    folded: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture: `draw` makes a chart of a width in pixels.

    `description` says what is to be seen, for those who cannot see it.
    """

    name: str
    caption: str
    description: str
    draw: Callable[[int], alt.TopLevelMixin]


@dataclass(frozen=True, slots=True)
class Section:
    """A section: `id` and `title`, what is said first, then pictures and tables.

    `missing` says why there are none, and what to do; `notes` are what a run said is not as it should be.
    """

    id: str
    title: str
    text: str = ""
    pictures: tuple[Picture, ...] = ()
    tables: tuple[Table, ...] = ()
    missing: str = ""
    notes: tuple[str, ...] = ()


def cell(value: Any, kind: Kind, currency: Asset) -> str:
    """Write a cell for a person, with thousands set apart; an empty text where nothing is known."""
    if value is None:
        return ""
    if kind == "money":
        whole, point, decimals = currency.text(round(value)).partition(".")
        sign = "−" if whole.startswith("-") else ""
        return f"{sign}{int(whole.lstrip('-')):,}{point}{decimals}"
    if kind == "number":
        small = 0 < abs(value) < _LEAST
        return format(value, ".2g" if small else ",.3f").replace("-", "−")
    formats = {"count": ",", "percent": ",.1f", "days": ",.0f"}
    if kind in formats:
        return format(value, formats[kind]).replace("-", "−")
    return str(value)
