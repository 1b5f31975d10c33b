"""The application: alone, inside somebody else's, and what it answers over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from swarmwire_broker.app import create_app
from swarmwire_broker.broker import Broker
from swarmwire_broker.config import Config
from swarmwire_broker.core.settings import Limits
from swarmwire_broker.server import Server
from swarmwire_broker.transports.asgi import AsgiConnection
from swarmwire_broker.transports.fastpath import FastConnection
from swarmwire_broker.transports.handover import HandoverProtocol

from .transports.houses import serving
from .transports.wire import Refused, Wire, eventually, request

FOREIGN = "https://evil.example"


@asynccontextmanager
async def server(**settings: Any) -> AsyncIterator[Server]:
    async with Server(Config(port=0, **settings)) as server:
        yield server


@asynccontextmanager
async def http(port: int) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        yield client


async def figures(port: int) -> dict[str, float]:
    """What /metrics says: each sample under its name and its labels' values."""
    async with http(port) as client:
        answer = await client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        ".".join((sample.name, *sample.labels.values())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


# ---- where it runs


class Counting:
    """A middleware that counts what passes."""

    def __init__(self, app: Any, seen: list[str]) -> None:
        self.app = app
        self.seen = seen

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.seen.append(scope["type"])
        await self.app(scope, receive, send)


@pytest.mark.parametrize(("ws", "sink"), [(HandoverProtocol, FastConnection), ("websockets-sansio", AsgiConnection)])
async def test_it_serves_mounted_into_another_app_whose_middleware_runs(ws: Any, sink: type) -> None:
    async def greet(request: Request) -> PlainTextResponse:
        return PlainTextResponse("hello")

    seen: list[str] = []
    broker = Broker()
    app = Starlette(
        routes=[Route("/", greet), Mount("/bus", create_app(broker))], middleware=[Middleware(Counting, seen=seen)]
    )
    async with serving(app, ws=ws, ws_per_message_deflate=False) as (port, _):
        async with http(port) as client:
            assert (await client.get("/")).text == "hello"
            assert (await client.get("/bus/readyz")).json()["ready"], "the first request starts the broker"
        async with await Wire.open(port, "/bus/ws") as wire:
            await wire.send(type="hello", versions=["1"], client={"name": "x"})
            await wire.expect("welcome")
            assert seen == ["lifespan", "http", "http", "websocket"]
            (session,) = broker.hub.sessions.values()
            assert isinstance(session.outbox.sink, sink)
            await wire.subscribe("a")
            await broker.publish("a", 1)
            assert (await wire.expect("event"))["data"] == 1
        with pytest.raises(Refused) as refused:
            await Wire.open(port, "/ws")
        assert refused.value.status in (403, 404)
        await eventually(lambda: not broker.hub.sessions)
        await broker.stop()


async def test_alone_it_starts_and_stops_its_broker() -> None:
    broker = Broker()
    async with serving(create_app(broker)):
        assert broker.is_running
    assert not broker.is_running


async def test_a_broker_that_somebody_else_started_is_left_running() -> None:
    broker = Broker()
    await broker.start()
    async with serving(create_app(broker)) as (port, _), await Wire.welcomed(port):
        pass
    assert broker.is_running
    await broker.stop()


async def test_no_request_starts_a_broker_that_was_stopped() -> None:
    broker = Broker()
    async with serving(create_app(broker)) as (port, _):
        await broker.stop()
        with pytest.raises(Refused) as refused:
            await Wire.open(port)
        assert refused.value.status == 503
        async with http(port) as client:
            assert (await client.get("/readyz")).status_code == 503
            assert (await client.get("/healthz")).status_code == 200
        assert not broker.is_running


@pytest.mark.parametrize("given", [None, Config(name="mine")])
async def test_an_app_may_be_made_of_a_configuration_or_of_nothing(given: Config | None) -> None:
    app = create_app(given)
    assert app.state.broker.config.name == ("swarmwire" if given is None else "mine")


async def test_where_a_denial_cannot_be_sent_the_socket_is_closed_before_the_upgrade() -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "websocket", "path": "/ws", "headers": [(b"host", b"evil.example")], "query_string": b""}
    await create_app()(scope, receive, send)
    assert [message["type"] for message in sent] == ["websocket.close"]


# ---- where a request may come from


async def refusals(port: int, headers: list[tuple[str, str]], host: str | None = None) -> list[int]:
    """The status of the WebSocket, of /healthz and of /metrics for a request with these headers."""
    found = []
    try:
        async with await Wire.dial(port) as wire:
            wire.writer.write(request("/ws", headers, host=host or f"127.0.0.1:{port}"))
            await wire.upgraded()
            found.append(101)
    except Refused as refused:
        found.append(refused.status)
    for path in ("/healthz", "/metrics"):
        async with await Wire.dial(port) as wire:
            lines = [f"Host: {host or f'127.0.0.1:{port}'}", *(f"{name}: {value}" for name, value in headers)]
            wire.writer.write("\r\n".join([f"GET {path} HTTP/1.1", "Connection: close", *lines, "", ""]).encode())
            found.append(int((await wire.rest()).split()[1]))
    return found


