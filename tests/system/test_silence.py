"""Connections that fall silent without an end, and processes that stand still."""

from __future__ import annotations

import json
import signal
import time
from typing import Any

import httpx

from swarmwire import ErrorCode, connect
from swarmwire_protocol.errors import CloseCode

from .faults import FaultProxy
from .journal import States, watch
from .processes import BrokerProcess, Shell

SOON: dict[str, Any] = {"base_delay": 0.05, "max_delay": 0.2}
BEAT = "limits.heartbeat_ms=500"


async def errors_of(broker: BrokerProcess, code: ErrorCode) -> float:
    """How many errors of this code the broker has sent, by its own counters."""
    async with httpx.AsyncClient() as http:
        metrics = (await http.get(f"{broker.http}/metrics")).text
    name = f'swarmwire_errors_total{{code="{code}"}} '
    return sum(float(line.removeprefix(name)) for line in metrics.splitlines() if line.startswith(name))


async def test_a_stalled_network_is_noticed_by_both_sides_and_costs_no_event(shell: Shell) -> None:
    broker = await shell.serve("--set", BEAT)
    async with (
        FaultProxy(broker.port) as proxy,
        connect(broker.url) as witness,
        connect(proxy.url, **SOON) as client,
    ):
        states, gone = States(client), await watch(witness, "$sys.client.disconnected")
        journal = await watch(client, "a")
        former = client.id
        await witness.publish("a", "before")
        await journal.saw("before")
        proxy.stall()
        await witness.publish("a", "meanwhile")
        _, code, _ = await states.until("disconnected")
        assert code == CloseCode.HEARTBEAT_TIMEOUT
        await states.until("resumed")
        assert client.id != former
        await witness.publish("a", "after")
        await journal.saw("after")
        assert journal.story == ["before", "meanwhile", "after"]
        await gone.first(lambda item: getattr(item, "data", None) == {"client_id": former})
        assert await errors_of(broker, ErrorCode.HEARTBEAT_TIMEOUT) == 1


async def test_a_connection_that_says_nothing_for_long_is_kept_by_its_heartbeat(shell: Shell) -> None:
    broker = await shell.serve("--set", "limits.heartbeat_ms=150")
    async with connect(broker.url) as client, connect(broker.url) as other:
        states = States(client)
        journal = await watch(client, "a")
        former, until = client.id, time.monotonic() + 1.5
        while time.monotonic() < until:
            await other.ping()  # the other keeps the clock, this one only listens
        await other.publish("a", "still here")
        await journal.saw("still here")
        assert (client.id, states.items) == (former, [])
        assert await errors_of(broker, ErrorCode.HEARTBEAT_TIMEOUT) == 0


async def test_a_broker_that_stands_still_is_left_and_found_again(shell: Shell) -> None:
    broker = await shell.serve("--set", BEAT)
    async with connect(broker.url, connect_timeout=0.3, **SOON) as client:
        states = States(client)
        journal = await watch(client, "a")
        await client.publish("a", "before")
        await journal.saw("before")
        broker.signal(signal.SIGSTOP)
        await states.until("reconnecting", 2)  # it takes the connection, and says no welcome
        assert not client.is_ready
        broker.signal(signal.SIGCONT)
        await client.publish("a", "after")
        await journal.saw("after")
        assert journal.story == ["before", "after"]


async def test_a_reader_that_stands_still_slows_nobody_and_misses_only_what_is_gone(shell: Shell) -> None:
    kept, batch, batches = 1000, 200, 60
    broker = await shell.serve("--set", f"limits.log_events={kept}")
    reader = await shell.start("sub", "#", "--from", "start", "--json", "--url", broker.url)
    async with connect(broker.url) as publisher, connect(broker.url) as healthy:
        journal = await watch(healthy, "#")
        await publisher.publish("a", 0)
        await reader.out.reach(1)
        reader.signal(signal.SIGSTOP)
        before = broker.resident_bytes()
        for number in range(1, batches + 1):
            for _ in range(batch):
                await publisher.publish("a", 8000 * ".", ack=False)
            await publisher.publish("a", number)
            await journal.saw(number)
        grown = broker.resident_bytes() - before
        assert [event.seq for event in journal.events] == list(range(1, batches * (batch + 1) + 2))
        assert journal.gaps == []
        assert grown < 32 * 1024 * 1024, "the broker keeps what the reader does not take"  # of 96 MB that went by
        reader.signal(signal.SIGCONT)
        await reader.out.first(lambda line: f'"data":{batches}}}' in line)
    finished = await reader.interrupt()
    check([json.loads(line) for line in finished.out], head=batches * (batch + 1) + 1, kept=kept)


def check(records: list[dict[str, object]], *, head: int, kept: int) -> None:
    """Each event once and in order; where one is missing stands a gap; all that the log holds is there."""
    seqs: list[int] = []
    missing = set(range(1, head + 1))
    announced: set[int] = set()
    for record in records:
        if record["type"] == "gap":
            assert record["reason"] == "evicted"
            start, end = (int(str(record[name]).partition(":")[2]) for name in ("from", "to"))
            assert start >= seqs[-1]
            announced |= set(range(start + 1, end + 1))
        else:
            assert isinstance(record["seq"], int)
            assert not seqs or record["seq"] > seqs[-1]
            seqs.append(record["seq"])
    missing -= set(seqs)
    assert missing
    assert missing == announced
    assert seqs[-kept:] == list(range(head - kept + 1, head + 1))
