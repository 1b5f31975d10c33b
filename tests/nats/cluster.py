"""Three nats-servers that are one cluster: each of them, and the network between them, can fail."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, Self, TypeVar

from .networks import Network, new_network
from .servers import PATIENCE, NatsServer, Version

__all__ = ["NODES", "NatsCluster"]

NODES = 3
_TURN = 0.05
T = TypeVar("T")


class NatsCluster:
    """Made of `NODES` servers of one version. `network` is how they reach each other, chosen by the machine if None."""

    def __init__(self, version: Version = Version.NEWEST, *, network: Network | None = None) -> None:
        self.network = network or new_network(NODES)
        self.nodes: list[NatsServer] = []
        self._version = version
        self._cut: NatsServer | None = None

    @property
    def urls(self) -> list[str]:
        return [node.url for node in self.nodes]

    # ---- its life

    async def start(self) -> None:
        """Start all; returns once streams can be made."""
        await self.network.start()
        for number in range(NODES):
            node = self._node(number)
            self.nodes.append(node)
            await node.start()
            self.network.placed(number, node.cluster_port)
        await self.ready()

    def _node(self, number: int) -> NatsServer:
        network = self.network
        return NatsServer(
            self._version,
            name=f"n{number + 1}",
            host=network.host(number),
            cluster=f"name: c1, {network.routes(number)}",
            cluster_port=network.port,
            inside=network.inside(number),
        )

    async def close(self) -> None:
        """End everything. Harmless twice."""
        for node in self.nodes:
            node.close()
        await self.network.close()

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    # ---- what is where

    async def ready(self) -> NatsServer:
        """Wait until there is a leader of the cluster, who knows all nodes, and each of them knows the leader."""
        try:
            return await _until(self._meta_leader, "a leader of the cluster")
        except AssertionError as error:
            told = {node.name: (await _ask(node, "/jsz")).get("meta_cluster") for node in self.nodes}
            raise AssertionError(f"{error}; they say {told}") from None

    async def _meta_leader(self) -> NatsServer | None:
        clusters = {node: (await _ask(node, "/jsz")).get("meta_cluster") or {} for node in self.nodes}
        leaders = {cluster.get("leader") for cluster in clusters.values()}
        leader = self._named(leaders.pop()) if len(leaders) == 1 else None
        replicas = clusters[leader].get("replicas") or () if leader is not None else ()
        is_whole = len(replicas) == NODES - 1 and all(replica.get("current") for replica in replicas)
        return leader if is_whole else None

    async def leader_of(self, stream: str) -> NatsServer:
        """Wait until a stream has a leader that runs, and is not cut off; who it is."""
        return await _until(lambda: self._leader_of(stream), f"a leader of {stream}")

    async def _leader_of(self, stream: str) -> NatsServer | None:
        for node in self.nodes:
            if node.is_running and node is not self._cut:
                leader = self._named((await self._stream(node, stream)).get("leader"))
                if leader is not None and leader.is_running and leader is not self._cut:
                    return leader
        return None

    async def whole(self, stream: str) -> None:
        """Wait until all replicas of a stream have all of it."""
        await _until(lambda: self._whole(stream), f"all of {stream} on every node")

    async def _whole(self, stream: str) -> bool:
        leader = await self._leader_of(stream)
        if leader is None:
            return False
        replicas = (await self._stream(leader, stream)).get("replicas") or ()
        return len(replicas) == NODES - 1 and all(each.get("current") and not each.get("lag") for each in replicas)

    async def node_of(self, connection: str) -> NatsServer | None:
        """The node that holds a connection of this name; None if none does."""
        for node in self.nodes:
            with contextlib.suppress(OSError):
                if node.is_running and any(each.get("name") == connection for each in await node.connections()):
                    return node
        return None

    async def _stream(self, node: NatsServer, stream: str) -> dict[str, Any]:
        """What a node knows of who has a stream."""
        answer = await _ask(node, "/jsz?accounts=true&streams=true")
        for account in answer.get("account_details") or ():
            for detail in account.get("stream_detail") or ():
                if detail["name"] == stream:
                    found: dict[str, Any] = detail.get("cluster") or {}
                    return found
        return {}

    def _named(self, name: str | None) -> NatsServer | None:
        return next((node for node in self.nodes if node.name == name), None)

    # ---- faults

    def cut(self, node: NatsServer) -> None:
        """Part a node from the others; its clients reach it still. One at a time."""
        self.network.cut(self.nodes.index(node))
        self._cut = node

    def heal(self) -> None:
        """Undo the cut."""
        self.network.heal()
        self._cut = None


async def _ask(node: NatsServer, path: str) -> dict[str, Any]:
    """What the node says; nothing where it says nothing."""
    try:
        answer: dict[str, Any] = await node.ask(path)
    except (OSError, ValueError):
        return {}
    return answer


async def _until(look: Callable[[], Awaitable[T | None]], what: str) -> T:
    """Look again and again; returns what is there in the end. Raises AssertionError when it takes too long."""
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                if found := await look():
                    return found
                await asyncio.sleep(_TURN)
    except TimeoutError:
        raise AssertionError(f"expected {what} within {PATIENCE:.0f} s") from None
