"""What files of the SDK need of the operating system: a lock, reading and writing at a place, and being one's own.

Windows has twins.
"""

from __future__ import annotations

import os
import stat
import sys
import time
from contextlib import suppress
from typing import BinaryIO

__all__ = ["is_private", "lock", "open_new_private", "publish_new", "read_at", "replace_file", "write_at"]


def open_new_private(path: str | os.PathLike[str]) -> BinaryIO:
    """Make a file that is its owner's alone from the first instant. Raises FileExistsError if there is one."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


if sys.platform == "win32":
    import ctypes
    import msvcrt
    from ctypes import wintypes

    _LOCKED_BYTE = 1 << 30  # locks are mandatory there: far behind the end nobody else wants to read
    _LOCK_VIOLATION = 33
    _PAUSES = (0.001, 0.01, 0.05, 0.1, 0.2)

    _lock_file = ctypes.WinDLL("kernel32", use_last_error=True).LockFile
    _lock_file.argtypes = (wintypes.HANDLE, *4 * (wintypes.DWORD,))

    def lock(descriptor: int) -> bool:
        """Lock an open file until it is closed; False if somebody else has. Raises OSError where it cannot be done."""
        if _lock_file(msvcrt.get_osfhandle(descriptor), _LOCKED_BYTE, 0, 1, 0):
            return True
        if (error := ctypes.get_last_error()) == _LOCK_VIOLATION:
            return False
        raise ctypes.WinError(error)

    def read_at(descriptor: int, count: int, offset: int) -> bytes:
        """Read up to so many bytes from a place."""
        os.lseek(descriptor, offset, os.SEEK_SET)
        return os.read(descriptor, count)

    def write_at(descriptor: int, data: bytes, offset: int) -> int:
        """Write at a place; returns how many bytes were written."""
        os.lseek(descriptor, offset, os.SEEK_SET)
        return os.write(descriptor, data)

    def publish_new(temporary: str, path: str) -> None:
        """Give a complete file its name. Raises FileExistsError if there is one of that name."""
        os.rename(temporary, path)

    def replace_file(temporary: str, path: str) -> None:
        """Put a complete file in the place of another, or of none, for good."""
        for pause in _PAUSES:
            try:
                os.replace(temporary, path)
            except PermissionError:  # somebody reads the other one just now
                time.sleep(pause)
            else:
                return
        os.replace(temporary, path)

    def is_private(descriptor: int) -> bool:
        """Whether an open file is a plain one; who may read it is the access list of its folder, not looked at."""
        return stat.S_ISREG(os.fstat(descriptor).st_mode)

else:
    import fcntl

    def lock(descriptor: int) -> bool:
        """Lock an open file until it is closed; False if somebody else has. Raises OSError where it cannot be done."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def read_at(descriptor: int, count: int, offset: int) -> bytes:
        """Read up to so many bytes from a place."""
        return os.pread(descriptor, count, offset)

    def write_at(descriptor: int, data: bytes, offset: int) -> int:
        """Write at a place; returns how many bytes were written."""
        return os.pwrite(descriptor, data, offset)

    def publish_new(temporary: str, path: str) -> None:
        """Give a complete file its name. Raises FileExistsError if there is one of that name."""
        try:
            os.link(temporary, path)  # a rename would replace what another process has just put there
        except FileExistsError:
            raise
        except OSError:  # a file system without links
            os.rename(temporary, path)
        else:
            os.unlink(temporary)
        _sync_directory(os.path.dirname(os.path.abspath(path)))

    def replace_file(temporary: str, path: str) -> None:
        """Put a complete file in the place of another, or of none, for good."""
        os.replace(temporary, path)
        _sync_directory(os.path.dirname(os.path.abspath(path)))

    def is_private(descriptor: int) -> bool:
        """Whether an open file is a plain one that belongs to us (or to root) and that nobody else may touch."""
        status = os.fstat(descriptor)
        mine = status.st_uid in (os.geteuid(), 0)
        return stat.S_ISREG(status.st_mode) and mine and not stat.S_IMODE(status.st_mode) & 0o077

    def _sync_directory(path: str) -> None:
        with suppress(OSError):  # not every file system can sync a directory
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
