"""Frames of segmentation out of Parquet files: an archive, another system's export, what a generator wrote."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from stampbook.errors import InputError
from stampbook.population import Frames

if TYPE_CHECKING:
    from collections.abc import Mapping


def parquet_places(place: str) -> dict[str, str]:
    """Return which frames a file or folder of Parquet holds, and where each is.

    A folder that has a folder `history` holds every frame that has a folder of its name; anything else is a history,
    an address such as "s3a://shop/history" among them.

    Raises:
        InputError: there is no such file or folder.
    """
    if "://" in place:
        return {"history": place}
    path = Path(place)
    if not path.exists():
        raise InputError(f"{place}: no such file or folder of Parquet files")
    if not (path / "history").is_dir():
        return {"history": str(path)}
    return {name: str(path / name) for name in Frames._fields if (path / name).is_dir()}


def scanned(places: Mapping[str, str]) -> Frames:
    """Return frames of Parquet, read when they are asked for."""
    import polars as pl

    return Frames(**{name: pl.scan_parquet(place) for name, place in places.items()})
