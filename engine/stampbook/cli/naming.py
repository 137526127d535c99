"""Which earlier event a command means: its id is enough where only one sender used it on the account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stampbook.cli.running import fail

if TYPE_CHECKING:
    from stampbook.cli.running import Run


def source_of(run: Run, ref: str, event_id: str) -> str | None:
    """Return who sent the accepted event of an account that bears an id; None where there is none.

    Where several senders used the id, the command ends with a line that names them.
    """
    from stampbook.replay import entries_of

    sources = sorted({entry.source for entry in entries_of(run.engine, ref) if entry.id == event_id and entry.accepted})
    if len(sources) > 1:
        fail(f"{', '.join(sources)} all sent an event {event_id!r} to account {ref}; say which one you mean")
    return sources[0] if sources else None
