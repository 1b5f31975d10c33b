"""Pools of workers: programs elsewhere that keep workers running, and that answer `pool.<name>.<member>`."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from swarmwire_protocol.errors import ErrorCode, SwarmwireError
from swarmwire_protocol.topics import decode_segment

from ...core.hub import Hub

__all__ = ["MOST_WORKERS", "Command", "Pool", "Pools"]

log = logging.getLogger("swarmwire.broker.workers")

MOST_WORKERS: Final = 1_000
"""Workers of one member of a pool."""

_FIRST: Final = "pool"
_LOOK: Final = 5.0
"""Seconds in which a pool tells how it is; one that does not is shown as unreachable."""


class Command(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a member of a pool is asked to do."""

    action: Literal["status", "scale", "restart", "hold", "release"] = msgspec.field()
    count: int | None = None
    worker: str | None = None

    def encode(self) -> bytes:
        return msgspec.json.encode({"action": self.action, "count": self.count, "worker": self.worker})


class Pool(Struct, kw_only=True):
    """A member of a pool, as it describes itself. `done` and `failed` tell of what it was asked to do."""

    pool: str
    member: str
    project: str | None = None
    pid: int = 0
    host: str = ""
    target: str = ""
    queues: list[str] = []
    count: int = 0
    running: int = 0
    held: bool = False
    restarts: int = 0
    workers: list[dict[str, Any]] = []
    done: int = 0
    failed: bool = False


_DECODER: Final = msgspec.json.Decoder(Pool)


class Pools:
    """The pools that can be asked just now. Nothing is kept of them: who handles `pool.…` is one."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def members(self, name: str | None = None) -> dict[str, list[str]]:
        """The methods of the members by pool: of one pool, or of all."""
        found: dict[str, list[str]] = {}
        for method in sorted(self._hub.calls.handled()):
            pool = _pool_of(method)
            if pool is not None and name in (None, pool):
                found.setdefault(pool, []).append(method)
        return found

    async def ask(self, method: str, command: Command, timeout: float) -> Pool:
        """Have a member do something; returns how it is when that is done. `timeout` is in seconds.

        Raises:
            SwarmwireError: HANDLER_GONE, TIMEOUT, or what it answered.
        """
        answer = await self._hub.calls.ask(method, command.encode(), timeout)
        try:
            return _DECODER.decode(answer)
        except msgspec.MsgspecError:
            raise SwarmwireError(ErrorCode.HANDLER_FAILED, f"{method} did not answer as a pool does.") from None

    async def look(self, name: str | None, project: str | None, timeout: float) -> list[tuple[str, Pool | None]]:
        """How all members are, each with its method; None for one that does not tell in time."""
        methods = [method for members in self.members(name).values() for method in members]
        pools = await asyncio.gather(*(self._looked(method, min(timeout, _LOOK)) for method in methods))
        pairs = zip(methods, pools, strict=True)
        return [(method, pool) for method, pool in pairs if project is None or _is_of(pool, project)]

    async def _looked(self, method: str, timeout: float) -> Pool | None:
        try:
            return await self.ask(method, Command(action="status"), timeout)
        except SwarmwireError as error:
            log.info("a pool of workers does not answer", extra={"method": method, "code": error.code.value})
            return None


def _is_of(pool: Pool | None, project: str) -> bool:
    return pool is not None and pool.project == project


def _pool_of(method: str) -> str | None:
    """The pool that a method belongs to; None if it is no pool's."""
    first, _, rest = method.partition(".")
    name, _, member = rest.partition(".")
    if first != _FIRST or not member or "." in member:
        return None
    try:
        return decode_segment(name)
    except SwarmwireError:
        return None
