"""POST /v1/call: a call and its replies, as HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from swarmwire import connect
from swarmwire_broker import Call, CallError
from swarmwire_broker.core.settings import Limits

from ..transports.wire import eventually
from .browser import JSON, LOGIN, client, serving, token

LINES = {"Accept": "application/x-ndjson", **JSON}


async def pour(params: Any) -> AsyncIterator[Any]:
    """Streams the list that it is given."""
    for data in params:
        yield data


async def fail(params: Any) -> AsyncIterator[int]:
    yield 1
    raise CallError("ENOUGH", "No more.", details={"left": 0}, retry_after_ms=1_500)


class Waiting:
    """A handler that waits until it is cancelled."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def run(self) -> None:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled.set()


@pytest.mark.parametrize("method", ["greet", "gre/et", "%0A", "a%0Ab%0D%0Ac", "gr%C3%BC%C3%9F"])
async def test_a_method_that_nobody_handles_is_not_found(method: str) -> None:
    async with serving() as server, client(server) as http:
        answer = await http.post(f"/v1/call/{method}", json={"name": "x"})
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "METHOD_NOT_FOUND"


async def test_calling_needs_its_permission() -> None:
    mine = token(permissions={"call": ["greet.*"]})
    async with serving(auth=LOGIN) as server, client(server, headers=mine) as http:
        assert (await http.post("/v1/call/greet.me", json=1)).status_code == 404
        answer = await http.post("/v1/call/other", json=1)
        assert (answer.status_code, answer.json()["error"]["field"]) == (403, "method")


async def test_the_reply_is_the_answer_and_the_body_its_parameters() -> None:
    seen: list[Call] = []

    def look(params: Any, call: Call) -> Any:
        seen.append(call)
        return {"got": params}

    async with serving() as server, client(server) as http:
        server.broker.handler("gre/et.me", look)
        answer = await http.post("/v1/call/gre%2Fet.me?timeout_ms=700", json={"name": "x"})
        assert (answer.status_code, answer.json()) == (200, {"data": {"got": {"name": "x"}}})
        answer = await http.post("/v1/call/gre%2Fet.me", headers=JSON)
        assert answer.json() == {"data": {"got": None}}
    first, second = seen
    assert first.method == "gre/et.me"
    assert (first.caller or "").startswith("anonymous:")
    assert first.seconds_left <= 0.7 < 25 < second.seconds_left <= 30


async def test_a_method_of_the_broker_itself_is_called_alike() -> None:
    async with serving() as server, client(server) as http:
        answer = await http.post("/v1/call/rpc.list", json={"method": "rpc.list"})
        assert answer.json() == {"data": {"methods": [{"method": "rpc.list", "builtin": True, "handlers": 0}]}}
        answer = await http.post("/v1/call/rpc.list", json={"method": 1})
        assert (answer.status_code, answer.json()["error"]["field"]) == (400, "params.method")


async def test_a_call_reaches_the_handler_of_a_client() -> None:
    async with serving() as server, client(server) as http, connect(server.url) as other:
        await other.handler("greet", lambda params: f"Hello {params['name']}")
        answer = await http.post("/v1/call/greet", json={"name": "Ada"})
        assert answer.json() == {"data": "Hello Ada"}


async def test_replies_that_follow_each_other_are_lines() -> None:
    async with serving() as server, client(server) as http:
        server.broker.handler("pour", pour)
        answer = await http.post("/v1/call/pour", json=[1, "two\n", None], headers=LINES)
        assert answer.headers["content-type"] == "application/x-ndjson"
        lines = [json.loads(line) for line in answer.text.splitlines()]
        assert lines == [
            {"data": 1, "more": True},
            {"data": "two\n", "more": True},
            {"data": None, "more": True},
            {"data": None, "end": True},
        ]


async def test_an_error_on_the_way_is_the_last_line() -> None:
    async with serving() as server, client(server) as http:
        server.broker.handler("fail", fail)
        text = (await http.post("/v1/call/fail", headers=LINES)).text
        assert [json.loads(line) for line in text.splitlines()] == [
            {"data": 1, "more": True},
            {
                "error": {
                    "code": "HANDLER_FAILED",
                    "message": "No more.",
                    "retry_after_ms": 1_500,
                    "handler_code": "ENOUGH",
                    "details": {"left": 0},
                }
            },
        ]


