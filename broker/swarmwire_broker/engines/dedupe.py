"""Idempotency keys: what was appended under a key is not appended again."""

from __future__ import annotations

import time
from collections import OrderedDict, deque

from swarmwire_protocol.errors import ErrorCode, SwarmwireError

__all__ = ["DedupeTable", "Key", "monotonic_ms"]

Key = tuple[str, str, str]
"""(scope, topic, key): the same key of another publisher or on another topic is another key."""


def monotonic_ms() -> int:
    """Milliseconds that only rise, at a steady pace, whatever is done to the time of day."""
    return time.monotonic_ns() // 1_000_000


class DedupeTable:
    """Key -> the place it was given, for `dedupe_ms` and never shorter. A full table refuses instead of forgetting.

    Places rise from one key to the next. All times are those of one clock that only rises.

    Attributes:
        forgotten: every key whose place is not above this one is forgotten.
    """

    def __init__(self, dedupe_ms: int, max_keys: int, max_keys_per_scope: int) -> None:
        self._dedupe_ms = dedupe_ms
        self._max_keys = max_keys
        self._max_keys_per_scope = max_keys_per_scope
        self._places: OrderedDict[Key, tuple[int, int]] = OrderedDict()
        # When each key of a scope is forgotten, in rising order, as they are over all scopes.
        self._untils: dict[str, deque[int]] = {}
        self._last_until = 0
        self.forgotten = 0

    def __len__(self) -> int:
        return len(self._places)

    def find(self, key: Key, now_ms: int) -> int | None:
        """The place this key was given, if it is remembered."""
        self._forget(now_ms)
        known = self._places.get(key)
        return known[0] if known is not None else None

    def check_room(self, key: Key, now_ms: int, waiting: int = 0, waiting_of_scope: int = 0) -> None:
        """Make sure that one more key of this scope can be remembered, beside those that wait to be.

        Raises:
            SwarmwireError: UNAVAILABLE, with the time after which there is room again.
        """
        if len(self._places) + waiting >= self._max_keys:
            oldest = next(iter(self._places.values()), (0, now_ms))[1]
            raise self._full("The table of idempotency keys is full", oldest - now_ms)
        untils = self._untils.get(key[0], ())
        if len(untils) + waiting_of_scope >= self._max_keys_per_scope:
            oldest = untils[0] if untils else now_ms
            raise self._full("This subject's share of the table of idempotency keys is full", oldest - now_ms)

    def remember(self, key: Key, seq: int, now_ms: int) -> None:
        """Remember the place a key was given."""
        self.restore(key, seq, now_ms + self._dedupe_ms)

    def restore(self, key: Key, seq: int, until: int) -> None:
        """Remember the place a key was given until a time that was decided before, or as long as the keys before it.

        A place that the key had before gives way.
        """
        if key in self._places:
            self._forget_until(key[0], self._places.pop(key)[1])
        self._last_until = until = max(self._last_until, until)
        self._places[key] = (seq, until)
        self._untils.setdefault(key[0], deque()).append(until)

    def clear(self) -> None:
        """Forget all keys: the places they were given are those of a log that is gone."""
        self._places.clear()
        self._untils.clear()
        self.forgotten = 0

    def _forget(self, now_ms: int) -> None:
        while self._places:
            key, (seq, until) = next(iter(self._places.items()))
            if until > now_ms:
                return
            del self._places[key]
            self._forget_until(key[0], until)
            self.forgotten = seq

    def _forget_until(self, scope: str, until: int) -> None:
        untils = self._untils[scope]
        untils.remove(until)
        if not untils:
            del self._untils[scope]

    def _full(self, what: str, wait_ms: int) -> SwarmwireError:
        return SwarmwireError(
            ErrorCode.UNAVAILABLE,
            f"{what}; publish without a key, or wait.",
            field="key",
            retry_after_ms=max(1, wait_ms if wait_ms > 0 else self._dedupe_ms),
        )
