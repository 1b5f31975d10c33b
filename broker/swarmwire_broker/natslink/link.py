"""A link to a NATS cluster: it publishes, subscribes and asks, and finds a server again when one is lost."""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from collections.abc import Callable, Sequence

from .addresses import Address, Servers
from .callbacks import Callbacks
from .connection import Connection, Owner
from .errors import LinkDown, LinkError, LinkRefused, NoAnswer
from .facts import ServerFacts
from .login import LinkFiles, Login
from .outflow import Outflow, Publish
from .parser import Receive
from .requests import Answer, Requests
from .seldom import Seldom
from .states import LinkState
from .subscription import Subscription

__all__ = ["Link", "Subscription"]

log = logging.getLogger("swarmwire.broker.nats")
_warnings = Seldom(log)

_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 1.0
_LEAVING = 0.25  # seconds for answers of a server that is about to stop
_CLOSING = 1.0


class Link:
    """One connection at a time to one of several servers.

    Arguments:
        servers: `nats://[user:password@|token@]host[:port]` or `tls://`; those that a server tells of join them.
        name: how the server calls this client in its own reports.
        ping_interval: seconds between two pings; a server that misses two of them is left.
        connect_timeout: seconds for one server to let us in.
        max_buffered: bytes that may wait while the socket takes none.
        files: credentials and certificates. `tls://` demands TLS; at `nats://` it is used where the server demands it.

    Attributes:
        publish: called with subject and payload, and by name `reply` and `headers`; see `Publish`.
        state: see `LinkState`.
        server: what the server says of itself; None while there is none.
    """

    def __init__(
        self,
        servers: Sequence[str],
        *,
        name: str,
        ping_interval: float = 1.0,
        connect_timeout: float = 2.0,
        max_buffered: int = 32 * 1024 * 1024,
        files: LinkFiles | None = None,
    ) -> None:
        self._servers = Servers(servers)
        self._login = Login(name, files or LinkFiles())
        self._ping_interval = ping_interval
        self._connect_timeout = connect_timeout
        self.state = LinkState.NEW
        self.server: ServerFacts | None = None
        self._connection: Connection | None = None
        self._outflow = Outflow(self._soon, max_buffered)
        self.publish: Publish = self._outflow.publish
        self._receivers: dict[bytes, Receive] = {}
        self._subscriptions: dict[bytes, Subscription] = {}
        self._numbers = 0
        self._inboxes = 0
        self._unique = secrets.token_hex(11).encode()
        self._requests = Requests(b"_INBOX.%b" % self._unique)
        self._on_state: Callbacks[[LinkState]] = Callbacks()
        self._after_read: Callbacks[[]] = Callbacks()
        self._owner = Owner(self._told, self._set_congested, self._after_read.tell, self._lost)
        self._seeker: asyncio.Task[None] | None = None
        self.subscribe(self._requests.pattern, self._requests.receive)

    def _soon(self, function: Callable[[], None]) -> object:
        return asyncio.get_running_loop().call_soon(function)

    async def start(self) -> None:
        """Connect to the first server that lets us in.

        LinkRefused: the credentials are wrong. LinkError: none could be reached; it says which were tried.
        """
        problems: list[LinkError] = []
        for address in self._servers.in_order():
            try:
                connection = await self._connect(address)
            except LinkError as problem:
                problems.append(problem)
                continue
            if self.state is not LinkState.NEW:
                connection.abort()
                raise LinkDown("the link to NATS was closed while it started")
            self._adopt(connection)
            return
        tried = "; ".join(str(problem) for problem in problems)
        kind = LinkRefused if any(isinstance(problem, LinkRefused) for problem in problems) else LinkError
        raise kind(f"no NATS server could be used: {tried}")

    async def close(self) -> None:
        """Write what is to be written, for a second at most, and end. Twice is harmless."""
        if self.state is LinkState.CLOSED:
            return
        self._outflow.flush()
        connection, seeker = self._connection, self._seeker
        self._receivers.clear()
        self._subscriptions.clear()
        self._drop(LinkState.CLOSED, "the link to NATS is closed")
        try:
            if seeker is not None:
                seeker.cancel()
                await asyncio.wait([seeker])
            if connection is not None:
                await connection.settle(_CLOSING)
        finally:
            if connection is not None:
                connection.abort()

    def on_state(self, callback: Callable[[LinkState], None]) -> Callable[[], None]:
        """Call this with every new state; the function that is returned ends it."""
        return self._on_state.add(callback)

    def after_read(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call this when all that one read of the socket brought was handed out; what is returned ends it."""
        return self._after_read.add(callback)

    def subscribe(self, subject: bytes, receive: Receive, *, queue: bytes = b"") -> Subscription:
        """Hand every message of the subject to `receive` as it is read; kept over reconnects."""
        self._numbers += 1
        subscription = Subscription(b"%d" % self._numbers, subject, queue, self._unsubscribe)
        self._receivers[subscription.number] = receive
        self._subscriptions[subscription.number] = subscription
        self._outflow.control(subscription.line)
        return subscription

    def _unsubscribe(self, subscription: Subscription) -> None:
        self._receivers.pop(subscription.number, None)
        if self._subscriptions.pop(subscription.number, None) is not None:
            self._outflow.control(b"UNSUB %b\r\n" % subscription.number)

    async def request(self, subject: bytes, payload: bytes = b"", *, headers: bytes = b"", timeout: float) -> Answer:
        """Ask, and wait so many seconds for one answer.

        Raises NoResponders (it certainly reached nobody), NoAnswer (time is up), LinkDown, and what `publish` raises.
        """
        reply, future = self._requests.begin()
        try:
            self.publish(subject, payload, reply=reply, headers=headers)
            async with asyncio.timeout(timeout):
                return await future
        except TimeoutError:
            raise NoAnswer(f"NATS gave no answer within {timeout:g} s") from None
        finally:
            self._requests.end(reply)

    async def flush(self, timeout: float) -> None:
        """Return when the server has read all that was published; LinkDown, or NoAnswer after so many seconds."""
        self._outflow.flush()
        connection = self._connection
        if connection is None:
            raise LinkDown("there is no connection to NATS now")
        try:
            async with asyncio.timeout(timeout):
                await connection.ping()
        except TimeoutError:
            raise NoAnswer(f"the NATS server did not answer within {timeout:g} s") from None

    def new_inbox(self) -> bytes:
        """A subject that nobody else has, to subscribe to."""
        self._inboxes += 1
        return b"_INBOX.%bs.%x" % (self._unique, self._inboxes)

    @property
    def buffered(self) -> int:
        """Bytes that were published and that the socket has not taken."""
        return self._outflow.buffered

    @property
    def congested(self) -> bool:
        """Whether the socket takes nothing more just now; what is published waits here, up to `max_buffered`."""
        return self._outflow.congested

    async def _connect(self, address: Address) -> Connection:
        connection = Connection(address, self._receivers, self._owner)
        try:
            async with asyncio.timeout(self._connect_timeout):
                await connection.open(self._login, self._ping_interval)
        except TimeoutError:
            raise LinkError(f"{address} did not let us in within {self._connect_timeout:g} s") from None
        return connection

    def _adopt(self, connection: Connection) -> None:
        self._connection = connection
        self._outflow.attach(connection.transport, connection.facts.max_payload)
        for subscription in self._subscriptions.values():
            self._outflow.control(subscription.line)
        self._servers.learn(connection.address, connection.facts.connect_urls)
        self.server = connection.facts
        self._become(LinkState.CONNECTED)

    def _become(self, state: LinkState) -> None:
        """The one place where the state changes."""
        self.state = state
        self._on_state.tell(state)

    def _drop(self, state: LinkState, why: str) -> None:
        """There is no connection from now on."""
        self._connection = None
        self.server = None
        self._outflow.detach()
        self._become(state)
        self._requests.fail(why)

    def _told(self, connection: Connection, facts: ServerFacts) -> None:
        if connection is self._connection:
            self.server = facts
            self._outflow.set_max_payload(facts.max_payload)
            self._servers.learn(connection.address, facts.connect_urls)
            if facts.ldm:
                log.info("the NATS server %s is about to stop", connection.address)
                self._look_for_another()

    def _set_congested(self, connection: Connection, congested: bool) -> None:
        if connection is self._connection:
            self._outflow.congested = congested

    def _lost(self, connection: Connection, why: LinkError) -> None:
        if connection is self._connection:
            log.warning("the link to NATS is down: %s", why)
            self._servers.put_last(connection.address)
            self._drop(LinkState.RECONNECTING, str(why))
            self._look_for_another()

    def _look_for_another(self) -> None:
        if self._seeker is None or self._seeker.done():
            self._seeker = asyncio.get_running_loop().create_task(self._change())

    async def _change(self) -> None:
        """Go to another server; while there is a connection, only once another one is ready."""
        while True:
            fresh = await self._find()
            try:
                await self._leave()
            except BaseException:
                fresh.abort()
                raise
            if not fresh.is_over:
                break
        log.info("the link to NATS is up: %s", fresh.address)
        self._adopt(fresh)

    async def _leave(self) -> None:
        old = self._connection
        if old is None:
            return
        self._become(LinkState.LEAVING)
        await old.wait_over(_LEAVING)
        self._outflow.flush()
        await old.settle(_LEAVING)
        if self._connection is old:
            self._servers.put_last(old.address)
            self._drop(LinkState.RECONNECTING, "the link went to another NATS server")
            old.abort()

    async def _find(self) -> Connection:
        """Any other server, tried for ever."""
        pause = _FIRST_PAUSE
        while True:
            for address in self._servers.in_order():
                if self._connection is not None and self._connection.address == address:
                    continue
                try:
                    return await self._connect(address)
                except LinkError as problem:
                    _warnings.warn(f"NATS cannot be reached: {problem}")
                except Exception:
                    log.exception("the connection to NATS failed")
                await asyncio.sleep(random.uniform(_FIRST_PAUSE, pause))
                pause = min(pause * 2, _LONGEST_PAUSE)
            await asyncio.sleep(_FIRST_PAUSE)
