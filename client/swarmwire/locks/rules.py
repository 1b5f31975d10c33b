"""What all locks of the SDK agree on, through a broker or through files: their names, their times, their errors."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Generator
from typing import Any, Final

from ..errors import ErrorCode, SwarmwireError, afresh

__all__ = [
    "MAX_NAME_BYTES",
    "LossFlag",
    "already_held",
    "check_lock_name",
    "check_seconds",
    "check_ttl",
    "is_seconds",
    "lock_lost",
    "lock_timeout",
]

MAX_NAME_BYTES: Final = 128
"""The longest name of a lock, in bytes of UTF-8."""

_MOST_SECONDS: Final = 86_400.0
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")


class LossFlag:
    """Whether a lock was lost: true or false, and to be awaited, which gives the error that says why."""

    def __init__(self) -> None:
        self.error: SwarmwireError | None = None
        self._waiting: set[asyncio.Future[None]] = set()

    def __bool__(self) -> bool:
        return self.error is not None

    def __repr__(self) -> str:
        return f"LossFlag({bool(self)})"

    def __await__(self) -> Generator[Any, None, SwarmwireError]:
        return self._wait().__await__()

    def set(self, error: SwarmwireError) -> None:
        """It was lost."""
        self.error = error
        waiting, self._waiting = self._waiting, set()
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def check(self) -> None:
        """Raise LOCK_LOST, if it was lost."""
        if self.error is not None:
            raise afresh(self.error)

    async def _wait(self) -> SwarmwireError:
        while self.error is None:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.add(future)
            try:
                await future
            finally:
                self._waiting.discard(future)
        return self.error


def check_lock_name(name: str) -> str:
    """The name of a lock, if it may be one: 1 to 128 bytes without control characters.

    Raises:
        SwarmwireError: INVALID_MESSAGE, field `name`.
    """
    if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME_BYTES:
        raise _no_name(name)
    if _CONTROL.search(name) or _SURROGATE.search(name) or len(name.encode()) > MAX_NAME_BYTES:
        raise _no_name(name)
    return name


def check_seconds(field: str, value: float | None) -> float | None:
    """A time that is waited: None is no limit, 0 is none at all.

    Raises:
        SwarmwireError: INVALID_MESSAGE, for what is negative or no number.
    """
    if value is not None and not (is_seconds(value) and value >= 0):
        raise SwarmwireError(
            ErrorCode.INVALID_MESSAGE, f"Expected {field} of 0 seconds or more, or None; got {value!r}.", field=field
        )
    return None if value == math.inf else value


def check_ttl(ttl: float) -> float:
    """How long a lock is held without a renewal; the broker takes 1 second to 24 hours.

    Raises:
        SwarmwireError: INVALID_MESSAGE, for what is no such time at all.
    """
    if not (is_seconds(ttl) and 0 < ttl <= _MOST_SECONDS):
        raise SwarmwireError(ErrorCode.INVALID_MESSAGE, f"Expected a ttl of 1 s to 24 h; got {ttl!r}.", field="ttl")
    return ttl


def is_seconds(value: object) -> bool:
    """Whether it is a number that can be a time; True and False are none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)


def lock_timeout(name: str, wait: float | None, held_by: str = "") -> SwarmwireError:
    """The error of a lock that did not become free in time; its `details` have the name."""
    when = "at once" if wait == 0 else f"within {wait:g} s" if wait is not None else "in time"
    return SwarmwireError(
        ErrorCode.LOCK_TIMEOUT, f"The lock {name!r} did not become free {when}{held_by}.", details={"name": name}
    )


def lock_lost(name: str, why: str) -> SwarmwireError:
    """The error of who had a lock and has it no more; its `details` have the name."""
    return SwarmwireError(ErrorCode.LOCK_LOST, f"The lock {name!r} was lost: {why}", details={"name": name})


def already_held(name: str) -> SwarmwireError:
    """The error of acquiring twice with one lock object."""
    return SwarmwireError(
        ErrorCode.CONFLICT, f"This lock object already has the lock {name!r}, or is asking for it; make another."
    )


def _no_name(name: object) -> SwarmwireError:
    what = f"{name[:100]!a} ({len(name)} characters)" if isinstance(name, str) else f"{type(name).__name__}"
    return SwarmwireError(
        ErrorCode.INVALID_MESSAGE,
        f"Expected a lock's name, a string of 1 to {MAX_NAME_BYTES} bytes without control characters; got {what}.",
        field="name",
    )
