"""The store: accounts and their journals in SQLite or PostgreSQL; the only room that knows SQL.

``sqlite:///FILE`` (or a plain file name) and ``postgresql://USER@HOST/NAME`` are the addresses that it takes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stampbook.errors import StoreError
from stampbook.store.changes import Changes
from stampbook.store.database import Store
from stampbook.store.rows import Key
from stampbook.store.session import Session

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_URL = "sqlite:///stampbook.db"

__all__ = ["DEFAULT_URL", "Changes", "Key", "Session", "Store", "database_url", "open_store"]


def database_url(given: str | None, environment: Mapping[str, str]) -> str:
    """Return the address of the database: the one given, `STAMPBOOK_DB`, or a file in the current folder."""
    return given or environment.get("STAMPBOOK_DB") or DEFAULT_URL


def open_store(url: str, *, create: bool = False, busy_seconds: float = 10.0, writers: int = 1) -> Store:
    """Open a database.

    Args:
        url: its address.
        create: make the tables, or bring them up to this version.
        busy_seconds: how long to wait for another writer.
        writers: how many processes of one job write to it, which share the memory for what is read again.

    Raises:
        StoreError: it cannot be opened, has no Stampbook tables, or has those of another version.
    """
    if url.startswith(("postgresql://", "postgresql+psycopg://", "postgres://")):
        from stampbook.store.postgres import PostgresStore

        return PostgresStore(url, create=create, busy_seconds=busy_seconds)
    scheme, separator, _ = url.partition("://")
    if separator and scheme != "sqlite":
        message = f"{scheme}:// is no database that Stampbook keeps books in; use sqlite:/// or postgresql://"
        raise StoreError(message)
    from stampbook.store.sqlite import SqliteStore

    return SqliteStore(url, create=create, busy_seconds=busy_seconds, writers=writers)
