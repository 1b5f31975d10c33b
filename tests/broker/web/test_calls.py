"""POST /v1/call: what a session answers to a call, as HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import Callable
from typing import Any

import pytest
from msgspec import Raw

from swarmwire_broker.core import session as session_module
from swarmwire_broker.core.requests import decide
from swarmwire_broker.core.session import Session
from swarmwire_broker.core.settings import Limits
from swarmwire_broker.web import calling
from swarmwire_protocol.errors import ErrorCode, SwarmwireError
from swarmwire_protocol.messages import Call, Cancel, Error, Reply

from ..transports.wire import eventually
from .browser import JSON, LOGIN, client, serving, token

Answering = Callable[[Session, Call], None]
LINES = {"Accept": "application/x-ndjson", **JSON}


class Handler:
    """Stands where calls are decided: it answers them as a test says, and remembers what came."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[Call] = []
        self.cancelled = 0
        self.answer: Answering = lambda session, call: None

        def deciding(session: Session, message: Any) -> None:
            match message:
                case Call():
                    self.calls.append(message)
                    self.answer(session, message)
                case Cancel():
                    self.cancelled += 1
                case _:
                    decide(session, message)

        monkeypatch.setattr(session_module, "decide", deciding)


@pytest.fixture
def handler(monkeypatch: pytest.MonkeyPatch) -> Handler:
    if not hasattr(Session.receive, "__code__"):
        pytest.skip("compiled modules cannot be patched; the form in Python runs this")
    return Handler(monkeypatch)


def replies(*parts: tuple[Any, bool]) -> Answering:
    def answer(session: Session, call: Call) -> None:
        for data, more in parts:
            session.outbox.send(Reply(id=call.id, data=Raw(json.dumps(data).encode()), more=more))

    return answer


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


async def test_the_reply_is_the_answer_and_the_body_its_parameters(handler: Handler) -> None:
    handler.answer = replies(({"hello": "x"}, False))
    async with serving() as server, client(server) as http:
        answer = await http.post("/v1/call/gre%2Fet.me?timeout_ms=700", json={"name": "x"})
        assert (answer.status_code, answer.json()) == (200, {"data": {"hello": "x"}})
        await http.post("/v1/call/greet", headers=JSON)
    first, second = handler.calls
    assert (first.method, first.timeout_ms, json.loads(bytes(first.params))) == ("gre/et.me", 700, {"name": "x"})  # type: ignore[arg-type]
    assert (second.timeout_ms, isinstance(second.params, Raw)) == (30_000, False)


async def test_replies_that_follow_each_other_are_lines(handler: Handler) -> None:
    handler.answer = replies((1, True), ("two\n", True), (None, False))
    async with serving() as server, client(server) as http:
        answer = await http.post("/v1/call/count", json=None, headers=LINES)
        assert answer.headers["content-type"] == "application/x-ndjson"
        lines = [json.loads(line) for line in answer.text.splitlines()]
        assert lines == [{"data": 1, "more": True}, {"data": "two\n", "more": True}, {"data": None}]


async def test_an_error_on_the_way_is_the_last_line(handler: Handler) -> None:
    def answer(session: Session, call: Call) -> None:
        replies((1, True))(session, call)
        session.outbox.send(Error(id=call.id, code=ErrorCode.HANDLER_GONE, message="It vanished."))

    handler.answer = answer
    async with serving() as server, client(server) as http:
        text = (await http.post("/v1/call/count", headers=LINES)).text
        assert [json.loads(line) for line in text.splitlines()] == [
            {"data": 1, "more": True},
            {"error": {"code": "HANDLER_GONE", "message": "It vanished."}},
        ]


async def test_several_replies_that_were_not_asked_for_are_given_up(handler: Handler) -> None:
    handler.answer = replies((1, True))
    async with serving() as server, client(server) as http:
        answer = await http.post("/v1/call/count", headers=JSON)
        assert (answer.status_code, answer.json()["error"]["field"]) == (406, "Accept")
        assert handler.cancelled == 1


async def test_an_error_has_its_status(handler: Handler) -> None:
    def fail(session: Session, call: Call) -> None:
        raise SwarmwireError(ErrorCode.HANDLER_FAILED, "It did not work.")

    handler.answer = fail
    async with serving() as server, client(server) as http:
        answer = await http.post("/v1/call/x", json=1)
        assert (answer.status_code, answer.json()["error"]["message"]) == (502, "It did not work.")


async def test_no_reply_is_a_timeout(handler: Handler, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calling, "_GRACE", 0.05)
    async with serving() as server, client(server) as http:
        answer = await http.post("/v1/call/x?timeout_ms=50", json=1)
        assert (answer.status_code, answer.json()["error"]["code"]) == (504, "TIMEOUT")


async def test_a_client_that_does_not_take_its_replies_is_cut(handler: Handler) -> None:
    big = ("x" * 1_000_000, True)
    handler.answer = replies(*[big] * 12)
    async with serving(limits=Limits(request_timeout_ms=200)) as server:
        with contextlib.closing(socket.socket()) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.connect(("127.0.0.1", server.port))
            head = "".join(f"{name}: {value}\r\n" for name, value in LINES.items())
            sock.sendall(f"POST /v1/call/x HTTP/1.1\r\nHost: 127.0.0.1\r\n{head}Content-Length: 0\r\n\r\n".encode())
            await eventually(lambda: handler.calls)
            await eventually(lambda: not server.broker.hub.sessions)


async def test_a_client_that_goes_away_gives_its_call_up(handler: Handler) -> None:
    async with serving() as server, client(server) as http:
        asking = asyncio.create_task(http.post("/v1/call/x", json=1))
        await eventually(lambda: handler.calls)
        asking.cancel()
        await eventually(lambda: not server.broker.hub.sessions)


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
