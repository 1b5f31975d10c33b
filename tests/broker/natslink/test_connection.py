"""What a real server does not do on demand: junk, silence, errors, too much at once."""

from __future__ import annotations

import asyncio
import json
import logging

import pytest

from swarmwire_broker.natslink import (
    Link,
    LinkDown,
    LinkError,
    LinkFull,
    LinkRefused,
    LinkState,
    NoAnswer,
    PayloadTooLarge,
)

from .fakeserver import FakeServer
from .linking import Inbox, become, becomes, linked


def refusing(sentence: bytes) -> FakeServer:
    return FakeServer(lambda line: b"-ERR '%b'\r\n" % sentence if line == b"PING" else None)


async def test_a_client_says_what_it_can_and_who_it_is() -> None:
    async with FakeServer() as server, linked(f"nats://me:pw@127.0.0.1:{server.port}"):
        said = json.loads((await server.hears(b"CONNECT ")).partition(b" ")[2])
    assert said.pop("version")
    assert said == {
        "verbose": False,
        "pedantic": False,
        "tls_required": False,
        "name": "test",
        "lang": "python",
        "protocol": 1,
        "echo": True,
        "headers": True,
        "no_responders": True,
        "user": "me",
        "pass": "pw",
    }


@pytest.mark.parametrize(
    "greeting",
    [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"INFO nonsense\r\n", b"INFO [1]\r\n", b'INFO {"server_name":1}\r\n'],
)
async def test_whoever_does_not_speak_nats_is_named_at_the_start(greeting: bytes) -> None:
    async with FakeServer() as server:
        server.greeting = greeting
        link = Link([server.url], name="test")
        with pytest.raises(LinkError, match="does not speak NATS"):
            await link.start()


async def test_messages_before_the_login_are_no_messages() -> None:
    inbox = Inbox()
    async with FakeServer() as server:
        server.greeting = server.info() + b"MSG a 2 1\r\nx\r\nMSG a 2 10\r\nx"
        link = Link([server.url], name="test")
        link.subscribe(b"a", inbox.receive)
        with pytest.raises(LinkError, match="before anybody logged in"):
            await link.start()
        assert inbox.messages == []


async def test_a_server_that_says_nothing_has_its_time() -> None:
    async with FakeServer() as server:
        server.greeting = b""
        link = Link([server.url], name="test", connect_timeout=0.05)
        with pytest.raises(LinkError, match=r"did not let us in within 0\.05 s"):
            await link.start()


async def test_a_server_that_hangs_up_is_named() -> None:
    async with FakeServer(lambda line: b"" if line == b"PING" else None) as server:
        link = Link([server.url], name="test")
        starting = asyncio.create_task(link.start())
        await server.hears(b"PING")
        server.cut()
        with pytest.raises(LinkError, match=server.url):
            await starting


@pytest.mark.parametrize(
    "sentence",
    [
        b"Authorization Violation",
        b"User Authentication Expired",
        b"Authentication Timeout",
        b"Account Authentication Expired",
    ],
)
async def test_who_is_not_let_in_is_told_so_at_the_start(sentence: bytes) -> None:
    async with refusing(sentence) as server:
        link = Link([server.url.replace("//", "//someone:hidden@")], name="test")
        with pytest.raises(LinkRefused, match=sentence.decode()) as refused:
            await link.start()
        assert "hidden" not in str(refused.value) + repr(link)


async def test_another_refusal_at_the_start_is_no_matter_of_credentials() -> None:
    async with refusing(b"maximum connections exceeded") as server:
        with pytest.raises(LinkError, match="maximum connections exceeded") as failed:
            await Link([server.url], name="test").start()
        assert not isinstance(failed.value, LinkRefused)


