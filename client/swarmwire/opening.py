"""`connect()`: the way to a client."""

from __future__ import annotations

import os
import ssl as tls
from collections.abc import Generator, Sequence
from types import TracebackType
from typing import Any, Final

from swarmwire_protocol.places import check_name
from swarmwire_protocol.versions import VERSIONS

from .client import Client
from .errors import ErrorCode, SwarmwireError
from .finding import DEFAULT_URL
from .options import Settings, Token
from .sealing import Encryption

__all__ = ["DEFAULT_URL", "URL_VARIABLE", "Connecting", "connect"]

URL_VARIABLE: Final = "SWARMWIRE_URL"
"""The environment variable that says where the broker is, where nobody else does."""


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
    url: str | None = None,
    *,
    broker: str | None = None,
    autostart: bool | Sequence[str] = False,
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
    encryption: Encryption | None = None,
) -> Connecting:
    """Connect to a broker: `async with connect(url) as client`, or `client = await connect(url)`.

    Without a URL, given here or by SWARMWIRE_URL, the broker of this machine is looked for before each connection:
    at its Unix socket, at its pipe, at `DEFAULT_URL`. `docs/connecting.md` says more.

    Times are in seconds. None means no limit; 0 means zero.

    Args:
        url: where the broker is; the scheme picks the transport (ws, wss, unix, pipe, http, https).
        broker: the name of the broker to look for, whatever SWARMWIRE_URL says; one of another name is not taken.
        autostart: whether to start a broker where none is found; a list is more arguments of its `swarmwire serve`.
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
        encryption: which keys seal the data of events, so that the broker never sees it; see `Encryption`.

    Raises:
        SwarmwireError: from the await: UNAVAILABLE, AUTHENTICATION_FAILED, UNSUPPORTED_VERSION and what else keeps
            the broker from saying welcome; INVALID_MESSAGE for a URL of an unknown kind.
    """
    if url is not None and autostart is not False:
        raise SwarmwireError(
            ErrorCode.INVALID_MESSAGE,
            "Expected no URL: only a broker that is looked for is started.",
            field="autostart",
        )
    return Connecting(
        Settings(
            url=_url(url, broker),
            broker=None if broker is None else _checked(broker),
            autostart=_arguments(autostart),
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
            encryption=encryption,
        )
    )


def _url(url: str | None, broker: str | None) -> str | None:
    if url is not None or broker is not None:
        return url
    return os.environ.get(URL_VARIABLE) or None


def _checked(broker: str) -> str:
    try:
        return check_name(broker)
    except SwarmwireError as error:
        raise SwarmwireError(error.code, error.message, field="broker") from None


def _arguments(autostart: bool | Sequence[str]) -> tuple[str, ...] | None:
    if isinstance(autostart, bool):
        return () if autostart else None
    if isinstance(autostart, str):
        raise SwarmwireError(
            ErrorCode.INVALID_MESSAGE, "Expected arguments in a list, such as ['--data', 'log'].", field="autostart"
        )
    return tuple(autostart)
