"""Writing snapshots beside the journal, and letting go of what they stand for."""

from __future__ import annotations

import logging

from .current import Current
from .snapshot import chunks_of, decode_pointer, encode_pointer, plan
from .storage import Storage, StorageAway, Superseded

__all__ = ["Snapshotting"]

log = logging.getLogger("swarmwire.broker.engine")


class Snapshotting:
    """Writes snapshots. Several brokers may do so at once: the last pointer counts, and names chunks of its own."""

    def __init__(self, current: Current, storage: Storage, name: str) -> None:
        self._current = current
        self._storage = storage
        self._name = name

    async def write(self) -> None:
        """Write one of what is known now, unless somebody else has. What fails is tried again when the next is due."""
        try:
            await self._write()
        except (StorageAway, Superseded) as problem:
            log.warning("no snapshot of the state was written: %s", problem or "another broker was first")

    async def _write(self) -> None:
        current, storage = self._current, self._storage
        before = await storage.pointer()
        if before is not None and self._adopt(before.payload):
            return
        fold = current.fold
        name, cost, first = f"{fold.seq}-{self._name}", fold.cost, None
        # At once, for the state changes while it is written.
        items, pointer = list(fold.state.items()), plan(fold, name)
        count = size = 0
        for chunk in chunks_of(items, storage.most_bytes):
            place = await storage.write_chunk(name, count, chunk)
            first = first or place
            count, size = count + 1, size + len(chunk)
        pointer = pointer.counted(count, size)
        place = await storage.write_pointer(encode_pointer(pointer), before.seq if before is not None else 0)
        current.fold.snapshotted(pointer.s, size, cost)
        await storage.tidy(pointer.f, first or place, place)

    def _adopt(self, payload: bytes) -> bool:
        """Whether somebody else has written one since."""
        fold, pointer = self._current.fold, decode_pointer(payload)
        if pointer.s <= fold.snapshot_seq:
            return False
        fold.snapshotted(pointer.s, pointer.b, fold.cost)
        return True
