"""Whether Parquet can be read to its end: tried by a process of its own, since some damage ends the one that reads it.

A damaged page may ask for more memory than there is. Polars then aborts, and no exception reaches anybody. What ends a
till's back end must not be one bad file, so somebody else reads it first.
"""

from __future__ import annotations

import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from stampbook.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Collection

_READS: Final = """
import resource, sys
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
import polars as pl
place, *wanted = sys.argv[1:]
try:
    frame = pl.scan_parquet(place, glob=False)
    known = frame.collect_schema().names()
    names = [name for name in known if name in wanted] or known
    frame.select(pl.col(names).null_count()).collect(engine="streaming")
except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
    print(str(error).strip().split("\\n")[0][:200])
"""


def check_readable(place: str, columns: Collection[str] = (), *, wholly: bool = False) -> None:
    """Refuse a file, or a folder of files, that ends the process which reads it.

    Args:
        place: the file or folder.
        columns: those that will be read; all of them where none is named.
        wholly: whether any other error is told, too; else it is left to whoever reads the file here.

    Raises:
        InputError: it cannot be read to its end.
    """
    from multiprocessing.spawn import get_executable

    with suppress(OSError, TypeError):  # where no process can be started, nothing is known
        reader = subprocess.run(  # noqa: S603 - Python, with a text of our own
            [get_executable(), "-c", _READS, place, *columns],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        if reader.returncode < 0:
            message = f"{place} is no whole Parquet file: it is damaged, and ends what reads it; write it anew"
            raise InputError(message)
        said = reader.stdout.decode(errors="replace").strip()
        if said and wholly:
            message = f"{place} cannot be read as Parquet: {said}"
            raise InputError(message)
