"""Locks that work with a broker and without one, and keep out each other."""

from __future__ import annotations

import asyncio
import socket
import time
from pathlib import Path

import pytest

from swarmwire import ErrorCode, MachineLock, SwarmwireError, connect, local, machine_lock
from swarmwire_broker.config import Config
from swarmwire_broker.server import Server

BROKER = "of-this-test"


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "run").mkdir(mode=0o700)
    monkeypatch.setenv("SWARMWIRE_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("SWARMWIRE_LOCK_DIR", str(tmp_path / "locks"))
    monkeypatch.delenv("SWARMWIRE_URL", raising=False)


def broker_here(tmp_path: Path) -> Server:
    return Server(Config(port=0, name=BROKER, unix=str(tmp_path / "run" / f"{BROKER}.sock")))


def of_test(wait: float | None = None) -> MachineLock:
    return machine_lock("x", broker=BROKER, wait=wait)


async def test_without_a_broker_it_is_a_lock_over_files() -> None:
    async with of_test() as lock:
        assert (lock.via, lock.held, bool(lock.lost)) == ("files", True, False)
        assert lock.token is not None
        lock.check()
        assert local.is_locked("x")
        with pytest.raises(SwarmwireError) as caught:
            async with of_test(wait=0):
                pass
        assert caught.value.code is ErrorCode.LOCK_TIMEOUT
    assert not local.is_locked("x")


async def test_with_a_broker_it_is_a_lock_of_the_broker_too(tmp_path: Path) -> None:
    async with broker_here(tmp_path) as server, connect(server.url) as client:
        async with of_test() as lock:
            assert lock.via == "broker"
            lock.check()
            assert await client.lock("x").locked()
            assert local.is_locked("x")
        assert not await client.lock("x").locked()
        assert not local.is_locked("x")


async def test_who_came_without_a_broker_keeps_out_who_comes_with_one(tmp_path: Path) -> None:
    async with of_test() as first:
        async with broker_here(tmp_path) as server, connect(server.url) as client:
            with pytest.raises(SwarmwireError) as caught:
                async with of_test(wait=0.05):
                    pass
            assert caught.value.code is ErrorCode.LOCK_TIMEOUT
            assert not await client.lock("x").locked()
        before = first.token
    async with broker_here(tmp_path), of_test() as second:
        assert second.via == "broker"
        assert before is not None
        assert second.token is not None
        assert second.token > before


async def test_a_broker_that_is_named_has_to_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    for named in (machine_lock("x", url="ws://127.0.0.1:9/ws"), machine_lock("x", url="unix:///nowhere.sock")):
        with pytest.raises(SwarmwireError) as caught:
            async with named:
                pass
        assert caught.value.code is ErrorCode.UNAVAILABLE
    monkeypatch.setenv("SWARMWIRE_URL", "ws://127.0.0.1:9/ws")
    with pytest.raises(SwarmwireError):
        async with machine_lock("x"):
            pass
    assert not local.is_locked("x")


async def test_it_serves_programs_without_an_event_loop_as_well(tmp_path: Path) -> None:
    def work(via: str) -> None:
        with of_test() as lock:
            assert (lock.via, lock.held, bool(lock.lost)) == (via, True, False)
            lock.check()
            with pytest.raises(SwarmwireError), of_test(wait=0):
                pass
        with pytest.raises(ZeroDivisionError), of_test(wait=0):
            raise ZeroDivisionError
        assert not local.is_locked("x")

    await asyncio.to_thread(work, "files")
    async with broker_here(tmp_path):
        await asyncio.to_thread(work, "broker")


async def test_one_object_is_not_acquired_twice_and_serves_again() -> None:
    lock = of_test()
    async with lock:
        with pytest.raises(SwarmwireError) as caught:
            async with lock:
                pass
        assert caught.value.code is ErrorCode.CONFLICT
        assert lock.held
    async with lock:
        assert lock.held


async def test_a_disabled_lock_keeps_nobody_out_and_says_so() -> None:
    async with of_test(), machine_lock("x", broker=BROKER, wait=0, disabled=True) as lock:
        assert (lock.held, lock.disabled, lock.token, lock.via) == (True, True, None, None)
        assert "disabled" in repr(lock)


async def test_a_brokers_lock_that_was_lost_while_the_file_was_waited_for_is_not_entered(tmp_path: Path) -> None:
    server = broker_here(tmp_path)
    async with server, connect(server.url) as client:
        with local.lock("x"):
            entering = asyncio.create_task(machine_lock("x", broker=BROKER, ttl=1).__aenter__())
            async with asyncio.timeout(20):
                while not await client.lock("x").locked():  # noqa: ASYNC110 - a broker is asked
                    await asyncio.sleep(0.01)
            await server.stop()
            await asyncio.sleep(1.1)  # more than its ttl
        with pytest.raises(SwarmwireError) as caught:
            await entering
    assert caught.value.code is ErrorCode.LOCK_LOST
    assert not local.is_locked("x")


async def test_a_broker_that_says_nothing_does_not_hold_up_who_will_not_wait(tmp_path: Path) -> None:
    begun = time.monotonic()
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "run" / f"{BROKER}.sock"))
        silent.listen()
        async with of_test(wait=0) as lock:
            assert lock.via == "files"
    assert time.monotonic() - begun < 8
