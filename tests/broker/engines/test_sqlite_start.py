"""What the durable engine finds when it starts, and what it refuses."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import struct
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from swarmwire_broker.core.settings import Limits
from swarmwire_broker.engines import sqliteschema
from swarmwire_broker.engines.base import Outcome, Put
from swarmwire_broker.engines.sqlite import SqliteEngine
from swarmwire_broker.engines.sqlitelock import DirectoryLock, DirectoryLocked
from swarmwire_broker.engines.sqlitereaders import Readers
from swarmwire_broker.engines.sqliteschema import FILE, SCHEMA_VERSION, DamagedLog

from .rig import Rig, SettableClock
from .test_sqlite import sqlite_engine


@asynccontextmanager
async def opened(directory: Path, clock: SettableClock | None = None, **more: Any) -> AsyncIterator[Rig]:
    clock = clock or SettableClock()
    engine = sqlite_engine(directory, clock, **more)
    await engine.start()
    try:
        yield Rig(engine, clock)
    finally:
        await engine.close()


def as_left_by_a_crash(directory: Path, to: Path) -> Path:
    """A copy of a log in use: what a machine finds that was switched off now."""
    shutil.copytree(directory, to)
    return to


# ---- what survives


async def test_a_log_goes_on_where_it_ended(tmp_path: Path) -> None:
    async with opened(tmp_path) as rig:
        await rig.publish("a", "b")
        epoch, payloads = rig.engine.epoch, [entry.payload for entry in rig.heard]
    async with opened(tmp_path) as rig:
        assert (rig.engine.epoch, rig.engine.head, rig.engine.oldest) == (epoch, 2, 1)
        assert [entry.payload for entry in await rig.read_all(["#"])] == payloads
        assert await rig.append("c") == Outcome(3)


async def test_seq_goes_on_when_the_log_holds_nothing(tmp_path: Path) -> None:
    limits = Limits(log_events=0)
    async with opened(tmp_path, limits=limits) as rig:
        await rig.publish("a", "b")
    async with opened(tmp_path, limits=limits) as rig:
        assert (rig.engine.head, rig.engine.oldest) == (2, 3)
        assert await rig.append("a") == Outcome(3)


async def test_ts_never_falls_over_a_restart(tmp_path: Path) -> None:
    clock = SettableClock()
    async with opened(tmp_path, clock) as rig:
        await rig.publish("a")
        before = clock.ms
    clock.ms -= 60_000
    async with opened(tmp_path, clock) as rig:
        await rig.publish("a")
        assert rig.heard[0].ts == before


async def test_last_events_survive_and_cleared_ones_do_not(tmp_path: Path) -> None:
    limits = Limits(log_events=3)
    async with opened(tmp_path, limits=limits) as rig:
        await rig.publish("old", "gone", "a", "b")
        await rig.append("gone", clear=True)
        await rig.publish("a", "b")
        assert await rig.snapshot("#") == [1, 6, 7]
    async with opened(tmp_path, limits=limits) as rig:
        assert await rig.snapshot("#") == [1, 6, 7]
        await rig.append("old", clear=True)
        await rig.publish("x", "y", "z")
        assert await rig.snapshot("#") == [6, 7, 9, 10, 11]
    async with opened(tmp_path, limits=limits) as rig:
        assert await rig.snapshot("#") == [6, 7, 9, 10, 11]


async def test_the_floor_of_last_events_survives_and_rises_where_the_table_shrinks(tmp_path: Path) -> None:
    async with opened(tmp_path, limits=Limits(latest_topics=3)) as rig:
        await rig.publish("a", "b", "c", "d")
        assert (await rig.snapshot("#"), rig.engine.latest_floor) == ([2, 3, 4], 1)
        await rig.publish("d")
    async with opened(tmp_path, limits=Limits(latest_topics=2)) as rig:
        assert (await rig.snapshot("#"), rig.engine.latest_floor) == ([3, 5], 2)


async def test_keys_and_values_survive_with_their_revisions(tmp_path: Path) -> None:
    async with opened(tmp_path) as rig:
        await rig.engine.transact([Put("a", b"1")])
        revision = await rig.engine.transact([Put("b", b"2")])
    async with opened(tmp_path) as rig:
        assert await rig.engine.get("b") == (b"2", revision)
        assert await rig.engine.transact([Put("a", None)]) > revision


async def test_what_waits_is_stored_before_the_log_closes(tmp_path: Path) -> None:
    outcomes: list[Outcome] = []
    async with opened(tmp_path) as rig:
        for _ in range(5_000):
            rig.engine.append(rig.draft("a", done=outcomes.append))
    assert outcomes == [Outcome(seq) for seq in range(1, 5_001)]
    async with opened(tmp_path) as rig:
        assert rig.engine.head == 5_000


async def test_a_closed_log_refuses(tmp_path: Path) -> None:
    async with opened(tmp_path) as rig:
        pass
    outcome = await rig.append("a")
    assert outcome.error is not None
    assert outcome.error.code == "SHUTTING_DOWN"


async def test_the_newest_events_are_in_memory_again_after_a_restart(tmp_path: Path) -> None:
    async with opened(tmp_path) as rig:
        await rig.publish(*"abcdefgh")
    async with opened(tmp_path, window_events=5) as rig:
        assert [entry.seq for entry in await rig.read_all(["#"], 3)] == [4, 5, 6, 7, 8]
        assert rig.engine.held.log.oldest == 4  # type: ignore[attr-defined]
        assert await rig.seqs("#") == [1, 2, 3, 4, 5, 6, 7, 8]


# ---- crashes


async def test_a_log_that_was_not_closed_is_in_order(tmp_path: Path) -> None:
    async with opened(tmp_path / "a") as rig:
        await rig.publish("a", "b")
        copy = as_left_by_a_crash(tmp_path / "a", tmp_path / "b")
        async with opened(copy) as other:
            assert (other.engine.epoch, other.engine.head) == (rig.engine.epoch, 2)


@pytest.mark.parametrize(
    ("sync", "boot", "same"), [("normal", "other", False), ("normal", "", True), ("full", "other", True)]
)
async def test_a_lazily_stored_log_has_a_new_epoch_when_the_machine_went_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sync: str, boot: str, same: bool
) -> None:
    monkeypatch.setattr(sqliteschema, "_boot", lambda: "this")
    async with opened(tmp_path / "a", sync=sync) as rig:
        await rig.publish("a", "b")
        copy = as_left_by_a_crash(tmp_path / "a", tmp_path / "b")
        monkeypatch.setattr(sqliteschema, "_boot", lambda: boot or "this")
        async with opened(copy, sync=sync) as other:
            assert (other.engine.epoch == rig.engine.epoch) is same
            assert await other.seqs("#") == [1, 2]


async def test_a_lazily_stored_log_that_was_closed_keeps_its_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path, sync="normal") as rig:
        assert rig.engine.durability == "stored_lazily"
        await rig.publish("a")
    monkeypatch.setattr(sqliteschema, "_boot", lambda: "other")
    async with opened(tmp_path, sync="normal") as other:
        assert other.engine.epoch == rig.engine.epoch


# ---- what is refused


async def test_two_engines_never_share_a_directory(tmp_path: Path) -> None:
    async with opened(tmp_path) as rig:
        with pytest.raises(DirectoryLocked, match=f"in use by the process {os.getpid()}"):
            await sqlite_engine(tmp_path, SettableClock()).start()
        await rig.publish("a")
    async with opened(tmp_path) as rig:
        assert rig.engine.head == 1


def test_another_process_is_kept_out_until_the_first_has_ended(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib\n"
        "from swarmwire_broker.engines.sqlitelock import DirectoryLock\n"
        "DirectoryLock(pathlib.Path(sys.argv[1])).acquire()\n"
        "print('held', flush=True)\nsys.stdin.read()\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"held\n"
        lock = DirectoryLock(tmp_path)
        with pytest.raises(DirectoryLocked, match=str(child.pid)):
            lock.acquire()
        child.kill()
        child.wait()
        lock.acquire()
        lock.release()


def _content(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.name.endswith((".db", "-wal"))}


async def refused(directory: Path) -> str:
    """Why a directory is refused, in words; and nothing in it may change."""
    before = _content(directory)
    with pytest.raises(DamagedLog) as caught:
        await sqlite_engine(directory, SettableClock()).start()
    assert {name: content for name, content in _content(directory).items() if content} == {
        name: content for name, content in before.items() if content
    }
    return str(caught.value)


@pytest.mark.parametrize("content", [b"", b"hello", b"x" * 8_192])
async def test_a_file_that_is_no_database_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    assert "is not a log of Swarmwire" in await refused(tmp_path)


async def test_a_database_of_another_application_is_refused(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / FILE)
    connection.execute("CREATE TABLE log(id)")
    connection.close()
    assert "another application" in await refused(tmp_path)


async def test_a_newer_version_is_refused(tmp_path: Path) -> None:
    async with opened(tmp_path) as rig:
        await rig.publish("a")
    with (tmp_path / FILE).open("r+b") as file:
        file.seek(60)
        file.write(struct.pack(">I", SCHEMA_VERSION + 1))
    assert "newer Swarmwire" in await refused(tmp_path)


async def test_a_damaged_page_is_refused(tmp_path: Path) -> None:
    async with opened(tmp_path) as rig:
        for _ in range(500):
            rig.engine.append(rig.draft("a", b'"%b"' % (b"x" * 500)))
    size = (tmp_path / FILE).stat().st_size
    with (tmp_path / FILE).open("r+b") as file:
        for page in range(4096, size, 3 * 4096):
            file.seek(page)
            file.write(os.urandom(64))
    assert "damaged" in await refused(tmp_path)


async def test_a_log_that_holds_more_than_it_says_is_refused(tmp_path: Path) -> None:
    async with opened(tmp_path) as rig:
        await rig.publish("a", "b")
    connection = sqlite3.connect(tmp_path / FILE)
    connection.execute("UPDATE log SET head = 1")
    connection.commit()
    connection.close()
    with pytest.raises(DamagedLog, match="ends at 1 and holds 2"):
        await sqlite_engine(tmp_path, SettableClock()).start()


async def test_a_log_without_its_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / (FILE + "-wal")).write_bytes(b"x")
    assert "moved away" in await refused(tmp_path)


async def test_a_refused_directory_can_be_used_once_it_is_put_right(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"hello")
    await refused(tmp_path)
    (tmp_path / FILE).unlink()
    async with opened(tmp_path) as rig:
        await rig.publish("a")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no modes")
async def test_only_their_owner_may_read_directory_and_files(tmp_path: Path) -> None:
    directory = tmp_path / "deep" / "log"
    async with opened(directory) as rig:
        await rig.publish("a")
        assert directory.stat().st_mode & 0o777 == 0o700
        assert {path.stat().st_mode & 0o777 for path in directory.iterdir()} == {0o600}


async def test_a_version_of_sqlite_that_is_too_old_is_refused_and_nothing_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))
    monkeypatch.setattr(sqlite3, "sqlite_version", "3.34.1")
    with pytest.raises(OSError, match=r"needs SQLite 3\.35\.0 or newer, got 3\.34\.1"):
        await sqlite_engine(tmp_path, SettableClock()).start()
    assert not (tmp_path / FILE).exists()


async def test_a_start_that_is_given_up_lets_the_directory_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opening, go_on = threading.Event(), threading.Event()
    open_log = SqliteEngine._open

    def slowly(engine: SqliteEngine) -> Any:
        opening.set()
        go_on.wait()
        return open_log(engine)

    with monkeypatch.context() as patch:
        patch.setattr(SqliteEngine, "_open", slowly)
        starting = asyncio.ensure_future(sqlite_engine(tmp_path, SettableClock()).start())
        await asyncio.to_thread(opening.wait)
        starting.cancel()
        await asyncio.sleep(0)
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await starting
    async with opened(tmp_path) as rig:
        assert await rig.append("a") == Outcome(1)


async def test_what_waits_is_stored_though_the_readers_cannot_be_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    close = Readers.close

    def fails(readers: Readers) -> None:
        close(readers)
        raise sqlite3.OperationalError("on purpose")

    outcomes: list[Outcome] = []
    engine = sqlite_engine(tmp_path, SettableClock())
    await engine.start()
    engine.append(Rig(engine, SettableClock()).draft("a", done=outcomes.append))
    with monkeypatch.context() as patch:
        patch.setattr(Readers, "close", fails)
        with pytest.raises(sqlite3.OperationalError):
            await engine.close()
    assert outcomes == [Outcome(1)]
    async with opened(tmp_path) as rig:
        assert rig.engine.head == 1
