"""A lock that somebody has, and what the broker tells of it."""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Raw, Struct

from ...core.identity import Author

__all__ = ["Acquired", "Holder", "LockList", "LockPerson", "LockRecord", "LockStatus", "shown"]


class Holder(NamedTuple):
    """Who has a lock, or asks for it: the same three go on with the same token."""

    scope: str
    instance: str
    owner: str | None

    @classmethod
    def of(cls, author: Author, owner: str | None) -> Holder:
        return cls(author.scope, author.instance, owner)


class LockRecord(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the engine keeps of a lock. `since` is milliseconds since 1970, `ttl` milliseconds, `metadata` JSON."""

    token: int
    scope: str
    instance: str
    client_id: str
    sender: str | None
    ttl: int
    since: int
    owner: str | None = None
    metadata: bytes | None = None

    @property
    def holder(self) -> Holder:
        return Holder(self.scope, self.instance, self.owner)


class Acquired(Struct, frozen=True, kw_only=True):
    """The answer to who has got a lock, or renewed it."""

    name: str
    token: int
    ttl: int


class LockPerson(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A holder, as others see it; `connected` is whether there is a connection of its."""

    client_id: str
    sender: str | None
    connected: bool
    metadata: Raw | None = None


class LockStatus(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a lock stands. What only a lock that is held has is left out where it is free."""

    name: str
    held: bool
    waiting: int
    token: int | None = None
    ttl: int | None = None
    left_ms: int | None = None
    since: int | None = None
    holder: LockPerson | None = None


class LockList(Struct, frozen=True, kw_only=True):
    """Some of the locks that are held; `count` is of all that were asked for."""

    count: int
    locks: list[LockStatus]


def shown(metadata: bytes | None) -> Raw | None:
    """The metadata of a record as a part of an answer or an event."""
    return None if metadata is None else Raw(metadata)
