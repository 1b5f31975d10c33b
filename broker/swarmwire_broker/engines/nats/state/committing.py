"""Writing to the journal: one group after another, each certainly committed or certainly not before the next."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from .current import Current
from .journal import BrokenChain, Group, encode_group
from .pausing import Pause
from .storage import Doubtful, Refused, Storage, StorageAway, Superseded

__all__ = ["Committing"]

_READS: Final = 20
"""How often the journal is read for what is said to be there, before it is asked again by writing."""


class Committing:
    """Writes groups, and finds out what has become of them. One at a time.

    Whatever was sent and not answered is sent again: the journal takes only what follows its last group, so of two
    copies one is stored at most. Where another group follows, reading on tells whether ours came before it.

    Attributes:
        certain: set while it is known of all that was sent whether it is committed.
        name: of the writer, another one for each.
    """

    def __init__(self, current: Current, storage: Storage, name: str) -> None:
        self.certain = asyncio.Event()
        self.certain.set()
        self.name = name
        self._current = current
        self._storage = storage
        self._number = 0

    def group(self, term: int) -> Group:
        """An empty group that follows what is known now."""
        self._number += 1
        fold = self._current.fold
        return Group(self.name, self._number, fold.seq, fold.state.revision, fold.last, term, d=fold.told)

    async def commit(self, group: Group, is_wanted: Callable[[], bool]) -> bool:
        """Write a group; whether it is committed. If not it never will be: others were first, or it was given up.

        It is given up once it is not wanted any more and is not stored. If some of it may be under way, an empty group
        takes its place, so that it comes too late.
        """
        try:
            return await self._commit(group, is_wanted)
        finally:
            self.certain.set()

    async def _commit(self, group: Group, is_wanted: Callable[[], bool]) -> bool:
        sent, payload, pause = group, encode_group(group), Pause()
        while True:
            try:
                seq = await self._storage.append(payload, group.p)
            except Superseded:
                if await self._read_on(group.p):
                    return self._current.fold.last_of(self.name) == group.n
            except Doubtful:
                self.certain.clear()
            except Refused:
                pass
            else:
                self._written(seq, sent, payload)
                return sent is group
            await pause()
            if sent is group and not is_wanted():
                if self.certain.is_set():
                    return False
                self._number += 1
                sent = Group(self.name, self._number, group.p, group.r, group.b, group.t, d=group.d)
                payload = encode_group(sent)

    def _written(self, seq: int, group: Group, payload: bytes) -> None:
        try:
            self._current.apply(seq, group, len(payload))
        except BrokenChain:
            # The journal was made anew meanwhile; the next use reads what it is now.
            return

    async def _read_on(self, place: int) -> bool:
        """Read what follows a place; False if nothing is found there for long."""
        self.certain.clear()
        pause = Pause()
        for _ in range(_READS):
            with suppress(StorageAway):
                await self._current.refresh()
            if self._current.fold.seq != place:
                return True
            await pause()
        return False
