"""The client: what programs publish, subscribe and call through."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import Any, Literal, TypeVar, overload

from swarmwire_protocol.handling import Function
from swarmwire_protocol.messages import Conflate, Identity, Publish, ServerInfo
from swarmwire_protocol.payload import encode_data

from .caller import Caller
from .callhandlers import MAX_CALLS, CallHandler
from .emitter import Listener
from .errors import ErrorCode, SwarmwireError
from .handlers import EventHandler, Handlers, Registration
from .lifecycle import Lifecycle
from .locks.lock import Lock
from .locks.locks import Locks
from .options import UNSET, From, Settings, Unset, ask_for
from .progress import ResumePath
from .publisher import Publisher
from .records import Event, Gap, Live, Published
from .registry.registry import Registry
from .sealing import Sealing
from .subscription import Subscription
from .tasks.projects import Projects
from .tasks.queues import Queues
from .tasks.tasks import Tasks

__all__ = ["Client"]

_L = TypeVar("_L", bound=Listener)


class Client(Lifecycle):
    """A client of one broker, over as many connections as it takes. `connect()` makes one.

    All of it belongs to the event loop it was made in.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._sealing = None if settings.encryption is None else Sealing(settings.encryption)
        self._core.direct.opener = None if self._sealing is None else self._sealing.opener()
        self._publisher = Publisher(self._core.outgoing, self._core.ids, self._sealing)
        self._caller = Caller(self._core, settings)
        self.locks = Locks(self)
        self.tasks = Tasks(self)
        self.queues = Queues(self)
        self.projects = Projects(self)
        self._handlers = Handlers(self.subscribe, self._emitter)
        self._registry: Registry | None = None

    # ---- The connection

    @property
    def is_ready(self) -> bool:
        """Whether there is a connection: only between a welcome and the next loss."""
        return self._core.link is not None

    @property
    def id(self) -> str | None:
        """The broker's name for this connection; None while there is none."""
        return self._core.link.welcome.client_id if self._core.link is not None else None

    @property
    def url(self) -> str | None:
        """Where the last connection went: the URL that was given, or where the broker was found."""
        return self._supervisor.place

    @property
    def identity(self) -> Identity | None:
        """Who the broker took us for at the last welcome, and what that identity may do."""
        return self._core.welcome.identity if self._core.welcome is not None else None

    @property
    def server(self) -> ServerInfo | None:
        """The broker, as the last welcome named it; None before the first."""
        return self._core.welcome.server if self._core.welcome is not None else None

    @property
    def limits(self) -> dict[str, int | None]:
        """The limits that the broker told at the last welcome; None is no limit."""
        return dict(self._core.welcome.limits) if self._core.welcome is not None else {}

    @property
    def durability(self) -> str | None:
        """What an acknowledged publish survives: `accepted`, `stored_lazily` or `stored`."""
        return self._core.welcome.durability if self._core.welcome is not None else None

    async def authenticate(self, token: str) -> None:
        """Renew the login on the live connection. Later connections use the token too, unless a function gives theirs.

        Raises:
            SwarmwireError: when the broker refuses the token, or there is no connection.
        """
        await self._caller.authenticate(token)
        self._renewed(token)

    async def ping(self) -> float:
        """The milliseconds that a message takes to the broker and back."""
        return await self._caller.ping()

    # ---- Publishing

    @overload
    async def publish(
        self,
        topic: str,
        data: Any,
        *,
        key: str | None = None,
        headers: dict[str, str] | None = None,
        echo: bool = True,
        ephemeral: bool = False,
        clear: bool = False,
        ack: Literal[True] = True,
        timeout: float | None = None,
    ) -> Published: ...

    @overload
    async def publish(
        self,
        topic: str,
        data: Any,
        *,
        key: str | None = None,
        headers: dict[str, str] | None = None,
        echo: bool = True,
        ephemeral: bool = False,
        clear: bool = False,
        ack: bool,
        timeout: float | None = None,
    ) -> Published | None: ...

    async def publish(
        self,
        topic: str,
        data: Any,
        *,
        key: str | None = None,
        headers: dict[str, str] | None = None,
        echo: bool = True,
        ephemeral: bool = False,
        clear: bool = False,
        ack: bool = True,
        timeout: float | None = None,
    ) -> Published | None:
        """Publish an event; returns its place in the log, or None without `ack`.

        Without a connection it waits in the offline queue. After a lost connection it is sent again with the same
        `key`, by which the broker knows a repeat; without one of yours it gets one. With `ack=False` it is sent at
        once or as soon as there is a connection, at most once, and nobody learns what became of it. `echo=False`
        keeps it from this client's own subscriptions; `ephemeral` events are live only; `clear` takes the topic
        out of the table of last events. `timeout` is in seconds: what has failed is never sent later.

        Raises:
            QueueFull: while there is no connection and the offline queue is full.
            Disconnected: when there will be no connection any more.
            SwarmwireError: what the broker answered; INVALID_TOPIC; MESSAGE_TOO_LARGE; TIMEOUT; OUTCOME_UNKNOWN
                after a loss so long that the broker may not know the repeat.
        """
        self._check_open()
        message = Publish(
            topic=topic,
            data=encode_data(data),
            key=key,
            headers=headers,
            echo=echo,
            ephemeral=ephemeral,
            clear=clear,
        )
        if ack:
            return await self._publisher.acknowledged(message, timeout)
        await self._publisher.unacknowledged(message)
        return None

    # ---- Subscribing

    @overload
    def subscribe(
        self,
        pattern: str,
        *,
        from_: From = "now",
        mode: str | Conflate = "all",
        conflate_ms: int | None = None,
        queue_size: int | None = None,
        buffer: int | None = None,
        gaps: Literal[False] = False,
        live: Literal[False] = False,
        resume_file: ResumePath | None = None,
        resume_interval: float = 0.0,
    ) -> Subscription[Event]: ...

    @overload
    def subscribe(
        self,
        pattern: str,
        *,
        from_: From = "now",
        mode: str | Conflate = "all",
        conflate_ms: int | None = None,
        queue_size: int | None = None,
        buffer: int | None = None,
        gaps: bool,
        live: Literal[False] = False,
        resume_file: ResumePath | None = None,
        resume_interval: float = 0.0,
    ) -> Subscription[Event | Gap]: ...

    @overload
    def subscribe(
        self,
        pattern: str,
        *,
        from_: From = "now",
        mode: str | Conflate = "all",
        conflate_ms: int | None = None,
        queue_size: int | None = None,
        buffer: int | None = None,
        gaps: bool = False,
        live: bool,
        resume_file: ResumePath | None = None,
        resume_interval: float = 0.0,
    ) -> Subscription[Event | Gap | Live]: ...

    def subscribe(
        self,
        pattern: str,
        *,
        from_: From = "now",
        mode: str | Conflate = "all",
        conflate_ms: int | None = None,
        queue_size: int | None = None,
        buffer: int | None = None,
        gaps: bool = False,
        live: bool = False,
        resume_file: ResumePath | None = None,
        resume_interval: float = 0.0,
    ) -> Subscription[Any]:
        """Events whose topic matches the pattern: `async for event in client.subscribe("agent.*.status")`.

        `from_` says where to begin: "now", "start", "latest" (the last event of every topic), {"cursor": c},
        {"last": n} or {"since_ms": t}. `mode` says what becomes of a slow reader's events: "all" (none is left
        out), "drop_oldest" (at most `queue_size` wait at the broker, and `buffer` here), "disconnect"; or
        `conflate_ms=n` for the latest event of every topic once in n milliseconds. `buffer` events wait in this
        process (by default the client's `queue_size`); beyond it the broker keeps them. With `gaps=True` a `Gap`
        stands among the events wherever some may be missing; every gap is a state event too. With `live=True` one
        `Live` stands where the past is complete: behind the snapshot of "latest", or what the log held.

        With a `resume_file` it goes on where the last run of the program ended: `from_` then counts for the first
        run only. The file is locked, belongs to this pattern and mode, and is written after each event that the
        loop has finished; a killed process sees the one it was working on again, and misses none. With a
        `resume_interval` it is written at most once in so many seconds while more events wait, and what was
        finished within them may come again too.

        See `Subscription` for how it begins and ends; iterating or awaiting it raises ResumeFileError.
        """
        self._check_open()
        ask = ask_for(pattern, from_, mode, conflate_ms, queue_size)
        size = self._settings.queue_size if buffer is None else buffer
        return Subscription(
            self._core.feeds,
            self._emitter,
            ask,
            size,
            gaps=gaps,
            live=live,
            resume_file=resume_file,
            resume_interval=resume_interval,
            opener=None if self._sealing is None else self._sealing.opener(),
        )

    @overload
    def on(self, pattern: str, handler: EventHandler, **options: Any) -> Registration: ...

    @overload
    def on(self, pattern: str, **options: Any) -> Callable[[EventHandler], Registration]: ...

    def on(
        self, pattern: str, handler: EventHandler | None = None, **options: Any
    ) -> Registration | Callable[[EventHandler], Registration]:
        """Call a function, or coroutine function, with every event of the pattern; also a decorator.

        Returns (as a decorator: leaves in the function's place) a `Registration`: call it to unsubscribe. The
        options are those of `subscribe`, but for `gaps` and `live`. With a `resume_file` an event is finished when
        the function has returned or failed.
        """
        return self._handlers.add(pattern, handler, options, once=False)

    @overload
    def once(self, pattern: str, handler: EventHandler, **options: Any) -> Registration: ...

    @overload
    def once(self, pattern: str, **options: Any) -> Callable[[EventHandler], Registration]: ...

    def once(
        self, pattern: str, handler: EventHandler | None = None, **options: Any
    ) -> Registration | Callable[[EventHandler], Registration]:
        """Like `on`, for the first event only."""
        return self._handlers.add(pattern, handler, options, once=True)

    # ---- State events

    def listen(self, name: str, listener: Listener) -> Callable[[], None]:
        """Call `listener` (plain or async) at every state event of that name; returns a function that ends it.

        The events and their arguments: connected(client_id), authenticated(identity), disconnected(code, reason),
        reconnecting(attempt, delay), resumed(), gap(gap, pattern), pong(latency_ms), error(exception), and
        message(event) for what others send to this client itself (see `on_message`).

        Raises:
            ValueError: for any other name.
        """
        return self._emitter.listen(name, listener)

    def on_state(self, name: str) -> Callable[[_L], _L]:
        """`listen` as a decorator: `@client.on_state("reconnecting")`."""

        def decorate(listener: _L) -> _L:
            self.listen(name, listener)
            return listener

        return decorate

    def on_message(self, listener: _L) -> _L:
        """Call a function, or coroutine function, with what others send to this client itself; also a decorator.

        Such an event comes by `client.send` or `client.broadcast`, without a subscription. The listeners get one after
        the other; at most `queue_size` wait, and beyond it the newest are left out, which is told by `error`.
        """
        self.listen("message", listener)
        return listener

    # ---- The registry

    @property
    def registry(self) -> Registry:
        """Being there for others to see, and seeing who else is."""
        if self._registry is None:
            self._registry = Registry(self._core, self._emitter, self._ask_registry, self.subscribe)
        return self._registry

    async def _ask_registry(self, method: str, params: dict[str, Any], timeout: float | None) -> Any:
        return await self.call(method, params, timeout=UNSET if timeout is None else timeout)

    # ---- Locks

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
        """A lock that one client in the whole broker has at a time: `async with client.lock("config-file") as lock`.

        Times are in seconds. It is renewed while it is held, and free when it was not renewed for its `ttl` (1 second
        to 24 hours). `wait` is how long to wait for it, in turn; 0 does not wait, None has no limit. Others see the
        `metadata`. With `cancel_on_loss` the block is cancelled when the lock is lost. A `disabled` one locks nothing.

        Raises:
            SwarmwireError: INVALID_MESSAGE for what is no name or no time. When it is entered: see `Lock.acquire`.
        """
        return self.locks.lock(
            name, ttl=ttl, wait=wait, metadata=metadata, cancel_on_loss=cancel_on_loss, disabled=disabled
        )

    # ---- Calls

    @overload
    def handler(self, method: str, function: Function, *, max_calls: int | None = MAX_CALLS) -> CallHandler: ...

    @overload
    def handler(self, method: str, *, max_calls: int | None = MAX_CALLS) -> Callable[[Function], CallHandler]: ...

    def handler(
        self, method: str, function: Function | None = None, *, max_calls: int | None = MAX_CALLS
    ) -> CallHandler | Callable[[Function], CallHandler]:
        """Answer calls of a method by a function, coroutine function or async generator function; also a decorator.

            @client.handler("greet")
            async def greet(params, call):
                return f"Hello {params['name']}, {call.caller}"

        It may take nothing, the parameters, or the parameters and the `Call`. What it returns is the answer, what it
        yields are replies as they come. `CallError` is an error of its own; any other exception is reported here,
        and its caller hears that the handler failed. When nobody waits for the answer any more it is cancelled. At
        most `max_calls` run at once; the callers of more get UNAVAILABLE. A plain function holds up everything else.

        Returns (as a decorator: leaves in the function's place) a `CallHandler`: await it to know that the broker
        has registered it, call it to take it away. After each reconnect it is registered again by itself.

        Raises:
            SwarmwireError: CONFLICT where this client handles the method already; UNAVAILABLE over http://, where
                nobody can be called.
            TypeError: a function that takes more.
        """
        self._check_open()
        if (self._settings.url or "").startswith(("http://", "https://")):
            raise SwarmwireError(ErrorCode.UNAVAILABLE, "Over HTTP a client cannot be called; use ws:// or unix:.")
        if function is None:
            return lambda given: self._core.callhandlers.add(method, given, max_calls)
        return self._core.callhandlers.add(method, function, max_calls)

    async def call(self, method: str, params: Any = None, *, timeout: float | Unset | None = UNSET) -> Any:
        """Call a method and return its answer; of a streamed answer, the last reply.

        It is sent at most once, and fails at once while there is no connection (UNAVAILABLE) or when the
        connection is lost before the answer (OUTCOME_UNKNOWN). `timeout` is in seconds, by default the client's
        `request_timeout`; None leaves it to the broker.

        Raises:
            SwarmwireError: what the broker or the handler answered, such as METHOD_NOT_FOUND; TIMEOUT.
        """
        self._check_open()
        return await self._caller.call(method, params, timeout)

    def stream(
        self, method: str, params: Any = None, *, timeout: float | Unset | None = UNSET
    ) -> AsyncGenerator[Any, None]:
        """Call a method and iterate over its replies as they come; leaving the loop early cancels the call.

        At most `queue_size` replies wait to be read; beyond it the call is cancelled with SLOW_CONSUMER. Errors
        are those of `call`.
        """
        self._check_open()
        return self._caller.stream(method, params, timeout)
