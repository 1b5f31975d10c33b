"""The file that a Unix socket is found by: in a directory of its own, held by a lock, and gone with its broker."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
import sys
from pathlib import Path
from typing import Final

__all__ = ["SocketFile", "private_directory"]

MAX_PATH: Final = 103 if sys.platform == "darwin" else 107
"""Bytes that the kernel has room for (sun_path, without the NUL at its end)."""

_OWNER_ONLY: Final = 0o177  # as a umask: 0600
_EVERYONE: Final = 0o666
_TRIES: Final = 10


class SocketFile:
    """Binds the socket at a path, from `bind` to `remove`, which is harmless twice.

    Of brokers that start at once one wins: it holds the lock of `<path>.lock`, which the system lets go however its
    process ends.

    Arguments:
        shared: other users may connect, and something else checks who they are.
    """

    def __init__(self, path: Path, *, shared: bool = False) -> None:
        self._path = path
        self._shared = shared
        self._lock_path = path.with_name(path.name + ".lock")
        self._lock: int | None = None
        self._bound: tuple[int, int] | None = None

    def bind(self) -> socket.socket:
        """A socket bound to the path, which does not listen yet. What a dead broker left is replaced.

        Raises:
            OSError: somebody listens there, or the path or its directory cannot be used; the sentence says why.
        """
        size = len(os.fsencode(self._path))
        if size > MAX_PATH:
            sentence = f"the path of a Unix socket has at most {MAX_PATH} bytes, this one has {size}: {self._path}"
            raise OSError(errno.ENAMETOOLONG, sentence)
        # To enter it helps nobody: the file is the user's alone, or for everybody.
        private_directory(self._path.parent, made=0o711 if self._shared else 0o700, forbidden=0o022)
        self._acquire()
        try:
            self._make_room()
            return self._bind()
        except BaseException:
            self.remove()
            raise

    def _bind(self) -> socket.socket:
        bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            before = os.umask(_OWNER_ONLY)  # so that there is no instant in which others could connect
            try:
                bound.bind(str(self._path))
            finally:
                os.umask(before)
            self._bound = _identity(os.lstat(self._path))
            if self._shared:
                os.chmod(self._path, _EVERYONE)
            bound.setblocking(False)
        except OSError as error:
            bound.close()
            raise OSError(error.errno, f"cannot listen at {self._path}: {error.strerror}") from None
        return bound

    def remove(self) -> None:
        """Take the file away if it is still the one that was bound, and let the lock go.

        It is known by its inode, which no other file can have while the socket is open: close that afterwards.
        """
        bound, self._bound = self._bound, None
        if bound is not None and bound == _identity_at(self._path):
            self._path.unlink(missing_ok=True)
        lock, self._lock = self._lock, None
        if lock is not None:
            self._lock_path.unlink(missing_ok=True)
            os.close(lock)

    # ---- who else is there

    def _acquire(self) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        for _ in range(_TRIES):
            try:
                lock = os.open(self._lock_path, flags, 0o600)
            except OSError as error:
                raise OSError(error.errno, f"cannot lock {self._lock_path}: {error.strerror}") from None
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(lock)
                raise self._is_taken() from None
            if _identity(os.fstat(lock)) == _identity_at(self._lock_path):
                self._lock = lock
                return
            os.close(lock)  # its last holder took the file away after it was opened here
        raise self._is_taken()

    def _make_room(self) -> None:
        """Take away what a dead broker left; never what is no socket, or is answered."""
        try:
            found = os.lstat(self._path)
        except FileNotFoundError:
            return
        if not stat.S_ISSOCK(found.st_mode):
            raise OSError(errno.EEXIST, f"{self._path} is there and is no socket; it is left as it is")
        if _is_answered(self._path):
            raise self._is_taken()
        self._path.unlink(missing_ok=True)

    def _is_taken(self) -> OSError:
        return OSError(errno.EADDRINUSE, f"somebody listens at {self._path} already")


def private_directory(directory: Path, *, made: int = 0o700, forbidden: int = 0o077) -> None:
    """Make a directory that is this user's alone, or see that it is: it is made with one mode, and refused with the
    bits of another.

    Raises:
        OSError: it cannot be made, or others could change what is in it; the sentence says which.
    """
    try:
        _make(directory, made)
        found = directory.lstat()
    except OSError as error:
        raise OSError(error.errno, f"cannot use the directory {directory}: {error.strerror}") from None
    mode = stat.S_IMODE(found.st_mode)
    if stat.S_ISLNK(found.st_mode):
        reason = "it is a symbolic link"
    elif found.st_uid != os.geteuid():
        reason = f"it belongs to the user {found.st_uid}"
    elif mode & forbidden:
        reason = f"its mode is {mode:04o}, expected {mode & ~forbidden:04o}"
    else:
        return
    raise OSError(errno.EPERM, f"the directory {directory} is not only this user's: {reason}")


def _make(directory: Path, mode: int) -> None:
    if not directory.is_dir():
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory.chmod(mode)  # whatever the umask takes away


def _is_answered(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:  # it is busy, of another kind, or not for us: in any case it is somebody's
            return True
    return True


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


def _identity_at(path: Path) -> tuple[int, int] | None:
    try:
        return _identity(os.lstat(path))
    except OSError:
        return None
