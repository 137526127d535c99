"""What every event has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict

from stampbook.event_fields import Instant, Name, Ref

if TYPE_CHECKING:
    from collections.abc import Mapping

OWN_SOURCE = "stampbook"
"""The source of events that time or the engine brings; senders may not use it."""


class Part(BaseModel):
    """What is read from data: frozen, and unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Event(Part):
    """What every event has. `(source, id)` is unique for ever; `at` is when it happened."""

    asset_field: ClassVar[str] = "currency"
    """Which field names the asset of the event's amounts; the program's currency where it is absent."""
    brought_by_time: ClassVar[bool] = False
    """Whether only the engine makes such events; senders may not."""
    of_known_account: ClassVar[bool] = False
    """Whether it is about an account that is there: a misspelt ref opens none, and none that was merged forwards it."""
    earns: ClassVar[bool] = True
    """Whether rules may reward it."""
    on_closed: ClassVar[bool] = False
    """Whether it may happen to a closed account: what opens one again, say."""
    of_history: ClassVar[bool] = False
    """Whether it is judged by all that happened to the account before. `AccountView.history` is at hand for it, where a
    till or another account sends it; for what time brings, and what follows, there is none."""

    secrets: ClassVar[frozenset[str]] = frozenset()
    """Keys that a sender may write and that nothing keeps, such as a PIN: `sealed` replaces them first of all."""

    type: Any  # each kind narrows it to its own name
    id: Name
    source: Name = "default"
    account: Ref
    at: Instant

    @classmethod
    def sealed(cls, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what a sender wrote as it may be read, kept and told: without what is secret.

        Asked at the door, once, for data that holds a key of `secrets`; never while an event is decided again. So it
        may read the environment, and nothing else may.

        Raises:
            EventError: it cannot; the message says what to do, and nothing of what is secret.
        """
        return data

    @property
    def while_frozen(self) -> bool:
        """Whether it may happen to a frozen account."""
        return False

    @property
    def words(self) -> str:
        """What it is about, for people: what its kind, its amount and its reason do not say."""
        return ""

    @property
    def names(self) -> tuple[str, str] | None:
        """The source and id of the earlier event of the account that it names: a purchase, a hold."""
        return None


class OfEarlier(Event):
    """Names an earlier event of its account: `about` is the id, `about_source` its source where that is another."""

    about: Name
    about_source: Name | None = None

    @property
    def words(self) -> str:
        """Which event."""
        return self.about

    @property
    def names(self) -> tuple[str, str] | None:
        """The source and id of the earlier event."""
        return (self.about_source or self.source, self.about)
