"""An open database: its sessions, and what it does between them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from stampbook.store.session import Session


class Store(ABC):
    """An open database."""

    url: str
    in_memory: bool = False
    """Whether the books live in this process and end with it."""

    @abstractmethod
    def writer(self) -> AbstractContextManager[Session]:
        """Begin a writing transaction; it is committed at the end, or undone if anything is raised."""

    @abstractmethod
    def reader(self) -> AbstractContextManager[Session]:
        """Begin a reading transaction: all its queries see one state."""

    def reserved_ids(self, count: int) -> list[int] | None:  # noqa: ARG002 - for those that can
        """Return ids for new accounts that nobody else will give; None where only who writes knows which are free."""
        return None

    def tidy(self) -> None:  # noqa: B027 - most have nothing to tidy
        """Between two batches of long work: keep what lies beside the database from growing without bound."""

    @abstractmethod
    def close(self) -> None:
        """Close all connections."""
