"""Brokers that a test in a browser orders: processes of their own, killed and started again at the same place."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import jwt

__all__ = ["Broker", "Brokers", "brokers"]

_NURSERY: Final = Path(__file__).with_name("nursery.py")
_SECRET: Final = "a secret that is long enough for HS256"
_PATIENCE: Final = 20.0


class Broker:
    """One broker, and where it is found."""

    def __init__(self, brokers: Brokers, name: str, settings: dict[str, Any]) -> None:
        self.name = name
        self._brokers = brokers
        self._settings = settings
        self._runs = False

    @property
    def origin(self) -> str:
        """Of its pages."""
        return f"http://127.0.0.1:{self._settings['port']}"

    @property
    def urls(self) -> dict[str, str]:
        """Where a page finds it, by the way."""
        return {"ws": f"ws://127.0.0.1:{self._settings['port']}/ws", "http": self.origin}

    async def start(self) -> None:
        """Start it, again at the same place."""
        news = await self._brokers.ask({"serve": self._settings, "as": self.name}, "listening")
        self._settings["port"] = urlsplit(news["urls"][0]).port
        self._runs = True

    async def kill(self) -> None:
        """End it with no word to anybody."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """End it as its operator would."""
        await self._end(signal.SIGTERM)

    async def _end(self, number: int) -> None:
        if self._runs:
            self._runs = False
            await self._brokers.ask({"signal": number, "to": self.name}, "ended")


class Brokers:
    """Makes brokers, and answers the orders of a page."""

    def __init__(self, process: asyncio.subprocess.Process, directory: Path) -> None:
        self._process = process
        self._directory = directory
        self._made: dict[str, Broker] = {}
        self._lanes: dict[str, Broker] = {}
        self._waiting: dict[tuple[str, str], asyncio.Future[dict[str, Any]]] = {}

    async def broker(
        self, *, data: bool = False, login: bool = False, settings: dict[str, Any] | None = None
    ) -> Broker:
        """A broker that runs."""
        name = f"broker-{len(self._made)}"
        given: dict[str, Any] = {"port": 0, "unix": "off", "log_level": "error", **(settings or {})}
        if data:
            given["data"] = str(self._directory / name)
        if login:
            given["auth.jwt_secret"] = _SECRET
        broker = self._made[name] = Broker(self, name, given)
        await broker.start()
        return broker

    async def take(self, order: dict[str, Any]) -> Any:
        """Do what a page asks for."""
        match order:
            case {"do": "broker", "wanted": wanted, "lane": lane}:
                broker = await (self.broker(**wanted) if lane is None else self._shared(lane, wanted))
                return {"name": broker.name, "urls": broker.urls}
            case {"do": "token", "claims": claims}:
                return _token(**claims)
            case {"do": "start" | "kill" | "stop" as verb, "name": name}:
                await getattr(self._made[name], verb)()
        return None

    async def ask(self, order: dict[str, Any], answer: str) -> dict[str, Any]:
        """Tell the nursery something, and wait for its answer."""
        assert self._process.stdin is not None
        key = answer, order.get("as") or order["to"]
        told = self._waiting[key] = asyncio.get_running_loop().create_future()
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        async with asyncio.timeout(_PATIENCE):
            news: dict[str, Any] = await told
        return news

    async def listen(self) -> None:
        """Hand on what the nursery says, until it ends."""
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            news = json.loads(line)
            what, name = next(iter(news.items()))
            if (told := self._waiting.pop((what, name), None)) is not None:
                told.set_result(news)

    async def _shared(self, lane: int, wanted: dict[str, Any]) -> Broker:
        """The broker that the cases of a lane share, of which one runs at a time."""
        key = json.dumps([lane, wanted], sort_keys=True)
        if key not in self._lanes:
            self._lanes[key] = await self.broker(**wanted)
        return self._lanes[key]


@asynccontextmanager
async def brokers(directory: Path) -> AsyncIterator[Brokers]:
    """All of them end with this."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(_NURSERY), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    made = Brokers(process, directory)
    listening = asyncio.create_task(made.listen())
    try:
        yield made
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()
        await listening


def _token(sub: str = "tester", lifeMs: int = 60_000, permissions: dict[str, Any] | None = None) -> str:
    everything = {"publish": ["#"], "subscribe": ["#"], "call": ["#"], "admin": False}
    claims = {"sub": sub, "exp": time.time() + lifeMs / 1000, "permissions": permissions or everything}
    return jwt.encode(claims, _SECRET, algorithm="HS256")
