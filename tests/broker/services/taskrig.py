"""What the tests of tasks stand on: a broker whose clock and time of day a test moves, and workers that call it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from msgspec import Raw

from swarmwire_broker.broker import Broker
from swarmwire_broker.config import Config
from swarmwire_broker.core.settings import Limits
from swarmwire_protocol.codec import encode
from swarmwire_protocol.errors import ErrorCode, SwarmwireError
from swarmwire_protocol.messages import Call

from .callers import Caller, MovableClock

__all__ = ["Worker", "advance", "refused", "running"]

_NOON = 1_790_000_000_000


class DayClock(MovableClock):
    """A movable clock that moves the time of day too."""

    start = _NOON

    def now_ms(self) -> int:
        return self.start + round((self.now - 1_000.0) * 1000)


@asynccontextmanager
async def running(monkeypatch: pytest.MonkeyPatch, authenticate: Any = None, **settings: Any) -> AsyncGenerator[Broker]:
    """A broker under a `DayClock`; a later one in the same test begins a minute after the former."""
    monkeypatch.setattr("swarmwire_broker.broker.LoopClock", DayClock)
    # The clients of these tests say nothing by themselves, however long it is.
    limits = msgspec.structs.replace(settings.pop("limits", Limits()), heartbeat_ms=10**9)
    broker = Broker(Config(limits=limits, **settings), authenticate=authenticate)
    await broker.start()
    try:
        yield broker
    finally:
        monkeypatch.setattr(DayClock, "start", MovableClock.latest.now_ms() + 60_000)
        await broker.stop()


async def advance(seconds: float) -> None:
    """Let time pass for the broker that was started last."""
    await MovableClock.latest.advance(seconds)


async def refused(answer: Any, code: ErrorCode, field: str | None = None) -> str:
    """Make sure that a call fails so; returns the sentence."""
    with pytest.raises(SwarmwireError) as caught:
        await asyncio.wait_for(answer, 10)
    assert (caught.value.code, caught.value.field) == (code, field), caught.value
    return caught.value.message


class Worker(Caller):
    """A client with shorthands for what workers do."""

    async def submit(self, type: str = "work", **params: Any) -> Any:
        """A task; `timeout` is that of its attempts, not of the call."""
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        call = Call(id=number, method="task.submit", params=Raw(encode({"type": type, **params})))
        self.session.receive(encode(call))
        return (await asyncio.wait_for(answer, 10))["task"]

    async def claim(self, *queues: str, **params: Any) -> Any:
        """A task, or None."""
        if queues:
            params["queues"] = list(queues)
        return (await self.call("task.claim", **params))["task"]

    async def about(self, method: str, task: Any, **params: Any) -> Any:
        """Say something of a task that is held."""
        return await self.call(method, id=task["id"], token=task["token"], **params)

    async def complete(self, task: Any, result: Any = None) -> Any:
        return await self.about("task.complete", task, result=result)

    async def fail(self, task: Any, message: str = "it broke", **params: Any) -> Any:
        return await self.about("task.fail", task, error={"message": message}, **params)

    async def status(self, id: str) -> Any:
        return (await self.call("task.status", id=id))["task"]

    async def state(self, id: str) -> str:
        state = (await self.status(id))["state"]
        assert isinstance(state, str)
        return state
