"""Parquet, read some thousand rows at a time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from stampbook.errors import InputError
from stampbook.importing.rows import Row, Rows
from stampbook.whole_files import check_readable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_ROWS_AT_ONCE = 20_000


class ParquetRows(Rows):
    """Parquet, read some thousand rows at a time."""

    def __init__(self, path: str, needed: Sequence[str] | None = None) -> None:
        if path == "-":
            message = "Parquet cannot be read from standard input; name a file"
            raise InputError(message)
        if not Path(path).is_file():
            Path(path).open("rb").close()  # raises what is wrong with it
        try:
            import polars as pl
        except ImportError:
            message = "reading Parquet needs Polars; run: pip install 'stampbook[analytics]'"
            raise InputError(message) from None
        check_readable(path, needed or ())
        self._path = path
        self._failures = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError)
        try:
            self._frame = pl.scan_parquet(path, glob=False)
            self._available: Sequence[str] = self._frame.collect_schema().names()
            self._columns = self._available
            if needed is not None:
                self._columns = [name for name in self._available if name in set(needed)]
                self._frame = self._frame.select(self._columns)
            self.total: int | None = pl.scan_parquet(path, glob=False).select(pl.len()).collect().item()
        except self._failures as error:
            message = f"{path} is no whole Parquet file: {_first_line(error)}; write it anew"
            raise InputError(message) from None
        self._done = 0

    def done(self) -> int:
        """Return how many rows are read."""
        return self._done

    @property
    def columns(self) -> Sequence[str]:
        """The names of the columns that are read."""
        return self._columns

    @property
    def available(self) -> Sequence[str]:
        """The names of all columns of the file."""
        return self._available

    def taken(self) -> int:
        """Return 0: rows of a Parquet file are of a kind."""
        return 0

    def __iter__(self) -> Iterator[Row]:
        """Yield the rows."""
        total = self.total or 0
        for start in range(0, total, _ROWS_AT_ONCE):
            try:
                values = self._frame.slice(start, _ROWS_AT_ONCE).collect().rows()
            except self._failures as error:
                message = (
                    f"{self._path}: row {start + 1}: it and those after it cannot be read ({_first_line(error)}); "
                    "what came before was imported"
                )
                raise InputError(message) from None
            for number, row in enumerate(values, start + 1):
                self._done = number
                yield Row(number, None, row)


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n", 1)[0][:200]
