"""One connection to one server, from the first byte to the last."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import struct
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import cast

from .addresses import Address
from .errors import LinkDown, LinkError, LinkRefused, WireProblem
from .facts import ServerFacts, facts_of
from .login import Login
from .parser import Parser, Receive
from .seldom import Seldom

__all__ = ["Connection", "Owner"]

_warnings = Seldom(logging.getLogger("swarmwire.broker.nats"))

_HIGH = 1024 * 1024  # bytes in the transport from which on the connection is congested
_UNANSWERED = 2  # pings without an answer, and nothing else was heard either
_UNANSWERED_BUSY = 10  # pings without an answer while the server sends other things
_REFUSALS = ("authorization", "authentication", "user authentication", "account authentication")
_STAYS = ("permissions violation", "invalid subject", "invalid publish subject", "invalid subscription subject")


@dataclass(frozen=True)
class Owner:
    """Who hears of a connection.

    Attributes:
        told: the server says something new of itself.
        congested: the socket takes no more (True), or takes again.
        handed_out: all of one read was handed to its receivers.
        lost: it is over; called once, and only after `open` returned.
    """

    told: Callable[[Connection, ServerFacts], None]
    congested: Callable[[Connection, bool], None]
    handed_out: Callable[[], None]
    lost: Callable[[Connection, LinkError], None]


class Connection(asyncio.Protocol):
    """Made by `open`, which returns when the server has let us in.

    Attributes:
        address: where the server is.
        facts: what it says of itself.
        transport: where to write what is published.
    """

    facts: ServerFacts

    def __init__(self, address: Address, receivers: Mapping[bytes, Receive], owner: Owner) -> None:
        self.address = address
        self.transport = cast(asyncio.Transport, None)
        self._receivers = receivers
        self._owner = owner
        self._parser = Parser({}, self._control)  # before the login nobody sends messages
        self._loop = asyncio.get_running_loop()
        self._greeted: asyncio.Future[ServerFacts] = self._loop.create_future()
        self._over: asyncio.Future[None] = self._loop.create_future()
        self._pongs: deque[asyncio.Future[None] | None] = deque()
        self._why: LinkError | None = None
        self._is_open = False
        self._unanswered = 0
        self._has_read = False
        self._ping_timer: asyncio.TimerHandle | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing comes from it any more."""
        return self._over.done()

    async def open(self, login: Login, ping_interval: float) -> None:
        """Connect and log in. LinkError (LinkRefused: the credentials) when the server does not let us in."""
        try:
            await self._loop.create_connection(lambda: self, self.address.host, self.address.port)
            self.facts = await self._greeted
            if self.address.tls or self.facts.tls_required:
                await self._encrypt(await asyncio.to_thread(login.context))
            if not self._parser.is_empty:
                raise WireProblem(f"{self.address} said more than its name before anybody logged in")
            self._parser = Parser(self._receivers, self._control)
            self.transport.write(login.line(self.address, self.facts))
            await self.ping()
            if self.is_over:
                raise self._reason()
        except LinkError:
            self.abort()
            raise
        except (OSError, UnicodeError) as problem:
            self.abort()
            raise self._why or LinkError(f"{self.address}: {_sentence(problem)}") from None
        except BaseException:
            self.abort()
            raise
        self._is_open = True
        self._keep_alive(ping_interval)

    async def _encrypt(self, context: ssl.SSLContext) -> None:
        if not (self.facts.tls_required or self.facts.tls_available):
            raise LinkError(f"{self.address} offers no TLS, and it is demanded")
        transport = await self._loop.start_tls(self.transport, self, context, server_hostname=self.address.tls_name)
        if transport is None:
            raise self._reason()
        self.connection_made(transport)

    async def ping(self) -> None:
        """Return when the server has read all that was written so far; LinkError when it is gone before."""
        if self.is_over:
            raise self._reason()
        answered: asyncio.Future[None] = self._loop.create_future()
        self._pongs.append(answered)
        self.transport.write(b"PING\r\n")
        await answered

    def abort(self, why: LinkError | None = None) -> None:
        """End it now; what the server has not received is lost."""
        self._why = self._why or why
        if self.transport is not None:
            _forget_unsent(self.transport)
            self.transport.abort()

    async def wait_over(self, timeout: float) -> None:
        """Return when it is over, and after so many seconds at the latest."""
        await asyncio.wait([self._over], timeout=timeout)

    async def settle(self, timeout: float) -> None:
        """Return when the server has read all that was written, and after so many seconds at the latest.

        Before an end this is needed: bytes of the server that nobody reads any more would make it lose some of ours.
        """
        with suppress(TimeoutError, LinkError):
            async with asyncio.timeout(timeout):
                await self.ping()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(high=_HIGH)

    def data_received(self, data: bytes) -> None:
        self._has_read = True
        try:
            self._parser.feed(data)
        except WireProblem as problem:
            self.abort(problem)
        if self._is_open:
            self._owner.handed_out()

    def pause_writing(self) -> None:
        self._owner.congested(self, True)

    def resume_writing(self) -> None:
        self._owner.congested(self, False)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._ping_timer is not None:
            self._ping_timer.cancel()
        for waiting in (self._greeted, *self._pongs):
            if waiting is not None and not waiting.done():
                waiting.set_exception(self._reason())
                waiting.exception()  # whoever waited may have given up
        self._pongs.clear()
        if not self._over.done():
            self._over.set_result(None)
        if self._is_open:
            self._is_open = False
            self._owner.lost(self, self._reason())

    def _reason(self) -> LinkError:
        return self._why or LinkDown(f"the connection to {self.address} was lost")

    def _control(self, line: bytes) -> None:
        if line.startswith(b"PING"):
            self.transport.write(b"PONG\r\n")
        elif line.startswith(b"PONG"):
            self._unanswered = 0
            answered = self._pongs.popleft() if self._pongs else None
            if answered is not None and not answered.done():
                answered.set_result(None)
        elif line.startswith(b"INFO "):
            self._told(facts_of(line[5:]))
        elif line.startswith(b"-ERR"):
            self._refused(line[4:].strip(b" '").decode("ascii", "replace")[:200])

    def _told(self, facts: ServerFacts) -> None:
        if not self._greeted.done():
            self._greeted.set_result(facts)
            return
        self.facts = facts
        if self._is_open:
            self._owner.told(self, facts)

    def _refused(self, sentence: str) -> None:
        _warnings.warn(f"the NATS server {self.address} says: {sentence}")
        kind = sentence.lower()
        if not kind.startswith(_STAYS):
            refused = LinkRefused if kind.startswith(_REFUSALS) else LinkError
            self._why = self._why or refused(f"{self.address} says: {sentence}")
            if not self._is_open:
                self.abort()

    def _keep_alive(self, interval: float) -> None:
        if self._unanswered >= (_UNANSWERED_BUSY if self._has_read else _UNANSWERED):
            self.abort(LinkDown(f"{self.address} has not answered for {self._unanswered * interval:g} s"))
            return
        self._has_read = False
        self._unanswered += 1
        self._pongs.append(None)
        self.transport.write(b"PING\r\n")
        self._ping_timer = self._loop.call_later(interval, self._keep_alive, interval)


def _forget_unsent(transport: asyncio.Transport) -> None:
    """Have the kernel send nothing more: a publish that came minutes later would be stored once more by then."""
    own = transport.get_extra_info("socket")
    if own is not None:
        with suppress(OSError, ValueError):  # it is closed already
            own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _sentence(problem: OSError | UnicodeError) -> str:
    if isinstance(problem, ssl.SSLError):
        return f"TLS failed: {getattr(problem, 'verify_message', '') or problem.reason or 'no reason given'}"
    return str(getattr(problem, "strerror", None) or problem)
