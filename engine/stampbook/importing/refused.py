"""The file of rows that were refused or malformed, so that a person can see why, mend them and import them again."""

from __future__ import annotations

from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any

import orjson

from stampbook.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class RefusedFile:
    """JSON Lines, one object a row: ``row``, ``line``, ``status``, ``reasons`` and the ``event``.

    It begins with the first such row; what an earlier run left there is renamed to end in ``.1``, ``.2`` and so on.
    Given back to the importer it stands for its events, so a mended copy can be imported as it is. What stands under
    one of `secrets`, whatever the kind of event, is withheld: write it again before you give the row back.
    """

    def __init__(self, path: Path, secrets: frozenset[str] = frozenset()) -> None:
        self.path = path
        self._secrets = secrets
        self.count = 0
        self._file: IO[bytes] | None = None

    def add(self, row: int, line: int | None, event: Any, status: str, reasons: Sequence[tuple[str, str]]) -> None:
        """Write one row.

        Raises:
            InputError: the file cannot be written.
        """
        told = {
            "row": row,
            "line": line,
            "status": status,
            "reasons": [{"code": code, "message": message} for code, message in reasons],
            "event": _withheld(event, self._secrets),
        }
        try:
            if self._file is None:
                self._set_aside()
                self._file = self.path.open("wb")
            self._file.write(_json(told) + b"\n")
        except OSError as error:
            message = f"{self.path} (for refused rows) cannot be written: {error.strerror or error}"
            raise InputError(message) from error
        self.count += 1

    def _set_aside(self) -> None:
        """Keep what another import left under the name: the rows in it may stand nowhere else."""
        if not self.path.is_file() or not self.path.stat().st_size:
            return
        number = 1
        while (kept := self.path.with_name(f"{self.path.name}.{number}")).exists():
            number += 1
        self.path.rename(kept)

    def flush(self) -> None:
        """Put what was written onto the disk's way, so that it is there if the program is stopped."""
        if self._file is not None:
            try:
                self._file.flush()
            except OSError as error:
                message = f"{self.path} (for refused rows) cannot be written: {error.strerror or error}"
                raise InputError(message) from error

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()


def _withheld(value: Any, secrets: frozenset[str]) -> Any:
    """Return what a row held without what is secret; of text that could not be read nothing where it may hold any."""
    if not secrets:
        return value
    if isinstance(value, dict):
        return {
            key: "(withheld)" if str(key).strip().lower() in secrets else _withheld(item, secrets)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_withheld(item, secrets) for item in value]
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    if isinstance(text, str) and any(f'"{secret}"' in text.lower() for secret in secrets):
        return "(withheld)"
    return value


def _json(value: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:
        return orjson.dumps({**value, "event": repr(value["event"])[:10_000].encode("utf-8", "replace").decode()})
