"""What a cron table and systemd need to call a command regularly, with whatever its words hold."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from stampbook.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

_USER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,30}|[0-9]{1,10}")
_NEVER: Final = re.compile(r"[\x00-\x1f\x7f\\]")
_NOT_CALLED: Final = frozenset("\"'")
"""What systemd refuses in the name of what it calls, quoted or not."""


class Often(NamedTuple):
    """How often, as cron says it and as systemd does."""

    cron: str
    calendar: str


OFTEN: Final = {
    "day": Often("30 3 * * *", "*-*-* 03:30:00"),
    "week": Often("30 3 * * 1", "Mon *-*-* 03:30:00"),
    "month": Often("30 3 1 * *", "*-*-01 03:30:00"),
}


def crontab(words: Sequence[str], often: Often, zone: str) -> str:
    """Return lines of a user's crontab that call a command.

    Args:
        words: the command, a word a member.
        often: how often.
        zone: of the hour, for those crons that know zones.

    Raises:
        InputError: a word cannot be written in a crontab.
    """
    _check(words)
    # In a command cron takes a percent sign for the end of the line, whatever quotes it stands in.
    command = shlex.join(words).replace("%", r"\%")
    note = "# A cron that does not know CRON_TZ takes the hour for the machine's own."
    return f"{note}\nCRON_TZ={zone}\n{often.cron} {command}"


def service(words: Sequence[str], user: str, what: str) -> str:
    """Return a systemd service that calls a command.

    Raises:
        InputError: a word, or the user's name, cannot be written in a unit.
    """
    _check(words)
    if not _USER.fullmatch(user):
        message = f"{user!r} is no name of a user; write letters, digits, '_', '-' and '.'"
        raise InputError(message)
    if set(words[0]) & _NOT_CALLED:
        words = ["/bin/sh", "-c", 'exec "$0" "$@"', *words]
    program, *rest = words
    call = " ".join((_quoted(program), *(_quoted(word).replace("$", "$$") for word in rest)))
    return f"[Unit]\nDescription={what}\n\n[Service]\nType=oneshot\nUser={user}\nExecStart={call}\n"


def timer(often: Often, zone: str, what: str) -> str:
    """Return the systemd timer of a service; a run that was missed is made up for."""
    return (
        f"[Unit]\nDescription={what}, regularly\n\n[Timer]\n"
        f"OnCalendar={often.calendar} {zone}\nPersistent=true\n\n[Install]\nWantedBy=timers.target\n"
    )


def without_password(address: str) -> tuple[str, bool]:
    """Return a database's address without a password in it, and whether it had one."""
    parts = urlsplit(address)
    place = parts.netloc
    who, at, host = place.rpartition("@")
    name, _, password = who.partition(":")
    asked = parse_qsl(parts.query, keep_blank_values=True)
    left = [(key, value) for key, value in asked if key != "password"]
    if not password and len(left) == len(asked):
        return address, False
    query = urlencode(left, quote_via=quote, safe="/")
    return urlunsplit(parts._replace(netloc=f"{name}{at}{host}", query=query)), True


def _quoted(word: str) -> str:
    """Return a word as systemd reads it: a percent sign begins a specifier unless there are two."""
    plain = word.replace("%", "%%")
    return plain if re.fullmatch(r"[A-Za-z0-9_./:@%=+,-]+", plain) else '"' + plain.replace('"', r"\"") + '"'


def _check(words: Sequence[str]) -> None:
    for word in words:
        if _NEVER.search(word):
            message = f"{word!r} has a backslash or a control character, which no timer can call; rename it"
            raise InputError(message)
