"""Where the files of local locks are, and what they are called."""

from __future__ import annotations

import hashlib
import os
import re
import sys
from pathlib import Path
from typing import Final

from ..errors import ErrorCode, SwarmwireError
from ..finding import is_ours

__all__ = ["LOCK_VARIABLE", "LockFiles", "file_stem", "lock_directory", "lock_files"]

LOCK_VARIABLE: Final = "SWARMWIRE_LOCK_DIR"
"""The environment variable that puts the files of local locks somewhere else."""

_PLAIN: Final = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789_-")
_DEVICE: Final = re.compile(r"con|prn|aux|nul|com[0-9]|lpt[0-9]")  # no names of files on Windows
_MOST: Final = 160  # of 255 characters that file systems allow


class LockFiles:
    """The files of one lock: what the kernel locks, and the last token that was given out."""

    def __init__(self, directory: Path, name: str) -> None:
        stem = file_stem(name)
        self.directory = directory
        self.lock = directory / f"{stem}.lock"
        self.token = directory / f"{stem}.token"


def lock_directory() -> Path:
    """The directory of this user's lock files.

    `$SWARMWIRE_LOCK_DIR`, else `swarmwire/locks` in `$XDG_DATA_HOME` (an absolute path, or it does not count), else
    in `~/.local/share` (on Windows in `%LOCALAPPDATA%`). It outlives a restart of the machine, as tokens have to.

    Raises:
        SwarmwireError: UNAVAILABLE where this user has no home.
    """
    if given := os.environ.get(LOCK_VARIABLE):
        return Path(given).absolute()
    return _data_home() / "swarmwire" / "locks"


def lock_files(name: str, directory: str | os.PathLike[str] | None) -> LockFiles:
    """The files of a lock, in a directory that is there and this user's alone (0700 if it is made here).

    Raises:
        SwarmwireError: UNAVAILABLE where the directory cannot be used, or others can write to it.
    """
    try:
        place = lock_directory() if directory is None else Path(directory).expanduser().absolute()
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (OSError, RuntimeError, TypeError, ValueError) as error:  # the last three: no home, no path, a null in it
        why = error.strerror if isinstance(error, OSError) and error.strerror else error
        given = os.environ.get(LOCK_VARIABLE) if directory is None else directory
        raise SwarmwireError(
            ErrorCode.UNAVAILABLE, f"The directory of locks {given or lock_directory()} cannot be used: {why}."
        ) from error
    if not is_ours(place):
        raise SwarmwireError(
            ErrorCode.UNAVAILABLE,
            f"The directory of locks has to be this user's alone, and no link; others can write to {place}.",
        )
    return LockFiles(place, name)


def file_stem(name: str) -> str:
    """What a lock of this name is called on disk: another name, another file, whatever the file system.

    All but `a-z`, `0-9`, `_` and `-` is percent-encoded, as capitals are the same letters to some file systems.
    """
    stem = "".join(chr(byte) if byte in _PLAIN else f"%{byte:02x}" for byte in name.encode())
    if len(stem) > _MOST:
        return "%%" + hashlib.sha256(name.encode()).hexdigest()
    if _DEVICE.fullmatch(stem):
        return f"%{ord(stem[0]):02x}{stem[1:]}"
    return stem


def _data_home() -> Path:
    data = os.environ.get("LOCALAPPDATA" if sys.platform == "win32" else "XDG_DATA_HOME", "")
    if os.path.isabs(data):
        return Path(data)
    try:
        return Path.home() / ".local" / "share"
    except RuntimeError as error:
        raise SwarmwireError(
            ErrorCode.UNAVAILABLE, f"This user has no home for lock files; say where they go with {LOCK_VARIABLE}."
        ) from error
