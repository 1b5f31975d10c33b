"""What goes into the next group of the journal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ...base import Put
from ...state import State, conflict
from .journal import Change

__all__ = ["Grouping"]

_MOST: Final = 1_000
"""Changes of one group: the loop hears of all of them in one turn."""


class Grouping:
    """Gathers changes that follow one another, as far as their sizes fit into a message.

    A state is what they are to change; it is only looked at, for they may not come to be.

    Attributes:
        changes: what was taken, in order.
        revision: that of the last of them.
    """

    def __init__(self, state: State, most_bytes: int) -> None:
        self.changes: list[Change] = []
        self.base = self.revision = state.revision
        self._state = state
        self._room = most_bytes
        self._revisions: dict[str, int] = {}

    def has_room(self, size: int) -> bool:
        """Whether a change of so many bytes fits in beside the others."""
        return size <= self._room and len(self.changes) < _MOST

    def add(self, puts: Sequence[Put], change: Change, size: int) -> int:
        """Take a change in; the revision that its keys will have.

        Raises:
            SwarmwireError: CONFLICT: a key has not the revision expected, after the changes taken before.
        """
        for put in puts:
            if put.expected is not None and put.expected != (revision := self._revision_of(put.key)):
                raise conflict(put, revision)
        if puts:
            self.revision += 1
        for put in puts:
            self._revisions[put.key] = 0 if put.value is None else self.revision
        self.changes.append(change)
        self._room -= size
        return self.revision

    def _revision_of(self, key: str) -> int:
        known = self._revisions.get(key)
        if known is not None:
            return known
        stored = self._state.get(key)
        return stored.revision if stored is not None else 0
