"""The load generator counts right: against Swarmwire itself, and against the C servers of the bench."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import jwt
import pytest
from benchmarks.runner.generator import Times, arguments
from benchmarks.runner.installs import Compile
from benchmarks.runner.peers import FIFOS, LOADGEN, PEERS, SOCKET
from benchmarks.runner.places import ROOT
from benchmarks.runner.processes import free_port
from benchmarks.runner.workloads import WORKLOADS
from websockets.asyncio.client import connect

from swarmwire_broker.config import Config
from swarmwire_broker.core.settings import Limits
from swarmwire_broker.credentials import Auth
from swarmwire_broker.server import Server

Compiled = Callable[[Compile], Path]
Run = Callable[..., Awaitable[dict[str, float | None]]]

SUBSCRIBERS = 6
STALLED = ("--stalled", "2", "--rate", "400", "--payload", "65536", "--duration", "0.5")
SECRET = "a secret that the bench has made, long enough"


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with Server(Config(port=0, auth=Auth(jwt_secret=SECRET))) as started:
        yield started


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    allowed = {"publish": ["bench.#"], "subscribe": ["bench.#"], "call": []}
    lines = (jwt.encode({"sub": f"bench-{n}", "permissions": allowed}, SECRET, algorithm="HS256") for n in range(40))
    file = tmp_path / "tokens.txt"
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


@pytest.fixture
def load(compiled: Compiled, figures_of: Run, tokens: Path) -> Run:
    """Half a second of a workload, with few subscribers, against a server of this name and port."""

    async def run(peer: str, port: int, workload: str, *more: str) -> dict[str, float | None]:
        line = arguments(PEERS[peer].dialect, WORKLOADS[workload], Times(warmup=0.1, measured=0.5))
        where = ("--port", str(port), "--tokens", str(tokens), "--drain", "5")
        return await figures_of(str(compiled(LOADGEN)), *line, *where, "--subs", str(SUBSCRIBERS), *more)

    return run


@pytest.mark.parametrize("workload", ["fanout-100", "fanout-1000-single", "fanout-100-acks", "wildcards"])
async def test_every_message_reaches_every_subscriber_of_swarmwire_once(
    server: Server, load: Run, workload: str
) -> None:
    found = await load("swarmwire", server.port, workload)
    last = await server.broker.publish("bench.after", None)
    assert last is not None
    assert found["published"] == last - 1 > 0
    assert found["delivered"] == SUBSCRIBERS * (last - 1)
    assert [found[name] for name in ("lost", "order_errors", "errors", "dead", "stalls")] == [0, 0, 0, 0, 0]
    assert (found["p50_us"] or 0) > 0


async def test_clients_that_are_cut_come_back_and_miss_and_double_nothing(server: Server, load: Run) -> None:
    small = ("--pubs", "3", "--topics", "3", "--rate", "300", "--duration", "0.6", "--storm-after", "0.1")
    found = await load("swarmwire", server.port, "reconnect", *small)
    assert (found["published"] or 0) > 0
    assert [found[name] for name in ("lost", "order_errors", "errors", "dead")] == [0, 0, 0, 0]
    assert (found["storm_ready_s"] or 0) > 0
    assert (found["storm_caught_up_s"] or 0) >= (found["storm_ready_s"] or 0)


async def test_a_closed_loop_of_publishers_alone_waits_for_the_answers(server: Server, load: Run) -> None:
    found = await load("swarmwire", server.port, "stored-10", "--subs", "0", "--window", "4", "--batch", "4")
    last = await server.broker.publish("bench.after", None)
    assert last is not None
    assert found["published"] == found["delivered"] == last - 1 > 0
    assert [found[name] for name in ("lost", "errors", "stalls")] == [0, 0, 0]
    assert (found["p50_us"] or 0) > 0


@pytest.mark.parametrize(
    ("workload", "publishers", "expected"), [("resume-shared", 1, 6 * 50), ("resume-own", 6, 6 * 50)]
)
async def test_clients_that_were_away_get_what_they_missed_once(
    server: Server, load: Run, workload: str, publishers: int, expected: int
) -> None:
    small = ("--missed", "50", "--pubs", f"{publishers}", "--topics", f"{publishers}", "--drain", "10")
    found = await load("swarmwire", server.port, workload, *small)
    assert found["published"] == 50 * publishers
    assert found["delivered"] == expected
    assert [found[name] for name in ("lost", "order_errors", "errors", "dead", "gaps")] == [0, 0, 0, 0, 0]
    assert (found["storm_caught_up_s"] or 0) > 0


async def test_one_wildcard_reads_the_history_of_all_topics_while_others_are_answered(
    server: Server, load: Run
) -> None:
    small = ("--subs", "1", "--pubs", "4", "--topics", "4", "--missed", "2000", "--drain", "10")
    found = await load("swarmwire", server.port, "history", *small)
    assert found["delivered"] == found["published"] == 8_000
    assert found["order_errors"] == 0
    assert (found["p99_us"] or 0) > 0


async def test_every_message_can_have_a_topic_of_its_own(server: Server, load: Run) -> None:
    small = ("--subs", "0", "--pubs", "2", "--topics", "2", "--missed", "30")
    found = await load("swarmwire", server.port, "million-topics", *small)
    assert found["published"] == 60
    assert found["rss_per_message"] is not None
    assert server.broker.stats.gauges["latest_topics"]() == 60


async def test_subscribers_that_are_asked_whether_they_live_say_so(load: Run) -> None:
    limits = Limits(heartbeat_ms=100)
    async with Server(Config(port=0, auth=Auth(jwt_secret=SECRET), limits=limits)) as server:
        found = await load("swarmwire", server.port, "steady-fanout", "--rate", "2", "--duration", "1")
    assert [found[name] for name in ("dead", "closes", "lost")] == [0, 0, 0]


async def test_awaited_publishes_are_counted_one_by_one(server: Server, tokens: Path) -> None:
    line = (sys.executable, "-m", "benchmarks.clients.awaited_swarmwire", "--tokens", str(tokens))
    times = ("--warmup", "0.1", "--duration", "0.4", "--pid", str(os.getpid()), "--port", str(server.port))
    process = await asyncio.create_subprocess_exec(*line, *times, cwd=ROOT, stdout=PIPE)
    async with asyncio.timeout(30):
        output, _ = await process.communicate()
    found = json.loads(output)
    last = await server.broker.publish("bench.after", None)
    assert last is not None
    assert 0 < found["delivery_rate"] * found["seconds"] < last
    assert found["errors"] == 0
    assert found["p50_us"] <= found["p99_us"]


async def test_stalled_clients_get_what_the_log_holds_and_are_told_of_the_rest(load: Run) -> None:
    limits = Limits(log_events=20, outbox_bytes=65_536)
    async with Server(Config(port=0, auth=Auth(jwt_secret=SECRET), limits=limits)) as server:
        found = await load("swarmwire", server.port, "stalled", *STALLED)
    assert found["woken_complete"] == found["gaps"] == 2
    assert [found[name] for name in ("silent_losses", "stalled_closed", "lost", "order_errors")] == [0, 0, 0, 0]


@pytest.mark.parametrize("workload", ["fanout-100", "pairs"])
@pytest.mark.parametrize("peer", ["direct", "coalesce"])
async def test_the_c_servers_lose_and_mix_up_nothing(compiled: Compiled, load: Run, peer: str, workload: str) -> None:
    async with c_server(compiled, peer) as port:
        found = await load(peer, port, workload, "--pubs", "1")
    assert (found["delivered"] or 0) > 0
    assert [found[name] for name in ("lost", "order_errors", "dead", "stalls")] == [0, 0, 0, 0]


@pytest.mark.parametrize("workload", ["fanout-100", "ways-pairs", "round-trip"])
@pytest.mark.parametrize("peer", ["swarmwire_unix", "swarmwire_pipe"])
async def test_every_message_reaches_every_subscriber_by_the_other_ways_too(
    load: Run, runtime_directory: Path, peer: str, workload: str
) -> None:
    pairs = ("--pubs", str(SUBSCRIBERS), "--topics", str(SUBSCRIBERS)) if workload == "ways-pairs" else ()
    socket, fifos = str(runtime_directory / SOCKET), str(runtime_directory / FIFOS)
    where = ("--unix", socket) if peer == "swarmwire_unix" else ("--fifos", fifos)
    by_both = Config(port=0, auth=Auth(jwt_secret=SECRET), unix=socket, pipe=FIFOS.removesuffix(".pipe"))
    async with Server(by_both) as server:
        found = await load(peer, server.port, workload, *where, *pairs)
        last = await server.broker.publish("bench.after", None)
    assert last is not None
    assert found["published"] == last - 1 > 0
    receivers = 1 if workload == "ways-pairs" else SUBSCRIBERS
    assert found["delivered"] == receivers * (last - 1)
    assert [found[name] for name in ("lost", "order_errors", "errors", "dead", "stalls")] == [0, 0, 0, 0, 0]


async def test_an_echo_is_timed_without_a_subscriber(compiled: Compiled, figures_of: Run, tmp_path: Path) -> None:
    path = tmp_path / "s"
    line = arguments(PEERS["echo"].dialect, WORKLOADS["round-trip"], Times(warmup=0.1, measured=0.3))
    async with started(compiled, "echo", str(path)):
        assert path.stat().st_mode & 0o777 == 0o600
        found = await figures_of(str(compiled(LOADGEN)), *line, "--unix", str(path))
    assert found["published"] == found["delivered"]
    assert (found["delivered"] or 0) > 0
    assert [found[name] for name in ("lost", "dead", "stalls")] == [0, 0, 0]
    assert (found["p50_us"] or 0) > 0


async def test_lines_are_counted_one_by_one_however_they_come(compiled: Compiled, figures_of: Run) -> None:
    server = await asyncio.start_server(speak_nats, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    line = arguments(PEERS["nats_tcp"].dialect, WORKLOADS["ways-pairs"], Times(warmup=0.1, measured=0.3))
    async with server:
        few = ("--subs", "3", "--pubs", "3", "--topics", "3", "--port", str(port))
        found = await figures_of(str(compiled(LOADGEN)), *line, *few)
    assert found["published"] == found["delivered"]
    assert (found["delivered"] or 0) > 0
    assert [found[name] for name in ("lost", "order_errors", "dead", "stalls")] == [0, 0, 0, 0]


async def test_messages_that_a_server_sends_to_nobody_are_counted_as_lost(compiled: Compiled, load: Run) -> None:
    async with c_server(compiled, "direct") as port:
        elsewhere = ("--publish", '{"type":"publish","topic":"bench.nobody","data":{data}}')
        found = await load("direct", port, "steady-fanout", *elsewhere, "--duration", "0.2", "--drain", "0.1")
    assert found["delivered"] == 0
    assert found["lost"] == SUBSCRIBERS * (found["published"] or 0) > 0
    assert found["p50_us"] is None


async def test_the_coalescing_server_gathers_for_a_client_of_two_topics(compiled: Compiled) -> None:
    async with c_server(compiled, "coalesce") as port, connect(f"ws://127.0.0.1:{port}/ws") as client:
        async with asyncio.timeout(10):
            for topic in ("a", "b"):
                await client.send(f'{{"type":"subscribe","topic":"{topic}"}}')
                assert json.loads(await client.recv()) == {"type": "subscribed", "topic": topic}
            for number in range(50):
                await client.send(f'{{"type":"publish","topic":"{"ab"[number % 2]}","data":{number}}}')
            events = [json.loads(await client.recv()) for _ in range(50)]
    for topic, first in (("a", 0), ("b", 1)):
        mine = [event for event in events if event["topic"] == topic]
        assert [event["data"] for event in mine] == list(range(first, 50, 2))
        assert [event["seq"] for event in mine] == list(range(1, 26))


_SUBSCRIBED: dict[bytes, asyncio.StreamWriter] = {}


async def speak_nats(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """As much of it as the load generator needs, each answer torn into pieces."""
    writer.write(b"INFO {}\r\n")
    while line := await reader.readline():
        match line.split():
            case [b"PING"]:
                writer.write(b"PO")
                writer.write(b"NG\r\n")
            case [b"SUB", topic, _]:
                _SUBSCRIBED[topic] = writer
            case [b"PUB", topic, _]:
                data = await reader.readline()
                _SUBSCRIBED[topic].write(b"MSG %b 1 %d\r\n" % (topic, len(data) - 2) + data[:40])
                await asyncio.sleep(0)
                _SUBSCRIBED[topic].write(data[40:])
    writer.close()


@asynccontextmanager
async def c_server(compiled: Compiled, name: str) -> AsyncIterator[int]:
    port = free_port()
    async with started(compiled, name, str(port)):
        yield port


@asynccontextmanager
async def started(compiled: Compiled, name: str, where: str) -> AsyncIterator[None]:
    program = PEERS[name].install
    assert isinstance(program, Compile)
    process = await asyncio.create_subprocess_exec(str(compiled(program)), where, stdout=PIPE)
    try:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"listening\n"
        yield
    finally:
        process.kill()
        await process.communicate()
