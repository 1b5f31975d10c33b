"""The networks between the nodes of a cluster, which can be cut: namespaces of the kernel, or proxies on the routes."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Protocol

from ..history.proxy import Proxy

__all__ = ["Namespaces", "Network", "Proxies", "has_namespaces", "new_network"]

_NOBODY = "02:00:00:00:00:ff"
_MOST = 250
_HERE = "127.0.0.1"


class Network(Protocol):
    """Where `count` nodes are, numbered from 0, and how they reach each other."""

    port: int
    """At which a node listens for the others; -1: at any, and says so by `placed`."""

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    def host(self, node: int) -> str:
        """The address at which the node listens, for its clients too."""

    def inside(self, node: int) -> Sequence[str]:
        """The command that runs the node's program."""

    def routes(self, node: int) -> str:
        """What the node's configuration says of the others."""

    def placed(self, node: int, port: int) -> None:
        """The node listens for the others at this port."""

    def cut(self, node: int) -> None:
        """Let nothing pass between the node and the others, without a word to either. Its clients reach it still."""

    def heal(self) -> None:
        """Let everything pass again."""


class Namespaces:
    """Each node in a network of its own, joined by a bridge that this process is on too.

    A cut is a wrong address of the other's card on both sides: what is sent just does not arrive.
    """

    port = 6222

    def __init__(self, count: int) -> None:
        self._count = count
        self._number = 0
        self._names: list[str] = []

    async def start(self) -> None:
        self._number = _new_bridge()
        bridge = f"swn{self._number}"
        _ip(f"addr add {self.host(-1)}/24 dev {bridge}")
        _ip(f"link set {bridge} up")
        for node in range(self._count):
            self._join(bridge, node)

    def _join(self, bridge: str, node: int) -> None:
        name, link = f"{bridge}-{node}", f"{bridge}v{node}"
        _ip(f"netns add {name}")
        self._names.append(name)
        _ip(f"link add {link} type veth peer name eth0 netns {name}")
        _ip(f"link set {link} master {bridge} up")
        _ip(f"-n {name} addr add {self.host(node)}/24 dev eth0")
        _ip(f"-n {name} link set lo up")
        _ip(f"-n {name} link set eth0 up")

    async def close(self) -> None:
        for node, name in enumerate(self._names):
            with contextlib.suppress(OSError):  # it was never made
                _ip(f"link del swn{self._number}v{node}")  # the namespace stays until its last socket has given up
            _ip(f"netns del {name}")
        if self._number:
            _ip(f"link del swn{self._number}")
        self._names, self._number = [], 0

    def host(self, node: int) -> str:
        return f"10.213.{self._number}.{node + 2}"

    def inside(self, node: int) -> Sequence[str]:
        return ("ip", "netns", "exec", self._names[node])

    def routes(self, node: int) -> str:
        others = (f"nats://{self.host(other)}:{self.port}" for other in range(self._count) if other != node)
        return f"routes: [{', '.join(others)}]"

    def placed(self, node: int, port: int) -> None:
        """Nothing to do: everybody knows the port."""

    def cut(self, node: int) -> None:
        for other in range(self._count):
            if other != node:
                self._mislead(node, other)
                self._mislead(other, node)

    def _mislead(self, node: int, other: int) -> None:
        _ip(f"-n {self._names[node]} neigh replace {self.host(other)} lladdr {_NOBODY} dev eth0 nud permanent")

    def heal(self) -> None:
        for name in self._names:
            _ip(f"-n {name} neigh flush dev eth0 nud permanent")


class Proxies:
    """All nodes on this machine's loopback, with a proxy on the way from each to each other."""

    port = -1

    def __init__(self, count: int) -> None:
        pairs = itertools.permutations(range(count), 2)
        self._proxies = {pair: Proxy(0, draw=random.Random(0)) for pair in pairs}
        self._stack = AsyncExitStack()

    async def start(self) -> None:
        for proxy in self._proxies.values():
            await self._stack.enter_async_context(proxy)

    async def close(self) -> None:
        await self._stack.aclose()

    def host(self, node: int) -> str:
        return _HERE

    def inside(self, node: int) -> Sequence[str]:
        return ()

    def routes(self, node: int) -> str:
        others = (f"nats://{_HERE}:{proxy.port}" for (one, _), proxy in self._proxies.items() if one == node)
        # Nobody listens there: servers tell each other of third ones, who are to be reached by the proxies alone.
        return f'advertise: "{_HERE}:1", routes: [{", ".join(others)}]'

    def placed(self, node: int, port: int) -> None:
        for (_, other), proxy in self._proxies.items():
            if other == node:
                proxy.targets = [port]

    def cut(self, node: int) -> None:
        for pair, proxy in self._proxies.items():
            if node in pair:
                proxy.up.stall()
                proxy.down.stall()

    def heal(self) -> None:
        for proxy in self._proxies.values():
            proxy.clear()


def has_namespaces() -> bool:
    """Whether this process may make networks."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        return False
    name = f"swarmwire-try-{os.getpid()}"
    made = [subprocess.run(["ip", "netns", verb, name], capture_output=True).returncode for verb in ("add", "del")]
    return made == [0, 0]


def new_network(count: int) -> Network:
    """Namespaces where the machine allows them."""
    return Namespaces(count) if has_namespaces() else Proxies(count)


def _new_bridge() -> int:
    """Make a bridge whose number nobody else has."""
    for number in range(1, _MOST):
        command = ["ip", "link", "add", f"swn{number}", "type", "bridge"]
        if subprocess.run(command, capture_output=True).returncode == 0:
            return number
    raise OSError("expected a free number for a bridge")


def _ip(arguments: str) -> None:
    """Raises OSError with what `ip` said."""
    done = subprocess.run(["ip", *arguments.split()], capture_output=True, text=True)
    if done.returncode != 0:
        raise OSError(f"ip {arguments}: {done.stderr.strip()}")
