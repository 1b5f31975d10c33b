"""What is published of locks: `lock.<name>.{acquired,released,lost}`."""

from __future__ import annotations

from typing import Final

from msgspec import Raw, Struct

from swarmwire_protocol.topics import encode_segment

from ...core.identity import Author
from ...engines.base import Draft
from ..telling import told
from .record import LockRecord, shown

__all__ = ["PATTERNS", "LockEvent", "lock_event"]

PATTERNS: Final = ("lock.*.acquired", "lock.*.released", "lock.*.lost")
"""Where nobody else publishes."""


class LockEvent(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of a lock: `acquired`, `released`, or `lost`; where it was not by the holder's call, `reason` says
    why: `expired`, `left` (it said bye), `died`, `gone` (it did not wait for the answer)."""

    event: str
    name: str
    token: int
    client_id: str
    sender: str | None
    reason: str | None = None
    metadata: Raw | None = None


def lock_event(
    event: str, name: str, record: LockRecord, author: Author | None = None, reason: str | None = None
) -> Draft:
    """The event, to be written in one step with the change it tells of.

    It is no state, and stays out of snapshots: `lock.list` has the state.
    """
    data = LockEvent(
        event=event,
        name=name,
        token=record.token,
        client_id=record.client_id,
        sender=record.sender,
        reason=reason,
        metadata=shown(record.metadata),
    )
    return told(f"lock.{encode_segment(name)}.{event}", data, author, clear=True)
