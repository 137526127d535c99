"""What every event has."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from stampbook.event_fields import Instant, Name, Ref

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

    type: Any  # each kind narrows it to its own name
    id: Name
    source: Name = "default"
    account: Ref
    at: Instant

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
