"""What waits to be written: how much it is, and which idempotency keys are among it."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from typing import Final

from swarmwire_protocol.errors import SwarmwireError

from .dedupe import DedupeTable, Key
from .entry import Draft, Outcome

__all__ = ["WriteQueue", "key_of"]

log = logging.getLogger("swarmwire.broker.engine")

_OVERHEAD: Final = 500
"""Bytes a publish takes up in the queue beside its data, rounded."""


def _nothing() -> None:
    """Who hears of it until somebody does."""


def key_of(draft: Draft) -> Key:
    """A draft's idempotency key with all it is a key of. The draft must have one."""
    assert draft.key is not None
    return (draft.key[0], draft.topic, draft.key[1])


class WriteQueue:
    """Counts what waits, and answers a publish whose key is known, or waits to be known.

    Attributes:
        events, bytes: what waits, or is being written.
        congested: over a limit; it ends when half of each limit is free again, and `relieved` is called.
    """

    def __init__(self, keys: DedupeTable, max_events: int, max_bytes: int) -> None:
        self.events = 0
        self.bytes = 0
        self.congested = False
        self.relieved: Callable[[], None] = _nothing
        self._keys = keys
        self._max_events = max_events
        self._max_bytes = max_bytes
        # Key -> who published it again while the first was still waiting.
        self._claims: dict[Key, list[Draft]] = {}
        self._scopes: Counter[str] = Counter()

    # ---- how much

    def add(self, draft: Draft) -> None:
        """One more waits."""
        self.events += 1
        self.bytes += len(draft.data) + _OVERHEAD
        if self.events > self._max_events or self.bytes > self._max_bytes:
            self.congested = True

    def remove(self, draft: Draft) -> None:
        """One fewer does. `settle` is to follow."""
        self.events -= 1
        self.bytes -= len(draft.data) + _OVERHEAD

    def settle(self) -> None:
        """See whether there is room again."""
        if self.congested and self.events * 2 <= self._max_events and self.bytes * 2 <= self._max_bytes:
            self.congested = False
            self.relieved()

    # ---- keys

    def claim(self, draft: Draft, now_ms: int) -> bool:
        """Whether this draft is the one to be written under its key. If not it was answered, or will be."""
        key = key_of(draft)
        known = self._keys.find(key, now_ms)
        if known is not None:
            _answer(draft, Outcome(known, duplicate=True))
            return False
        waiting = self._claims.get(key)
        if waiting is not None:
            waiting.append(draft)
            self.add(draft)
            return False
        try:
            self._keys.check_room(key, now_ms, len(self._claims), self._scopes[key[0]])
        except SwarmwireError as error:
            _answer(draft, Outcome(error=error))
            return False
        self._claims[key] = []
        self._scopes[key[0]] += 1
        return True

    def stored(self, draft: Draft, seq: int, until: int) -> None:
        """The draft that has claimed a key is stored: remember the key."""
        self._keys.restore(key_of(draft), seq, until)

    def answer(self, draft: Draft, outcome: Outcome) -> None:
        """Answer a draft that was written, or could not be, and those that came under its key meanwhile.

        What their `done` raises is logged.
        """
        self.remove(draft)
        if draft.key is None:
            _tell(draft, outcome)
            return
        key = key_of(draft)
        waiting = self._claims.pop(key)
        self._scopes[key[0]] -= 1
        if not self._scopes[key[0]]:
            del self._scopes[key[0]]
        _tell(draft, outcome)
        for other in waiting:
            self.remove(other)
            _tell(other, outcome if outcome.error is not None else Outcome(outcome.seq, duplicate=True))


def _tell(draft: Draft, outcome: Outcome) -> None:
    # Whatever fails in hearing of it: the others are to hear of theirs.
    try:
        _answer(draft, outcome)
    except Exception:
        log.exception("an answer could not be handed on", extra={"seq": outcome.seq, "topic": draft.topic})


def _answer(draft: Draft, outcome: Outcome) -> None:
    if draft.done is not None:
        draft.done(outcome)
