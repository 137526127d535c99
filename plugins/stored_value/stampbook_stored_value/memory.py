"""What the plugin remembers of an account: JSON in a fact that is replaced in place, so that it stays one row."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from stampbook import NEVER, Fact

if TYPE_CHECKING:
    from stampbook import AccountView


def remembered(account: AccountView, name: str) -> Any:
    """Return what was remembered under a name before the event at hand, or None."""
    past = account.facts(name)
    return json.loads(past[-1].value) if past and past[-1].value else None


def remember(account: AccountView, name: str, value: Any, at: int) -> Fact:
    """Return the fact that remembers `value` from now on; it replaces the one before, whose instant it keeps."""
    past = account.facts(name)
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False) if value else ""
    return Fact(name, text, past[-1].since if past else at, NEVER)
