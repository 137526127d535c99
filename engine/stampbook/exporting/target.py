"""Where an export goes: a whole file or none."""

from __future__ import annotations

import errno
import os
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TextIO, cast

from stampbook.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def target_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder, which takes the place of `path` at the end.

    If anything is raised the temporary file is removed and `path` is as it was.

    Raises:
        InputError: it cannot be written, in one line that says why.
    """
    if path.is_dir():
        message = f"{path} is a folder; name a file in it"
        raise InputError(message)
    if path.exists() and not path.is_file():
        message = f"{path} is no ordinary file; name one that can be replaced"
        raise InputError(message)
    real = path.resolve() if path.is_symlink() else path
    temporary: Path | None = None
    try:
        handle, name = tempfile.mkstemp(prefix=f".{real.name[:100]}.", suffix=".part", dir=real.parent)
        os.close(handle)
        temporary = Path(name)
        temporary.chmod(_mode_of(real))
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(real)
        temporary = None
    except OSError as error:
        raise unwritable(error, path) from error
    finally:
        if temporary is not None:
            with suppress(OSError):
                temporary.unlink()


def _mode_of(path: Path) -> int:
    try:
        return path.stat().st_mode & 0o777
    except OSError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask


@contextmanager
def text_target(target: Path | TextIO) -> Iterator[TextIO]:
    """Yield a text stream that becomes the file, or the stream that was given.

    Raises:
        InputError: it cannot be written, in one line that says why.
    """
    if not isinstance(target, Path):
        with _told("the export"):
            yield target
            target.flush()
        return
    if target.exists() and not target.is_file() and not target.is_dir():
        # a pipe or a terminal cannot be replaced
        with _told(target), target.open("w", encoding="utf-8", newline="\n") as device:
            yield device
        return
    with target_file(target) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as stream:
        yield stream


@contextmanager
def _told(name: Path | str) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise  # whoever reads has read enough
    except OSError as error:
        raise unwritable(error, name) from error


def binary_stream(target: TextIO) -> BinaryIO:
    """Return the bytes beneath a text stream such as standard output.

    Raises:
        InputError: there are none.
    """
    buffer = getattr(target, "buffer", None)
    if buffer is None:
        message = "this format is not text; name a file"
        raise InputError(message)
    return cast("BinaryIO", buffer)


_REASONS = {
    errno.ENOSPC: "the disk is full; make room and try again",
    errno.EDQUOT: "the quota of the disk is used up; make room and try again",
    errno.EFBIG: "the file would be larger than is allowed here",
    errno.EACCES: "it may not be written to; check its permissions",
    errno.EPERM: "it may not be written to; check its permissions",
    errno.EROFS: "the file system is read-only",
    errno.ENOENT: "there is no such folder",
    errno.ENOTDIR: "there is no such folder",
    errno.ENAMETOOLONG: "the name is too long",
}


def unwritable(error: OSError, path: Path | str) -> InputError:
    """Return the error of a file that cannot be written, in one line that says why."""
    return InputError(f"{path} was not written: {why_unwritable(error)}")


def why_unwritable(error: OSError) -> str:
    """Return why something cannot be written, and what to do."""
    return _REASONS.get(error.errno or 0, error.strerror or str(error))
