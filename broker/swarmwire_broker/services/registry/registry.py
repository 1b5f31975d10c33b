"""The registry: who is there, what it can do, and what becomes of it when it is not heard of any more.

Absence comes in two phases. A being whose connection is lost, or that was not heard of for its ttl, is `suspect`; a ttl
later it is gone, and its last will is published. One that says bye, or unregisters, is gone at once and leaves no will;
one whose process on this machine ends is gone at once, and its will is published.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any, Final

from msgspec import Raw, Struct, structs

from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from ...core.caller import Caller
from ...core.identity import Author
from ...core.methods import Asked, Method
from ...engines.entry import Draft
from ..clients import pid_of
from ..keylocks import KeyLocks
from ..leases import Lapse, Leases
from ..shared import Shared
from .beings import Being, BeingRecord, Claim, Holder, Presence, claim_of, formers_of, proves
from .events import RESERVED, came, changed, check_topics, went
from .params import Heartbeat, ListBeings, OneBeing, Register, Unregister, checked_ttl
from .roll import Roll
from .wills import Will, accepted, published

__all__ = ["Beings", "Registry", "Renewed"]

_ID_DIGITS: Final = 16

_TURN: Final = 2_000
"""Beings looked at in one turn of the loop."""


class Renewed(Struct, kw_only=True):
    """The answer to a heartbeat."""

    id: str
    epoch: int
    ttl: int
    state: str


class Beings(Struct, kw_only=True):
    """Some of the beings that were asked for, and how many there are of them."""

    count: int
    beings: list[Being]


class Registry:
    """The beings of a broker, and the leases by which they are there."""

    def __init__(self, shared: Shared) -> None:
        self._hub = shared.hub
        self._clock = shared.hub.clock
        self._fencing = shared.fencing
        self._takes_over = shared.takes_over
        self._locks = KeyLocks()
        self._roll = Roll(shared)
        self._leases = Leases(self._clock, self._lapsed, self._lost, shared.deaths, by_traffic=True)
        shared.hub.publishing.reserve(*RESERVED)

    def methods(self) -> list[Method]:
        return [
            Method("registry.register", Register, self._register),
            Method("registry.heartbeat", Heartbeat, self._heartbeat),
            Method("registry.unregister", Unregister, self._unregister),
            Method("registry.list", ListBeings, self._list, looks=True),
            Method("registry.get", OneBeing, self._get, looks=True),
        ]

    async def start(self) -> None:
        for record in await self._roll.load(self._clock.now_ms(), are_suspect=not self._takes_over):
            self._leases.hold(record.id, None, record.ttl)

    def meet(self, callers: Mapping[str, Caller]) -> None:
        """These connections, by client id, outlived the broker that had the registry: their beings are there."""
        for record in self._roll.of_kind(None):
            caller = callers.get(record.client_id)
            if caller is not None and record.id in self._leases and self._leases.session_of(record.id) is None:
                self._leases.hold(record.id, caller, record.ttl)
                if record.presence is Presence.SUSPECT:
                    self._clock.spawn(self._believe(record.id, caller))

    def close(self) -> None:
        self._leases.close()
        self._roll.close()

    def of_kind(self, kind: str) -> list[Being]:
        """The beings of a kind, for other services."""
        return [Being.of(record) for record in self._roll.of_kind(kind)]

    # ---- registering

    async def _register(self, asked: Asked, params: Register) -> Being:
        checked_ttl(params.ttl)
        self._check_metadata(params.metadata)
        id = params.id if params.id is not None else self._hub.tokens.take(_ID_DIGITS)
        check_topics(params.kind, id)
        will = accepted(params.will, asked.author, self._hub.publishing, self._hub.limits.max_being_bytes)
        async with self._locks.hold(id):
            record = await self._claimed(id, asked, params, will)
        return Being.of(record)

    async def _claimed(self, id: str, asked: Asked, params: Register, will: Will | None) -> BeingRecord:
        author, former = asked.author, self._roll.get(id)
        holder = Holder(author.scope, author.instance, params.owner)
        claim = claim_of(former, holder, params.epoch)
        if former is not None and former.kind != params.kind:
            sentence = f"The id is registered as {former.kind!r}; a being keeps its kind."
            raise SwarmwireError(ErrorCode.CONFLICT, sentence, field="params.kind")
        epoch = former.epoch if former is not None and claim is Claim.GO_ON else await self._fencing.next()
        record = self._made(id, holder, epoch, former, asked, params, will)
        if former is None or claim is not Claim.GO_ON:
            await self._store(record, came(record, author, is_new=former is None), asked.session)
        elif structs.replace(record, updated_at=former.updated_at) == former:
            self._leases.hold(id, self._line(id, asked.session), record.ttl)
        else:
            event = "online" if former.presence is Presence.SUSPECT else "updated"
            await self._store(record, changed(record, event, author), asked.session)
        return record

    def _made(
        self,
        id: str,
        holder: Holder,
        epoch: int,
        former: BeingRecord | None,
        asked: Asked,
        params: Register,
        will: Will | None,
    ) -> BeingRecord:
        now = self._now(former)
        goes_on = former is not None and former.epoch == epoch
        return BeingRecord(
            id=id,
            name=params.name,
            kind=params.kind,
            epoch=epoch,
            ttl=params.ttl,
            presence=Presence.ONLINE,
            scope=holder.scope,
            instance=holder.instance,
            owner=holder.owner,
            formers=formers_of(former, holder, goes_on=goes_on),
            capabilities=list(dict.fromkeys(params.capabilities)),
            metadata=bytes(params.metadata),
            status=params.status,
            sender=asked.author.sender,
            client_id=asked.session.client_id,
            pid=pid_of(asked.session),
            registered_at=former.registered_at if former is not None and goes_on else now,
            updated_at=now,
            will=will,
        )

    def _check_metadata(self, metadata: Raw) -> None:
        data, most = bytes(metadata), self._hub.limits.max_being_bytes
        if not data.startswith(b"{"):
            raise SwarmwireError(ErrorCode.INVALID_MESSAGE, "Expected an object.", field="params.metadata")
        if len(data) > most:
            sentence = f"The metadata of a being has at most {most} bytes, not {len(data)}."
            raise SwarmwireError(ErrorCode.MESSAGE_TOO_LARGE, sentence, field="params.metadata")

    # ---- staying and leaving

    def _heartbeat(self, asked: Asked, params: Heartbeat) -> Renewed | Coroutine[Any, Any, Renewed]:
        if isinstance(params.metadata, Raw):
            self._check_metadata(params.metadata)
        record = self._proved(asked.author, params.id, params.epoch)
        session = self._leases.session_of(record.id)
        is_at_rest = session is not None and (session is asked.session or asked.session.peer.brief)
        if is_at_rest and _renewed(record, params) is record and self._leases.renew(record.id):
            return _answer(record)
        return self._renew(asked, params)

    async def _renew(self, asked: Asked, params: Heartbeat) -> Renewed:
        async with self._locks.hold(params.id):
            record = self._proved(asked.author, params.id, params.epoch)
            renewed = _renewed(record, params)
            if renewed is record:
                self._leases.hold(record.id, self._line(record.id, asked.session), record.ttl)
            else:
                renewed = structs.replace(renewed, updated_at=self._now(record))
                event = "online" if record.presence is Presence.SUSPECT else "updated"
                await self._store(renewed, changed(renewed, event, asked.author), asked.session)
            return _answer(renewed)

    async def _unregister(self, asked: Asked, params: Unregister) -> Being:
        async with self._locks.hold(params.id):
            record = self._proved(asked.author, params.id, params.epoch)
            await self._remove(record, asked.author, with_will=False)
            return Being.of(record, "gone")

    def _proved(self, author: Author, id: str, epoch: int) -> BeingRecord:
        record = self._found(id)
        proves(record, author, epoch)
        return record

    def _found(self, id: str) -> BeingRecord:
        record = self._roll.get(id)
        if record is None:
            raise SwarmwireError(ErrorCode.NOT_FOUND, "No being of this id is registered.", field="params.id")
        return record

    # ---- asking

    def is_holder(self, kind: str, id: str, author: Author) -> bool | None:
        """Whether this author speaks for a being of a kind; None where none of this id is registered."""
        record = self._roll.get(id)
        if record is None or record.kind != kind:
            return None
        return record.scope == author.scope and (author.scope, author.instance) not in record.formers

    def _get(self, asked: Asked, params: OneBeing) -> Being:
        return Being.of(self._found(params.id))

    async def _list(self, asked: Asked, params: ListBeings) -> Beings:
        wanted, found = set(params.capabilities), list[BeingRecord]()
        for number, record in enumerate(self._roll.of_kind(params.kind), 1):
            if params.fits(record, wanted):
                found.append(record)
            if number % _TURN == 0:
                await asyncio.sleep(0)
        shown = found[params.offset : params.offset + params.limit]
        return Beings(count=len(found), beings=[Being.of(record) for record in shown])

    # ---- absence

    def _lost(self, id: str) -> None:
        """The connection of a holder is lost: from now on it has its ttl to come back."""
        self._leases.renew(id)
        if not self._hub.is_draining:  # all are lost then, and suspect after the restart
            self._clock.spawn(self._doubt(id))

    async def _doubt(self, id: str) -> None:
        async with self._locks.hold(id):
            record = self._roll.get(id)
            is_away = id in self._leases and self._leases.session_of(id) is None
            if record is not None and is_away and record.presence is Presence.ONLINE:
                await self._suspect(record)

    async def _believe(self, id: str, caller: Caller) -> None:
        """The connection of a being was thought to be lost, and is there."""
        async with self._locks.hold(id):
            record = self._roll.get(id)
            if record is not None and record.presence is Presence.SUSPECT and self._leases.session_of(id) is caller:
                online = structs.replace(record, presence=Presence.ONLINE, updated_at=self._now(record))
                await self._roll.put(online, changed(online, "online"))

    async def _lapsed(self, id: str, why: Lapse) -> None:
        async with self._locks.hold(id):
            record = self._roll.get(id)
            if record is None or id in self._leases:
                return
            if why is Lapse.EXPIRED and record.presence is Presence.ONLINE:
                try:
                    await self._suspect(record)
                finally:
                    if self._roll.get(id) != record:  # also where it was stored, and the answer lost
                        self._leases.hold(id, None, record.ttl)
            else:
                await self._remove(record, None, with_will=why is not Lapse.LEFT)

    async def _suspect(self, record: BeingRecord) -> None:
        suspect = structs.replace(record, presence=Presence.SUSPECT, updated_at=self._now(record))
        await self._roll.put(suspect, changed(suspect, "suspect"))

    # ---- writing

    async def _store(self, record: BeingRecord, events: list[Draft], session: Caller) -> None:
        try:
            await self._roll.put(record, events)
        finally:  # what is stored is there, also where who asked has gone meanwhile
            if self._roll.get(record.id) == record:
                self._leases.hold(record.id, self._line(record.id, session), record.ttl)

    async def _remove(self, record: BeingRecord, author: Author | None, *, with_will: bool) -> None:
        gone = structs.replace(record, updated_at=self._now(record))
        events = went(gone, author)
        if with_will and record.will is not None:
            events.append(published(record.will))
        try:
            await self._roll.strike(record, events)
        finally:
            if self._roll.get(record.id) is None:
                self._leases.drop(record.id)

    def _now(self, former: BeingRecord | None) -> int:
        """The time of a change: never before the one before it, so that the newer of two records can be told."""
        now = self._clock.now_ms()
        return now if former is None else max(now, former.updated_at)

    def _line(self, id: str, session: Caller) -> Caller | None:
        """The connection that stands for a being: of a holder that also speaks over HTTP, the other one."""
        return self._leases.session_of(id) if session.peer.brief else session


def _renewed(record: BeingRecord, params: Heartbeat) -> BeingRecord:
    """A being that has just been heard of; the very same record where nothing has changed."""
    metadata = bytes(params.metadata) if isinstance(params.metadata, Raw) else record.metadata
    status = params.status if isinstance(params.status, str) else record.status
    is_new = metadata != record.metadata or status != record.status or record.presence is Presence.SUSPECT
    if not is_new:
        return record
    return structs.replace(record, metadata=metadata, status=status, presence=Presence.ONLINE)


def _answer(record: BeingRecord) -> Renewed:
    return Renewed(id=record.id, epoch=record.epoch, ttl=record.ttl, state=record.presence.value)