async def test_credentials_that_are_refused_later_are_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    refused: list[int] = []

    def answers(line: bytes) -> bytes | None:
        if line == b"PING" and server.clients in (2, 3):
            refused.append(server.clients)
            return b"-ERR 'Authorization Violation'\r\n"
        return None

    async with FakeServer(answers) as server, linked(server.url) as link:
        with caplog.at_level(logging.WARNING):
            server.cut()
            await become(link, LinkState.CONNECTED, LinkState.RECONNECTING, LinkState.CONNECTED)
    assert refused == [2, 3]
    assert "Authorization Violation" in caplog.text


async def test_an_error_that_ends_the_connection_is_the_reason_it_is_down(caplog: pytest.LogCaptureFixture) -> None:
    async with FakeServer() as server, linked(server.url) as link:
        asked = asyncio.create_task(link.request(b"a", timeout=20))
        await server.hears(b"PUB a")
        server.say(b"-ERR 'Stale Connection'\r\n")
        await link.flush(5)
        server.cut()
        with pytest.raises(LinkDown, match="Stale Connection"):
            await asked
        await become(link, LinkState.RECONNECTING, LinkState.CONNECTED)
    assert "Stale Connection" in caplog.text


async def test_a_permission_that_is_missing_is_logged_once_and_the_link_stays(caplog: pytest.LogCaptureFixture) -> None:
    async with FakeServer() as server, linked(server.url) as link:
        for _ in range(100):
            server.say(b"-ERR 'Permissions Violation for Publish to \"a.b\"'\r\n")
        await link.flush(5)
        assert link.state is LinkState.CONNECTED
    assert caplog.text.count("Permissions Violation") == 1


@pytest.mark.parametrize("junk", [b"\r\n", b"MSG a 1 100000000\r\n", b"MSG a 1 x\r\n", b"x" * 300_000])
async def test_junk_ends_the_connection_and_another_one_begins(junk: bytes) -> None:
    inbox = Inbox()
    async with FakeServer() as server, linked(server.url) as link:
        number = link.subscribe(b"a", inbox.receive).number
        await server.hears(b"SUB a")
        server.say(junk)
        await become(link, LinkState.CONNECTED, LinkState.RECONNECTING, LinkState.CONNECTED)
        await server.hears(b"SUB a", times=2)
        server.say(b"MSG a %b 2\r\nok\r\n" % number)
        await inbox.has(1)
        assert inbox.payloads == [b"ok"]


async def test_pings_are_answered() -> None:
    async with FakeServer() as server, linked(server.url):
        server.say(b"PING\r\n")
        await server.hears(b"PONG")


async def test_a_server_that_talks_but_never_answers_is_left_too() -> None:
    def answers(line: bytes) -> bytes | None:
        if line != b"PING" or server.clients > 1 or server.heard.count(b"PING") == 1:
            return None
        return b"+OK\r\n"

    async with FakeServer(answers) as server, linked(server.url, ping_interval=0.01) as link:
        await become(link, LinkState.CONNECTED, LinkState.RECONNECTING, LinkState.CONNECTED)
        assert server.heard.count(b"PING") >= 10


async def test_many_who_wait_for_the_server_are_no_sign_that_it_is_gone() -> None:
    async with FakeServer() as server, linked(server.url, ping_interval=0.01) as link:
        server.heard.clear()
        await asyncio.gather(*(link.flush(5) for _ in range(50)))
        await server.hears(b"PING", times=60)
        assert link.state is LinkState.CONNECTED


async def test_what_waits_for_a_deaf_server_has_a_bound() -> None:
    async with FakeServer() as server, linked(server.url, max_buffered=3_000_000, ping_interval=60) as link:
        server.go_deaf()
        published = 0
        with pytest.raises(LinkFull, match="3000000 bytes"):  # noqa: PT012
            for published in range(100_000):
                link.publish(b"a", b"x" * 900)
                if published % 100 == 0:
                    await asyncio.sleep(0)  # a turn of the loop, in which the socket takes what it can
        assert published > 1000
        assert link.congested
        assert 2_000_000 < link.buffered <= 3_000_000 + 2000
        server.cut()
        await become(link, LinkState.CONNECTED, LinkState.RECONNECTING, LinkState.CONNECTED)
        assert not link.congested
        assert link.buffered == 0
        link.publish(b"b", b"")
        await server.hears(b"PUB b")


