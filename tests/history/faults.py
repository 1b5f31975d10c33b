"""What goes wrong in a run: each fault breaks something, and heals it after a while."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from .brokerprocess import Broker
from .proxy import Proxy, Weather

__all__ = ["FAULTS", "Fault", "Network"]


class Network:
    """What can be broken: the brokers, and the proxies before them."""

    def __init__(self, brokers: list[Broker], proxies: list[Proxy], draw: random.Random) -> None:
        self.brokers = brokers
        self.proxies = proxies
        self.draw = draw

    @property
    def broker(self) -> Broker:
        """One of the brokers."""
        return self.draw.choice(self.brokers)

    @property
    def proxy(self) -> Proxy:
        """One of the proxies."""
        return self.draw.choice(self.proxies)

    @property
    def weather(self) -> Weather:
        """One direction of one of the proxies."""
        proxy = self.proxy
        return self.draw.choice((proxy.up, proxy.down))


async def _killed(network: Network) -> None:
    broker = network.broker
    await broker.kill()
    await asyncio.sleep(network.draw.uniform(0, 0.2))
    await broker.start()


async def _paused(network: Network) -> None:
    broker = network.broker
    broker.pause()
    try:
        await asyncio.sleep(network.draw.uniform(0.1, 1.6))
    finally:
        broker.go_on()


async def _reset(network: Network) -> None:
    proxy = network.proxy
    for _ in range(network.draw.randint(1, 4)):
        proxy.reset()
        await asyncio.sleep(network.draw.uniform(0, 0.15))


async def _cut(network: Network) -> None:
    draw = network.draw
    network.proxy.cut_after(*(int(draw.paretovariate(0.5) * 100) % 200_000 + 1 for _ in range(draw.randint(2, 6))))
    await asyncio.sleep(draw.uniform(0.2, 0.6))


async def _stalled(network: Network) -> None:
    weather = network.weather
    weather.stall()
    try:
        await asyncio.sleep(network.draw.uniform(0.1, 1.8))
    finally:
        weather.clear()


async def _delayed(network: Network) -> None:
    weather = network.weather
    weather.delay, weather.jitter = network.draw.uniform(0, 0.1), network.draw.uniform(0, 0.1)
    try:
        await asyncio.sleep(network.draw.uniform(0.3, 1.0))
    finally:
        weather.clear()


async def _throttled(network: Network) -> None:
    weather = network.weather
    weather.rate = network.draw.uniform(5_000, 80_000)
    try:
        await asyncio.sleep(network.draw.uniform(0.5, 2.0))
    finally:
        weather.clear()


Fault: TypeAlias = Callable[[Network], Awaitable[None]]

FAULTS: dict[str, Fault] = {
    "kill": _killed,
    "pause": _paused,
    "reset": _reset,
    "cut": _cut,
    "stall": _stalled,
    "delay": _delayed,
    "throttle": _throttled,
}
"""By the names that a plan picks them by."""
