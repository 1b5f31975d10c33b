"""The same for scripts that have no event loop: every method blocks until it is done."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial, wraps
from types import TracebackType
from typing import Any, Self, TypeVar

from swarmwire_protocol.handling import Function

from .callhandlers import MAX_CALLS, CallHandler
from .client import Client
from .emitter import Listener
from .errors import Disconnected, ErrorCode, SwarmwireError
from .locks.locks import LockInfo
from .locks.synclock import SyncLock
from .opening import connect
from .options import UNSET, Unset
from .publisher import timed_out
from .records import Event, Gap, Live, Published
from .subscription import Subscription

__all__ = ["SyncClient", "SyncSubscription", "connect_sync"]

T = TypeVar("T")


class _LoopThread:
    """An event loop in a thread of its own, and a way to run things there."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        # A daemon, so that a script that forgets to close can still end; close() waits for it.
        self._thread = threading.Thread(target=self._run, name="swarmwire", daemon=True)
        self._lock = threading.Lock()
        self._closed = False
        self._thread.start()

    @property
    def closed(self) -> bool:
        """Whether nothing runs here any more."""
        return self._closed

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end. When this thread is interrupted meanwhile, the coroutine is cancelled."""
        future = self._submit(work)
        try:
            return future.result()
        except concurrent.futures.CancelledError:
            raise Disconnected(ErrorCode.UNAVAILABLE, "The client was disconnected.") from None
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """Stop the loop and wait for the thread. Harmless twice."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _submit(self, work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        if threading.current_thread() is self._thread:
            work.close()
            raise RuntimeError("a listener runs in the client's own thread, where nothing may block")
        with self._lock:  # what is submitted before the loop is told to stop is run, or cancelled, and so ends
            if self._closed:
                work.close()
                raise Disconnected(ErrorCode.UNAVAILABLE, "The client was disconnected.")
            return asyncio.run_coroutine_threadsafe(work, self._loop)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        left = asyncio.all_tasks(self._loop)
        for task in left:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())


class SyncSubscription:
    """Events of a pattern, in order: `for event in subscription`, or `subscription.next(timeout=1.0)`.

    It ends as a `Subscription` does. It is a context manager, too.
    """

    def __init__(self, thread: _LoopThread, subscription: Subscription[Any], timeout: float | None) -> None:
        self._thread = thread
        self._subscription = subscription
        self._timeout = timeout

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        found = self._next(self._timeout)
        if found is None:
            raise StopIteration
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._thread.closed:
            self._finish(error)
        else:
            self._thread.run(self._subscription.__aexit__(kind, error, trace))

    @property
    def pattern(self) -> str:
        """What it subscribes to."""
        return self._subscription.pattern

    @property
    def cursor(self) -> str | None:
        """The place up to which everything was consumed; see `Subscription.cursor`."""
        return self._subscription.cursor

    def next(self, timeout: float | None = None) -> Event | Gap | Live | None:
        """Wait for the next event, at most `timeout` seconds; None when the subscription has ended.

        Raises:
            SwarmwireError: TIMEOUT when none came in time (none is lost by it), or what ended the subscription.
        """
        return self._next(timeout)

    def unsubscribe(self) -> None:
        """End it. Harmless twice, and after the client was disconnected."""
        if not self._subscription.closed:
            self._thread.run(self._subscription.unsubscribe())

    def commit(self) -> None:
        """Count the event in hand as finished, and save that; see `Subscription.commit`."""
        if self._thread.closed:
            self._subscription.commit()
        else:
            self._thread.run(_committed(self._subscription))

    def _next(self, timeout: float | None) -> Event | Gap | Live | None:
        if self._thread.closed and self._subscription.closed:
            self._finish(None)
            return None
        return self._thread.run(_next(self._subscription, timeout))

    def _finish(self, error: BaseException | None) -> None:
        """End it once the client's thread has ended, and with it everything else that could touch it."""
        if error is None:
            self._subscription.commit()
        self._subscription.close()


