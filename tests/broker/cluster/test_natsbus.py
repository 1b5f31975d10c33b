"""The bus of a cluster over a nats-server."""

from __future__ import annotations

import pytest

from swarmwire_broker.cluster.bus import BusDown
from swarmwire_broker.cluster.natsbus import NatsBus
from swarmwire_broker.natslink.link import Link

from ...nats.servers import NatsServer, Version, needs, new_space
from ..services.callers import until


def bus(server: NatsServer) -> NatsBus:
    return NatsBus(Link([server.url], name="bus"))


async def test_messages_arrive_in_order_also_at_who_sent_them(nats_server: NatsServer) -> None:
    one, two, space = bus(nats_server), bus(nats_server), new_space()
    heard: list[list[bytes]] = [[], []]
    ends = [each.subscribe(f"{space}.all", heard[place].append) for place, each in enumerate((one, two))]
    await one.start()
    await two.start()
    two.subscribe(f"{space}.two", heard[1].append)
    try:
        two.publish(f"{space}.all", b"hello")
        await until(lambda: heard == [[b"hello"], [b"hello"]])
        for number in range(500):
            one.publish(f"{space}.{'all' if number % 2 else 'two'}", b"%d" % number)
        await until(lambda: len(heard[1]) == 501)
        assert heard[1][1:] == [b"%d" % number for number in range(500)]
        assert one.max_bytes >= 1024 * 1024
        ends[0]()
        before = len(heard[0])
        two.publish(f"{space}.all", b"bye")
        await until(lambda: heard[1][-1] == b"bye")
        assert len(heard[0]) == before
    finally:
        for each in (one, two):
            await each.close()
            await each.close()


@needs(Version.NEWEST)
async def test_a_bus_that_is_lost_says_so_and_is_found_again() -> None:
    server = NatsServer(Version.NEWEST)
    await server.start()
    one = bus(server)
    told: list[bool] = []
    one.watch(told.append)
    heard: list[bytes] = []
    try:
        await one.start()
        one.subscribe("s", heard.append)
        assert told == [True]
        await server.kill()
        await until(lambda: not one.is_up)
        with pytest.raises(BusDown):
            one.publish("s", b"lost")
        await server.start()
        await until(lambda: one.is_up)
        assert told == [True, False, True]
        one.publish("s", b"there")
        await until(lambda: heard == [b"there"])
    finally:
        await one.close()
        await server.kill()
        server.close()
