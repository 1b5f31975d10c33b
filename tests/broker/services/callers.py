"""Clients of a broker in this process that call methods, and a clock that a test moves."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from msgspec import Raw

from swarmwire_broker.broker import Broker
from swarmwire_broker.clock import LoopClock
from swarmwire_broker.config import Config
from swarmwire_broker.core.hub import Hub
from swarmwire_broker.core.ports import Peer
from swarmwire_broker.engines.memory import MemoryEngine
from swarmwire_protocol.codec import encode
from swarmwire_protocol.errors import CloseCode, ErrorCode, SwarmwireError
from swarmwire_protocol.messages import Bye, Call, Cancel, ClientInfo, Hello

from ..core.fakes import FakeSink

__all__ = ["Caller", "MovableClock", "OpenEngine", "a_moment", "running", "until"]


class _Timer:
    def __init__(self, callback: Callable[[], object]) -> None:
        self.callback: Callable[[], object] | None = callback

    def cancel(self) -> None:
        self.callback = None


class MovableClock(LoopClock):
    """The clock of a real loop, whose time stands still until a test moves it."""

    latest: MovableClock
    """The one that was made last."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000.0
        self.time = lambda: self.now
        self._timers: list[tuple[float, int, _Timer]] = []
        self._numbers = itertools.count()
        MovableClock.latest = self

    def call_later(self, delay: float, callback: Callable[[], object]) -> _Timer:
        timer = _Timer(callback)
        heapq.heappush(self._timers, (self.now + delay, next(self._numbers), timer))
        return timer

    async def advance(self, seconds: float) -> None:
        """Let time pass, from one timer to the next, and what they begin come to rest."""
        await a_moment()
        end = self.now + seconds
        while self._timers and self._timers[0][0] <= end:
            due, _, timer = heapq.heappop(self._timers)
            if timer.callback is not None:
                self.now = max(self.now, due)
                timer.callback()
                await a_moment()
        self.now = end


class OpenEngine(MemoryEngine):
    """An engine of which a test may replace a method, also where the engine is compiled."""


@asynccontextmanager
async def running(monkeypatch: pytest.MonkeyPatch, authenticate: Any = None, **settings: Any) -> AsyncGenerator[Broker]:
    """A broker under a `MovableClock`."""
    monkeypatch.setattr("swarmwire_broker.broker.LoopClock", MovableClock)
    monkeypatch.setattr("swarmwire_broker.enginechoice.MemoryEngine", OpenEngine)
    broker = Broker(Config(**settings), authenticate=authenticate)
    await broker.start()
    try:
        yield broker
    finally:
        await broker.stop()


class _Sink(FakeSink):
    def __init__(self, heard: Callable[[dict[str, Any]], None]) -> None:
        super().__init__(1_000_000)
        self._heard = heard

    def write(self, block: list[bytes]) -> None:
        before = len(self.received)
        super().write(block)
        for message in self.received[before:]:
            self._heard(message)


class Caller:
    """One connection that calls; `instance` is the same for all connections of one SDK object."""

    def __init__(
        self,
        broker: Broker | Hub,
        instance: str | None = None,
        *,
        brief: bool = False,
        token: str | None = None,
        metadata: dict[str, Any] | None = None,
        peer: Peer | None = None,
    ) -> None:
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self.events: list[dict[str, Any]] = []
        self.sink = _Sink(self._heard)
        hub = broker if isinstance(broker, Hub) else broker.hub
        self.sink.session = self.session = hub.connect(self.sink, peer or Peer(transport="test", brief=brief))
        info = ClientInfo(name="test", instance=instance)
        self.session.receive(encode(Hello(versions=["1"], client=info, token=token, metadata=metadata)))

    @property
    def id(self) -> str:
        """The broker's name for this connection."""
        return self.session.client_id

    def begin(self, method: str, *, timeout: float | None = None, **params: Any) -> asyncio.Future[Any]:
        """Call; the answer, or SwarmwireError, comes later."""
        number = next(self._numbers)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        answer.add_done_callback(lambda done: done.cancelled() or done.exception())
        timeout_ms = None if timeout is None else round(timeout * 1000)
        call = Call(id=number, method=method, params=Raw(encode(params)), timeout_ms=timeout_ms)
        self.session.receive(encode(call))
        return answer

    async def call(self, method: str, *, timeout: float | None = None, **params: Any) -> Any:
        """Call, and wait for the answer."""
        return await asyncio.wait_for(self.begin(method, timeout=timeout, **params), 10)

    def cancel(self, answer: asyncio.Future[Any]) -> None:
        """Give a call up."""
        number = next(number for number, found in self._answers.items() if found is answer)
        self.session.receive(encode(Cancel(id=number)))

    def leave(self) -> None:
        """Say bye."""
        self.session.receive(encode(Bye(code=CloseCode.NORMAL, reason="")))
        self.session.lost()

    def vanish(self) -> None:
        """Lose the connection."""
        self.session.lost()

    def _heard(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "event":
                self.events.append(message)
            case "reply":
                self._answers[message["id"]].set_result(message["data"])
            case "error" if message.get("id") in self._answers:
                error = SwarmwireError(ErrorCode(message["code"]), message["message"], field=message.get("field"))
                self._answers[message["id"]].set_exception(error)


async def a_moment() -> None:
    """Let everything that is ready come to rest."""
    for _ in range(30):
        await asyncio.sleep(0)


async def until(is_so: Callable[[], bool]) -> None:
    """Wait for something that threads do."""
    for _ in range(2_000):
        if is_so():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it never came to be")
