"""A report as files: the page, each picture, and each table as CSV or Parquet."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

import polars as pl

from stampbook.exporting.target import target_file, unwritable
from stampbook.segment_report.look import png, standing_alone, svg
from stampbook.segment_report.page import page
from stampbook.segment_report.parts import WIDE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from stampbook.amounts import Asset
    from stampbook.segment_report.parts import Section, Table
    from stampbook.segment_report.survey import Survey


def write_page(survey: Survey, sections: Sequence[Section], path: Path) -> None:
    """Write a report as a page of its own.

    Raises:
        InputError: it cannot be written.
        StampbookError: the plots extra is not installed.
    """
    text = page(survey, sections)
    with target_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_pictures(sections: Sequence[Section], folder: Path, kind: Literal["svg", "png"]) -> list[Path]:
    """Write each picture into a folder, which is made where there is none, and return their paths.

    A PNG has twice as many pixels as the picture is wide; Chinese names need a Chinese font on the machine.

    Raises:
        InputError: one cannot be written.
        StampbookError: the plots extra is not installed.
    """
    written = []
    with _made(folder):
        for picture in (picture for section in sections for picture in section.pictures):
            drawn = svg(picture.draw(WIDE))
            content = png(drawn) if kind == "png" else standing_alone(drawn).encode()
            path = folder / f"{picture.name}.{kind}"
            with target_file(path) as temporary:
                temporary.write_bytes(content)
            written.append(path)
    return written


def write_tables(
    sections: Sequence[Section], folder: Path, kind: Literal["csv", "parquet"], currency: Asset
) -> list[Path]:
    """Write each table, whole, into a folder, which is made where there is none, and return their paths.

    In CSV money is decimal text; in Parquet it is a whole number of the smallest unit, in a column whose name
    ends with ``_units``.

    Raises:
        InputError: one cannot be written.
    """
    written = []
    with _made(folder):
        for table in (table for section in sections for table in section.tables):
            path = folder / f"{table.name}.{kind}"
            frame = _typed(table) if kind == "parquet" else _texts(table, currency)
            with target_file(path) as temporary:
                if kind == "parquet":
                    frame.write_parquet(temporary)
                else:
                    frame.write_csv(temporary, float_precision=6)
            written.append(path)
    return written


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(error, folder) from error
    yield


def _typed(table: Table) -> pl.DataFrame:
    return table.frame.select(
        pl.col(column.name).round().cast(pl.Int64).alias(f"{column.name}_units")
        if column.kind == "money"
        else pl.col(column.name)
        for column in table.columns
    )


def _texts(table: Table, currency: Asset) -> pl.DataFrame:
    return table.frame.select(column.name for column in table.columns).with_columns(
        pl.col(column.name).round().cast(pl.Int64).map_elements(currency.text, return_dtype=pl.String, skip_nulls=True)
        for column in table.columns
        if column.kind == "money"
    )
