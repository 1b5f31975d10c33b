"""The SDK over every transport, and a broker that is killed again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from swarmwire import Disconnected, Outcome, connect
from swarmwire_protocol.places import socket_path

from .journal import States, watch
from .processes import BrokerProcess, Shell

SOON: dict[str, Any] = {"base_delay": 0.05, "max_delay": 0.2}
NAME = "everywhere"

WAYS: dict[str, Callable[[BrokerProcess], str]] = {
    "ws": lambda broker: broker.url,
    "unix": lambda _: f"unix://{socket_path(NAME)}",
    "pipe": lambda _: f"pipe://{NAME}",
    "http": lambda broker: broker.http,
}

every_way = pytest.mark.parametrize("way", WAYS)


async def served(shell: Shell, *, port: int = 0) -> BrokerProcess:
    return await shell.serve("--name", NAME, "--pipe", "--data", str(shell.directory / "log"), port=port)


@every_way
async def test_a_client_survives_every_kill_and_misses_and_doubles_nothing(way: str, shell: Shell) -> None:
    broker = await served(shell)
    async with connect(WAYS[way](broker), **SOON) as client:
        states = States(client)
        one, other = await watch(client, "one.#"), await watch(client, "*.x", from_="start")
        for life in (1, 2, 3):
            await asyncio.gather(*(client.publish("one.x", f"{life}.{number}") for number in range(20)))
            await broker.kill()
            await states.until("disconnected", life)
            waiting = asyncio.ensure_future(client.publish("one.x", f"{life}: published without a broker"))
            broker = await served(shell, port=broker.port)
            await states.until("resumed", life)
            assert not (await waiting).duplicate
        await client.publish("one.x", "end")
        await one.saw("end")
        await other.saw("end")
        story = [
            entry
            for life in (1, 2, 3)
            for entry in [*(f"{life}.{number}" for number in range(20)), f"{life}: published without a broker"]
        ]
        assert one.story == other.story == [*story, "end"]
        assert states.count("gap") == states.count("error") == 0


@every_way
async def test_what_waits_for_an_answer_is_told_at_once_when_the_broker_is_killed(way: str, shell: Shell) -> None:
    broker = await served(shell)
    async with connect(WAYS[way](broker), reconnect=False) as client:
        states = States(client)
        heard = await watch(client, "#")
        await broker.kill()
        await states.until("disconnected")
        with pytest.raises(Disconnected):
            await client.publish("a", 1)
        await states.until("error")
        assert heard.error is not None
        assert heard.error.outcome is Outcome.NOT_DONE
