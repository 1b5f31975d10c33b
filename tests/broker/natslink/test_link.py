"""The link against real servers of both versions."""

from __future__ import annotations

import asyncio

import pytest

from swarmwire_broker.natslink import (
    Link,
    LinkDown,
    LinkError,
    LinkState,
    NoAnswer,
    NoResponders,
    PayloadTooLarge,
    encode_headers,
    header,
    status_of,
)

from ...nats.pool import shared
from ...nats.servers import VERSIONS, NatsServer, Version, needs
from .linking import Inbox, become, becomes, linked

pytestmark = pytest.mark.parametrize("version", VERSIONS)


def subject() -> bytes:
    """One that no other test uses."""
    return Link(["unused"], name="unused").new_inbox()


async def test_the_server_says_who_it_is(version: Version) -> None:
    async with linked(shared(version).url) as link:
        assert link.state is LinkState.CONNECTED
        assert link.server is not None
        assert link.server.version[:2] == (2, 9) if version is Version.OLD else link.server.version > (2, 10)
        assert link.server.jetstream
        assert link.server.max_payload == 1024 * 1024
    assert link.server is None


async def test_messages_come_as_they_were_published_and_in_order(version: Version) -> None:
    place, inbox = subject(), Inbox()
    block = encode_headers([(b"A", b"b"), (b"C", b"")])
    async with linked(shared(version).url) as link:
        link.subscribe(place + b".*", inbox.receive)
        link.publish(place + b".1", b"plain")
        link.publish(place + b".2", b"", reply=b"to.me")
        link.publish(place + b".3", b"\r\nMSG", headers=block)
        link.publish(place + b".4", b"", reply=b"to.me", headers=block)
        await inbox.has(4)
    assert inbox.messages == [
        (place + b".1", b"", b"", b"plain"),
        (place + b".2", b"to.me", b"", b""),
        (place + b".3", b"", block, b"\r\nMSG"),
        (place + b".4", b"to.me", block, b""),
    ]
    assert header(inbox.messages[2][2], b"A") == b"b"


async def test_of_a_queue_one_receives_each_message(version: Version) -> None:
    place, first, second = subject(), Inbox(), Inbox()
    async with linked(shared(version).url) as link:
        link.subscribe(place, first.receive, queue=b"q")
        link.subscribe(place, second.receive, queue=b"q")
        for number in range(100):
            link.publish(place, b"%d" % number)
        await link.flush(5)
    assert sorted(map(int, [*first.payloads, *second.payloads])) == list(range(100))


async def test_nothing_is_received_after_a_subscription_was_closed(version: Version) -> None:
    place, inbox, other = subject(), Inbox(), Inbox()
    async with linked(shared(version).url) as link:
        subscription = link.subscribe(place, inbox.receive)
        link.subscribe(place, other.receive)
        link.publish(place, b"1")
        await link.flush(5)
        subscription.close()
        subscription.close()
        link.publish(place, b"2")
        await link.flush(5)
    assert (inbox.payloads, other.payloads) == ([b"1"], [b"1", b"2"])


async def test_many_ask_at_once_and_each_gets_its_own_answer(version: Version) -> None:
    place = subject()
    async with linked(shared(version).url) as link, linked(shared(version).url) as other:

        def answer(subject: bytes, reply: bytes, headers: bytes, payload: bytes) -> None:
            other.publish(reply, payload * 2, headers=headers)

        other.subscribe(place, answer)
        await other.flush(5)
        block = encode_headers([(b"Number", b"7")])
        answers = await asyncio.gather(
            *(link.request(place, b"%d," % number, headers=block, timeout=5) for number in range(200))
        )
    assert [answer.payload for answer in answers] == [b"%d,%d," % (number, number) for number in range(200)]
    assert {answer.headers for answer in answers} == {block}


async def test_nobody_listens_is_said_at_once_and_silence_after_the_timeout(version: Version) -> None:
    place = subject()
    async with linked(shared(version).url) as link:
        with pytest.raises(NoResponders):
            await link.request(place, timeout=20)
        link.subscribe(place, Inbox().receive)
        with pytest.raises(NoAnswer, match=r"0\.05 s"):
            await link.request(place, timeout=0.05)


async def test_who_publishes_with_a_reply_hears_that_nobody_listens(version: Version) -> None:
    inbox = Inbox()
    async with linked(shared(version).url) as link:
        reply = link.new_inbox()
        link.subscribe(reply, inbox.receive)
        link.publish(subject(), b"x", reply=reply)
        await inbox.has(1)
    assert status_of(inbox.messages[0][2]) == 503
    assert inbox.messages[0][3] == b""


