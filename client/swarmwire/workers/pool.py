"""A pool: worker processes that are kept running, and scaled and restarted when the broker is asked to."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, Literal

import msgspec

from swarmwire_protocol.handling import CallError
from swarmwire_protocol.topics import encode_segment

from ..client import Client
from ..errors import ErrorCode, SwarmwireError
from .child import WorkerChild
from .crew import PoolCrew
from .post import Post

__all__ = ["Pool", "PoolFailed"]

_log = logging.getLogger("swarmwire.workers")

_MOST: Final = 1_000
"""Workers of one pool in one process."""

_MOST_COMMANDS: Final = 100
"""Commands that wait for one another."""

_MOST_NAME: Final = 96
"""Bytes of its name; that of a worker is longer, and may have 128."""


class _Command(msgspec.Struct, frozen=True, kw_only=True):
    action: Literal["status", "scale", "restart", "hold", "release"]
    count: int | None = None
    worker: str | None = None


class PoolFailed(Exception):
    """The workers cannot be used; what is wrong with them they have printed themselves."""


class Pool:
    """Workers of one program, each a process of its own.

    A worker that dies is replaced, after a wait that doubles while they go on dying; what was stopped on purpose stays
    stopped. When this process ends, whatever the way, its workers end too.

    Args:
        target: the program, `module` or `module:attribute`; imported from the current directory as `python -m` does.
        count: how many workers.
        queues: where they take tasks from; none given: what the program says.
        name: what `worker.scale` and `worker.restart` know it by; pools of one name, on several machines perhaps,
            are scaled together. By default the module's name.
        project: whose pool it is: while that project is stopped it has no workers.
        concurrency: tasks of one worker at a time; None: what the program says.
        url: where the workers find the broker; None: on this machine.
        token: what they log in with. They get it by a pipe that nobody else can read.
        max_restarts: how often a worker that died is replaced in a row; None is no limit, 0 means never.
        drain_timeout: seconds that a worker has to finish its tasks when it is stopped; then it gives them back.

    Raises:
        SwarmwireError: INVALID_MESSAGE, with the field at fault.
    """

    def __init__(
        self,
        target: str,
        *,
        count: int = 1,
        queues: Sequence[str] = (),
        name: str | None = None,
        project: str | None = None,
        concurrency: int | None = None,
        url: str | None = None,
        token: str | None = None,
        max_restarts: int | None = None,
        drain_timeout: float = 30.0,
    ) -> None:
        self.name = _checked_name(target.partition(":")[0] if name is None else name)
        self.count = _checked_count(count)
        self.project = project
        self.held = False
        self.killed = False
        self.member = secrets.token_hex(4)
        self._post = Post(
            target=target,
            id="",
            pool=self.name,
            project=project,
            queues=tuple(queues),
            concurrency=concurrency,
            url=url,
            token=token,
        )
        self._drain_timeout = drain_timeout
        self._crew = PoolCrew(self._start_one, max_restarts, drain_timeout)
        self._stopping = asyncio.Event()
        self._commands: set[asyncio.Task[Any]] = set()

    # ---- Life

    async def run(self, client: Client) -> None:
        """Run the workers until `stop`. The client is what the pool itself is asked through.

        Raises:
            PoolFailed: the program cannot be imported, or every worker died more often than `max_restarts` in a row.
            SwarmwireError: what ended the client's connection for good.
        """
        try:
            self.held = await self._is_held(client)
            if not await self._crew.begin(0 if self.held else self.count):
                raise PoolFailed(f"{self._post.target} cannot be used")
            async with self._asked_through(client):
                await self._until_the_end(client)
        finally:
            self.stop()
            await self._crew.ended()

    def stop(self, seconds: float | None = None) -> None:
        """Have all workers stop, and `run` return; what is not finished in time is given back.

        `seconds` are by default the `drain_timeout`. Called again it can only shorten them.
        """
        seconds = self._drain_timeout if seconds is None else seconds
        if not self._stopping.is_set():
            _log.info("stopping; what is not done in %g s is given back", seconds)
        self._crew.order_stop(seconds)
        self._stopping.set()

    def kill(self) -> None:
        """End all workers at once, and have `run` return. What they held goes back by its lease."""
        self.killed = True
        self._stopping.set()
        self._crew.kill()

    def describe(self) -> dict[str, Any]:
        """What operators see: how many workers are wanted and run, and each of them."""
        return {
            "pool": self.name,
            "member": self.member,
            "project": self.project,
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "target": self._post.target,
            "queues": list(self._post.queues),
            "count": self.count,
            "running": self._crew.running,
            "held": self.held,
            "restarts": self._crew.restarts,
            "workers": self._crew.describe(),
        }

    # ---- What it is asked

    @property
    def method(self) -> str:
        """The method that it answers: `pool.<name>.<member>`."""
        return f"pool.{encode_segment(self.name)}.{self.member}"

    async def answer(self, params: Any) -> dict[str, Any]:
        """Do what it is asked to, and tell when it is done; a caller that goes away does not keep it from being done.

        `params` name an `action`: status, scale (with `count`), restart (perhaps of one `worker`), hold and release
        (no workers meanwhile). The answer is that of `describe`, with `done`: how many workers it was about, and
        `failed`: whether some did not come up.
        """
        command = msgspec.convert(params, _Command)
        if len(self._commands) >= _MOST_COMMANDS:
            raise CallError("UNAVAILABLE", f"The pool has {_MOST_COMMANDS} commands to do before.")
        work = asyncio.get_running_loop().create_task(self._do(command))
        self._commands.add(work)
        work.add_done_callback(self._commands.discard)
        return await asyncio.shield(work)

    async def _do(self, command: _Command) -> dict[str, Any]:
        done, came = 0, True
        match command.action:
            case "scale" if command.count is not None:
                self.count = done = _checked_count(command.count)
                _log.info("scaled to %d", self.count)
                came = await self._fit()
            case "restart":
                done, came = await self._crew.restart(command.worker)
            case "hold" | "release":
                self.held = command.action == "hold"
                came = await self._fit()
        return {**self.describe(), "done": done, "failed": not came}

    async def _fit(self) -> bool:
        return await self._crew.scale(0 if self.held else self.count)

    # ---- Inside

    def _start_one(self) -> WorkerChild:
        return WorkerChild.start(msgspec.structs.replace(self._post, id=f"{self.name}-{secrets.token_hex(4)}"))

    @asynccontextmanager
    async def _asked_through(self, client: Client) -> AsyncIterator[None]:
        """Answer the broker, over as many connections as it takes."""
        registration = client.handler(self.method, self.answer)
        forget = client.listen("resumed", lambda: self._look_at_project(client))
        try:
            await registration
            yield
        finally:
            forget()
            registration()

    async def _until_the_end(self, client: Client) -> None:
        ends = [
            asyncio.create_task(each) for each in (self._stopping.wait(), self._crew.failed.wait(), client.finished())
        ]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if self._stopping.is_set():
                return
            if self._crew.failed.is_set():
                raise PoolFailed(f"every worker of {self._post.target} died more often than it may be replaced")
            await ends[-1]
        finally:
            for task in ends:
                task.cancel()
            await asyncio.gather(*ends, return_exceptions=True)

    async def _look_at_project(self, client: Client) -> None:
        """It may have been stopped or started while nobody could be asked."""
        held = await self._is_held(client)
        if held != self.held:
            self.held = held
            await self._fit()

    async def _is_held(self, client: Client) -> bool:
        """Whether its project is stopped. One that is not known, or not shown to us, is not."""
        if self.project is None:
            return False
        try:
            found = await client.call("project.status", {"id": self.project})
        except SwarmwireError as error:
            _log.info("whether the project %s is stopped is not known: %s", self.project, error)
            return self.held
        return bool(found["project"]["state"] == "stopped")


def _checked_count(count: Any) -> int:
    if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count <= _MOST:
        sentence = f"Invalid worker count: expected a whole number from 0 to {_MOST}, got {count!r}."
        raise SwarmwireError(ErrorCode.INVALID_MESSAGE, sentence, field="count")
    return count


def _checked_name(name: str) -> str:
    if not 1 <= len(name.encode()) <= _MOST_NAME or not name.isprintable():
        sentence = f"Expected a name of 1 to {_MOST_NAME} printable bytes, got {name!r}."
        raise SwarmwireError(ErrorCode.INVALID_MESSAGE, sentence, field="name")
    return name
