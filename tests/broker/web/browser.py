"""HTTP clients of the tests: one that asks, and one that reads a stream frame by frame."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import httpx
import jwt

from swarmwire_broker.config import Config
from swarmwire_broker.core.settings import Limits, Rates
from swarmwire_broker.credentials import Auth
from swarmwire_broker.server import Server

from ..transports.wire import PATIENCE

__all__ = ["JSON", "LOGIN", "NDJSON", "SECRET", "Frame", "Stream", "client", "follow", "publish", "serving", "token"]

JSON = {"Content-Type": "application/json"}
NDJSON = {"Content-Type": "application/x-ndjson"}
SECRET = "a secret that is long enough for HS256"
LOGIN = Auth(jwt_secret=SECRET)


@asynccontextmanager
async def serving(
    *, limits: Limits | None = None, rates: Rates | None = None, auth: Auth | None = None, **settings: Any
) -> AsyncIterator[Server]:
    """A broker, as people run it."""
    config = Config(port=0, limits=limits or Limits(), rates=rates or Rates(), auth=auth or Auth(), **settings)
    async with Server(config) as server:
        yield server


@asynccontextmanager
async def client(server: Server | int, **options: Any) -> AsyncIterator[httpx.AsyncClient]:
    port = server if isinstance(server, int) else server.port
    options = {"timeout": PATIENCE, "trust_env": False, **options}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", **options) as made:
        yield made


def token(subject: str = "alice", **claims: Any) -> dict[str, str]:
    """The header of somebody who may do everything, unless `permissions` say otherwise."""
    permissions = {"publish": ["#"], "subscribe": ["#"], "call": ["#"], "admin": False}
    signed = jwt.encode({"sub": subject, "permissions": permissions, **claims}, SECRET, algorithm="HS256")
    return {"Authorization": f"Bearer {signed}"}


async def publish(http: httpx.AsyncClient, topic: str, data: Any = None, **fields: Any) -> int:
    """Publish one event; its `seq`."""
    answer = await http.post("/v1/publish", json={"topic": topic, "data": data, **fields})
    assert answer.status_code == 200, answer.text
    seq: int = answer.json()["seq"]
    return seq


class Frame(NamedTuple):
    """One frame of a stream, as an EventSource reads it; a comment has nothing but itself."""

    id: str | None = None
    event: str | None = None
    data: Any = None
    retry: int | None = None
    comment: str | None = None

    @property
    def is_event(self) -> bool:
        return self.event is None and self.data is not None


def parsed(lines: list[str]) -> Frame:
    fields: dict[str, list[str]] = {}
    for line in lines:
        name, _, value = line.partition(":")
        fields.setdefault(name, []).append(value.removeprefix(" "))
    assert set(fields) <= {"id", "event", "data", "retry", ""}, fields
    data = "\n".join(fields["data"]) if "data" in fields else None
    return Frame(
        id=fields["id"][-1] if "id" in fields else None,
        event=fields["event"][-1] if "event" in fields else None,
        data=json.loads(data) if data is not None else None,
        retry=int(fields["retry"][-1]) if "retry" in fields else None,
        comment=fields[""][-1] if "" in fields else None,
    )


class Stream:
    """The frames of an answer. `last_id` is what an EventSource would send as Last-Event-ID."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.last_id: str | None = None
        self._frames = self._read()

    async def _read(self) -> AsyncIterator[Frame]:
        lines: list[str] = []
        async for line in self.response.aiter_lines():
            if line:
                lines.append(line)
            elif lines:
                yield parsed(lines)
                lines = []

    async def next(self) -> Frame:
        """The next frame; comments and bare positions count too."""
        async with asyncio.timeout(PATIENCE):
            frame = await anext(self._frames)
        if frame.id is not None:
            self.last_id = frame.id
        return frame

    async def event(self) -> dict[str, Any]:
        """The next event, whatever else comes before it but a gap or the end."""
        while not (frame := await self.next()).is_event:
            assert frame.event in (None, "live"), frame
        event: dict[str, Any] = frame.data
        return event

    async def events(self, count: int) -> list[dict[str, Any]]:
        return [await self.event() for _ in range(count)]

    async def named(self, name: str) -> Frame:
        """The next frame of this name; everything before it is passed over."""
        while (frame := await self.next()).event != name:
            pass
        return frame

    async def rest(self) -> list[Frame]:
        """Everything up to the end."""
        frames = []
        while True:
            try:
                frames.append(await self.next())
            except StopAsyncIteration:
                return frames


@asynccontextmanager
async def follow(
    http: httpx.AsyncClient, *patterns: str, headers: dict[str, str] | None = None, **params: Any
) -> AsyncIterator[Stream]:
    """A stream that was answered 200; `from_` is `from`."""
    query: list[tuple[str, Any]] = [("pattern", pattern) for pattern in patterns]
    query += [(name.rstrip("_"), value) for name, value in params.items()]
    async with http.stream("GET", "/v1/events", params=query, headers=headers) as response:
        assert response.status_code == 200, await response.aread()
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        yield Stream(response)
