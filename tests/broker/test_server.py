"""A broker with its sockets: starting, stopping, draining, and the process that does nothing else."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from swarmwire_broker.config import Auth, Config, ConfigError
from swarmwire_broker.core.settings import Limits
from swarmwire_broker.server import Server

from .transports.wire import HELLO, PATIENCE, Wire, eventually


def make(host: str = "127.0.0.1", port: int = 0, **limits: Any) -> Server:
    return Server(Config(host=host, port=port, limits=Limits(**limits)))


# ---- starting


async def test_start_returns_when_connections_are_accepted_and_the_port_is_read_back() -> None:
    server = make()
    with pytest.raises(RuntimeError, match="not started"):
        _ = server.port
    await server.start()
    assert server.port > 0
    assert server.url == f"ws://127.0.0.1:{server.port}/ws"
    async with await Wire.welcomed(server.port):
        pass
    await server.stop()
    with pytest.raises(RuntimeError, match="not started"):
        _ = server.port


async def test_a_busy_port_is_an_error_that_names_the_address_and_nothing_is_left_running() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = make(port=port)
        with pytest.raises(OSError, match=f"127.0.0.1:{port}"):
            await server.start()
        assert not server.broker.is_running
    await server.start()
    assert server.port == port
    await server.stop()


async def test_an_address_that_is_none_is_an_error_that_names_it() -> None:
    server = Server(Config(host="no.such.host.invalid", port=0, insecure=True))
    with pytest.raises(OSError, match=r"no\.such\.host\.invalid"):
        await server.start()


async def test_starting_twice_is_an_error_and_the_first_goes_on() -> None:
    async with make() as server:
        with pytest.raises(RuntimeError, match="started already"):
            await server.start()
        async with await Wire.welcomed(server.port):
            pass


async def test_two_servers_of_one_process_do_not_meet() -> None:
    async with (
        make() as one,
        make() as two,
        await Wire.welcomed(one.port) as here,
        await Wire.welcomed(two.port) as there,
    ):
        await there.subscribe("#")
        await here.ask(type="publish", topic="a", data=1, id=1)
        assert await there.is_alive()
        assert (one.broker.stats.publishes, two.broker.stats.publishes) == (1, 0)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", ""])
async def test_a_public_address_without_authentication_is_refused(host: str) -> None:
    with pytest.raises(ConfigError, match="no authentication is configured"):
        Server(Config(host=host, port=0))


@pytest.mark.parametrize("how", [{"insecure": True}, {"auth": Auth(token="secret")}])
async def test_a_public_address_is_served_when_asked_for_or_behind_a_login(how: dict[str, Any]) -> None:
    async with Server(Config(host="0.0.0.0", port=0, **how)) as server:
        assert server.url == f"ws://127.0.0.1:{server.port}/ws"
        async with await Wire.welcomed(server.port, token="secret") as wire:
            assert await wire.is_alive()


async def test_an_origin_that_could_never_match_is_refused() -> None:
    with pytest.raises(ConfigError, match="allowed_origins"):
        Server(Config(port=0, allowed_origins=["app.example/page"]))


# ---- stopping


async def test_stopping_twice_and_before_a_start_is_harmless() -> None:
    server = make()
    await server.stop()
    await server.start()
    await asyncio.gather(server.stop(), server.stop())
    await server.stop()
    assert not server.broker.is_running


async def test_the_second_of_two_stops_returns_when_all_is_stopped() -> None:
    server = make(drain_timeout_ms=300)
    await server.start()
    port = server.port
    async with await Wire.welcomed(port):
        first = asyncio.create_task(server.stop())
        await eventually(lambda: server.broker.hub.is_draining)
        await server.stop()
        assert first.done()
        with pytest.raises(ConnectionRefusedError):
            await Wire.dial(port)


async def test_it_starts_again_after_a_stop_with_an_empty_log_of_another_epoch() -> None:
    server = make()
    epochs = set()
    for _ in range(2):
        async with server, await Wire.welcomed(server.port) as wire:
            assert (await wire.ask(type="publish", topic="a", data=1, id=1))["seq"] == 1
            epochs.add(server.broker.hub.engine.epoch)
    assert len(epochs) == 2


async def test_the_same_port_can_be_taken_again_at_once() -> None:
    async with make() as first, await Wire.welcomed(first.port):
        port = first.port
    async with make(port=port) as second:
        assert second.port == port


async def test_everyone_is_told_when_to_come_back_and_closed_with_1012() -> None:
    async with make(reconnect_window_ms=700) as server:
        port = server.port
        clients = [await Wire.welcomed(port) for _ in range(8)]
        stopping = asyncio.create_task(server.stop())
        waits = set()
        for wire in clients:
            (bye,), code = await wire.ended()
            assert (bye["type"], bye["code"], code) == ("bye", 1012, 1012)
            waits.add(bye["reconnect_after_ms"])
            await wire.__aexit__()
        await stopping
        assert all(0 <= wait <= 700 for wait in waits)
        assert len(waits) > 1, "they are spread over the window"


async def test_what_was_acknowledged_is_delivered_before_the_bye() -> None:
    async with (
        make() as server,
        await Wire.welcomed(server.port) as reader,
        await Wire.welcomed(server.port) as publisher,
    ):
        await reader.subscribe("a")
        for number in range(50):
            await publisher.send(type="publish", topic="a", data=number, id=number)
        for _ in range(50):
            await publisher.expect("ack")
        stopping = asyncio.create_task(server.stop())
        messages, code = await reader.ended()
        assert [message["type"] for message in messages] == ["event"] * 50 + ["bye"]
        assert code == 1012
        await publisher.ended()
        await stopping


@pytest.mark.parametrize("stalls", [False, True])
async def test_a_client_that_never_closes_does_not_hold_the_stop_longer_than_the_drain(stalls: bool) -> None:
    server = make(drain_timeout_ms=300, outbox_bytes=65_536)
    await server.start()
    async with await Wire.welcomed(server.port) as wire:
        await wire.subscribe("a")
        if stalls:
            for _ in range(400):
                await server.broker.publish("a", "x" * 50_000)
                await asyncio.sleep(0)
            await eventually(lambda: server.broker.stats.gauges["catching_up"]() == 1)
        began = time.monotonic()
        await server.stop()
        assert 0.25 < time.monotonic() - began < 2.5


async def test_a_request_that_is_never_finished_does_not_hold_the_stop() -> None:
    server = make(drain_timeout_ms=300)
    await server.start()
    async with await Wire.dial(server.port) as wire:
        wire.writer.write(b"GET /ws HTTP/1.1\r\nHost: local")
        await eventually(lambda: server._uvicorn is not None and server._uvicorn.server_state.connections)
        began = time.monotonic()
        await server.stop()
        assert time.monotonic() - began < 2.5


async def test_who_comes_while_it_drains_is_refused_before_a_welcome() -> None:
    async with make() as server, await Wire.dial(server.port) as waiting:
        server.broker.drain()
        from_then = await Wire.open(server.port)
        messages, code = await from_then.ended()
        await from_then.__aexit__()
        assert [message["type"] for message in messages] == ["error", "bye"]
        assert messages[0]["code"] == "SHUTTING_DOWN"
        assert messages[0]["retry_after_ms"] > 0
        assert code == messages[1]["code"]
        waiting.reset()


async def test_a_stop_that_is_given_up_cuts_what_is_left() -> None:
    server = make(drain_timeout_ms=60_000)
    await server.start()
    async with await Wire.welcomed(server.port):
        stopping = asyncio.create_task(server.stop())
        await eventually(lambda: server.broker.hub.is_draining)
        stopping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stopping
        assert not server.broker.is_running
    await server.start()
    await server.stop()


# ---- full


async def test_one_connection_too_many_is_told_so_before_a_welcome_and_comes_in_when_one_leaves() -> None:
    async with (
        make(max_connections=2) as server,
        await Wire.welcomed(server.port) as first,
        await Wire.welcomed(server.port),
    ):
        for _ in range(2):
            async with await Wire.open(server.port) as refused:
                await refused.send(**HELLO)
                (error, bye), code = await refused.ended()
                assert (error["type"], error["code"]) == ("error", "LIMIT_EXCEEDED")
                assert error["retry_after_ms"] > 0
                assert (bye["code"], code) == (1013, 1013)
        assert server.broker.stats.refused_connections == 2
        assert await first.is_alive()
        first.reset()
        await eventually(lambda: len(server.broker.hub.sessions) == 1)
        async with await Wire.welcomed(server.port) as third:
            assert await third.is_alive()


async def test_no_limit_is_none_and_no_connection_is_zero() -> None:
    async with make(max_connections=0) as server, await Wire.open(server.port) as wire:
        assert await wire.farewell() == ("LIMIT_EXCEEDED", 1013, 1013)
    async with (
        make(max_connections=None) as server,
        await Wire.welcomed(server.port),
        await Wire.welcomed(server.port),
    ):
        assert len(server.broker.hub.sessions) == 2


# ---- a process


@asynccontextmanager
async def process(*arguments: str, port: int = 0) -> AsyncIterator[tuple[Process, int]]:
    """`python -m swarmwire_broker serve`, and the port it listens at."""
    command = [sys.executable, "-m", "swarmwire_broker", "serve", "--port", str(port), "--log-format", "json"]
    running = await asyncio.create_subprocess_exec(*command, *arguments, stderr=PIPE)
    try:
        async with asyncio.timeout(PATIENCE):
            assert running.stderr is not None
            while "url" not in (line := json.loads(await running.stderr.readline())):
                pass
        yield running, int(line["url"].rpartition(":")[2].partition("/")[0])
    finally:
        if running.returncode is None:
            running.kill()
        await running.communicate()


async def code_of(running: Process) -> int:
    async with asyncio.timeout(PATIENCE):
        return await running.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_drains_and_the_process_ends_with_0(number: signal.Signals) -> None:
    async with process() as (running, port), await Wire.welcomed(port) as wire:
        running.send_signal(number)
        (bye,), code = await wire.ended()
        assert (bye["type"], bye["code"], code) == ("bye", 1012, 1012)
        assert 0 <= bye["reconnect_after_ms"] <= 5_000
        assert await code_of(running) == 0


async def test_a_second_signal_stops_at_once() -> None:
    async with process("--set", "limits.drain_timeout_ms=60000") as (running, port), await Wire.welcomed(port) as wire:
        running.send_signal(signal.SIGINT)
        assert (await wire.expect("bye"))["code"] == 1012  # and now it waits for a close that never comes
        running.send_signal(signal.SIGINT)
        assert await code_of(running) == 1


async def test_a_killed_process_leaves_its_port_free() -> None:
    async with process() as (running, port), await Wire.welcomed(port) as wire:
        running.kill()
        assert await wire.ended() == ([], None), "an end without a bye is a crash"
        await code_of(running)
        async with process(port=port) as (_, again), await Wire.welcomed(again):
            assert again == port
