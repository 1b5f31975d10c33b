"""The fencing tokens of one local lock: a file with the last that was given out, and to which process."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final, NamedTuple

from ..errors import ErrorCode, SwarmwireError
from ..platformfiles import replace_file

__all__ = ["Given", "last_given", "next_token"]

_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


_MOST_DIGITS: Final = 18
"""Far more than milliseconds have; what is longer was not written here, and is no token that others can hold."""


class Given(NamedTuple):
    """A token, and the id of the process that got it."""

    token: int
    pid: int


def next_token(path: Path) -> int:
    """A token higher than all before it, on the disk when this returns. To be called by the holder of the lock alone.

    It is at least the time in milliseconds, so that it also rises where the file was lost, and beside the tokens of a
    broker that gave out the same lock before.

    Raises:
        SwarmwireError: UNAVAILABLE where the file cannot be written, or holds something else.
    """
    try:
        given = last_given(path)
        token = max(0 if given is None else given.token + 1, time.time_ns() // 1_000_000)
        _write(path, Given(token, os.getpid()))
    except OSError as error:
        raise SwarmwireError(
            ErrorCode.UNAVAILABLE, f"The file of tokens {path} cannot be used: {error.strerror or error}."
        ) from error
    return token


def last_given(path: Path) -> Given | None:
    """The token that was given out last; None before the first.

    Raises:
        OSError: the file cannot be read.
        SwarmwireError: UNAVAILABLE where it holds something else.
    """
    try:
        text = path.read_text("ascii", errors="replace")
    except FileNotFoundError:
        return None
    token, _, pid = text.strip().partition(" ")
    if not (token.isdecimal() and pid.isdecimal() and max(len(token), len(pid)) <= _MOST_DIGITS):
        raise SwarmwireError(
            ErrorCode.UNAVAILABLE, f"Expected a token and a process in {path}, or no file; it holds {text[:50]!a}."
        )
    return Given(int(token), int(pid))


def _write(path: Path, given: Given) -> None:
    """Put a whole new file in the place of the old one."""
    temporary = path.with_name(f"{path.name}.new")
    descriptor = os.open(temporary, _FLAGS, 0o600)
    try:
        os.write(descriptor, b"%d %d\n" % given)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    replace_file(str(temporary), str(path))
