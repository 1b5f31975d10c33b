"""Named pipes between processes: the death of either end, what follows it, and that nothing is left behind."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from swarmwire import Client, ErrorCode, SwarmwireError, connect

from .collected import PATIENCE
from .journal import States, watch
from .processes import BrokerProcess, Shell

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="FIFOs are those of POSIX")

NAME = "system-test"
URL = f"pipe://{NAME}"
SOON: dict[str, Any] = {"base_delay": 0.02, "max_delay": 0.1}

AT_ONCE = 5.0
"""Seconds: much less than a heartbeat, much more than a busy machine needs."""


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A runtime directory of the test's own, for this process and for those it starts."""
    place = tmp_path / "run"
    monkeypatch.setenv("SWARMWIRE_RUNTIME_DIR", str(place))
    return place


async def serve(shell: Shell, runtime: Path, name: str = NAME, *arguments: str) -> BrokerProcess:
    return await shell.serve("--pipe", name, "--unix", "off", *arguments, SWARMWIRE_RUNTIME_DIR=str(runtime))


def left(runtime: Path) -> list[str]:
    """The files of a broker's FIFOs."""
    return sorted(os.listdir(runtime / f"{NAME}.pipe"))


async def test_every_death_of_the_broker_is_noticed_at_once_and_followed_by_its_successor(
    shell: Shell, runtime: Path
) -> None:
    broker = await serve(shell, runtime, NAME, "--data", "log.sqlite")
    async with connect(URL, **SOON) as client:
        states, journal = States(client), await watch(client, "a")
        for times in range(1, 4):
            await client.publish("a", times)
            await journal.reach(times)
            assert left(runtime) == ["ctl", "lock"], "what the dead one left is gone"
            await broker.kill()
            began = time.monotonic()
            await states.until("disconnected", times)
            assert time.monotonic() - began < AT_ONCE
            broker = await serve(shell, runtime, NAME, "--data", "log.sqlite")
        await client.publish("a", 4)
        await journal.reach(4)
        assert [event.data for event in journal.events] == [1, 2, 3, 4]
        assert journal.gaps == []


def subscribes(pattern: str, item: object) -> bool:
    return getattr(item, "data", {}).get("pattern") == pattern


async def test_a_killed_client_is_noticed_at_once_and_leaves_nothing(shell: Shell, runtime: Path) -> None:
    await serve(shell, runtime)
    async with connect(URL) as watcher:
        system = await watch(watcher, "$sys.client.*")
        for number in range(1, 4):
            client = await shell.start("sub", f"room.{number}", "--url", URL, SWARMWIRE_RUNTIME_DIR=str(runtime))
            await system.first(partial(subscribes, f"room.{number}"))
            await client.kill()
            began = time.monotonic()
            await system.first(lambda it: getattr(it, "topic", "") == "$sys.client.disconnected")
            assert time.monotonic() - began < AT_ONCE
        assert left(runtime) == ["ctl", "lock"]


async def test_a_broker_that_is_stopped_leaves_nothing(shell: Shell, runtime: Path) -> None:
    broker = await serve(shell, runtime)
    async with connect(URL, max_attempts=0) as client:
        states = States(client)
        assert (await broker.stop()).code == 0
        assert (await states.until("disconnected"))[1] == 1012
    assert os.listdir(runtime) == []
    await nobody_answers()


async def nobody_answers() -> None:
    with pytest.raises(SwarmwireError) as refusal:
        await connect(URL)
    assert refusal.value.code is ErrorCode.UNAVAILABLE
    assert "no broker of this name is running" in refusal.value.message


async def test_after_the_death_of_the_broker_nobody_answers(shell: Shell, runtime: Path) -> None:
    broker = await serve(shell, runtime)
    await broker.kill()
    await nobody_answers()


async def test_a_second_broker_of_the_name_does_not_start_and_disturbs_nobody(shell: Shell, runtime: Path) -> None:
    await serve(shell, runtime)
    async with connect(URL, max_attempts=0) as client:
        arguments = ("serve", "--port", "0", "--unix", "off", "--pipe", NAME)
        refused = await shell.run(*arguments, SWARMWIRE_RUNTIME_DIR=str(runtime))
        assert refused.code != 0
        assert any(f"cannot listen at {URL}: a living broker has" in line for line in refused.err), refused.err
        assert (await client.publish("a", 1)).seq == 1
    async with connect(URL) as client:
        assert (await client.publish("a", 2)).seq == 2


async def test_of_many_that_start_at_once_one_has_the_name(shell: Shell, runtime: Path) -> None:
    arguments = ("serve", "--port", "0", "--unix", "off", "--log-format", "json", "--pipe", NAME)
    brokers = [await shell.start(*arguments, SWARMWIRE_RUNTIME_DIR=str(runtime)) for _ in range(4)]

    async def listens(number: int) -> bool:
        said = await brokers[number].err.first(lambda line: '"listening"' in line or "cannot listen" in line)
        return '"listening"' in said

    async with asyncio.timeout(PATIENCE):
        assert sum(await asyncio.gather(*map(listens, range(4)))) == 1
    async with connect(URL) as client:
        assert (await client.publish("a", 1)).seq == 1


async def test_brokers_of_two_names_do_not_meet(shell: Shell, runtime: Path) -> None:
    await serve(shell, runtime)
    await serve(shell, runtime, "another")

    async def publish(client: Client) -> list[int | None]:
        return [(await client.publish("a", number)).seq for number in range(3)]

    async with connect(URL) as one, connect("pipe://another") as other:
        journal = await watch(other, "a")
        assert await publish(one) == [1, 2, 3]
        assert await publish(other) == [1, 2, 3]
        await journal.reach(3)
        assert len(journal.events) == 3
