"""Ledgers: typed records that a service keeps in the engine, with a copy in memory to decide by."""

from __future__ import annotations

import asyncio
from collections.abc import ItemsView, Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct

from swarmwire_protocol.errors import ErrorCode, Outcome, SwarmwireError

from ..engines.base import Draft, Put
from .tenure import Store

__all__ = ["Ledger", "write_together"]

R = TypeVar("R", bound=Struct)


class Ledger(Generic[R]):
    """Records by name, each under `<prefix><name>` in the engine.

    The copy in memory holds what is committed. A change is made by one writer at a time for each name (`KeyLocks`);
    where another broker has changed a record meanwhile, the write is a CONFLICT, and the copy then holds the other's.
    """

    def __init__(self, engine: Store, prefix: str, kind: type[R]) -> None:
        self._engine = engine
        self._prefix = prefix
        self._decoder = msgspec.msgpack.Decoder(kind)
        self._records: dict[str, R] = {}
        self._revisions: dict[str, int] = {}

    async def load(self) -> None:
        """Read what the engine holds."""
        found = await self._engine.scan(self._prefix)
        self._records, self._revisions = {}, {}
        for key, stored in found:
            self._keep(key.removeprefix(self._prefix), self._decoder.decode(stored.value), stored.revision)

    def __len__(self) -> int:
        return len(self._records)

    def __contains__(self, name: str) -> bool:
        return name in self._records

    def get(self, name: str) -> R | None:
        """The record of this name, as committed."""
        return self._records.get(name)

    def items(self) -> ItemsView[str, R]:
        """All records by name, in the order in which they came."""
        return self._records.items()

    async def write(self, changes: Mapping[str, R | None], events: Sequence[Draft] = ()) -> None:
        """Set records (None removes one) and publish events, in one step; returns when it is durable.

        Raises:
            SwarmwireError: CONFLICT, UNAVAILABLE, OUTCOME_UNKNOWN; then the copy holds what the engine holds.
        """
        await write_together([(self, changes)], events)

    # ---- for `write_together`

    def _puts(self, changes: Mapping[str, R | None]) -> Iterable[Put]:
        for name, record in changes.items():
            value = None if record is None else msgspec.msgpack.encode(record)
            yield Put(self._prefix + name, value, self._revisions.get(name, 0))

    def _keep(self, name: str, record: R | None, revision: int) -> None:
        if record is None:
            self._records.pop(name, None)
            self._revisions.pop(name, None)
        else:
            self._records[name] = record
            self._revisions[name] = revision

    async def _read_again(self, names: Iterable[str]) -> None:
        for name in names:
            stored = await self._engine.get(self._prefix + name)
            if stored is None:
                self._keep(name, None, 0)
            else:
                self._keep(name, self._decoder.decode(stored.value), stored.revision)


async def write_together(writes: Sequence[tuple[Ledger[Any], Mapping[str, Any]]], events: Sequence[Draft] = ()) -> None:
    """The same for records of several ledgers of one engine, and their events, in one step.

    What has begun comes to its end: a caller that is cancelled meanwhile is told so (CancelledError) when it is decided
    and the copies hold it, so it can see what has become of it, and undo it.
    """
    if not writes[0][0]._engine.defers:
        await _commit(writes, events)
        return
    work = asyncio.get_running_loop().create_task(_commit(writes, events))
    cancelled: asyncio.CancelledError | None = None
    while not work.done():
        try:
            await asyncio.wait((work,))
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        work.exception()  # looked at, so that nobody reports it as lost
        raise cancelled
    work.result()


async def _commit(writes: Sequence[tuple[Ledger[Any], Mapping[str, Any]]], events: Sequence[Draft]) -> None:
    engine = writes[0][0]._engine
    puts = [put for ledger, changes in writes for put in ledger._puts(changes)]
    try:
        revision = await engine.transact(puts, events)
    except SwarmwireError as error:
        if error.code is ErrorCode.CONFLICT or error.outcome is Outcome.UNKNOWN:
            for ledger, changes in writes:
                await ledger._read_again(changes)
        raise
    for ledger, changes in writes:
        for name, record in changes.items():
            ledger._keep(name, record, revision)
