"""A broker that is told to stop while clients are at work."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator
from typing import Any

from swarmwire import Client, SwarmwireError, connect
from swarmwire_protocol.errors import CloseCode

from .faults import FaultProxy
from .journal import States, watch
from .processes import BrokerProcess, Shell


async def publish_on(client: Client, name: str, acked: set[str]) -> None:
    """Publish one after the other until the connection ends, and note what was acknowledged."""
    for number in itertools.count():
        data = f"{name}.{number}"
        await client.publish("a", data)
        acked.add(data)


async def test_what_was_acknowledged_before_the_end_was_delivered_before_the_end(shell: Shell) -> None:
    broker = await shell.serve()
    acked: set[str] = set()
    async with contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(connect(broker.url, reconnect=False)) for _ in range(6)]
        reader, *publishers = clients
        journal, states = await watch(reader, "#"), States(reader)
        work = [asyncio.create_task(publish_on(each, f"p{number}", acked)) for number, each in enumerate(publishers)]
        await journal.reach(1000)
        broker.terminate()
        await asyncio.wait(work)
        await journal.all()
        finished = await broker.finish()
        for task in work:
            assert isinstance(task.exception(), SwarmwireError)
        assert finished.code == 0
        assert len(acked) >= 1000 - len(work)
        assert acked <= set(journal.data)
        assert len(journal.data) == len(set(journal.data))
        assert [event.seq for event in journal.events] == list(range(1, len(journal.events) + 1))
        assert (await states.until("disconnected"))[1] == CloseCode.RESTART


async def test_clients_come_back_when_the_broker_said_spread_over_its_window(shell: Shell) -> None:
    old, new = await asyncio.gather(shell.serve("--set", "limits.reconnect_window_ms=1500"), shell.serve())
    async with FaultProxy(old.port) as proxy, contextlib.AsyncExitStack() as stack:
        # Left to themselves they would wait for a minute.
        options: dict[str, Any] = {"base_delay": 120.0, "max_delay": 120.0}
        clients = [await stack.enter_async_context(connect(proxy.url, **options)) for _ in range(8)]
        states = [States(client) for client in clients]
        journals = [await watch(client, "#") for client in clients]
        proxy.target = new.port
        begun = time.monotonic()
        old.terminate()
        waits = [(await each.until("reconnecting"))[2] for each in states]
        for each in states:
            await each.until("resumed")
        assert all(0 <= wait <= 1.5 for wait in waits)
        assert len(set(waits)) > 1
        assert time.monotonic() - begun >= max(waits)
        await clients[0].publish("a", "for all")
        for journal in journals:
            await journal.saw("for all")
            assert journal.story == ["gap: epoch", "for all"]


async def test_a_new_broker_on_the_same_port_takes_them_all(shell: Shell) -> None:
    broker = await shell.serve("--set", "limits.reconnect_window_ms=300")
    async with contextlib.AsyncExitStack() as stack:
        options: dict[str, Any] = {"base_delay": 0.05, "max_delay": 0.3}
        clients = [await stack.enter_async_context(connect(broker.url, **options)) for _ in range(20)]
        journals = [await watch(client, "#") for client in clients]
        assert (await broker.stop()).code == 0
        await shell.serve(port=broker.port)
        await asyncio.gather(*(client.publish("a", number) for number, client in enumerate(clients)))
        for journal in journals:
            await journal.reach(21)
            assert journal.story[0] == "gap: epoch"
            assert sorted(journal.data) == list(range(20))


@contextlib.asynccontextmanager
async def stuck_client(broker: BrokerProcess) -> AsyncIterator[None]:
    """A client that takes nothing more, while 30 MB wait for it."""
    async with (
        FaultProxy(broker.port) as proxy,
        connect(broker.url, reconnect=False) as publisher,
        connect(proxy.url, reconnect=False, drain_timeout=0.1) as stuck,
    ):
        await watch(stuck, "#")
        proxy.stall()
        for _ in range(300):
            await publisher.publish("a", 100_000 * ".", ack=False)
        await publisher.publish("a", "last")
        yield
        proxy.reset()


async def test_a_client_that_takes_nothing_does_not_keep_the_broker_from_ending(shell: Shell) -> None:
    broker = await shell.serve("--set", "limits.drain_timeout_ms=500")
    async with stuck_client(broker):
        assert (await broker.stop()).code == 0


async def test_a_second_signal_ends_a_drain_at_once(shell: Shell) -> None:
    broker = await shell.serve("--set", "limits.drain_timeout_ms=600000")
    async with stuck_client(broker):
        broker.terminate()
        await broker.err.first(lambda line: '"draining"' in line)
        broker.terminate()
        assert (await broker.finish()).code == 1
