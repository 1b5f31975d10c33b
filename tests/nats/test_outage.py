"""Brokers whose nats-server goes away say so, keep their clients, and go on by themselves when it is back."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from swarmwire import Client, ErrorCode, Outcome, SwarmwireError, connect

from ..system.journal import States, watch
from ..system.processes import Shell
from .ground import Clustered
from .servers import NatsServer, Version, needs

pytestmark = needs(Version.NEWEST)

SOON: dict[str, Any] = {"base_delay": 0.05, "max_delay": 0.2}


@pytest_asyncio.fixture
async def ground(tmp_path: Path) -> AsyncIterator[Clustered]:
    ground = Clustered(tmp_path, ["--set", "limits.heartbeat_ms=500"], {}, draw=random.Random(1))
    try:
        await ground.start()
        yield ground
    finally:
        await ground.close()


def server_of(ground: Clustered) -> NatsServer:
    assert ground.server is not None
    return ground.server


async def unready(ground: Clustered) -> None:
    """Wait until every broker says that it cannot do its work."""
    async with asyncio.timeout(15):
        while True:
            if not any([await broker.is_ready() for broker in ground.brokers]):
                return
            await asyncio.sleep(0.02)


async def sent(client: Client, topic: str, data: object) -> None:
    """Publish until it is done, as it is asked to after a refusal."""
    async with asyncio.timeout(30):
        while True:
            try:
                await client.publish(topic, data)
                return
            except SwarmwireError as error:
                if error.outcome is not Outcome.NOT_DONE or error.retry_after_ms is None:
                    raise
                await asyncio.sleep(error.retry_after_ms / 1000)


@pytest.mark.parametrize("how", ["killed", "stopped where it stands"])
async def test_without_nats_publishes_are_refused_and_clients_stay(ground: Clustered, how: str) -> None:
    server = server_of(ground)
    one, other = ground.brokers
    async with connect(one.url, **SOON) as client, connect(other.url, **SOON) as far:
        states = States(client), States(far)
        journal, theirs = await watch(client, "a.#"), await watch(far, "a.#")
        await client.publish("a.x", "before")
        await theirs.saw("before")
        if how == "killed":
            await server.kill()
        else:
            server.pause()
        await unready(ground)
        for each in (client, far):
            with pytest.raises(SwarmwireError) as refused:
                await each.publish("a.x", "meanwhile")
            assert refused.value.code == ErrorCode.UNAVAILABLE
            assert refused.value.outcome is Outcome.NOT_DONE
            assert refused.value.retry_after_ms
        if how == "killed":
            await server.start()
        else:
            server.go_on()
        await sent(client, "a.x", "after")
        await sent(far, "a.y", "after that")
        for each_journal in (journal, theirs):
            await each_journal.saw("after that")
            assert each_journal.story == ["before", "after", "after that"]
        await ground.whole()
        for state in states:
            assert state.count("disconnected") == 0
        for each_journal in (journal, theirs):
            await each_journal.close()


async def test_what_was_under_way_when_nats_went_is_stored_once_or_not_at_all(ground: Clustered) -> None:
    server = server_of(ground)
    async with connect(ground.brokers[0].url, **SOON) as client, connect(ground.brokers[1].url, **SOON) as far:
        journal = await watch(far, "a")
        publishes = [asyncio.create_task(client.publish("a", number)) for number in range(500)]
        await journal.saw(50)
        await server.kill()
        await server.start()
        outcomes = await asyncio.gather(*publishes, return_exceptions=True)
        await sent(client, "a", "last")
        await journal.saw("last")
        done = [number for number, outcome in enumerate(outcomes) if not isinstance(outcome, BaseException)]
        unknown = {
            number
            for number, outcome in enumerate(outcomes)
            if isinstance(outcome, SwarmwireError) and outcome.outcome is not Outcome.NOT_DONE
        }
        *numbers, _ = journal.data
        assert numbers == sorted(set(numbers))
        assert set(done) <= set(numbers) <= set(done) | unknown
        await journal.close()


async def test_a_broker_that_finds_no_nats_says_so_in_a_sentence(tmp_path: Path) -> None:
    server = NatsServer()
    await server.start()
    server.close()
    shell = Shell(tmp_path)
    ended = await shell.run("serve", "--port", "0", "--unix", "off", "--nats", server.url, "--set", "nats_wait_ms=500")
    assert ended.code != 0
    assert any(str(server.port) in line for line in ended.err)
    assert not any("Traceback" in line for line in ended.err)
