"""The SDK over HTTP, where the other side does not do what a broker does."""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from swarmwire import Client, ErrorCode, Published, SwarmwireError, connect
from swarmwire_broker.config import Config
from swarmwire_broker.core.settings import Limits
from swarmwire_broker.server import Server

from .fakebroker import PATIENCE, WELCOME
from .fakehttp import FakeHttp, Request, answer, events

NOW: dict[str, Any] = {"base_delay": 0.0, "drain_timeout": 0.0}


@pytest_asyncio.fixture
async def http() -> AsyncIterator[FakeHttp]:
    async with FakeHttp() as fake:
        yield fake


@asynccontextmanager
async def broker(limits: Limits) -> AsyncIterator[str]:
    """A real broker with these limits."""
    async with Server(Config(port=0, unix="off", limits=limits)) as server:
        yield f"http://127.0.0.1:{server.port}"


def trustme(directory: Path) -> Path:
    """A file with a key, and a certificate of this machine that is signed with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = directory / "certificate.pem"
    private = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(key.private_bytes(*private) + certificate.public_bytes(serialization.Encoding.PEM))
    return path


def losses(client: Client) -> asyncio.Queue[tuple[int, str]]:
    found: asyncio.Queue[tuple[int, str]] = asyncio.Queue()
    client.listen("disconnected", lambda code, reason: found.put_nowait((code, reason)))
    return found


def results(request: Request) -> list[dict[str, Any]]:
    return [json.loads(line) for line in request.body.split(b"\n")]


async def within(queue: asyncio.Queue[Any]) -> Any:
    async with asyncio.timeout(PATIENCE):
        return await queue.get()


async def test_who_asks_is_said_in_every_request(http: FakeHttp) -> None:
    http.handlers["/v1/publish"] = lambda request: answer(request, {"results": [{"seq": 1}]})
    async with connect(http.url, token="secret", name="tester") as client:
        await client.publish("a", 1)
    said = [request for request in http.asked if request.path.startswith("/v1/")]
    assert [request.path for request in said] == ["/v1/hello", "/v1/publish"]
    assert {request.headers["authorization"] for request in said} == {"Bearer secret"}
    assert len({request.headers["x-swarmwire-instance"] for request in said}) == 1
    assert said[0].headers["user-agent"].startswith("tester/")
    assert "secret" not in http.asked[0].path
    assert "authorization" not in http.asked[0].headers  # before the hello nobody is told who we are


async def test_publishes_of_one_turn_are_one_batch_and_the_next_waits_for_its_answer(http: FakeHttp) -> None:
    came: asyncio.Queue[Request] = asyncio.Queue()
    http.handlers["/v1/publish"] = came.put
    async with connect(http.url, **NOW) as client:
        first = asyncio.gather(*(client.publish("a", number) for number in range(3)))
        batch = await within(came)
        assert [item["data"] for item in results(batch)] == [0, 1, 2]
        second = asyncio.gather(*(client.publish("a", number) for number in range(3, 5)))
        await client.ping()
        assert came.empty()
        await answer(batch, {"results": [{"seq": 1}, {"error": {"code": "CONFLICT", "message": "No."}}, {"seq": 2}]})
        with pytest.raises(SwarmwireError, match="No") as raised:
            await first
        assert raised.value.code is ErrorCode.CONFLICT
        batch = await within(came)
        assert [item["data"] for item in results(batch)] == [3, 4]
        await answer(batch, {"results": [{"seq": 3}, {"seq": 3, "duplicate": True}]})
        assert await second == [Published(3), Published(3, duplicate=True)]


async def test_a_batch_that_was_cut_is_sent_again_under_the_same_keys(http: FakeHttp) -> None:
    came: asyncio.Queue[Request] = asyncio.Queue()
    http.handlers["/v1/publish"] = came.put
    async with connect(http.url, **NOW) as client:
        lost = losses(client)
        publishes = asyncio.gather(*(client.publish("a", number) for number in range(2)))
        first = await within(came)
        first.writer.transport.abort()
        assert (await within(lost))[0] == 1006
        again = await within(came)
        assert [item["key"] for item in results(again)] == [item["key"] for item in results(first)]
        assert again.headers["x-swarmwire-instance"] == first.headers["x-swarmwire-instance"]
        await answer(again, {"results": [{"seq": 1, "duplicate": True}, {"seq": 2}]})
        assert await publishes == [Published(1, duplicate=True), Published(2)]


async def test_a_batch_that_is_never_answered_loses_the_connection_though_the_broker_lives(http: FakeHttp) -> None:
    came: asyncio.Queue[Request] = asyncio.Queue()
    http.handlers["/v1/hello"] = lambda request: answer(request, WELCOME | {"heartbeat_ms": 50})
    http.handlers["/v1/publish"] = came.put
    async with connect(http.url, **NOW) as client:
        lost = losses(client)
        publish = asyncio.ensure_future(client.publish("a", 1))
        first = await within(came)
        assert (await within(lost))[0] == 1006
        again = await within(came)
        assert results(again)[0]["key"] == results(first)[0]["key"]
        await answer(again, {"results": [{"seq": 1, "duplicate": True}]})
        assert await publish == Published(1, duplicate=True)


async def test_items_that_were_not_decided_are_sent_again_and_the_others_are_not(http: FakeHttp) -> None:
    came: asyncio.Queue[Request] = asyncio.Queue()
    http.handlers["/v1/publish"] = came.put
    async with connect(http.url, **NOW) as client:
        lost = losses(client)
        publishes = asyncio.gather(*(client.publish("a", number) for number in range(3)))
        stops = {"code": "SHUTTING_DOWN", "message": "Bye.", "retry_after_ms": 0}
        unknown = {"code": "OUTCOME_UNKNOWN", "message": "Perhaps."}
        await answer(await within(came), {"results": [{"seq": 1}, {"error": unknown}, {"error": stops}]})
        assert (await within(lost))[0] == 1012
        again = await within(came)
        assert [item["data"] for item in results(again)] == [1, 2]
        await answer(again, {"results": [{"seq": 2}, {"seq": 3}]})
        assert await publishes == [Published(1), Published(2), Published(3)]


async def test_a_stream_that_ends_without_a_word_loses_the_connection_and_goes_on_from_its_place(
    http: FakeHttp,
) -> None:
    came: asyncio.Queue[Request] = asyncio.Queue()
    http.handlers["/v1/events"] = came.put
    async with connect(http.url, **NOW) as client:
        lost = losses(client)
        subscribing = asyncio.ensure_future(client.subscribe("a.#").__aenter__())
        first = 'id: e1:4\ndata: {"type":"event","topic":"a.b","seq":4,"ts":1,"data":"four"}'
        await events(await within(came), "retry: 1\nid: e1:3", first, end=True)
        subscription = await subscribing
        assert (await anext(subscription)).data == "four"
        assert (await within(lost))[0] == 1006
        again = await within(came)
        assert "from=e1%3A4" in again.path
        await events(again, "id: e1:4")


async def test_what_came_before_a_bye_is_delivered_and_its_words_are_told(http: FakeHttp) -> None:
    bye = {"type": "bye", "code": 4401, "reason": "Over.", "error": {"code": "TOKEN_EXPIRED", "message": "Expired."}}
    event = '{"type":"event","topic":"a","seq":1,"ts":1,"data":1}'
    http.handlers["/v1/events"] = lambda request: events(
        request, "id: e1:0", f"id: e1:1\ndata: {event}", f"event: bye\ndata: {json.dumps(bye)}"
    )
    async with connect(http.url, **NOW) as client:
        lost = losses(client)
        async with client.subscribe("a") as subscription:
            assert (await anext(subscription)).data == 1
            assert await within(lost) == (4401, "Over.")
            with pytest.raises(SwarmwireError) as raised:
                await anext(subscription)
        assert raised.value.code is ErrorCode.TOKEN_EXPIRED


async def test_streams_at_different_places_do_not_move_each_other(http: FakeHttp) -> None:
    streams: dict[str, Request] = {}

    async def open_stream(request: Request) -> None:
        streams["ahead" if "pattern=a.%23" in request.path else "behind"] = request
        await events(request, "id: e1:0")

    def event(seq: int) -> bytes:
        return b'id: e1:%d\ndata: {"type":"event","topic":"a.b","seq":%d,"ts":1,"data":%d}\n\n' % (seq, seq, seq)

    http.handlers["/v1/events"] = open_stream
    async with (
        connect(http.url, **NOW) as client,
        client.subscribe("a.#") as ahead,
        client.subscribe("a.b") as behind,
    ):
        streams["ahead"].writer.write(event(1) + event(2))
        assert [(await anext(ahead)).data for _ in range(2)] == [1, 2]
        streams["behind"].writer.write(event(1) + event(2))
        assert [(await anext(behind)).data for _ in range(2)] == [1, 2]
        assert ahead.cursor == "e1:1"


async def test_a_stream_that_falls_silent_is_lost_though_others_are_not(http: FakeHttp) -> None:
    http.handlers["/v1/hello"] = lambda request: answer(request, WELCOME | {"heartbeat_ms": 50})
    http.handlers["/v1/events"] = lambda request: events(request, "id: e1:0")
    async with connect(http.url, reconnect=False) as client:
        lost = losses(client)
        subscription = await client.subscribe("a")
        code, reason = await within(lost)
        assert subscription.closed
        assert code == 1006
        assert reason
        assert "/healthz" in http.paths()[2:]  # it was alive beside that


async def test_a_permission_that_is_taken_away_ends_its_subscription_and_no_other(http: FakeHttp) -> None:
    gap = {"type": "gap", "sub": "b", "from": "e1:0", "to": "e1:0", "reason": "denied"}
    bye = {"type": "bye", "code": 1008, "reason": "Nothing is left."}

    async def open_stream(request: Request) -> None:
        if "pattern=b" in request.path:
            await events(request, "id: e1:0", f"event: gap\ndata: {json.dumps(gap)}", f"event: bye\ndata: {bye}")
        else:
            await events(request, "id: e1:0", 'id: e1:1\ndata: {"type":"event","topic":"a","seq":1,"ts":1,"data":1}')

    http.handlers["/v1/events"] = open_stream
    async with connect(http.url, **NOW) as client, client.subscribe("a") as kept:
        with pytest.raises(SwarmwireError) as raised:
            await anext(client.subscribe("b"))
        assert raised.value.code is ErrorCode.PERMISSION_DENIED
        assert (await anext(kept)).data == 1
        assert client.is_ready


async def test_over_tls_the_certificate_is_checked_as_it_was_asked_for(tmp_path: Path) -> None:
    certificate = trustme(tmp_path)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate)
    async with FakeHttp(serving) as http:
        async with connect(http.url, ssl=ssl.create_default_context(cafile=certificate)) as client:
            assert client.is_ready
        with pytest.raises(SwarmwireError, match="CERTIFICATE_VERIFY_FAILED") as raised:
            await connect(http.url)
        assert raised.value.code is ErrorCode.UNAVAILABLE


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (401, {"error": {"code": "AUTHENTICATION_FAILED", "message": "No."}}, ErrorCode.AUTHENTICATION_FAILED),
        (503, {"error": {"code": "LIMIT_EXCEEDED", "message": "Full.", "retry_after_ms": 1}}, ErrorCode.LIMIT_EXCEEDED),
        (404, "<html>", ErrorCode.UNAVAILABLE),
        (200, {"hello": "world"}, ErrorCode.UNAVAILABLE),
        (200, "[]", ErrorCode.UNAVAILABLE),
    ],
)
async def test_without_a_welcome_connecting_is_a_named_error(
    http: FakeHttp, status: int, body: Any, code: ErrorCode
) -> None:
    http.handlers["/v1/hello"] = lambda request: answer(request, body, status)
    with pytest.raises(SwarmwireError) as raised:
        await connect(http.url)
    assert raised.value.code is code


async def test_where_nobody_listens_the_address_is_named() -> None:
    with pytest.raises(SwarmwireError, match=r"Nobody answers at http://127\.0\.0\.1:1") as raised:
        await connect("http://127.0.0.1:1")
    assert raised.value.code is ErrorCode.UNAVAILABLE


@pytest.mark.parametrize("url", ["http://", "http:///v1", "http://u:p@h", "http://h?token=x", "http://[::1"])
async def test_a_url_with_less_or_more_than_a_place_is_an_error(url: str) -> None:
    with pytest.raises(SwarmwireError, match="Expected a URL") as raised:
        await connect(url)
    assert (raised.value.code, raised.value.field) == (ErrorCode.INVALID_MESSAGE, "url")


async def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx", None)
    with pytest.raises(SwarmwireError, match=r"pip install 'swarmwire\[http\]'"):
        await connect("http://127.0.0.1:1")


async def test_a_call_gets_its_replies_one_by_one(http: FakeHttp) -> None:
    http.handlers["/v1/call/count%20up"] = lambda request: answer(
        request, '{"data":1,"more":true}\n{"data":2,"more":true}\n{"data":3}\n'
    )
    http.handlers["/v1/call/fail"] = lambda request: answer(
        request, '{"data":1,"more":true}\n{"error":{"code":"HANDLER_FAILED","message":"Broke."}}\n'
    )
    async with connect(http.url, **NOW) as client:
        assert [each async for each in client.stream("count up", {"to": 3})] == [1, 2, 3]
        assert await client.call("count up") == 3
        with pytest.raises(SwarmwireError, match="Broke"):
            await client.call("fail")
    asked = next(request for request in http.asked if request.path.startswith("/v1/call/count"))
    assert (json.loads(asked.body), asked.headers["accept"]) == ({"to": 3}, "application/x-ndjson")


async def test_a_call_that_is_given_up_is_ended_and_nothing_else(http: FakeHttp) -> None:
    came: asyncio.Queue[Request] = asyncio.Queue()
    http.handlers["/v1/call/slow"] = came.put
    async with connect(http.url, **NOW) as client:
        with pytest.raises(SwarmwireError) as raised:
            await client.call("slow", timeout=0.05)
        assert raised.value.code is ErrorCode.TIMEOUT
        assert (await within(came)).path == "/v1/call/slow?timeout_ms=50"
        assert await client.ping() > 0


async def test_a_broker_that_takes_smaller_batches_gets_them() -> None:
    async with broker(Limits(max_batch=3)) as url, connect(url) as client:
        published = await asyncio.gather(*(client.publish("a", number) for number in range(50)))
        assert [each.seq for each in published] == list(range(1, 51))


async def test_messages_of_the_largest_size_pass_and_larger_ones_are_refused_here() -> None:
    async with broker(Limits(max_message_bytes=100_000)) as url, connect(url) as client:
        sizes = [99_000, 10, 60_000, 60_000, 99_000]
        published = await asyncio.gather(*(client.publish("a", "x" * size) for size in sizes))
        assert [each.seq for each in published] == [1, 2, 3, 4, 5]
        with pytest.raises(SwarmwireError) as raised:
            await client.publish("a", "x" * 100_000)
        assert raised.value.code is ErrorCode.MESSAGE_TOO_LARGE


async def test_nothing_is_left_behind_by_a_client_that_went() -> None:
    before = asyncio.all_tasks()
    async with Server(Config(port=0, unix="off")) as server:
        running = asyncio.all_tasks()
        async with connect(f"http://127.0.0.1:{server.port}") as client:
            subscriptions = [await client.subscribe(f"a.{number}") for number in range(5)]
            await client.publish("a.1", 1)
            await subscriptions[2].unsubscribe()
        hub = server.broker.hub
        async with asyncio.timeout(PATIENCE):
            while hub.sessions or asyncio.all_tasks() - running:  # noqa: ASYNC110 - the broker notices by its sockets
                await asyncio.sleep(0.01)
    assert asyncio.all_tasks() - before == set()
