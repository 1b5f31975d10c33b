"""Locks over files, among threads, tasks and real processes."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import filelock
import pytest

from swarmwire import ErrorCode, SwarmwireError, local
from swarmwire.local.tokenfile import next_token

INCREMENT = """
import sys
from pathlib import Path
from swarmwire import local
counter, tokens, times = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
for _ in range(times):
    with local.lock("the counter", wait=60) as lock:
        counter.write_text(str(int(counter.read_text()) + 1))
        with tokens.open("a") as file:
            print(lock.token, file=file)
"""

HOLD = """
import sys, threading
from swarmwire import local
with local.lock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""

FORK = """
import os, sys
from swarmwire import local
lock = local.lock("x").acquire()
if os.fork() == 0:
    lock.release()
    print(lock.held, local.is_locked("x"), flush=True)
    sys.stdin.read()
    os._exit(0)
sys.stdin.read(1)
os._exit(0)
"""


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "locks"
    monkeypatch.setenv("SWARMWIRE_LOCK_DIR", str(place))
    return place


@contextmanager
def another_process_has(name: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", HOLD, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        assert process.stdout.readline().strip() == b"held"
        yield process
    finally:
        process.kill()
        process.stdin.close()
        process.stdout.close()
        process.wait()


def test_ten_processes_take_turns_and_their_tokens_only_grow(tmp_path: Path) -> None:
    counter, tokens = tmp_path / "counter", tmp_path / "tokens"
    counter.write_text("0")
    command = [sys.executable, "-c", INCREMENT, str(counter), str(tokens), "10"]
    processes = [subprocess.Popen(command) for _ in range(10)]
    assert [process.wait() for process in processes] == [0] * 10
    assert counter.read_text() == "100"
    given = [int(line) for line in tokens.read_text().split()]
    assert len(given) == 100
    assert all(one < next for one, next in pairwise(given))


def test_a_process_that_is_killed_frees_its_lock() -> None:
    with another_process_has("x") as holder:
        with pytest.raises(SwarmwireError) as refused, local.lock("x", wait=0):
            pass
        assert refused.value.code is ErrorCode.LOCK_TIMEOUT
        holder.kill()
        with local.lock("x", wait=10) as lock:
            assert lock.held
            assert lock.token is not None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks there")
def test_a_forked_child_neither_has_the_lock_nor_frees_it_nor_keeps_it() -> None:
    holder = subprocess.Popen([sys.executable, "-c", FORK], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdin is not None
    assert holder.stdout is not None
    with holder.stdin, holder.stdout:
        assert holder.stdout.readline().split() == [b"False", b"True"]
        holder.kill()
        holder.wait()
        assert not local.is_locked("x")


def test_who_does_not_get_it_in_time_hears_the_name_and_who_had_it_last() -> None:
    with another_process_has("config-file") as holder:
        with pytest.raises(SwarmwireError) as refused:
            local.lock("config-file", wait=0.05).acquire()
        assert refused.value.code is ErrorCode.LOCK_TIMEOUT
        assert refused.value.details == {"name": "config-file"}
        assert "'config-file'" in refused.value.message
        assert "within 0.05 s" in refused.value.message
        assert f"process {holder.pid} had it last" in refused.value.message


def test_it_is_released_when_the_body_fails_and_the_value_of_the_body_is_kept() -> None:
    with pytest.raises(ZeroDivisionError), local.lock("x"):
        raise ZeroDivisionError
    with local.lock("x", wait=0) as lock:
        found = lock.token
    assert found is not None
    assert not local.is_locked("x")


def test_whether_it_is_locked_is_seen_from_here_and_elsewhere() -> None:
    assert not local.is_locked("x")
    with another_process_has("x"):
        assert local.is_locked("x")
        assert local.lock("x").locked()
    with local.lock("x") as lock:
        assert local.is_locked("x")
        assert lock.locked()
    assert not lock.locked()


def test_who_only_looks_keeps_nobody_from_a_lock_that_is_free() -> None:
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            local.is_locked("x")

    looking = threading.Thread(target=look)
    looking.start()
    try:
        for _ in range(20):
            with local.lock("x", wait=0.5) as lock:
                assert lock.held
    finally:
        done.set()
        looking.join()


def test_two_lock_objects_of_one_process_keep_each_other_out() -> None:
    with local.lock("x"), pytest.raises(SwarmwireError) as refused:
        local.lock("x", wait=0).acquire()
    assert refused.value.code is ErrorCode.LOCK_TIMEOUT


def test_one_lock_object_is_not_acquired_twice() -> None:
    with local.lock("x") as lock:
        with pytest.raises(SwarmwireError) as refused:
            lock.acquire()
        assert refused.value.code is ErrorCode.CONFLICT
        assert local.is_locked("x")
    assert not local.is_locked("x")


def test_a_lock_object_serves_again_with_a_higher_token() -> None:
    lock = local.lock("x")
    tokens = []
    for _ in range(3):
        with lock:
            tokens.append(lock.token)
        assert lock.token is None
    assert tokens == sorted(set(tokens), key=lambda token: token or 0)


def test_releasing_twice_is_harmless_and_takes_nothing_from_others() -> None:
    first = local.lock("x").acquire()
    first.release()
    with local.lock("x", wait=0):
        first.release()
        assert local.is_locked("x")


def test_another_thread_may_release() -> None:
    lock = local.lock("x").acquire()
    thread = threading.Thread(target=lock.release)
    thread.start()
    thread.join()
    assert not local.is_locked("x")


async def test_ten_tasks_that_want_it_all_get_it() -> None:
    running = 0

    async def work() -> int:
        nonlocal running
        async with local.lock("x", wait=30) as lock:
            running += 1
            assert running == 1
            await asyncio.sleep(0)
            running -= 1
            assert lock.token is not None
            return lock.token

    tokens = await asyncio.gather(*(work() for _ in range(10)))
    assert len(set(tokens)) == 10


async def test_the_event_loop_goes_on_while_it_is_waited_for() -> None:
    async with local.lock("x"):
        waiting = asyncio.create_task(local.lock("x", wait=30).acquire_async())
        await asyncio.sleep(0)
        assert not waiting.done()
    (await waiting).release()


async def test_who_is_cancelled_while_waiting_leaves_nothing_locked() -> None:
    async with local.lock("x"):
        waiting = asyncio.create_task(local.lock("x").acquire_async())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    assert not local.is_locked("x")


async def test_who_is_cancelled_while_the_token_is_written_leaves_nothing_locked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    writing, go = threading.Event(), threading.Event()

    def slow(path: Path) -> int:
        writing.set()
        assert go.wait(10)
        return next_token(path)

    monkeypatch.setattr("swarmwire.local.filelocks.next_token", slow)
    task = asyncio.create_task(local.lock("x").acquire_async())
    assert await asyncio.to_thread(writing.wait, 10)
    task.cancel()
    await asyncio.sleep(0)
    assert local.is_locked("x")
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not local.is_locked("x")


def test_a_disabled_lock_keeps_nobody_out_and_says_so(directory: Path) -> None:
    with another_process_has("x"), local.lock("x", wait=0, disabled=True) as lock:
        assert lock.held
        assert lock.disabled
        assert lock.token is None
        assert "disabled" in repr(lock)
    with local.lock("y", disabled=True):
        assert not local.is_locked("y")


@pytest.mark.parametrize("name", ["", "x" * 129, "ä" * 65, "line\nend", "\ud800"])
def test_what_is_no_name_is_refused_with_the_field(name: str) -> None:
    with pytest.raises(SwarmwireError) as refused:
        local.lock(name)
    assert (refused.value.code, refused.value.field) == (ErrorCode.INVALID_MESSAGE, "name")


@pytest.mark.parametrize("wait", [-1, float("nan")])
def test_what_is_no_time_is_refused_with_the_field(wait: float) -> None:
    with pytest.raises(SwarmwireError) as refused:
        local.lock("x", wait=wait)
    assert (refused.value.code, refused.value.field) == (ErrorCode.INVALID_MESSAGE, "wait")


def test_a_platform_with_soft_locks_only_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filelock, "FileLock", filelock.SoftFileLock)
    with pytest.raises(SwarmwireError, match="no file locks that end with their process") as refused:
        local.lock("x").acquire()
    assert refused.value.code is ErrorCode.UNAVAILABLE


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other calls")
def test_a_file_system_without_locks_of_the_kernel_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_descriptor: int, _how: int) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr("fcntl.flock", none)
    with pytest.raises(SwarmwireError, match="put the directory of locks elsewhere") as refused:
        local.lock("x").acquire()
    assert refused.value.code is ErrorCode.UNAVAILABLE
    monkeypatch.undo()


def test_without_filelock_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "filelock", None)
    with pytest.raises(SwarmwireError, match=r"pip install 'swarmwire\[local\]'") as refused:
        local.lock("x").acquire()
    assert refused.value.code is ErrorCode.UNAVAILABLE
