"""A server that is about to stop is left for another one before it stops."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from swarmwire_broker.natslink import Link, LinkState

from ...nats.servers import VERSIONS, NatsServer, Version
from .fakeserver import FakeServer
from .linking import Inbox, become, becomes, linked


@asynccontextmanager
async def pair(version: Version) -> AsyncIterator[tuple[NatsServer, NatsServer]]:
    """Two servers that tell their clients of each other."""
    async with AsyncExitStack() as stack:
        nobody = 'name: c, routes: ["nats-route://127.0.0.1:1"]'  # JetStream wants a route, wherever it leads
        first = await stack.enter_async_context(NatsServer(version, name="n1", cluster=nobody))
        routes = f'name: c, routes: ["nats-route://127.0.0.1:{first.cluster_port}"]'
        yield first, await stack.enter_async_context(NatsServer(version, name="n2", cluster=routes))


async def told_of(link: Link, count: int) -> None:
    """Wait until the server has told of so many."""
    async with asyncio.timeout(20):
        while link.server is None or len(link.server.connect_urls) < count:
            read = asyncio.Event()
            remove = link.after_read(read.set)
            await read.wait()
            remove()


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_link_goes_to_a_server_it_was_told_of_and_keeps_its_subscriptions(version: Version) -> None:
    inbox, states = Inbox(), list[LinkState]()
    async with pair(version) as (first, second), linked(first.url) as link:
        link.subscribe(b"a", inbox.receive)
        link.on_state(states.append)
        await told_of(link, 2)
        first.signal(signal.SIGUSR2)
        await become(link, LinkState.CONNECTED, LinkState.LEAVING, LinkState.RECONNECTING, LinkState.CONNECTED)
        assert first.is_running
        assert link.server is not None
        assert link.server.name == second.name
        link.publish(b"a", b"x")
        await inbox.has(1)
        assert states == [LinkState.LEAVING, LinkState.RECONNECTING, LinkState.CONNECTED]


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_link_finds_servers_it_was_told_of_when_its_own_is_gone(version: Version) -> None:
    async with pair(version) as (first, second), linked(first.url) as link:
        await told_of(link, 2)
        async with becomes(link, LinkState.CONNECTED, LinkState.RECONNECTING, LinkState.CONNECTED):
            await first.kill()
        assert link.server is not None
        assert link.server.name == second.name


async def test_answers_still_come_while_the_link_is_leaving() -> None:
    async with (
        FakeServer() as second,
        FakeServer(connect_urls=[f"127.0.0.1:{second.port}"]) as first,
        linked(first.url) as link,
    ):
        asked = asyncio.create_task(link.request(b"q", timeout=20))
        line = await first.hears(b"PUB q ")
        first.say(first.info(ldm=True))
        await become(link, LinkState.CONNECTED, LinkState.LEAVING)
        number = (await first.hears(b"SUB _INBOX")).split()[-1]
        first.say(b"MSG %b %b 2\r\nok\r\n" % (line.split()[2], number))
        assert (await asked).payload == b"ok"
        assert link.state is LinkState.LEAVING
        await become(link, LinkState.LEAVING, LinkState.RECONNECTING, LinkState.CONNECTED)
        assert (await second.hears(b"SUB _INBOX")).split()[-1] == number


async def test_where_there_is_no_other_server_the_link_stays_until_it_is_cut() -> None:
    async with FakeServer() as server, linked(server.url) as link:
        server.say(server.info(ldm=True))
        server.say(server.info(ldm=True))
        await link.flush(5)
        assert link.state is LinkState.CONNECTED
        server.cut()
        await become(link, LinkState.CONNECTED, LinkState.RECONNECTING, LinkState.CONNECTED)
        assert server.clients == 2


async def test_a_link_that_is_leaving_can_be_closed() -> None:
    async with (
        FakeServer() as second,
        FakeServer(connect_urls=[f"127.0.0.1:{second.port}"]) as first,
        linked(first.url) as link,
    ):
        first.say(first.info(ldm=True))
        await become(link, LinkState.CONNECTED, LinkState.LEAVING)
        await link.close()
        assert link.state is LinkState.CLOSED
        await second.is_left()


async def test_another_server_that_is_lost_while_the_link_is_leaving_is_no_place_to_go() -> None:
    async with (
        FakeServer() as second,
        FakeServer(connect_urls=[f"127.0.0.1:{second.port}"]) as first,
        linked(first.url) as link,
    ):
        first.say(first.info(ldm=True))
        await become(link, LinkState.CONNECTED, LinkState.LEAVING)
        async with becomes(link, LinkState.LEAVING, LinkState.RECONNECTING, LinkState.CONNECTED):
            second.cut()
        await link.flush(5)
        assert second.clients + first.clients >= 3