class SyncClient:
    """The blocking twin of `Client`, which may be used from any thread. `connect_sync()` makes one.

    An event loop runs it in a thread of its own, which ends with `disconnect()`.
    """

    def __init__(self, connecting: Callable[[], Awaitable[Client]]) -> None:
        self._thread = _LoopThread()
        try:
            self._client: Client = self._thread.run(_connected(connecting))
        except BaseException:
            self._thread.close()
            raise

    def __repr__(self) -> str:
        return f"<Sync{repr(self._client)[1:]}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.disconnect()

    @property
    def is_ready(self) -> bool:
        """Whether there is a connection."""
        return self._client.is_ready

    @property
    def id(self) -> str | None:
        """The broker's name for this connection; None while there is none."""
        return self._client.id

    @property
    def url(self) -> str | None:
        """Where the last connection went; see `Client.url`."""
        return self._client.url

    def publish(self, topic: str, data: Any, **options: Any) -> Published | None:
        """Publish an event; options and errors are those of `Client.publish`."""
        published: Published | None = self._thread.run(self._client.publish(topic, data, **options))
        return published

    def subscribe(self, pattern: str, *, timeout: float | None = None, **options: Any) -> SyncSubscription:
        """Subscribe, and return once the broker has acknowledged it; options are those of `Client.subscribe`.

        `timeout` is how long iterating waits for each event, in seconds; then it raises TIMEOUT.
        """
        subscription = self._thread.run(_subscribed(self._client, pattern, options))
        return SyncSubscription(self._thread, subscription, timeout)

    def call(self, method: str, params: Any = None, *, timeout: float | Unset | None = UNSET) -> Any:
        """Call a method and return its answer; see `Client.call`."""
        return self._thread.run(self._client.call(method, params, timeout=timeout))

    def handler(
        self, method: str, function: Function | None = None, *, max_calls: int = MAX_CALLS
    ) -> Callable[..., Any]:
        """Answer calls of a method by a plain function, in a thread of its own for each call; also a decorator.

        It returns once the broker has registered it. With a function it gives back what takes it away again; as a
        decorator it leaves the function as it was. See `Client.handler` for what the function takes and how it fails;
        a call that is cancelled runs on, and its answer goes nowhere.
        """
        if function is None:
            return partial(self._decorated, method, max_calls)
        handler = self._thread.run(_handled(self._client, method, function, max_calls))
        return partial(self._take_away, handler)

    def _decorated(self, method: str, max_calls: int, function: Function) -> Function:
        self._thread.run(_handled(self._client, method, function, max_calls))
        return function

    def lock(
        self,
        name: str,
        *,
        ttl: float = 30.0,
        wait: float | None = None,
        metadata: dict[str, Any] | None = None,
        disabled: bool = False,
    ) -> SyncLock:
        """A lock that one client in the whole broker has at a time: `with client.lock("x") as lock`.

        What it takes is that of `Client.lock`.
        """
        lock = self._client.lock(name, ttl=ttl, wait=wait, metadata=metadata, disabled=disabled)
        return SyncLock(self._thread, lock)

    def lock_status(self, name: str) -> LockInfo:
        """How a lock stands, held or not."""
        return self._thread.run(self._client.locks.status(name))

    def lock_list(self, prefix: str = "") -> list[LockInfo]:
        """All locks that are held, of names that begin with `prefix`."""
        return self._thread.run(self._client.locks.list(prefix))

    def _take_away(self, handler: CallHandler) -> None:
        if not self._thread.closed:
            self._thread.run(_taken_away(handler))

    def ping(self) -> float:
        """The milliseconds to the broker and back."""
        return self._thread.run(self._client.ping())

    def listen(self, name: str, listener: Listener) -> Callable[[], None]:
        """Call `listener`, in the client's own thread, at every state event of that name; see `Client.listen`."""
        return self._client.listen(name, listener)

    def disconnect(self) -> None:
        """Send what was published, close for good, and end the thread. Harmless twice."""
        try:
            self._thread.run(self._client.disconnect())
        except Disconnected:
            return
        finally:
            self._thread.close()


def connect_sync(url: str | None = None, **options: Any) -> SyncClient:
    """Connect to a broker and return a blocking client: `with connect_sync(url) as client`.

    Options and errors are those of `connect`, and so is how a broker is found or started without a URL.
    """
    return SyncClient(lambda: connect(url, **options))


async def _connected(connecting: Callable[[], Awaitable[Client]]) -> Client:
    return await connecting()


async def _subscribed(client: Client, pattern: str, options: dict[str, Any]) -> Subscription[Any]:
    return await client.subscribe(pattern, **options)


async def _handled(client: Client, method: str, function: Function, max_calls: int) -> CallHandler:
    # As many as may run at once: one that waits for another of this client must not keep its thread from it.
    threads = concurrent.futures.ThreadPoolExecutor(max(1, max_calls), f"swarmwire {method}")

    @wraps(function)
    async def in_thread(*arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(threads, function, *arguments)

    handler = client.handler(method, in_thread, max_calls=max_calls)
    try:
        await handler
    except BaseException:
        handler()
        raise
    return handler


async def _taken_away(handler: CallHandler) -> None:
    handler()


async def _committed(subscription: Subscription[Any]) -> None:
    subscription.commit()


async def _next(subscription: Subscription[Any], timeout: float | None) -> Event | Gap | Live | None:
    try:
        async with asyncio.timeout(timeout):
            return await anext(subscription, None)
    except TimeoutError:
        error: SwarmwireError = timed_out("wait for an event", timeout)
        raise error from None
