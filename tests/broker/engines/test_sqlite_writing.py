"""How the durable engine writes: many at once, never too many, and what happens when it cannot."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest

from swarmwire_broker.engines.base import Entry, Outcome, Put
from swarmwire_broker.engines.matcher import Matcher
from swarmwire_broker.engines.sqlite import SqliteEngine
from swarmwire_broker.engines.sqlitestore import Store
from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from .models import BROAD
from .rig import Rig
from .test_sqlite import eventually
from .test_sqlite_start import opened


def engine_of(rig: Rig) -> SqliteEngine:
    assert isinstance(rig.engine, SqliteEngine)
    return rig.engine


class Gate:
    """Holds the writer back before it commits, until it is opened; or has it fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opened = threading.Event()
        self.opened.set()
        self.error: Exception | None = None
        self.commits = 0
        commit = Store.commit

        def gated(store: Store, latest_floor: int) -> None:
            self.opened.wait()
            self.commits += 1
            if self.error is not None:
                raise self.error
            commit(store, latest_floor)

        monkeypatch.setattr(Store, "commit", gated)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    return Gate(monkeypatch)


def full(code: int = sqlite3.SQLITE_FULL) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = code
    return error


async def test_many_appends_share_a_commit(tmp_path: Path) -> None:
    async with opened(tmp_path) as rig:
        commits: list[int] = []
        engine_of(rig).on_commit = lambda events, seconds: commits.append(events)
        await asyncio.gather(*(rig.append(f"t{number % 7}") for number in range(500)))
        assert len(commits) <= 2
        assert sum(commits) == 500


async def test_what_comes_while_one_commit_is_under_way_shares_the_next(tmp_path: Path, gate: Gate) -> None:
    async with opened(tmp_path) as rig:
        gate.opened.clear()
        before = gate.commits
        waiting = [asyncio.ensure_future(rig.append("a"))]
        for _ in range(50):
            await asyncio.sleep(0)  # each in a turn of its own
            waiting.append(asyncio.ensure_future(rig.append("a")))
        await asyncio.sleep(0)
        assert rig.heard == []
        assert rig.engine.head == 0
        gate.opened.set()
        assert [outcome.seq for outcome in await asyncio.gather(*waiting)] == list(range(1, 52))
        assert gate.commits - before <= 3


async def test_nothing_is_visible_before_it_is_stored(tmp_path: Path, gate: Gate) -> None:
    async with opened(tmp_path) as rig:
        gate.opened.clear()
        waiting = asyncio.ensure_future(rig.append("a", key="k"))
        again = asyncio.ensure_future(rig.append("a", key="k"))
        await rig.engine.scan("")  # time for a thread to answer
        assert (rig.heard, rig.engine.head, await rig.snapshot("#"), waiting.done()) == ([], 0, [], False)
        page = await rig.engine.fetch(Matcher(["#"]), 0, BROAD)
        assert (page.entries, page.upto) == ([], 0)
        gate.opened.set()
        assert (await waiting, await again) == (Outcome(1), Outcome(1, duplicate=True))


async def test_whoever_fails_in_hearing_of_an_event_takes_nothing_from_the_others(tmp_path: Path) -> None:
    async with opened(tmp_path) as rig:

        def fails(entry: Entry) -> None:
            rig.heard.append(entry)
            raise RuntimeError("on purpose")

        def fails_too(outcome: Outcome) -> None:
            raise RuntimeError("on purpose")

        rig.engine.listener = fails
        rig.engine.append(rig.draft("a", key="k", done=fails_too))
        assert await rig.append("b") == Outcome(2)
        assert await rig.append("a", key="k") == Outcome(1, duplicate=True)
        assert [entry.seq for entry in rig.heard] == [1, 2]
        assert engine_of(rig).queue.events == 0


# ---- too much


async def test_an_engine_that_is_behind_says_so_and_when_it_has_room_again(tmp_path: Path, gate: Gate) -> None:
    async with opened(tmp_path, queue_events=10) as rig:
        relieved = asyncio.Event()
        rig.engine.relieved = relieved.set
        gate.opened.clear()
        for _ in range(10):
            rig.engine.append(rig.draft("a"))
        assert not rig.engine.congested
        rig.engine.append(rig.draft("a", key="k"))
        assert rig.engine.congested
        gate.opened.set()
        await relieved.wait()
        assert not rig.engine.congested
        assert engine_of(rig).queue.events <= 5
        await rig.append("a")
        assert (engine_of(rig).queue.events, engine_of(rig).queue.bytes) == (0, 0)


async def test_the_queue_is_bounded_in_bytes_too(tmp_path: Path, gate: Gate) -> None:
    async with opened(tmp_path, queue_bytes=10_000) as rig:
        gate.opened.clear()
        rig.engine.append(rig.draft("a", b"1" * 8_000))
        assert not rig.engine.congested
        rig.engine.append(rig.draft("a", b"1" * 8_000))
        assert rig.engine.congested
        gate.opened.set()
        await rig.append("a")
        assert not rig.engine.congested


# ---- when it cannot be written


def error_of(outcome: Outcome) -> SwarmwireError:
    assert outcome.error is not None
    return outcome.error