async def test_a_page_of_another_site_is_refused_before_the_upgrade() -> None:
    async with server() as broker:
        assert await refusals(broker.port, [("Origin", FOREIGN)]) == [403, 403, 403]
        assert await refusals(broker.port, [("Origin", "null")]) == [403, 403, 403]
        assert broker.broker.stats.refused_connections == 2
        assert broker.broker.hub.sessions == {}


async def test_no_origin_the_own_one_and_loopback_ones_pass() -> None:
    async with server() as broker:
        for headers in ([], [("Origin", f"http://127.0.0.1:{broker.port}")], [("Origin", "http://localhost:3000")]):
            assert await refusals(broker.port, headers) == [101, 200, 200]


async def test_allowed_origins_pass_and_others_do_not() -> None:
    async with server(allowed_origins=["https://app.example"]) as broker:
        assert await refusals(broker.port, [("Origin", "https://app.example")]) == [101, 200, 200]
        assert await refusals(broker.port, [("Origin", FOREIGN)]) == [403, 403, 403]


async def test_a_foreign_name_that_was_made_to_point_here_is_refused() -> None:
    async with server() as broker:
        assert await refusals(broker.port, [], host="evil.example") == [403, 403, 403]
        same = [("Origin", "http://evil.example")]
        assert await refusals(broker.port, same, host="evil.example") == [403, 403, 403]


async def test_a_host_that_comes_twice_is_refused() -> None:
    async with server() as broker:
        assert await refusals(broker.port, [("Host", "localhost")]) == [403, 403, 403]


# ---- health and metrics


async def test_health_and_readiness_while_it_runs_and_while_it_drains() -> None:
    async with server(name="north") as broker, http(broker.port) as client:
        assert (await client.get("/healthz")).json() == {"status": "ok"}
        async with await Wire.welcomed(broker.port):
            ready = await client.get("/readyz")
            assert ready.status_code == 200
            facts = ready.json()
            assert (facts["ready"], facts["name"], facts["connections"], facts["draining"]) == (True, "north", 1, False)
        broker.broker.drain()
        draining = await client.get("/readyz")
        assert (draining.status_code, draining.json()["draining"]) == (503, True)
        assert (await client.get("/healthz")).status_code == 200


async def test_metrics_are_the_figures_of_what_was_done() -> None:
    async with server(limits=Limits(log_events=10)) as broker:
        async with await Wire.welcomed(broker.port) as one, await Wire.welcomed(broker.port) as two:
            await one.subscribe("#")
            await two.subscribe("a.*", "a.b")
            for number in range(20):
                await one.ask(type="publish", topic="a.b", data="x" * 100, id=number, key=f"k{number}")
            await one.ask(type="publish", topic="a.b", data=0, id="again", key="k0")
            assert (await one.ask(type="publish", topic="no topic", data=0, id="bad"))["code"] == "INVALID_TOPIC"
            await two.events(20)
            epoch = broker.broker.hub.engine.epoch
            await two.ask(
                type="subscribe", id="late", subscriptions=[{"pattern": "b", "from": {"cursor": f"{epoch}:1"}}]
            )
            assert (await two.expect("gap"))["reason"] == "evicted"

            found = await figures(broker.port)
            assert found["swarmwire_publishes_total"] == 21
            assert found["swarmwire_duplicates_total"] == 1
            assert found["swarmwire_deliveries_total"] == 40
            assert found["swarmwire_errors_total.INVALID_TOPIC"] == 1
            assert found["swarmwire_gaps_total.evicted"] == 1
            assert found["swarmwire_connections"] == 2
            assert found["swarmwire_subscriptions"] == 4
            assert found["swarmwire_patterns"] == 4
            assert found["swarmwire_log_events"] == 10
            assert found["swarmwire_dedupe_keys"] == 20
            assert found["swarmwire_publish_latency_seconds_count"] >= 20
        await eventually(lambda: not broker.broker.hub.sessions)
        found = await figures(broker.port)
        assert (found["swarmwire_connections"], found["swarmwire_patterns"], found["swarmwire_queue_bytes"]) == (
            0,
            0,
            0,
        )
        assert found["swarmwire_connections_closed_total"] == found["swarmwire_connections_opened_total"] == 2


async def test_metrics_can_be_left_out() -> None:
    async with server(metrics=False) as broker, http(broker.port) as client:
        assert (await client.get("/metrics")).status_code == 404
