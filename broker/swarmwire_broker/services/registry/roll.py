"""The roll of all beings: their records in the engine, and what follows from them in memory."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from typing import Final

from msgspec import structs

from swarmwire_protocol.errors import SwarmwireError

from ...engines.entry import Draft
from ..ledger import Ledger
from ..shared import Shared
from .beings import BeingRecord, Presence
from .census import Census
from .events import changed
from .fences import Fences

__all__ = ["Roll"]

log = logging.getLogger("swarmwire.broker.registry")

_BATCH: Final = 500
"""Beings that become suspect in one step after a restart."""


class Roll:
    """Keeps counts and fences in step with what is committed. Changes of one id come one after the other."""

    def __init__(self, shared: Shared) -> None:
        self._ledger = Ledger(shared.engine, "registry/", BeingRecord)
        self._census = Census(shared.hub)
        self._fences = Fences(shared.hub.publishing)
        self._kinds: dict[str, dict[str, None]] = {}

    def __len__(self) -> int:
        return len(self._ledger)

    def get(self, id: str) -> BeingRecord | None:
        """The being of this id, as committed."""
        return self._ledger.get(id)

    def of_kind(self, kind: str | None) -> Iterator[BeingRecord]:
        """The beings of a kind, or all, in the order in which they were registered."""
        ids: Collection[str] = self._kinds.get(kind, {}) if kind is not None else [id for id, _ in self._ledger.items()]
        for id in list(ids):
            if (record := self._ledger.get(id)) is not None:
                yield record

    async def load(self, now_ms: int, *, are_suspect: bool = True) -> list[BeingRecord]:
        """Read what the engine holds of before a restart, and let all of it be suspect: its connections are gone."""
        await self._ledger.load()
        for _, record in self._ledger.items():
            self._census.enter(record.holder.client)
            self._note(record)
        online = [record for _, record in self._ledger.items() if are_suspect and record.presence is Presence.ONLINE]
        for start in range(0, len(online), _BATCH):
            await self._suspect(online[start : start + _BATCH], now_ms)
        return [record for _, record in self._ledger.items()]

    async def _suspect(self, records: list[BeingRecord], now_ms: int) -> None:
        suspects = [structs.replace(record, presence=Presence.SUSPECT, updated_at=now_ms) for record in records]
        events = [draft for record in suspects for draft in changed(record, "suspect")]
        try:
            await self._ledger.write({record.id: record for record in suspects}, events)
        except SwarmwireError as error:  # they lapse all the same, in one step more
            log.warning("beings of before the restart could not be marked as suspect: %s", error.message)

    async def put(self, record: BeingRecord, events: Sequence[Draft]) -> None:
        """Set a record, and tell of it, in one step.

        Raises:
            SwarmwireError: LIMIT_EXCEEDED, or what `Ledger.write` raises.
        """
        former = self._ledger.get(record.id)
        client = record.holder.client
        moves = former is None or former.holder.client != client
        if moves:
            self._census.check(client, is_new=former is None)
            self._census.enter(client)
        try:
            await self._ledger.write({record.id: record}, events)
        finally:  # where who asked has gone meanwhile, it is done all the same
            if self._ledger.get(record.id) == record:
                if moves and former is not None:
                    self._census.leave(former.holder.client)
                self._note(record)
            elif moves:
                self._census.leave(client)

    async def strike(self, record: BeingRecord, events: Sequence[Draft]) -> None:
        """Take a record away, and tell of it, in one step.

        Raises:
            SwarmwireError: what `Ledger.write` raises.
        """
        try:
            await self._ledger.write({record.id: None}, events)
        finally:
            if record.id not in self._ledger:
                self._census.leave(record.holder.client)
                self._fences.take_down(record)
                self._forget(record)

    def close(self) -> None:
        """Fence nobody any more. Harmless twice."""
        self._fences.close()

    def _note(self, record: BeingRecord) -> None:
        self._fences.put_up(record)
        self._kinds.setdefault(record.kind, {})[record.id] = None

    def _forget(self, record: BeingRecord) -> None:
        ids = self._kinds[record.kind]
        del ids[record.id]
        if not ids:
            del self._kinds[record.kind]
