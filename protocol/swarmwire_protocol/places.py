"""Where a broker of this machine is found, by its name: computed alike by broker and clients, and nothing is created.

The places of one name are those of one user: other users have other directories.
"""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from typing import Final

from .errors import ErrorCode, SwarmwireError

__all__ = [
    "DEFAULT_NAME",
    "RUNTIME_VARIABLE",
    "check_name",
    "fifo_directory",
    "runtime_directory",
    "socket_path",
    "windows_pipe",
]

DEFAULT_NAME: Final = "swarmwire"
"""The name of a broker that was given none."""

RUNTIME_VARIABLE: Final = "SWARMWIRE_RUNTIME_DIR"
"""The environment variable that puts the runtime directory somewhere else."""

_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_NO_NAMES: Final = (".", "..")


def check_name(name: str) -> str:
    """The name of a broker, if it may be one: 1 to 64 of `A-Za-z0-9._-`, and not `.` or `..`.

    Raises INVALID_MESSAGE.
    """
    if not _NAME.fullmatch(name) or name in _NO_NAMES:
        raise SwarmwireError(
            ErrorCode.INVALID_MESSAGE,
            f"A broker's name is 1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-', not '.' or '..'; {name[:100]!a} is none.",
            field="name",
        )
    return name


def runtime_directory() -> Path:
    """The directory of this user's sockets and pipes.

    `$SWARMWIRE_RUNTIME_DIR`, else `swarmwire` in `$XDG_RUNTIME_DIR` (an absolute path, or it does not count), else
    `swarmwire-<uid>` in the directory for temporary files.
    """
    if given := os.environ.get(RUNTIME_VARIABLE):
        return Path(given).absolute()
    session = os.environ.get("XDG_RUNTIME_DIR", "")
    if os.path.isabs(session):
        return Path(session) / "swarmwire"
    return Path(tempfile.gettempdir()) / _own_name()


def socket_path(name: str = DEFAULT_NAME) -> Path:
    """The Unix socket of the broker of this name. Raises INVALID_MESSAGE for what is no name."""
    return runtime_directory() / f"{check_name(name)}.sock"


def fifo_directory(name: str = DEFAULT_NAME) -> Path:
    """The directory of the FIFOs (POSIX) of the broker of this name. Raises INVALID_MESSAGE for what is no name."""
    return runtime_directory() / f"{check_name(name)}.pipe"


def windows_pipe(name: str = DEFAULT_NAME) -> str:
    """The named pipe (Windows) of the broker of this name. Raises INVALID_MESSAGE for what is no name."""
    return rf"\\.\pipe\swarmwire-{check_name(name)}"


def _own_name() -> str:
    user = getattr(os, "getuid", None)  # Windows has none, and a directory for temporary files for each user
    return "swarmwire" if user is None else f"swarmwire-{user()}"