async def test_several_replies_that_were_not_asked_for_are_given_up() -> None:
    closed = asyncio.Event()

    async def forever() -> AsyncIterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.set()

    async with serving() as server, client(server) as http:
        server.broker.handler("forever", forever)
        answer = await http.post("/v1/call/forever", headers=JSON)
        assert (answer.status_code, answer.json()["error"]["field"]) == (406, "Accept")
        async with asyncio.timeout(5):
            await closed.wait()


async def test_an_error_has_its_status() -> None:
    def price() -> None:
        raise CallError("OUT_OF_STOCK", "None left.", retry_after_ms=1_500)

    async with serving() as server, client(server) as http:
        server.broker.handler("price", price)
        answer = await http.post("/v1/call/price", json=1)
        assert (answer.status_code, answer.headers["retry-after"]) == (502, "2")
        error = answer.json()["error"]
        assert (error["code"], error["handler_code"], error["message"]) == (
            "HANDLER_FAILED",
            "OUT_OF_STOCK",
            "None left.",
        )


async def test_no_reply_is_a_timeout_and_the_handler_is_told() -> None:
    waiting = Waiting()
    async with serving() as server, client(server) as http:
        server.broker.handler("wait", waiting.run)
        answer = await http.post("/v1/call/wait?timeout_ms=50", json=1)
        assert (answer.status_code, answer.json()["error"]["code"]) == (504, "TIMEOUT")
        async with asyncio.timeout(5):
            await waiting.cancelled.wait()


async def test_a_handler_that_vanishes_is_a_bad_gateway_at_once() -> None:
    waiting = Waiting()
    async with serving() as server, client(server) as http:
        async with connect(server.url, reconnect=False) as other:
            await other.handler("wait", waiting.run)
            asking = asyncio.create_task(http.post("/v1/call/wait", json=1))
            await waiting.begun.wait()
            assert other.id is not None
            server.broker.hub.disconnect(other.id)
        answer = await asking
        assert (answer.status_code, answer.json()["error"]["code"]) == (502, "HANDLER_GONE")


async def test_a_client_that_does_not_take_its_replies_is_cut() -> None:
    begun, closed = asyncio.Event(), asyncio.Event()

    async def flood() -> AsyncIterator[str]:
        begun.set()
        try:
            while True:
                yield "x" * 1_000_000
        finally:
            closed.set()

    async with serving(limits=Limits(request_timeout_ms=200)) as server:
        server.broker.handler("flood", flood)
        with contextlib.closing(socket.socket()) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.connect(("127.0.0.1", server.port))
            head = "".join(f"{name}: {value}\r\n" for name, value in LINES.items())
            sock.sendall(f"POST /v1/call/flood HTTP/1.1\r\nHost: 127.0.0.1\r\n{head}Content-Length: 0\r\n\r\n".encode())
            async with asyncio.timeout(10):
                await begun.wait()
                await closed.wait()
            await eventually(lambda: len(server.broker.hub.sessions) == 1)  # that of the handler


async def test_a_client_that_goes_away_gives_its_call_up() -> None:
    waiting = Waiting()
    async with serving() as server, client(server) as http:
        server.broker.handler("wait", waiting.run)
        asking = asyncio.create_task(http.post("/v1/call/wait", json=1))
        await waiting.begun.wait()
        asking.cancel()
        async with asyncio.timeout(5):
            await waiting.cancelled.wait()
        await eventually(lambda: len(server.broker.hub.sessions) == 1)  # that of the handler


NO_JSON = [b"{", b"[1] 2", b"[1e999]", b"[" * 200 + b"]" * 200, b'"\xff"']


async def test_parameters_that_are_no_json_are_an_error() -> None:
    async with serving() as server, client(server) as http:
        for body in NO_JSON:
            answer = await http.post("/v1/call/x", content=body, headers=JSON)
            assert (answer.status_code, answer.json()["error"]["code"]) == (400, "INVALID_MESSAGE"), body


async def test_a_timeout_is_a_number_of_milliseconds() -> None:
    async with serving() as server, client(server) as http:
        for given in ("x", "-1", "3600001", "1.5"):
            answer = await http.post(f"/v1/call/x?timeout_ms={given}", json=1)
            assert (answer.status_code, answer.json()["error"]["field"]) == (400, "timeout_ms"), given