async def test_a_message_of_the_largest_size_arrives_and_a_larger_one_is_not_sent(version: Version) -> None:
    place, inbox = subject(), Inbox()
    block = encode_headers([(b"A", b"b")])
    async with linked(shared(version).url) as link:
        most = link.server.max_payload if link.server else 0
        link.subscribe(place, inbox.receive)
        with pytest.raises(PayloadTooLarge) as refused:
            link.publish(place, b"x" * (most - len(block) + 1), headers=block)
        assert (refused.value.size, refused.value.limit) == (most + 1, most)
        link.publish(place, b"x" * (most - len(block)), headers=block)
        link.publish(place, b"x" * most)
        await inbox.has(2)
        assert link.state is LinkState.CONNECTED


async def test_whoever_gathers_hears_of_the_end_of_every_read(version: Version) -> None:
    place, inbox, ends = subject(), Inbox(), list[int]()
    async with linked(shared(version).url) as link:
        remove = link.after_read(lambda: ends.append(len(inbox.messages)))
        link.subscribe(place, inbox.receive)
        for _ in range(1000):
            link.publish(place, b"x" * 10)
        await inbox.has(1000)
        await link.flush(5)
        assert ends[-1] == 1000
        assert len(ends) < 200
        remove()
        remove()
        ends.clear()
        await link.flush(5)
        assert ends == []


async def test_a_lost_server_is_found_again_with_all_subscriptions(version: Version) -> None:
    inbox = Inbox()
    async with NatsServer(version) as server, linked(server.url) as link:
        link.subscribe(b"a.*", inbox.receive)
        closed = link.subscribe(b"a.*", Inbox().receive)
        asked = asyncio.create_task(link.request(b"a.1", timeout=20))
        await inbox.has(1)
        await server.kill()
        with pytest.raises(LinkDown):
            await asked
        assert link.state is LinkState.RECONNECTING
        assert link.server is None
        with pytest.raises(LinkDown):
            link.publish(b"a.2", b"is not kept")
        with pytest.raises(LinkDown):
            await link.flush(1)
        closed.close()
        link.subscribe(b"b", inbox.receive)
        await server.start()
        await become(link, LinkState.RECONNECTING, LinkState.CONNECTED)
        link.publish(b"a.3", b"3")
        link.publish(b"b", b"4")
        await inbox.has(3)
        assert inbox.payloads == [b"", b"3", b"4"]
        (connection,) = await server.connections()
        assert connection["name"] == "test"
        assert connection["subscriptions"] == 3


async def test_a_server_that_stands_still_is_left(version: Version) -> None:
    async with NatsServer(version) as server, linked(server.url, ping_interval=0.05) as link:
        server.pause()
        await become(link, LinkState.RECONNECTING)
        server.go_on()
        await become(link, LinkState.RECONNECTING, LinkState.CONNECTED)


async def test_a_start_without_a_server_says_what_was_tried(version: Version) -> None:
    async with NatsServer(version) as server:
        await server.kill()
        link = Link([server.url, "nats://[::1]:1"], name="test")
        with pytest.raises(LinkError) as failed:
            await link.start()
        assert server.url in str(failed.value)
        assert "nats://[::1]:1" in str(failed.value)
        assert link.state is LinkState.NEW
        await server.start()
        await link.start()
        await become(link, LinkState.CONNECTED)
        await link.close()


async def test_what_was_published_before_the_close_arrives(version: Version) -> None:
    place, inbox = subject(), Inbox()
    async with linked(shared(version).url) as other:
        other.subscribe(place, inbox.receive)
        await other.flush(5)
        link = Link([shared(version).url], name="test")
        await link.start()
        for number in range(1000):
            link.publish(place, b"%d" % number * 100)
        await link.close()
        await link.close()
        assert link.state is LinkState.CLOSED
        await inbox.has(1000)
        with pytest.raises(LinkDown):
            link.publish(place, b"too late")


async def test_a_link_that_looks_for_a_server_can_be_closed(version: Version) -> None:
    async with NatsServer(version) as server, linked(server.url) as link:
        await server.kill()
        await become(link, LinkState.RECONNECTING)
        await link.close()
        assert link.state is LinkState.CLOSED
        assert len(asyncio.all_tasks()) == 1


@needs(*Version)
async def test_a_link_goes_from_one_version_to_the_other(version: Version) -> None:
    (other,) = {*Version} - {version}
    async with NatsServer(version, name="one") as one, NatsServer(other, name="two") as two:
        servers = {"one": one, "two": two}
        async with linked(one.url, two.url) as link:
            for _ in range(2):
                assert link.server is not None
                before = link.server.name
                async with becomes(link, LinkState.CONNECTED, LinkState.RECONNECTING, LinkState.CONNECTED):
                    await servers[before].kill()
                assert link.server.name != before
                await servers[before].start()
