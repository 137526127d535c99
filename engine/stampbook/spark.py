"""Segmentation on Apache Spark: the same frames in a Spark session, so that the same plugins run on a cluster.

PySpark is the extra `spark`; it needs a Java of 17 or later on the machine.
"""

from __future__ import annotations

from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from stampbook.errors import StampbookError
from stampbook.population import Frames

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import polars as pl

_QUIET: Final = {"spark.log.level": "ERROR", "spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false"}
_FEW_PARTITIONS: Final = "8"


class Spark:
    """A Spark session that schemes are run on; made by `spark`."""

    def __init__(self, session: Any, folder: Path) -> None:
        self._session = session
        self._folder = folder

    def read(self, places: Mapping[str, str]) -> Frames:
        """Return frames of Parquet, each a file or folder that every machine of the cluster can read."""
        import narwhals as nw

        return Frames(
            **{name: nw.from_native(self._session.read.parquet(place)).lazy() for name, place in places.items()}
        )

    def handed_over(self, frames: Frames) -> Frames:
        """Return Polars frames as frames of the session; they go through Parquet in a temporary folder.

        On more than one machine that folder must be one that all of them see: set `TMPDIR` so.
        """
        places: dict[str, str] = {}
        for name, frame in frames._asdict().items():
            if frame is not None:
                native: pl.LazyFrame = frame
                place = self._folder / f"{name}.parquet"
                native.collect().write_parquet(place)
                places[name] = str(place)
        return self.read(places)


@contextmanager
def spark(master: str) -> Iterator[Spark]:
    """Open a Spark session, and close it in the end.

    Args:
        master: where Spark runs, as its own tools name it: "local[2]", "spark://host:7077", "yarn".

    Raises:
        StampbookError: the extra is not installed, or Spark does not start.
    """
    if not find_spec("pyspark"):
        raise StampbookError("the engine spark needs the spark extra: pip install 'stampbook[spark]'")
    from pyspark.errors import PySparkException  # pyright: ignore[reportMissingImports] - an environment of its own
    from pyspark.sql import SparkSession  # pyright: ignore[reportMissingImports] - the same

    building = SparkSession.builder.master(master).appName("stampbook segments")
    # Days and hours of instants are those of UTC, as on one machine; an error in arithmetic is one.
    settings = {**_QUIET, "spark.sql.session.timeZone": "UTC", "spark.sql.ansi.enabled": "true"}
    if master.startswith("local"):
        settings["spark.sql.shuffle.partitions"] = _FEW_PARTITIONS
    for key, value in settings.items():
        building = building.config(key, value)
    try:
        session = building.getOrCreate()
    except PySparkException as error:
        line = str(error).strip().partition("\n")[0]
        raise StampbookError(
            f"Spark does not start on {master!r}: {line}; it needs Java 17 or later: set JAVA_HOME, or put it on PATH"
        ) from error
    try:
        with TemporaryDirectory(prefix="stampbook-spark-") as folder:
            yield Spark(session, Path(folder))
    finally:
        session.stop()
