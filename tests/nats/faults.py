"""What goes wrong behind the brokers: with nats-servers, and with the stream that is the log."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..history.faults import Fault, Network
from .cluster import NatsCluster
from .servers import NatsServer
from .witness import connected

if TYPE_CHECKING:
    from .ground import Clustered

__all__ = ["SERVER_FAULTS", "faults_of", "remake"]

SERVER_FAULTS = (
    "kill-server",
    "kill-leader",
    "kill-follower",
    "pause-server",
    "cut-leader",
    "remake",
)
"""What happens to servers and stream, one at a time. Nothing but `remake` loses anything."""


def faults_of(ground: Clustered, draw: random.Random) -> Mapping[str, Fault]:
    """By their names; the last ones are of the brokers."""
    faults = _Faults(ground, draw)
    return {
        "kill-server": faults.kill_server,
        "kill-leader": faults.kill_leader,
        "kill-follower": faults.kill_follower,
        "pause-server": faults.pause_server,
        "cut-leader": faults.cut_leader,
        "remake": faults.remake,
        "kill-two": faults.kill_two,
        "freeze": faults.freeze,
        "rolling": faults.rolling,
    }


class _Faults:
    def __init__(self, ground: Clustered, draw: random.Random) -> None:
        self._ground = ground
        self._draw = draw

    @property
    def _cluster(self) -> NatsCluster:
        assert self._ground.cluster is not None, "expected a cluster"
        return self._ground.cluster

    # ---- servers

    async def kill_server(self, network: Network) -> None:
        """One of them, by chance."""
        await self._kill(self._draw.choice(self._ground.servers))

    async def kill_leader(self, network: Network) -> None:
        """The one that decides the order of the log."""
        await self._kill(await self._cluster.leader_of(self._ground.stream))

    async def kill_follower(self, network: Network) -> None:
        """The one that a broker is connected to, where this is not the log's leader."""
        leader = await self._cluster.leader_of(self._ground.stream)
        held = [node for node in self._ground.servers if node is not leader and await _serves_a_broker(node)]
        await self._kill(self._draw.choice(held or [leader]))

    async def _kill(self, server: NatsServer) -> None:
        await server.kill()
        await asyncio.sleep(self._draw.uniform(0, 3))
        await server.start()
        await self._ground.servers_whole()

    async def pause_server(self, network: Network) -> None:
        server = self._draw.choice(self._ground.servers)
        server.pause()
        try:
            await asyncio.sleep(self._draw.choice((0.3, 1.0, 4.0)))
        finally:
            server.go_on()
        await self._ground.servers_whole()

    async def cut_leader(self, network: Network) -> None:
        """Part the leader from the others; brokers that are connected to it stay so."""
        self._cluster.cut(await self._cluster.leader_of(self._ground.stream))
        try:
            await asyncio.sleep(self._draw.uniform(1, 8))
        finally:
            self._cluster.heal()
        await self._ground.servers_whole()

    async def remake(self, network: Network) -> None:
        """Lose the log; another is made at once, or by the brokers when they see that there is none."""
        servers = [server.url for server in self._ground.servers]
        await remake(servers, self._ground.stream, again=self._draw.random() < 0.5)
        await asyncio.sleep(self._draw.uniform(0.5, 1.5))

    # ---- brokers

    async def kill_two(self, network: Network) -> None:
        """One after another, the second before the first is back."""
        brokers = self._draw.sample(network.brokers, 2)
        for broker in brokers:
            await broker.kill()
            await asyncio.sleep(self._draw.uniform(0, 0.2))
        for broker in brokers:
            await broker.start()

    async def freeze(self, network: Network) -> None:
        """Stop a broker where it stands for so long that everybody must take it for gone."""
        broker = network.broker
        broker.pause()
        try:
            await asyncio.sleep(self._draw.uniform(3, 12))
        finally:
            broker.go_on()

    async def rolling(self, network: Network) -> None:
        """Restart every broker and every server as somebody would who installs another version."""
        for broker in network.brokers:
            await broker.restart()
            await broker.ready()
        for server in self._ground.servers:
            await server.restart()
            await self._ground.whole()


async def _serves_a_broker(node: NatsServer) -> bool:
    return any("swarmwire" in (each.get("name") or "") for each in await node.connections())


async def remake(servers: list[str], stream: str, *, again: bool = True) -> None:
    """Delete a stream and make it anew, as it was but empty; without `again` that is left to others."""
    async with connected(servers) as client:

        async def ask(what: str, body: bytes = b"") -> dict[str, Any]:
            answer: dict[str, Any] = json.loads((await client.request(f"$JS.API.{what}", body, timeout=5)).data)
            assert "error" not in answer, answer
            return answer

        config = (await ask(f"STREAM.INFO.{stream}"))["config"]
        await ask(f"STREAM.DELETE.{stream}")
        if again:
            await ask(f"STREAM.CREATE.{stream}", json.dumps(config).encode())
