"""The locks of a broker: who has them, and making one's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from .lock import Lock

if TYPE_CHECKING:
    from ..client import Client

__all__ = ["LockHolder", "LockInfo", "Locks"]

_PAGE: Final = 1_000


class LockHolder(msgspec.Struct, frozen=True):
    """Who has a lock; `connected` is whether there is a connection of theirs just now."""

    client_id: str
    sender: str | None = None
    connected: bool = False
    metadata: dict[str, Any] | None = None


class LockInfo(msgspec.Struct, frozen=True):
    """How a lock stands. Times are in milliseconds; what only a held lock has is None where it is free."""

    name: str
    held: bool
    waiting: int = 0
    token: int | None = None
    ttl: int | None = None
    left_ms: int | None = None
    since: int | None = None
    holder: LockHolder | None = None


class Locks:
    """What a client can see of all locks, and make of its own. `client.locks` is one."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def lock(
        self,
        name: str,
        *,
        ttl: float = 30.0,
        wait: float | None = None,
        metadata: dict[str, Any] | None = None,
        cancel_on_loss: bool = False,
        disabled: bool = False,
    ) -> Lock:
        """The same as `client.lock`."""
        return Lock(
            self._client,
            name,
            ttl=ttl,
            wait=wait,
            metadata=metadata,
            cancel_on_loss=cancel_on_loss,
            disabled=disabled,
        )

    async def status(self, name: str) -> LockInfo:
        """How a lock stands, held or not.

        Raises:
            SwarmwireError: as `Client.call` does.
        """
        return msgspec.convert(await self._client.call("lock.status", {"name": name}), LockInfo)

    async def list(self, prefix: str = "") -> list[LockInfo]:
        """All locks that are held, the one longest held first; of names that begin with `prefix`.

        Raises:
            SwarmwireError: as `Client.call` does.
        """
        found: list[LockInfo] = []
        while True:
            params = {"prefix": prefix, "limit": _PAGE, "offset": len(found)}
            page = msgspec.convert((await self._client.call("lock.list", params))["locks"], list[LockInfo])
            found += page
            if len(page) < _PAGE:
                return found
