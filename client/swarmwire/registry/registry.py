"""The registry of the broker: being there, and who else is."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from typing import Any, Final, Literal

import msgspec

from swarmwire_protocol.topics import encode_segment

from ..core import Core
from ..emitter import Emitter
from ..errors import ErrorCode, SwarmwireError
from ..locks.rules import check_ttl
from ..subscription import Subscription
from .beings import Being, Will
from .beingwatch import Watch
from .presence import Ask, Presence

__all__ = ["Registry"]

_PAGE: Final = 1_000


class Registry:
    """What a client says to, and asks of, the registry. `client.registry` is one."""

    def __init__(self, core: Core, emitter: Emitter, ask: Ask, subscribe: Callable[..., Subscription[Any]]) -> None:
        self._core = core
        self._emitter = emitter
        self._ask = ask
        self._subscribe = subscribe

    def register(
        self,
        name: str,
        *,
        kind: str,
        id: str | None = None,
        capabilities: Iterable[str] = (),
        metadata: dict[str, Any] | None = None,
        status: str | None = None,
        ttl: float = 30.0,
        will: Will | None = None,
    ) -> Presence:
        """Be there, for as long as it is entered: `async with client.registry.register("w", kind="worker") as me`.

        `ttl` is in seconds: so long after the connection is lost, or nothing more is heard, the being is gone and its
        `will` is published. An `id` is one being: who registers it again, with the same login, takes it over.

        Raises:
            SwarmwireError: INVALID_MESSAGE, with its field, for what is no such value at all. When it is entered: see
                `Presence.start`.
        """
        params: dict[str, Any] = {
            "name": name,
            "kind": kind,
            "id": secrets.token_hex(8) if id is None else id,
            "capabilities": _listed(capabilities),
            "metadata": {} if metadata is None else metadata,
            "ttl": round(check_ttl(ttl) * 1000),
        }
        if status is not None:
            params["status"] = status
        if will is not None:
            if not isinstance(will, Will):
                raise _wrong("will", "a Will", will)
            params["will"] = {key: value for key, value in msgspec.structs.asdict(will).items() if key != "headers"}
            if will.headers:
                params["will"]["headers"] = will.headers
        return Presence(self._core, self._emitter, self._ask, params)

    async def list(
        self,
        *,
        kind: str | None = None,
        name: str | None = None,
        capabilities: Iterable[str] = (),
        state: Literal["online", "suspect"] | None = None,
    ) -> list[Being]:
        """All beings of whom all of this is true; of `capabilities` they have every one.

        Raises:
            SwarmwireError: as `Client.call` does.
        """
        given = {"kind": kind, "name": name, "state": state, "capabilities": _listed(capabilities)}
        params = {key: value for key, value in given.items() if value is not None}
        found: dict[str, Being] = {}
        offset = 0
        while True:
            page = await self._ask("registry.list", {**params, "limit": _PAGE, "offset": offset}, None)
            beings = msgspec.convert(page["beings"], list[Being])
            found |= {being.id: being for being in beings}
            offset += len(beings)
            if not beings or offset >= page["count"]:
                return [*found.values()]

    async def get(self, id: str) -> Being:
        """The being of this id.

        Raises:
            SwarmwireError: NOT_FOUND when there is none; as `Client.call` does.
        """
        return msgspec.convert(await self._ask("registry.get", {"id": id}, None), Being)

    def watch(self, kind: str | None = None) -> Watch:
        """Who is there, and what becomes of them: `async for change in client.registry.watch("agent")`.

        It begins with a change for everybody who is there. Needs the permission to subscribe to `registry.<kind>.*`.
        """
        pattern = f"registry.{'*' if kind is None else encode_segment(kind)}.*"
        subscription = self._subscribe(pattern, from_="latest", gaps=True)
        return Watch(subscription, lambda: self.list(kind=kind))


def _listed(capabilities: Iterable[str]) -> list[str]:
    if isinstance(capabilities, str | bytes) or not isinstance(capabilities, Iterable):
        raise _wrong("capabilities", "a list of strings", capabilities)
    return list(capabilities)


def _wrong(field: str, expected: str, got: object) -> SwarmwireError:
    return SwarmwireError(ErrorCode.INVALID_MESSAGE, f"Expected {expected}, got {type(got).__name__}.", field=field)
