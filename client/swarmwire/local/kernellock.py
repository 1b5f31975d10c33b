"""One lock of the kernel's on one file: it ends with the process that has it, whatever ends the process."""

from __future__ import annotations

import errno
import importlib
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from ..errors import ErrorCode, SwarmwireError

__all__ = ["KernelLock"]

_NO_LOCKS: Final = (errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP)


class KernelLock:
    """Locks a file as `filelock` does it on this platform, but never by the mere presence of a file.

    Raises:
        SwarmwireError: UNAVAILABLE where filelock is missing, or the platform has no locks of the kernel's.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = _made(path)

    def take(self) -> bool:
        """Lock it, if nobody has; whether it is ours now.

        Raises:
            SwarmwireError: UNAVAILABLE where the file cannot be opened, or its file system has no locks.
        """
        try:
            self._lock.acquire(blocking=False)
        except TimeoutError:  # which filelock's Timeout is
            return False
        except (OSError, NotImplementedError) as error:
            raise self._failed(error) from error
        return True

    def give(self) -> None:
        """Let others have it. Harmless twice."""
        self._lock.release(force=True)

    def _failed(self, error: Exception) -> SwarmwireError:
        if isinstance(error, OSError) and error.errno not in _NO_LOCKS:
            return SwarmwireError(
                ErrorCode.UNAVAILABLE, f"The lock file {self._path} cannot be used: {error.strerror or error}."
            )
        return SwarmwireError(
            ErrorCode.UNAVAILABLE,
            f"The file system of {self._path} has no locks that end with their process; "
            "put the directory of locks elsewhere, or use a broker's locks.",
        )


def _made(path: Path) -> Any:
    module = _filelock()
    kind = module.FileLock
    if issubclass(kind, module.SoftFileLock):
        sentence = "This platform has no file locks that end with their process; use a broker's locks."
        raise SwarmwireError(ErrorCode.UNAVAILABLE, sentence)
    # Any thread of this process may give it back, not only the one that took it.
    return kind(path, mode=0o600, thread_local=False, fallback_to_soft=False)


def _filelock() -> ModuleType:
    try:
        return importlib.import_module("filelock")
    except ImportError as error:
        raise SwarmwireError(
            ErrorCode.UNAVAILABLE, "Locks without a broker need filelock: pip install 'swarmwire[local]'."
        ) from error
