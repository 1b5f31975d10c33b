"""The directory where clients and one broker meet by FIFOs: taken by a lock, and empty again when the broker goes."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from swarmwire_protocol.fifo import CONTROL, LOCK, fault_of_fifo, fifo_names

from .socketfile import private_directory

__all__ = ["Ends", "Rendezvous", "is_dead"]

_FLAGS: Final = os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW: Final = f"{CONTROL}.new"
_ATTEMPTS: Final = 10
_MOST_AT_ONCE: Final = 1_000
_NAMES: Final = (".up", ".down")


class Ends(NamedTuple):
    """The broker's ends of one client's FIFOs, as open descriptors, and the user that the FIFOs belong to."""

    reading: int
    writing: int
    owner: int


def is_dead(error: OSError) -> bool:
    """Whether opening a client's FIFOs failed because the client is gone, which is nothing to report."""
    return error.errno in (errno.ENXIO, errno.ENOENT, errno.EPIPE)


class Rendezvous:
    """A directory that this broker holds. `take` makes one; `leave` gives it back.

    Attributes:
        control: the open control FIFO, for reading without waiting.
    """

    def __init__(self, directory: Path, lock: int) -> None:
        self._directory = directory
        self._lock = lock
        self.control = -1

    @classmethod
    def take(cls, directory: Path) -> Rendezvous:
        """Hold the directory, which is made if it is missing, and put up a control FIFO.

        Raises:
            OSError: EADDRINUSE while a living broker holds it; what else keeps us from it, each with a sentence.
        """
        held = cls(directory, _lock(directory))
        try:
            held.sweep(0)
            held._put_up()
        except BaseException:
            held.leave()
            raise
        return held

    def open(self, client: str) -> Ends:
        """Open what a client has announced, and remove the names, whatever comes of it.

        Raises:
            OSError: the client is gone (`is_dead`), or its files are not what they have to be.
        """
        names = fifo_names(self._directory, client)
        try:
            reading = _open_fifo(names.up, os.O_RDONLY)
            try:
                writing = _open_fifo(names.down, os.O_WRONLY)  # ENXIO where nobody reads
            except BaseException:
                os.close(reading)
                raise
        finally:
            for name in names:
                _remove(name)
        return Ends(reading, writing, os.fstat(reading).st_uid)

    def sweep(self, seconds: float) -> None:
        """Remove FIFOs that are older: whoever made them died before it could announce them.

        At most a thousand at once, so that it takes no long time; the next sweep goes on.
        """
        oldest = time.time() - seconds
        with suppress(OSError), os.scandir(self._directory) as entries:
            for _, entry in zip(range(_MOST_AT_ONCE), entries, strict=False):
                if entry.name.endswith(_NAMES) and _is_stale(entry, oldest):
                    _remove(Path(entry.path))

    def leave(self) -> None:
        """Remove what is there, the directory too, and let others have the name. Harmless twice."""
        if self._lock < 0:
            return
        control, self.control = self.control, -1
        for name in (CONTROL, _NEW):
            _remove(self._directory / name)
        self.sweep(0)
        _remove(self._directory / LOCK)  # last, and while it is held: see `_lock`
        with suppress(OSError):  # it stays while a client that comes too late still has a file there
            self._directory.rmdir()
        if control >= 0:
            os.close(control)
        os.close(self._lock)
        self._lock = -1

    def _put_up(self) -> None:
        """Make the control FIFO, complete when it gets its name. Open for writing too, so that it never ends."""
        new = self._directory / _NEW
        _remove(new)
        os.mkfifo(new, 0o600)
        self.control = _open_fifo(new, os.O_RDWR)
        new.rename(self._directory / CONTROL)


def _is_stale(entry: os.DirEntry[str], oldest: float) -> bool:
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError:
        return False
    return stat.S_ISFIFO(status.st_mode) and status.st_mtime <= oldest


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink()


def _open_fifo(path: Path, flags: int) -> int:
    descriptor = os.open(path, flags | _FLAGS)
    fault = fault_of_fifo(os.fstat(descriptor), os.geteuid())
    if fault is not None:
        os.close(descriptor)
        raise PermissionError(errno.EPERM, f"{path.name} is not a client's FIFO: {fault}")
    return descriptor


def _lock(directory: Path) -> int:
    """The descriptor of the lock that makes the directory ours."""
    for _ in range(_ATTEMPTS):
        _prepare(directory)
        try:
            lock = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | _FLAGS, 0o600)
        except FileNotFoundError:
            continue  # whoever left just now has taken the directory away
        try:
            if _try_lock(lock, directory):
                return lock
        except BaseException:
            os.close(lock)
            raise
        os.close(lock)
    raise OSError(errno.EBUSY, f"others take {directory} and leave it all the time")


def _try_lock(lock: int, directory: Path) -> bool:
    """Lock the file; False if it has lost its name meanwhile, as that of a broker that leaves does."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(lock), (directory / LOCK).lstat())
    except FileNotFoundError:
        return False
    except BlockingIOError:
        raise OSError(errno.EADDRINUSE, f"a living broker has {directory}") from None


def _prepare(directory: Path) -> None:
    """Make the directory for this user alone, and look whether it is."""
    directory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    private_directory(directory.parent, forbidden=0o022)  # others may look into it, for a socket that is for them
    private_directory(directory)
