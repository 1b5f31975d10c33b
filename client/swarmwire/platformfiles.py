"""What a resume file needs of the operating system: a lock, and reading and writing at a place. Windows has twins."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress

__all__ = ["lock", "publish_new", "read_at", "write_at"]

if sys.platform == "win32":
    import msvcrt

    _LOCKED_BYTE = 1 << 30  # locks are mandatory there: far behind the end nobody else wants to read

    def lock(descriptor: int) -> bool:
        """Lock an open file until it is closed; False if somebody else has. Raises OSError where it cannot be done."""
        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EDEADLK):
                return False
            raise
        return True

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
        with suppress(OSError):  # not every file system can sync a directory
            _sync_directory(os.path.dirname(os.path.abspath(path)))

    def _sync_directory(path: str) -> None:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
