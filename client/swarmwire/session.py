"""One connection from its hello to its end."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

from swarmwire_protocol import messages as wire
from swarmwire_protocol.codec import decode_from_broker, encode
from swarmwire_protocol.cursor import Cursor
from swarmwire_protocol.errors import CloseCode
from swarmwire_protocol.messages import Hello, Welcome
from swarmwire_protocol.versions import select_version

from .connection import Closed, Connection
from .core import Core
from .errors import Disconnected, ErrorCode, SwarmwireError, error_from
from .loss import ABNORMAL, Loss, Nobody, loss_of

__all__ = ["Session"]

_SILENT_BEATS: Final = 2


class Session:
    """A connection with its welcome. `open` makes one; `run` lives it until it is lost."""

    def __init__(self, connection: Connection, core: Core, welcome: Welcome, unread: list[bytes]) -> None:
        self._connection = connection
        self._core = core
        self._welcome = welcome
        self._unread = unread
        self._loop = asyncio.get_running_loop()
        self._dead = False
        self._leaving = False

    @classmethod
    async def open(cls, connection: Connection, core: Core, hello: Hello, broker: str | None = None) -> Session:
        """Connect and introduce ourselves; with `broker`, to a broker of this name only.

        Raises:
            Nobody: when no broker answers, or one of another name.
            Loss: when the broker does not say welcome.
        """
        try:
            await connection.open()
        except SwarmwireError as error:
            raise _unopened(error) from error
        try:
            connection.send(encode(hello))
            welcome, unread = await _welcome(connection)
            _check(welcome, hello)
            _check_name(welcome, broker)
        except BaseException:
            connection.abort()
            raise
        return cls(connection, core, welcome, unread)

    async def run(self) -> Loss:
        """Read until the connection is lost; returns why."""
        self._core.connected(self._connection, self._welcome)
        beat = self._loop.create_task(self._watch())
        try:
            await self._read()
        except Closed as closed:
            return self._loss(closed)
        finally:
            beat.cancel()
            self._core.lost()
            if not self._leaving:
                self._connection.abort()
        raise AssertionError("reading ends by an exception only")

    async def leave(self) -> None:
        """Say bye and close; what was sent before still goes out."""
        self._leaving = True
        self._connection.send(encode(wire.Bye(code=CloseCode.NORMAL, reason="The client is done.")))
        await self._connection.close(CloseCode.NORMAL, "The client is done.")

    async def _read(self) -> None:
        batch, receive, feeds = self._unread, self._core.receive, self._core.feeds
        while True:
            for raw in batch:
                receive(raw)
                if feeds.pressed:
                    # A burst is no slow reader: whoever iterates gets a turn before it is judged.
                    feeds.pressed = False
                    await asyncio.sleep(0)
            batch = await self._connection.receive()

    async def _watch(self) -> None:
        """End a connection that is silent for too long, and keep the broker from thinking so of us."""
        beat = self._welcome.heartbeat_ms / 1000
        while beat > 0:
            due = self._loop.time() + beat / 2
            await asyncio.sleep(beat / 2)
            now = self._loop.time()
            if now - due > beat / 2:
                self._connection.heard = now  # this process was blocked, so the silence may be its own
            elif now - self._connection.heard >= _SILENT_BEATS * beat:
                self._dead = True
                self._connection.abort()
                return
            if now - self._connection.spoke >= beat:
                self._core.ping()

    def _loss(self, closed: Closed) -> Loss:
        if self._dead:
            silence = _SILENT_BEATS * self._welcome.heartbeat_ms
            error = Disconnected(ErrorCode.HEARTBEAT_TIMEOUT, f"Nothing was heard of the broker for {silence} ms.")
            return Loss(error, code=CloseCode.HEARTBEAT_TIMEOUT, reason=error.message)
        bye, error_before = self._core.bye, self._core.closing_error
        if bye is None:
            return loss_of(closed.code, closed.reason, meant=False, error=error_before)
        return loss_of(bye.code, bye.reason, meant=True, error=error_before, after_ms=bye.reconnect_after_ms)


async def _welcome(connection: Connection) -> tuple[Welcome, list[bytes]]:
    """Wait for the welcome; returns it with the messages that came behind it."""
    error: SwarmwireError | None = None
    messages: deque[bytes] = deque()
    while True:
        try:
            messages.extend(await connection.receive())
        except Closed as closed:
            raise loss_of(closed.code, closed.reason, meant=False, error=error) from closed
        while messages:
            match _decoded(messages.popleft()):
                case Welcome() as welcome:
                    return welcome, list(messages)
                case wire.Error() as refusal:
                    error = error_from(refusal)
                case wire.Bye() as bye:
                    raise loss_of(bye.code, bye.reason, meant=True, error=error, after_ms=bye.reconnect_after_ms)


def _unopened(error: SwarmwireError) -> Loss:
    # Where this user may not connect somebody is, who must not be passed over for another.
    nobody = error.code is ErrorCode.UNAVAILABLE and not isinstance(error.__cause__, PermissionError)
    return Nobody(error) if nobody else Loss(error)


def _check_name(welcome: Welcome, broker: str | None) -> None:
    name = welcome.server.name
    if broker is not None and name != broker:
        raise Nobody(SwarmwireError(ErrorCode.UNAVAILABLE, f"The broker there is called {name!r}, not {broker!r}."))


def _check(welcome: Welcome, hello: Hello) -> None:
    if select_version([welcome.version], hello.versions) is None:
        offered = ", ".join(hello.versions)
        raise Loss(
            SwarmwireError(ErrorCode.UNSUPPORTED_VERSION, f"Offered {offered}; the broker chose {welcome.version!r}.")
        )
    try:
        Cursor.parse(welcome.cursor)
    except SwarmwireError as error:
        raise Loss(SwarmwireError(ErrorCode.UNAVAILABLE, f"The welcome has no cursor: {error.message}")) from error


def _decoded(raw: bytes) -> wire.BrokerMessage:
    try:
        return decode_from_broker(raw)
    except SwarmwireError as error:
        raise Loss(
            SwarmwireError(ErrorCode.UNAVAILABLE, f"The other side is no Swarmwire broker: {error.message}"),
            code=ABNORMAL,
        ) from error
