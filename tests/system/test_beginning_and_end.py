"""How a client begins, when it gives up, and that its end is the end."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from typing import Any

import jwt
import pytest
from websockets.http11 import Request
from websockets.server import ServerProtocol

from swarmwire import Client, Disconnected, ErrorCode, SwarmwireError, connect, connect_sync
from swarmwire_broker.core.settings import Limits
from swarmwire_broker.credentials import Auth
from swarmwire_broker.testing import BrokerFactory

from .collected import PATIENCE
from .faults import FaultProxy
from .journal import States, watch

SOON: dict[str, Any] = {"base_delay": 0.05, "max_delay": 0.1}
SECRET = "a-secret-of-the-tests-with-more-than-32-bytes"


def signed(seconds: float, *, subscribe: str = "#", subject: str = "worker") -> str:
    """A token that expires in so many seconds, or up to one more: its clock has no parts of seconds."""
    permissions = {"publish": ["#"], "subscribe": [subscribe]}
    claims = {"sub": subject, "exp": math.ceil(time.time() + seconds), "permissions": permissions}
    return jwt.encode(claims, SECRET, "HS256")


async def secured(broker_factory: BrokerFactory) -> str:
    return (await broker_factory(auth=Auth(jwt_secret=SECRET))).url


# ---- The beginning


async def test_a_client_that_was_there_first_is_connected_once_the_broker_is_up(broker_factory: BrokerFactory) -> None:
    async with FaultProxy() as proxy:
        connecting = asyncio.create_task(_connected(proxy.url, retry_first=True, **SOON))
        await proxy.attempted(3)
        assert not connecting.done()
        proxy.target = (await broker_factory()).port
        client = await connecting
        assert (await client.publish("a", 1)).seq == 1
        await client.disconnect()


async def test_without_being_told_to_retry_the_first_failure_is_raised(broker_factory: BrokerFactory) -> None:
    async with FaultProxy() as proxy:
        with pytest.raises(SwarmwireError) as failure:
            await connect(proxy.url, **SOON)
        assert failure.value.code is ErrorCode.UNAVAILABLE
        assert proxy.attempts == 1


async def test_a_refused_login_is_raised_at_once_and_never_retried(broker_factory: BrokerFactory) -> None:
    broker = await broker_factory(auth=Auth(token="the-right-token-of-this-broker"))
    async with FaultProxy(broker.port) as proxy:
        for token in ("a-wrong-token", None):
            proxy.attempts = 0
            with pytest.raises(SwarmwireError) as refusal:
                await connect(proxy.url, token=token, retry_first=True, **SOON)
            assert refusal.value.code is ErrorCode.AUTHENTICATION_FAILED
            await nothing_follows(proxy)
            assert proxy.attempts == 1


async def test_a_version_that_the_broker_does_not_know_is_raised_at_once(broker_factory: BrokerFactory) -> None:
    broker = await broker_factory()
    async with FaultProxy(broker.port) as proxy:
        with pytest.raises(SwarmwireError) as refusal:
            await connect(proxy.url, versions=["9.9"], retry_first=True, **SOON)
        assert refusal.value.code is ErrorCode.UNSUPPORTED_VERSION
        await nothing_follows(proxy)


async def test_over_the_limit_of_connections_nobody_is_connected(broker_factory: BrokerFactory) -> None:
    broker = await broker_factory(limits=Limits(max_connections=1))
    async with connect(broker.url):
        with pytest.raises(SwarmwireError) as refusal:
            await connect(broker.url)
        assert refusal.value.code is ErrorCode.LIMIT_EXCEEDED
        assert refusal.value.retry_after_ms is not None


async def test_a_refusal_that_comes_in_one_piece_with_the_handshake_is_understood() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        protocol = ServerProtocol()
        protocol.receive_data(await reader.readuntil(b"\r\n\r\n"))
        (request,) = protocol.events_received()
        assert isinstance(request, Request)
        protocol.send_response(protocol.accept(request))
        protocol.send_text(b'{"type":"error","code":"LIMIT_EXCEEDED","message":"Full.","retry_after_ms":5}')
        protocol.send_text(b'{"type":"bye","code":1013,"reason":"Full."}')
        protocol.send_close(1013, "Full.")
        writer.write(b"".join(protocol.data_to_send()))
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        with pytest.raises(SwarmwireError) as refusal:
            await connect(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/ws")
    assert (refusal.value.code, refusal.value.retry_after_ms) == (ErrorCode.LIMIT_EXCEEDED, 5)


# ---- Tokens that expire


async def test_an_expired_token_is_fetched_anew_and_the_login_succeeds(broker_factory: BrokerFactory) -> None:
    url = await secured(broker_factory)
    tokens = iter((signed(-10), signed(600)))
    async with connect(url, token=lambda: next(tokens), **SOON) as client:
        assert client.identity is not None
        assert client.identity.subject == "worker"
    assert next(tokens, None) is None


async def test_a_token_that_stays_expired_is_refused_without_a_storm(broker_factory: BrokerFactory) -> None:
    url = await secured(broker_factory)
    fetched: list[str] = []

    def fetch() -> str:
        fetched.append(signed(-10))
        return fetched[-1]

    with pytest.raises(SwarmwireError) as refusal:
        await connect(url, token=fetch, retry_first=True, **SOON)
    assert refusal.value.code is ErrorCode.TOKEN_EXPIRED
    assert len(fetched) == 2


async def test_a_connection_that_expires_is_followed_by_one_with_a_new_token(
    broker_factory: BrokerFactory,
) -> None:
    url = await secured(broker_factory)
    tokens = iter((signed(2), signed(600)))
    async with connect(url, token=lambda: next(tokens), **SOON) as client:
        states = States(client)
        journal = await watch(client, "#")
        await client.publish("a", 1)
        await states.until("resumed")
        await client.publish("a", 2)
        await journal.saw(2)
        assert journal.story == [1, 2]
    assert next(tokens, None) is None


async def test_a_token_renewed_in_time_keeps_the_connection_and_changes_what_it_may(
    broker_factory: BrokerFactory,
) -> None:
    url = await secured(broker_factory)
    async with connect(url, token=signed(2, subscribe="a"), **SOON) as client:
        states, former = States(client), client.id
        with pytest.raises(SwarmwireError, match="PERMISSION_DENIED"):
            await client.subscribe("b")
        await client.authenticate(signed(600, subscribe="#"))
        journal = await watch(client, "b")
        with pytest.raises(SwarmwireError):
            await client.authenticate(signed(600, subject="somebody-else"))
        past = time.time() + 3.1
        while time.time() < past:
            await client.ping()
        await client.publish("b", "still here")
        await journal.saw("still here")
        assert client.id == former
        assert states.count("disconnected") == 0


async def test_a_token_that_cannot_be_renewed_ends_the_client_with_its_expiry(
    broker_factory: BrokerFactory,
) -> None:
    url = await secured(broker_factory)
    async with connect(url, token=signed(2), **SOON) as client:
        states = States(client)
        journal = await watch(client, "#")
        await journal.all()
        assert journal.error is not None
        assert journal.error.code is ErrorCode.TOKEN_EXPIRED
        with pytest.raises(SwarmwireError, match="TOKEN_EXPIRED"):
            await client.publish("a", 1)
        assert states.count("reconnecting") == 0


# ---- The end


async def test_after_disconnect_nothing_connects_again(broker_factory: BrokerFactory) -> None:
    broker = await broker_factory()
    async with FaultProxy(broker.port) as proxy:
        client = await connect(proxy.url, **SOON)
        states, journal = States(client), await watch(client, "#")
        await client.disconnect()
        await client.disconnect()
        await journal.all()
        assert journal.error is None
        assert states.count("disconnected") == 1
        await is_over(client)
        await nothing_follows(proxy)
        assert proxy.attempts == 1


async def test_disconnect_in_an_outage_is_final_too(broker_factory: BrokerFactory) -> None:
    broker = await broker_factory()
    async with FaultProxy(broker.port) as proxy:
        client = await connect(proxy.url, drain_timeout=0.1, **SOON)
        states, journal = States(client), await watch(client, "#")
        proxy.refuse()
        await states.until("reconnecting", 2)
        waiting = asyncio.create_task(client.publish("a", 1))
        await client.disconnect()
        with pytest.raises(Disconnected):
            await waiting
        await journal.all()
        assert journal.error is None
        proxy.target = broker.port
        proxy.attempts = 0
        await is_over(client)
        await nothing_follows(proxy)
        assert proxy.attempts == 0
        assert states.count("connected") == 0


async def test_disconnect_sends_what_was_published_first(broker_factory: BrokerFactory) -> None:
    broker = await broker_factory()
    async with connect(broker.url) as reader:
        journal = await watch(reader, "#")
        client = await connect(broker.url)
        publishes = [asyncio.create_task(client.publish("a", number)) for number in range(500)]
        await asyncio.sleep(0)  # all are taken after one turn
        await client.disconnect()
        assert [it.seq for it in await asyncio.gather(*publishes)] == list(range(1, 501))
        await journal.reach(500)
        assert journal.data == list(range(500))


async def test_after_its_last_attempt_a_client_gives_up_once(broker_factory: BrokerFactory) -> None:
    broker = await broker_factory()
    async with FaultProxy(broker.port) as proxy:
        client = await connect(proxy.url, max_attempts=3, **SOON)
        states, journal = States(client), await watch(client, "#")
        proxy.refuse()
        await states.until("error")
        await journal.all()
        assert journal.error is not None
        assert "after 3 attempts" in journal.error.message
        assert [state[1] for state in states.items if state[0] == "reconnecting"] == [1, 2, 3]
        assert proxy.attempts == 4
        proxy.target = broker.port
        await is_over(client)
        await nothing_follows(proxy)
        assert states.count("error") == 1
        await client.disconnect()


async def test_attempts_are_counted_anew_after_each_success(broker_factory: BrokerFactory) -> None:
    broker = await broker_factory()
    async with FaultProxy(broker.port) as proxy, connect(proxy.url, **SOON) as client:
        states = States(client)
        for success in range(1, 4):
            seen = len(states.items)
            proxy.refuse()
            await states.first(lambda state: state[:2] == ("reconnecting", 2), after=seen)
            proxy.target = broker.port
            await states.until("connected", success)
            attempts = [state[1] for state in states.items[seen:] if state[0] == "reconnecting"]
            assert attempts == list(range(1, len(attempts) + 1))


async def test_a_script_without_an_event_loop_survives_a_cut(broker_factory: BrokerFactory) -> None:
    broker = await broker_factory()
    ready, cut = threading.Event(), threading.Event()

    def script(url: str) -> list[object]:
        with connect_sync(url, **SOON) as client:
            subscription = client.subscribe("a", timeout=PATIENCE)
            client.publish("a", 1)
            ready.set()
            cut.wait(PATIENCE)
            client.publish("a", 2)
            return [next(iter(subscription)).data for _ in range(2)]

    async with FaultProxy(broker.port) as proxy:
        running = asyncio.create_task(asyncio.to_thread(script, proxy.url))
        await asyncio.to_thread(ready.wait, PATIENCE)
        proxy.reset()
        cut.set()
        assert await running == [1, 2]
        assert proxy.attempts == 2


async def is_over(client: Client) -> None:
    """Whatever is asked of the client now fails at once."""
    assert not client.is_ready
    with pytest.raises(SwarmwireError):
        await client.publish("a", 1)
    with pytest.raises(SwarmwireError):
        client.subscribe("a")


async def nothing_follows(proxy: FaultProxy) -> None:
    """No attempt to connect comes within many times the longest delay."""
    with pytest.raises(TimeoutError):
        await proxy.attempted(proxy.attempts + 1, patience=0.5)


async def _connected(url: str, **options: object) -> Client:
    return await connect(url, **options)  # type: ignore[arg-type]
