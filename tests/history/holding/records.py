"""What holders of locks and tasks write down while they work, as JSON lines; moments are seconds of one clock."""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

__all__ = ["Ended", "Finished", "Got", "Killed", "LeftOff", "Note", "Renewed", "Settled", "Submitted"]


class _Note(Struct, kw_only=True, frozen=True, tag=True):
    at: float
    """When it was known: for an answer, when it had come."""


class _Held(_Note, kw_only=True, frozen=True):
    """Something about one holding: `begun` is when the broker was asked, `name` a lock or a task."""

    begun: float
    holder: str
    name: str
    token: int


class Got(_Held, kw_only=True, frozen=True):
    """The broker has given it; for `ttl` seconds from when it was asked the holder takes it for its own."""

    ttl: float


class Renewed(_Held, kw_only=True, frozen=True):
    """The broker has renewed it: the `ttl` seconds begin again."""

    ttl: float


class LeftOff(_Held, kw_only=True, frozen=True):
    """The holder has stopped acting at `begun`: to give it back, or because it believes it is lost."""


class Finished(_Held, kw_only=True, frozen=True):
    """The broker has taken the end of a task from its holder."""


class Killed(_Note, kw_only=True, frozen=True):
    """A holder's process was killed."""

    holder: str


class Submitted(_Note, kw_only=True, frozen=True):
    """The broker has taken a task."""

    name: str


class Ended(_Note, kw_only=True, frozen=True):
    """Everybody was told that a task has ended."""

    name: str
    state: str


class Settled(_Note, kw_only=True, frozen=True):
    """All has been healed, and there was time enough for what was left to do."""


Note: TypeAlias = Got | Renewed | LeftOff | Finished | Killed | Submitted | Ended | Settled
