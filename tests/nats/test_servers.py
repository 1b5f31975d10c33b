"""The servers of the tests do what the tests need of them."""

from __future__ import annotations

import pytest

from .cluster import NODES, NatsCluster
from .networks import Proxies
from .pool import shared
from .servers import VERSIONS, NatsServer, Version, needs, new_space
from .witness import connected, published


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_server_keeps_its_port_and_what_was_stored_when_it_is_killed(version: Version) -> None:
    async with NatsServer(version) as server:
        async with connected([server.url]) as client:
            await client.jetstream().add_stream(name="s", subjects=["s.>"])
            await client.jetstream().publish("s.1", b"kept")
        port = server.port
        await server.kill()
        assert not server.is_running
        await server.start()
        assert server.port == port
        async with connected([server.url]) as client:
            assert (await client.jetstream().get_msg("s", 1)).data == b"kept"


@needs(Version.NEWEST)
async def test_a_paused_server_says_nothing_until_it_goes_on() -> None:
    async with NatsServer() as server:
        server.pause()
        with pytest.raises(TimeoutError):
            await server.ask("/varz")
        assert not server.is_running
        server.go_on()
        async with connected([server.url]) as client:
            await client.flush()


@needs(Version.NEWEST)
async def test_a_server_that_cannot_start_says_why() -> None:
    server = NatsServer(settings="nonsense: {")
    with pytest.raises(OSError, match="Parse error"):
        await server.start()
    server.close()


async def test_the_fixture_gives_a_server_of_each_version(nats_server: NatsServer) -> None:
    assert nats_server is shared(nats_server.version)
    version = (await nats_server.ask("/varz"))["version"]
    assert nats_server.version is Version.OLD or tuple(map(int, version.split(".")[:2])) > (2, 10)


@needs(*Version)
def test_the_shared_servers_are_of_two_versions_and_stay() -> None:
    servers = {version: shared(version) for version in Version}
    assert len({server.port for server in servers.values()}) == 2
    assert all(shared(version) is server for version, server in servers.items())
    assert new_space() != new_space()


@needs(Version.NEWEST)
async def test_a_leader_that_is_cut_off_is_replaced_and_comes_back() -> None:
    """By proxies: namespaces, where there are any, are what the histories run in."""
    async with NatsCluster(network=Proxies(NODES)) as cluster:
        async with connected(cluster.urls) as client:
            await client.jetstream().add_stream(name="s", subjects=["s.>"], num_replicas=3)
            await published(client, "s.1", b"before")
            await cluster.whole("s")
            assert await cluster.node_of("witness") is cluster.nodes[0]
        leader = await cluster.leader_of("s")
        cluster.cut(leader)
        successor = await cluster.leader_of("s")
        assert successor is not leader
        async with connected([successor.url]) as client:
            await published(client, "s.2", b"meanwhile")
            cluster.heal()
            await cluster.whole("s")
            assert (await client.jetstream().stream_info("s")).state.messages == 2
