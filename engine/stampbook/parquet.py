"""Frames of segmentation out of Parquet files: an archive, another system's export, what a generator wrote."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from stampbook.errors import InputError
from stampbook.population import Frames, columns_of
from stampbook.whole_files import check_readable

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


def parquet_places(place: str) -> dict[str, str]:
    """Return which frames a file or folder of Parquet holds, and where each is.

    A folder that has a folder `history` holds every frame that has a folder of its name; anything else is a history,
    an address such as "s3a://shop/history" among them.

    Raises:
        InputError: there is no such file or folder, or a folder holds no Parquet.
    """
    if "://" in place:
        return {"history": place}
    path = Path(place)
    if not path.exists():
        raise InputError(f"{place}: no such file or folder of Parquet files")
    if not (path / "history").is_dir():
        places = {"history": path}
    else:
        places = {name: path / name for name in Frames._fields if (path / name).is_dir()}
    for each in places.values():
        if each.is_dir() and not any(file.is_file() and _counts(file) for file in each.rglob("*")):
            raise InputError(f"{each}: a folder without Parquet files")
    return {name: str(each) for name, each in places.items()}


def _counts(file: Path) -> bool:
    """Say whether a file of a folder is read: what begins so is a note that some writer left."""
    return not file.name.startswith((".", "_"))


def scanned(places: Mapping[str, str], wanted: Collection[str] = Frames._fields) -> Frames:
    """Return frames of Parquet, of those that are wanted, read when they are asked for.

    Files and folders, though not addresses, are read to their end first, by another process: see `whole_files`.

    Raises:
        InputError: one cannot be read to its end.
    """
    import polars as pl

    frames = {}
    for name, place in places.items():
        if name not in wanted:
            continue
        is_address = "://" in place
        if not is_address:
            check_readable(place, columns_of(name), wholly=True)
        frames[name] = pl.scan_parquet(place, glob=is_address)
    return Frames(**frames)
