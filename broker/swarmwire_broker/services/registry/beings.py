"""Beings: what the registry keeps of each, what it shows of it, and who may register under an id."""

from __future__ import annotations

from enum import Enum
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Raw, Struct

from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from ...core.identity import ANONYMOUS, Author
from .wills import Will

__all__ = [
    "MOST_FORMERS",
    "Being",
    "BeingRecord",
    "Claim",
    "Holder",
    "Presence",
    "check_epoch",
    "claim_of",
    "formers_of",
    "proves",
]

MOST_FORMERS: Final = 16
"""Former holders that are remembered, and fenced; the oldest make room."""


class Presence(Enum):
    """Whether a being is there, as far as anybody can tell. When it is gone, so is its record."""

    ONLINE = "online"
    SUSPECT = "suspect"


class Holder(NamedTuple):
    """Who speaks for a being: a subject, an SDK object of it, and what that calls its registration."""

    scope: str
    instance: str
    owner: str

    @property
    def client(self) -> tuple[str, str]:
        """The same without the registration: who is fenced, and whose registrations are counted."""
        return self.scope, self.instance


class BeingRecord(Struct, kw_only=True):
    """What is stored of a being. It is never changed, only replaced.

    Attributes:
        epoch: the fencing token of its holder.
        formers: clients that held it before, and may not publish for it any more.
        metadata: a JSON object.
        sender: the subject that registered it, as everybody sees it.
        registered_at, updated_at: when it was registered by this holder, and changed last, since 1970.
        pid: its process, as the kernel says, else as its client says.
    """

    id: str
    name: str
    kind: str
    epoch: int
    ttl: int
    presence: Presence
    scope: str
    instance: str
    owner: str
    formers: list[tuple[str, str]]
    capabilities: list[str]
    metadata: bytes
    status: str | None
    sender: str | None
    client_id: str
    registered_at: int
    updated_at: int
    pid: int | None = None
    will: Will | None = None

    @property
    def holder(self) -> Holder:
        return Holder(self.scope, self.instance, self.owner)


class Being(Struct, kw_only=True):
    """A being as it is shown to others. `ttl` is in milliseconds, `_ms` in milliseconds since 1970."""

    id: str
    name: str
    kind: str
    state: str
    epoch: int
    ttl: int
    capabilities: list[str]
    metadata: Any
    status: str | None
    subject: str | None
    client_id: str
    pid: int | None
    registered_at: int
    updated_at: int

    @classmethod
    def of(cls, record: BeingRecord, state: str | None = None) -> Being:
        """What everybody may see of a record; never who holds it."""
        return cls(
            id=record.id,
            name=record.name,
            kind=record.kind,
            state=state or record.presence.value,
            epoch=record.epoch,
            ttl=record.ttl,
            capabilities=record.capabilities,
            metadata=Raw(record.metadata),
            status=record.status,
            subject=record.sender,
            client_id=record.client_id,
            pid=record.pid,
            registered_at=record.registered_at,
            updated_at=record.updated_at,
        )

    def told(self, event: str) -> dict[str, Any]:
        """The same as the data of an event."""
        return {"event": event, **msgspec.structs.asdict(self)}


# ---- who may


class Claim(Enum):
    """What registering under an id comes to."""

    BEGIN = "nobody had it"
    GO_ON = "the holder itself is back"
    TAKE_OVER = "its subject registers it anew: the former holder is fenced"


def claim_of(record: BeingRecord | None, holder: Holder, epoch: int | None) -> Claim:
    """Decide about registering `record`'s id; `epoch` is what the registrant held, if it says so.

    Who did not log in is known by its connection alone: an id that it left behind is free for anybody else who did
    not, so that a process that was started again gets it back.

    Raises:
        SwarmwireError: CONFLICT when the id is somebody else's, FENCED when a newer holder has taken over.
    """
    if record is None:
        return Claim.BEGIN
    both_nobody = _is_nobody(record.scope) and _is_nobody(holder.scope)
    if record.scope != holder.scope and not (both_nobody and _is_left(record, epoch)):
        raise SwarmwireError(ErrorCode.CONFLICT, "The id is registered by somebody else.", field="params.id")
    if epoch is not None:
        check_epoch(record, epoch)
        return Claim.GO_ON
    return Claim.GO_ON if record.holder == holder else Claim.TAKE_OVER


def proves(record: BeingRecord, author: Author, epoch: int) -> None:
    """Check that this author holds a being, by the epoch it was given.

    Raises:
        SwarmwireError: PERMISSION_DENIED to another subject, FENCED for another epoch.
    """
    both_nobody = _is_nobody(record.scope) and _is_nobody(author.scope)
    if record.scope != author.scope and not both_nobody:
        raise SwarmwireError(ErrorCode.PERMISSION_DENIED, "Somebody else has registered it.", field="params.id")
    check_epoch(record, epoch)


def check_epoch(record: BeingRecord, epoch: int) -> None:
    """Check that this is the epoch of the one who holds it now.

    Raises:
        SwarmwireError: FENCED.
    """
    if epoch != record.epoch:
        raise SwarmwireError(ErrorCode.FENCED, "Another holder has registered this id since.", field="params.epoch")


def formers_of(former: BeingRecord | None, holder: Holder, *, goes_on: bool) -> list[tuple[str, str]]:
    """The clients that may not publish for a being any more, now that this holder has it after `former`."""
    if former is None:
        return []
    before = former.formers if goes_on else [*former.formers, former.holder.client]
    return [client for client in dict.fromkeys(before) if client != holder.client][-MOST_FORMERS:]


def _is_left(record: BeingRecord, epoch: int | None) -> bool:
    return record.presence is Presence.SUSPECT or epoch == record.epoch


def _is_nobody(scope: str) -> bool:
    return scope.startswith(ANONYMOUS)