async def test_what_the_kernel_holds_for_a_server_that_was_left_is_not_sent_any_more() -> None:
    async with FakeServer(window=4096) as server, linked(server.url, ping_interval=0.1) as link:
        server.go_deaf()
        async with becomes(link, LinkState.RECONNECTING, LinkState.CONNECTED):
            for number in range(40):
                link.publish(b"n.%d" % number, b"x" * 900)
            await asyncio.sleep(0)
            assert link.buffered == 0  # the kernel has it all
        server.mute()  # an answer would have the kernel of the client that has gone refuse the rest
        server.read_on()
        await server.left(0)
        heard = [line for line in server.heard if line.startswith(b"PUB n.")]
        assert len(heard) < 40


async def test_a_close_does_not_wait_for_a_deaf_server_for_ever() -> None:
    async with FakeServer() as server, linked(server.url, max_buffered=10_000_000) as link:
        server.go_deaf()
        for _ in range(9000):
            link.publish(b"a", b"x" * 1000)
        async with asyncio.timeout(5):
            await link.close()


async def test_a_server_that_takes_less_than_before_is_obeyed() -> None:
    async with FakeServer() as server, linked(server.url) as link:
        link.publish(b"a", b"x" * 1000)
        server.say(server.info(max_payload=10))
        await link.flush(5)
        with pytest.raises(PayloadTooLarge, match="at most 10 bytes"):
            link.publish(b"a", b"x" * 11)


async def test_what_is_published_in_one_turn_is_written_once_and_in_order() -> None:
    async with FakeServer() as server, linked(server.url) as link:
        inbox = Inbox()
        link.publish(b"a", b"1")
        subscription = link.subscribe(b"s", inbox.receive)
        link.publish(b"b", b"2")
        subscription.close()
        assert link.buffered > 0
        await server.hears(b"UNSUB")
        assert link.buffered == 0
        begin = server.heard.index(b"PUB a 1")
        number = subscription.number
        assert server.heard[begin : begin + 6] == [
            b"PUB a 1",
            b"1",
            b"SUB s " + number,
            b"PUB b 1",
            b"2",
            b"UNSUB " + number,
        ]


async def test_a_server_that_does_not_answer_a_flush_is_named() -> None:
    quiet = False

    def answers(line: bytes) -> bytes | None:
        return b"" if quiet and line == b"PING" else None

    async with FakeServer(answers) as server, linked(server.url, ping_interval=60) as link:
        await server.hears(b"PING", times=2)
        quiet = True
        with pytest.raises(NoAnswer, match=r"0\.05 s"):
            await link.flush(0.05)


async def test_a_link_that_is_closed_while_it_starts_stays_closed() -> None:
    async with FakeServer(lambda line: b"" if line == b"PING" else None) as server:
        link = Link([server.url], name="test")
        starting = asyncio.create_task(link.start())
        await server.hears(b"PING")
        await link.close()
        server.say(b"PONG\r\n")
        with pytest.raises(LinkDown, match="closed while it started"):
            await starting
        assert link.state is LinkState.CLOSED


async def test_who_listens_to_the_state_and_fails_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    states: list[LinkState] = []

    def fails(state: LinkState) -> None:
        raise RuntimeError("no")

    async with FakeServer() as server, linked(server.url) as link:
        link.on_state(fails)
        remove = link.on_state(states.append)
        server.cut()
        await become(link, LinkState.CONNECTED, LinkState.RECONNECTING, LinkState.CONNECTED)
        remove()
        remove()
    assert states == [LinkState.RECONNECTING, LinkState.CONNECTED]
    assert "who listens to the link to NATS failed" in caplog.text
