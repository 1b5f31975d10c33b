"""Workers: functions that do tasks, so many at a time."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import os
import secrets
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from ..client import Client
from .post import Post
from .slot import WorkerSlot
from .threadtask import ThreadTask

if TYPE_CHECKING:
    from ..tasks.tasks import ClaimedTask

__all__ = ["TaskFunction", "Worker"]

TaskFunction: TypeAlias = Callable[[Any], Any]
"""Does a task. A coroutine function gets a `ClaimedTask`; a plain one runs in a thread and gets a `ThreadTask`."""

_F = TypeVar("_F", bound=TaskFunction)

_WAIT: Final = 30.0
"""Seconds for which the broker is asked for a task at once."""


class Worker:
    """Does tasks of some queues.

        worker = Worker(queues=["images"])

        @worker.task("resize")
        async def resize(task):
            return {"width": task.payload["width"]}

        async with connect() as client:
            await worker.run(client)

    What a function returns is the task's result. What it raises fails the task, which is then tried again as often as
    it was submitted for; `NoRetry` fails it for good. A plain function runs in a thread.

    `swarmwire worker MODULE` runs a worker in processes of their own; see `docs/workers.md`.

    Args:
        queues: where it takes tasks from: the next one is of the first that has any.
        concurrency: how many tasks it does at a time.
        id: what it is known by; by default a random one.
        project: whose worker it is.
        lease: seconds after which its tasks are given to another if nothing is heard of it; None: as submitted.
        drain_timeout: seconds that `stop` leaves to the tasks in hand.
    """

    def __init__(
        self,
        queues: Sequence[str] = ("default",),
        *,
        concurrency: int = 1,
        id: str | None = None,
        project: str | None = None,
        lease: float | None = None,
        drain_timeout: float = 30.0,
    ) -> None:
        if isinstance(queues, str) or not queues:
            raise ValueError(f"expected the names of queues, got {queues!r}")
        if concurrency < 1:
            raise ValueError(f"expected a concurrency of at least 1, got {concurrency}")
        self.id = f"worker-{secrets.token_hex(4)}" if id is None else id
        self.queues = list(queues)
        self.concurrency = concurrency
        self.project = project
        self.pool: str | None = None
        self._lease = lease
        self._drain_timeout = drain_timeout
        self._functions: dict[str, TaskFunction] = {}
        self._slots: list[WorkerSlot] = []
        self._threads: ThreadPoolExecutor | None = None
        self._in_threads: set[asyncio.Future[Any]] = set()
        self._stopping: asyncio.Event | None = None
        self._give_up_at: asyncio.TimerHandle | None = None
        self._giving_back = False

    # ---- What it does

    def task(self, *types: str) -> Callable[[_F], _F]:
        """Have a function do the tasks of these types; without any, of its own name. A decorator.

        Raises:
            ValueError: another function does a type already.
        """

        def decorate(function: _F) -> _F:
            for type in types or (function.__name__,):
                if type in self._functions:
                    raise ValueError(f"tasks of the type {type!r} have their function already")
                self._functions[type] = function
            return function

        return decorate

    def take(self, post: Post) -> None:
        """Work where a pool says."""
        self.id, self.pool = post.id, post.pool
        self.project = post.project or self.project
        self.queues = list(post.queues) or self.queues
        self.concurrency = post.concurrency or self.concurrency

    @property
    def active(self) -> int:
        """How many tasks it has in hand."""
        return sum(slot.busy for slot in self._slots)

    @property
    def abandoned(self) -> bool:
        """Whether functions still run in threads, though their tasks are not ours any more."""
        return bool(self._in_threads)

    # ---- Life

    async def run(self, client: Client, *, ready: Callable[[], object] | None = None) -> None:
        """Do tasks until `stop` is called, or the client is disconnected; `ready` is called when it takes them.

        Cancelled, it gives back at once what it has in hand.

        Raises:
            SwarmwireError: what keeps it from taking tasks for good: PERMISSION_DENIED, or the end of the connection.
            RuntimeError: it runs already, or no function was given to it.
        """
        if self._stopping is not None:
            raise RuntimeError("the worker runs already")
        if not self._functions:
            raise RuntimeError("the worker has no functions; @worker.task gives it one")
        self._stopping = asyncio.Event()
        try:
            async with client.registry.register(self.id, kind="worker", id=self.id, metadata=self._metadata()):
                await self._work(client, ready)
        finally:
            self._stopping = None

    def stop(self, timeout: float | None = None) -> None:
        """Have `run` end: no other task is taken, and those in hand may take `timeout` seconds more.

        What is not done then is given back for others to do. Called again it can only shorten the time. By default
        it is the `drain_timeout`.
        """
        if self._stopping is None:
            return
        self._stopping.set()
        for slot in self._slots:
            slot.stop()
        loop = asyncio.get_running_loop()
        at = loop.time() + (self._drain_timeout if timeout is None else timeout)
        if self._give_up_at is None or at < self._give_up_at.when():
            self._cancel_timer()
            self._give_up_at = loop.call_at(at, self._give_back)

    # ---- Inside

    def _metadata(self) -> dict[str, Any]:
        return {
            "pool": self.pool,
            "project": self.project,
            "queues": self.queues,
            "types": sorted(self._functions),
            "concurrency": self.concurrency,
            "pid": os.getpid(),
            "host": socket.gethostname(),
        }

    async def _work(self, client: Client, ready: Callable[[], object] | None) -> None:
        assert self._stopping is not None
        self._threads = ThreadPoolExecutor(self.concurrency, "swarmwire-worker")
        connection = _Connection(client)
        claim, do = partial(self._claim, client), self._do
        self._slots = [WorkerSlot(claim, do, connection.ready) for _ in range(self.concurrency)]
        try:
            if ready is not None:
                ready()
            await self._until_the_end(client)
            if not self._stopping.is_set():
                self._give_back()
            await self._drained()
        finally:
            self._give_back()
            await self._drained()
            connection.close()
            self._threads.shutdown(wait=False, cancel_futures=True)
            self._slots, self._threads, self._giving_back = [], None, False
            self._cancel_timer()

    async def _until_the_end(self, client: Client) -> None:
        """Wait for `stop`, or for what makes it useless to go on."""
        assert self._stopping is not None
        loop = asyncio.get_running_loop()
        stopped, finished = loop.create_task(self._stopping.wait()), loop.create_task(client.finished())
        slots = {slot.task for slot in self._slots}
        try:
            done, _ = await asyncio.wait({stopped, finished, *slots}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            stopped.cancel()
            finished.cancel()
            await asyncio.gather(stopped, finished, return_exceptions=True)

    async def _drained(self) -> None:
        if self._slots:
            await asyncio.wait([slot.task for slot in self._slots])

    def _give_back(self) -> None:
        self._giving_back = True
        for slot in self._slots:
            slot.give_back()

    def _cancel_timer(self) -> None:
        if self._give_up_at is not None:
            self._give_up_at.cancel()
            self._give_up_at = None

    def _claim(self, client: Client) -> Any:
        return client.tasks.claim(
            *self.queues, types=list(self._functions), worker=self.id, wait=_WAIT, lease=self._lease
        )

    async def _do(self, task: ClaimedTask) -> Any:
        function = self._functions[task.type]
        if _is_async(function):
            return await function(task)
        result = await self._in_a_thread(function, task)
        return await result if inspect.isawaitable(result) else result

    async def _in_a_thread(self, function: TaskFunction, task: ClaimedTask) -> Any:
        """Call it; when nobody wants the result any more the function is told, and waited for all the same."""
        assert self._threads is not None
        loop = asyncio.get_running_loop()
        own = ThreadTask(task, loop)
        future = loop.run_in_executor(self._threads, contextvars.copy_context().run, function, own)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            own.gone = True
            self._in_threads.add(future)
            future.add_done_callback(self._forget)
            if not self._giving_back:
                await asyncio.wait([future])
            raise

    def _forget(self, future: asyncio.Future[Any]) -> None:
        self._in_threads.discard(future)
        if not future.cancelled():
            future.exception()  # nobody wants to know


class _Connection:
    """Tells when there is a connection."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._news = asyncio.Event()
        self._forget = client.listen("connected", lambda _: self._news.set())

    async def ready(self) -> None:
        """Wait until there is one."""
        while not self._client.is_ready:
            self._news.clear()
            await self._news.wait()

    def close(self) -> None:
        self._forget()


def _is_async(function: TaskFunction) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)
