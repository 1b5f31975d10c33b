"""What the registry of a broker tells of who is there."""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["Being", "BeingChange", "Will"]


class Will(msgspec.Struct, frozen=True):
    """A last will: an event that the broker publishes when a being has gone without a word."""

    topic: str
    data: Any
    headers: dict[str, str] | None = None


class Being(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who is registered.

    Attributes:
        id: its own; `name` may be shared by many.
        kind: what it is: `agent`, `worker`, ...
        state: `online`; `suspect` when it was not heard of lately; `gone`.
        epoch: the fencing token of whoever holds the id: the higher one is the newer holder.
        ttl_ms: how long it is believed to be there without being heard of, in milliseconds.
        capabilities, metadata, status: what it says of itself.
        subject: the identity that registered it, as the broker vouches for it.
        client_id: the connection it was registered over last.
        pid: its process, as the kernel of the broker's machine says, else as it says itself.
        registered_at, updated_at: when this holder registered it, and when it changed last, since 1970.
    """

    id: str
    name: str
    kind: str
    state: str
    epoch: int
    ttl_ms: int = msgspec.field(name="ttl")
    capabilities: tuple[str, ...] = ()
    metadata: dict[str, Any] = {}
    status: str | None = None
    subject: str | None = None
    client_id: str | None = None
    pid: int | None = None
    registered_at: int = 0
    updated_at: int = 0

    @property
    def is_online(self) -> bool:
        """Whether it is there, as far as the broker knows."""
        return self.state == "online"


class BeingChange(msgspec.Struct, frozen=True):
    """Something has become of a being: it was `registered`, `updated`, is `suspect`, `online` again, or `gone`."""

    event: str
    being: Being
