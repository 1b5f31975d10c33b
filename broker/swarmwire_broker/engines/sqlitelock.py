"""One broker, one directory: a lock that the system lets go when the process ends, however it ends."""

from __future__ import annotations

import os
import sys
from pathlib import Path

__all__ = ["DirectoryLock", "DirectoryLocked"]

_FILE = "lock"
_PLACE = 1 << 20
"""Where Windows locks one byte: behind the text, so that others can read who holds it."""


class DirectoryLocked(OSError):
    """Another broker has its log in this directory; the sentence names its process."""


class DirectoryLock:
    """Holds the lock file of a directory from `acquire` to `release`, which are harmless twice."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / _FILE
        self._file: int | None = None

    def acquire(self) -> None:
        """Take the lock, or fail at once.

        Raises:
            DirectoryLocked: another broker holds it, in this process or another.
            OSError: the file cannot be opened.
        """
        if self._file is not None:
            return
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
        try:
            _lock(file)
        except OSError:
            holder = os.pread(file, 64, 0) if hasattr(os, "pread") else os.read(file, 64)
            os.close(file)
            raise DirectoryLocked(self._sentence(holder)) from None
        os.ftruncate(file, 0)
        os.write(file, b"%d\n" % os.getpid())
        self._file = file

    def _sentence(self, holder: bytes) -> str:
        text = holder.decode("ascii", errors="replace").strip()
        who = f"the process {text}" if text.isdigit() else "another process"
        return f"the directory {self._path.parent} is in use by {who}; several brokers share a log in NATS (--nats)"

    def release(self) -> None:
        """Let it go."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)


if sys.platform == "win32":
    import msvcrt

    def _lock(file: int) -> None:
        os.lseek(file, _PLACE, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        os.lseek(file, 0, os.SEEK_SET)

else:
    import fcntl

    def _lock(file: int) -> None:
        # Not lockf: its locks do not keep out a second broker of the same process.
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
