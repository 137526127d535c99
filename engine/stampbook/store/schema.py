"""Which version of the tables a database has, and bringing it up to this one."""

from __future__ import annotations

from pathlib import Path

from stampbook.errors import SchemaVersionError, StoreError

VERSION = "0006"
"""The schema version that this Stampbook reads and writes."""

KNOWN = ("0001", "0002", "0003", "0004", "0005", "0006")
"""All versions that it can bring up to this one, oldest first."""


def check_version(found: str | None, where: str) -> None:
    """Check the version that a database says it has.

    Raises:
        StoreError: it has no Stampbook tables.
        SchemaVersionError: it is older, or newer than this Stampbook knows.
    """
    if found is None:
        message = f"{where} has no Stampbook tables; run: stampbook init"
        raise StoreError(message)
    if found == VERSION:
        return
    if found in KNOWN:
        message = f"{where} has schema {found}, this Stampbook needs {VERSION}; run: stampbook init"
    else:
        message = f"{where} has schema {found}, which is newer than this Stampbook ({VERSION}); upgrade Stampbook"
    raise SchemaVersionError(message)


def upgrade(url: str) -> None:
    """Create the tables of a database, or bring them up to this version; harmless when they are."""
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError
    from sqlalchemy import create_engine, event

    engine = create_engine(url)
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine, "connect")
        def _begin_by_hand(connection: object, _: object) -> None:
            connection.isolation_level = None  # type: ignore[attr-defined]  # the driver would commit before DDL

        @event.listens_for(engine, "begin")
        def _take_the_lock(connection: object) -> None:
            connection.exec_driver_sql("BEGIN IMMEDIATE")  # type: ignore[attr-defined]

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except CommandError as error:
        if "Can't locate revision" in str(error):
            message = f"the database has a schema that is newer than this Stampbook ({VERSION}); upgrade Stampbook"
            raise SchemaVersionError(message) from None
        raise
    finally:
        engine.dispose()
