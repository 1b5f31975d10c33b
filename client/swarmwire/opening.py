"""`connect()`: the way to a client."""

from __future__ import annotations

import ssl as tls
from collections.abc import Generator, Sequence
from types import TracebackType
from typing import Any, Final

from swarmwire_protocol.versions import VERSIONS

from .client import Client
from .options import Settings, Token

__all__ = ["DEFAULT_URL", "Connecting", "connect"]

DEFAULT_URL: Final = "ws://127.0.0.1:8765/ws"
"""Where a broker listens that was started without saying where."""


class Connecting:
    """A client that is not connected yet: `await` it, or enter it with `async with`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client: Client | None = None

    def __await__(self) -> Generator[Any, None, Client]:
        return self._connect().__await__()

    async def __aenter__(self) -> Client:
        return await self._connect()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._client is not None:
            await self._client.disconnect()

    async def _connect(self) -> Client:
        if self._client is None:
            self._client = Client(self._settings)
        return await self._client.start()


def connect(
    url: str = DEFAULT_URL,
    *,
    token: Token | None = None,
    name: str = "",
    metadata: dict[str, Any] | None = None,
    reconnect: bool = True,
    max_attempts: int | None = None,
    retry_first: bool = False,
    base_delay: float = 0.5,
    max_delay: float = 20.0,
    connect_timeout: float | None = 10.0,
    request_timeout: float | None = 30.0,
    queue_size: int = 1000,
    offline_queue: int | None = 1000,
    drain_timeout: float | None = 5.0,
    versions: Sequence[str] = VERSIONS,
    ssl: tls.SSLContext | None = None,
) -> Connecting:
    """Connect to a broker: `async with connect(url) as client`, or `client = await connect(url)`.

    Times are in seconds. None means no limit; 0 means zero.

    Args:
        url: where the broker is; the scheme picks the transport (ws, wss).
        token: who we are, or a function (plain or async) that is asked for a fresh token before each connection.
        name: what operators see this client as.
        metadata: what the broker's login may look at beside the token.
        reconnect: whether a lost connection is followed by another.
        max_attempts: attempts in a row before giving up; 0 gives up at the first loss.
        retry_first: whether the first connection is tried again like every other.
        base_delay: the wait before the first attempt; it doubles with every further one. Half of it is random.
        max_delay: the longest wait between two attempts.
        connect_timeout: how long an attempt may take until the welcome.
        request_timeout: how long calls and other requests wait for their answer, where they do not say.
        queue_size: events that wait in a subscription's iterator, where it does not say.
        offline_queue: publishes that are taken while there is no connection.
        drain_timeout: how long `disconnect()` waits for publishes to be acknowledged.
        versions: the versions of the protocol to offer.
        ssl: how to check the broker's certificate, where the system's way is not enough.

    Raises:
        SwarmwireError: from the await: UNAVAILABLE, AUTHENTICATION_FAILED, UNSUPPORTED_VERSION and what else keeps
            the broker from saying welcome; INVALID_MESSAGE for a URL of an unknown kind.
    """
    return Connecting(
        Settings(
            url=url,
            token=token,
            name=name,
            metadata=metadata,
            reconnect=reconnect,
            max_attempts=max_attempts,
            retry_first=retry_first,
            base_delay=base_delay,
            max_delay=max_delay,
            connect_timeout=connect_timeout,
            request_timeout=request_timeout,
            queue_size=queue_size,
            offline_queue=offline_queue,
            drain_timeout=drain_timeout,
            versions=tuple(versions),
            ssl=ssl,
        )
    )