async def test_a_full_disk_refuses_each_publish_and_nothing_of_it_is_seen(tmp_path: Path, gate: Gate) -> None:
    async with opened(tmp_path) as rig:
        await rig.publish("a")
        gate.error = full()
        outcomes = await asyncio.gather(rig.append("b"), rig.append("c", key="k"), rig.append("c", key="k"))
        for outcome in outcomes:
            error = error_of(outcome)
            assert (error.code, error.retry_after_ms) == (ErrorCode.UNAVAILABLE, 1_000)
        with pytest.raises(SwarmwireError, match="UNAVAILABLE"):
            await rig.engine.transact([Put("x", b"1")], [rig.draft("d")])
        assert rig.engine.trouble is not None
        assert (rig.engine.head, await rig.seqs("#"), await rig.snapshot("#")) == (1, [1], [1])
        assert await rig.engine.get("x") is None
        assert engine_of(rig).queue.events == 0


async def test_writing_goes_on_by_itself_when_there_is_room(tmp_path: Path, gate: Gate) -> None:
    async with opened(tmp_path) as rig:
        gate.error = full()
        error_of(await rig.append("a", key="k"))
        gate.error = None
        assert await rig.append("a", key="k") == Outcome(1)
        assert await rig.append("b") == Outcome(2)
        assert rig.engine.trouble is None
        assert await rig.seqs("#") == [1, 2]
    async with opened(tmp_path) as rig:
        assert await rig.seqs("#") == [1, 2]


async def test_that_there_is_room_again_is_noticed_though_nobody_publishes(tmp_path: Path, gate: Gate) -> None:
    async with opened(tmp_path) as rig:
        gate.error = full()
        error_of(await rig.append("a"))
        gate.error = None
        await eventually(lambda: rig.engine.trouble is None)


async def test_whoever_fails_in_hearing_of_a_refusal_holds_up_nobody(tmp_path: Path, gate: Gate) -> None:
    async with opened(tmp_path, queue_events=2) as rig:

        def fails(outcome: Outcome) -> None:
            raise RuntimeError("on purpose")

        relieved = asyncio.Event()
        rig.engine.relieved = relieved.set
        gate.error = full()
        rig.engine.append(rig.draft("a", done=fails))
        rig.engine.append(rig.draft("a", key="k", done=fails))
        again = asyncio.ensure_future(rig.append("a", key="k"))
        error_of(await again)
        await relieved.wait()
        assert (engine_of(rig).queue.events, rig.engine.congested) == (0, False)


async def test_what_may_yet_be_found_stored_is_unknown_with_a_key_too(tmp_path: Path, gate: Gate) -> None:
    async with opened(tmp_path) as rig:
        gate.error = full(sqlite3.SQLITE_IOERR_FSYNC)
        assert error_of(await rig.append("a")).code is ErrorCode.OUTCOME_UNKNOWN
        assert error_of(await rig.append("a", key="k")).code is ErrorCode.OUTCOME_UNKNOWN
        gate.error = None
        assert await rig.append("a", key="k") == Outcome(1)


async def test_what_the_file_says_is_stored_is_stored_though_its_commit_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = [full(sqlite3.SQLITE_IOERR)]
    commit = Store.commit

    def fails_late(store: Store, latest_floor: int) -> None:
        commit(store, latest_floor)
        if errors and store.head:
            raise errors.pop()

    monkeypatch.setattr(Store, "commit", fails_late)
    async with opened(tmp_path) as rig:
        assert await rig.append("a", key="k") == Outcome(1)
        assert not errors
        assert await rig.append("a", key="k") == Outcome(1, duplicate=True)
        assert await rig.append("b") == Outcome(2)
    async with opened(tmp_path) as rig:
        assert [entry.topic for entry in await rig.read_all(["#"])] == ["a", "b"]


async def test_one_event_that_cannot_be_stored_does_not_take_the_others_with_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as rig:
        wrong: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        before = asyncio.ensure_future(rig.append("a"))
        await asyncio.sleep(0)
        rig.engine.append(rig.draft("b", hidden_from="\ud800", done=wrong.set_result))
        after = await rig.append("c")
        assert (await before, after) == (Outcome(1), Outcome(2))
        assert error_of(await wrong).code is ErrorCode.UNAVAILABLE
        assert await rig.seqs("#") == [1, 2]


async def _until_full(rig: Rig, data: bytes) -> int:
    """Publish until the disk is full; how many were taken."""
    for count in range(100_000):
        if (await rig.append("a", data)).error is not None:
            return count
    raise AssertionError("the disk is not full")


async def test_a_file_that_may_not_grow_is_as_a_full_disk(tmp_path: Path) -> None:
    async with opened(tmp_path) as rig:
        await rig.publish("a")
        store = engine_of(rig)._writer._store  # type: ignore[union-attr]
        store._db.execute("PRAGMA max_page_count=40")
        taken = await _until_full(rig, b'"%b"' % (b"x" * 1_000))
        assert await rig.seqs("#") == list(range(1, taken + 2))
        store._db.execute("PRAGMA max_page_count=1000000")
        assert await rig.append("a") == Outcome(taken + 2)
