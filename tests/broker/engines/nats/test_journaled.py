"""The state over a journal in memory: what callers are told, who may write, what watchers hear."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import chain, repeat
from random import Random

import pytest

from swarmwire_broker.engines.base import Draft, Outcome, Put, Stored
from swarmwire_broker.engines.nats.state import snapshot
from swarmwire_broker.engines.nats.state.journal import decode_group
from swarmwire_broker.engines.nats.state.journaled import JournaledState
from swarmwire_protocol.codec import event_head, event_origin
from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from .memstorage import Fate, Ground, Road
from .virtualtime import run_in_virtual_time


def draft(data: bytes = b"1", done: Callable[[Outcome], None] | None = None) -> Draft:
    return Draft("x", event_head("x"), event_origin("alice"), data, done=done)


@asynccontextmanager
async def opened(ground: Ground, *faults: Fate) -> AsyncIterator[tuple[JournaledState, Road]]:
    road = Road(ground, Random(1), faults)
    loop = asyncio.get_running_loop()
    state = JournaledState(road, road, steady_ms=lambda: int(loop.time() * 1000), patience=5.0, trusted_ms=2_000)
    try:
        yield state, road
    finally:
        await state.close()


async def refusal(work: asyncio.Future[object] | asyncio.Task[object]) -> SwarmwireError:
    with pytest.raises(SwarmwireError) as caught:
        await work
    return caught.value


async def transacted(state: JournaledState, *puts: Put, appends: tuple[Draft, ...] = ()) -> SwarmwireError | int:
    try:
        return await state.transact(puts, appends)
    except SwarmwireError as error:
        return error


def test_what_one_has_written_another_reads_at_once() -> None:
    async def run() -> None:
        ground = Ground()
        async with opened(ground) as (one, _), opened(ground) as (other, _):
            assert await other.get("a") is None
            revision = await one.transact([Put("a", b"1", 0)])
            assert await other.get("a") == Stored(b"1", revision)
            assert await other.transact([Put("a", b"2", revision)]) > revision
            assert [stored.value for _, stored in await one.scan("")] == [b"2"]

    run_in_virtual_time(run())


def test_changes_that_wait_together_are_committed_together() -> None:
    async def run() -> None:
        ground = Ground()
        async with opened(ground) as (state, _):
            await state.transact([Put("a", b"")])
            before = len(ground.journal)
            revisions = await asyncio.gather(*(state.transact([Put(f"k{n}", b"")]) for n in range(50)))
            assert list(revisions) == sorted(set(revisions))
            assert len(ground.journal) - before <= 2

    run_in_virtual_time(run())


def test_a_conflict_is_one_with_the_newest_state_and_not_with_what_was_known() -> None:
    async def run() -> None:
        ground = Ground()
        async with opened(ground) as (one, _), opened(ground) as (other, _):
            first = await one.transact([Put("a", b"1")])
            assert (await other.get("a")) == Stored(b"1", first)
            second = await one.transact([Put("a", b"2", first)])
            # What `other` knows says that this is a conflict, and it is none any more.
            assert await other.transact([Put("a", b"3", second)]) > second
            error = await transacted(one, Put("a", b"4", second), appends=(draft(),))
            assert isinstance(error, SwarmwireError)
            assert error.code is ErrorCode.CONFLICT
            assert ground.log == []

    run_in_virtual_time(run())


def test_a_change_that_no_message_takes_is_refused_and_names_the_limit() -> None:
    async def run() -> None:
        async with opened(Ground()) as (state, _):
            error = await transacted(state, Put("a", b"x" * 4_001))
            assert isinstance(error, SwarmwireError)
            assert error.code is ErrorCode.MESSAGE_TOO_LARGE
            assert "4000" in error.message
            assert await state.transact([Put("a", b"x" * 3_900)]) == 1

    run_in_virtual_time(run())


def test_what_is_refused_for_long_is_unavailable_and_was_not_done() -> None:
    async def run() -> None:
        ground = Ground()
        async with opened(ground) as (state, road):
            await state.transact([Put("a", b"1")])
            road.is_away = True
            loop = asyncio.get_running_loop()
            began = loop.time()
            error = await transacted(state, Put("a", b"2"))
            assert isinstance(error, SwarmwireError)
            assert (error.code, error.retry_after_ms) == (ErrorCode.UNAVAILABLE, 1_000)
            assert loop.time() - began < 0.1, "whoever is away for long is told at once"
            reading = asyncio.ensure_future(state.get("a"))
            assert (await refusal(reading)).code is ErrorCode.UNAVAILABLE
            road.is_away = False
            assert await state.get("a") == Stored(b"1", 1)

    run_in_virtual_time(run())


@pytest.mark.parametrize(("fate", "is_done"), [(Fate.LOST, False), (Fate.UNHEARD, True), (Fate.LATE, True)])
def test_what_nobody_knows_is_said_to_be_unknown_and_told_by_the_next_read(fate: Fate, is_done: bool) -> None:
    async def run() -> None:
        ground = Ground()
        async with opened(ground) as (state, road):
            await state.transact([Put("a", b"1")])
            road.fates = repeat(fate)
            error = await transacted(state, Put("a", b"2"), appends=(draft(),))
            assert isinstance(error, SwarmwireError)
            assert error.code is ErrorCode.OUTCOME_UNKNOWN
            road.fates = repeat(Fate.DONE)
            stored = await state.get("a")
            assert stored is not None
            assert (stored.value == b"2") is is_done
            await asyncio.sleep(5.0)
            assert await state.get("a") == stored, "what was read once stays so"
            assert len(ground.log) == is_done, "its event is there with it, or neither"

    run_in_virtual_time(run())


def test_an_answer_that_was_lost_is_found_in_the_journal() -> None:
    async def run() -> None:
        ground = Ground()
        async with opened(ground) as (state, road):
            await state.transact([Put("a", b"1")])
            road.fates = chain([Fate.UNHEARD], repeat(Fate.DONE))
            assert await state.transact([Put("a", b"2")]) == 2
            assert [decode_group(message.payload).c[0].puts for message in ground.journal] == [
                [("a", b"1")],
                [("a", b"2")],
            ]

    run_in_virtual_time(run())


def test_whoever_waits_no_more_has_not_asked_if_nothing_was_sent() -> None:
    async def run() -> None:
        ground = Ground()
        async with opened(ground) as (state, _):
            await state.transact([Put("a", b"1")])
            first = asyncio.create_task(state.transact([Put("a", b"2")]))
            await asyncio.sleep(0.001)
            second = asyncio.create_task(state.transact([Put("b", b"2")]))
            await asyncio.sleep(0)
            second.cancel()
            await first
            await asyncio.wait([second])
            await asyncio.sleep(1.0)
            assert await state.get("b") is None
            assert await state.get("a") == Stored(b"2", 2)

    run_in_virtual_time(run())


# ---- who may write


def test_whoever_wrote_before_a_seizure_is_fenced_until_it_seizes_in_turn() -> None:
    async def run() -> None:
        ground = Ground()
        deposed: list[str] = []
        async with opened(ground) as (one, _), opened(ground) as (other, _):
            one.on_deposed = lambda: deposed.append("one")
            other.on_deposed = lambda: deposed.append("other")
            await one.seize()
            await one.transact([Put("a", b"1")])
            await other.seize()
            for _ in range(2):
                error = await transacted(one, Put("b", b"1"))
                assert isinstance(error, SwarmwireError)
                assert (error.code, error.retry_after_ms) == (ErrorCode.UNAVAILABLE, 1_000)
            assert (one.is_deposed, other.is_deposed, deposed) == (True, False, ["one"])
            assert await one.get("a") == Stored(b"1", 1), "it may read"
            await other.transact([Put("b", b"2")])
            await one.seize()
            assert await one.transact([Put("b", b"3", 2)]) == 3
            assert isinstance(await transacted(other, Put("b", b"4")), SwarmwireError)
            assert deposed == ["one", "other"]

    run_in_virtual_time(run())


def test_whoever_seizes_first_sees_to_the_events_of_the_dead() -> None:
    async def run() -> None:
        ground = Ground()
        async with opened(ground) as (one, road), opened(ground) as (other, _):
            await one.transact([Put("a", b"1")])
            road.publish = lambda draft, message_id: None  # type: ignore[method-assign]
            work = asyncio.create_task(one.transact([Put("a", b"2")], [draft(b"1"), draft(b"2")]))
            await ground.until(2)
            road.is_dead = True
            await other.seize()
            assert [event.data for _, event in ground.log] == [b"1", b"2"]
            await other.transact([Put("a", b"3")], [draft(b"3")])
            assert [event.data for _, event in ground.log] == [b"1", b"2", b"3"]
            work.cancel()

    run_in_virtual_time(run())


def test_the_events_of_one_who_is_gone_are_told_though_nobody_seizes_the_state() -> None:
    async def run() -> None:
        ground = Ground()
        async with opened(ground) as (one, road), opened(ground) as (other, _):
            await other.transact([Put("b", b"1")])
            road.publish = lambda draft, message_id: None  # type: ignore[method-assign]
            work = asyncio.create_task(one.transact([Put("a", b"2")], [draft(b"1")]))
            await ground.until(2)
            road.is_dead = True
            await other.transact([Put("b", b"2")])
            assert ground.log == []
            await asyncio.sleep(5.0)
            assert [event.data for _, event in ground.log] == [b"1"]
            work.cancel()

    run_in_virtual_time(run())


def test_a_while_after_the_last_event_the_journal_says_that_all_are_in_the_log() -> None:
    async def run() -> None:
        ground = Ground()
        async with opened(ground) as (state, _):
            await state.transact([Put("a", b"1")], [draft()])
            await asyncio.sleep(2.0)
            assert decode_group(ground.journal[-1].payload).d == ground.journal[0].seq
            told = len(ground.journal)
            await asyncio.sleep(10.0)
            assert len(ground.journal) == told, "once is enough"

    run_in_virtual_time(run())


def test_it_says_so_when_it_is_closed_too() -> None:
    async def run() -> None:
        ground = Ground()
        async with opened(ground) as (state, _):
            await state.transact([Put("a", b"1")], [draft()])
        assert decode_group(ground.journal[-1].payload).d == ground.journal[0].seq

    run_in_virtual_time(run())


def test_whoever_publishes_hears_where_the_event_stands() -> None:
    async def run() -> None:
        outcomes: list[Outcome] = []

        def fails(outcome: Outcome) -> None:
            outcomes.append(outcome)
            raise RuntimeError("planted")

        async with opened(Ground(), Fate.UNHEARD) as (state, _):
            await state.transact([Put("a", b"1")], [draft(done=outcomes.append), draft(done=fails)])
        assert outcomes == [Outcome(1), Outcome(2)]

    run_in_virtual_time(run())


# ---- snapshots


def test_the_journal_does_not_outgrow_the_state_however_often_it_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "_LEAST", 4_000)

    async def run() -> None:
        ground = Ground()
        async with opened(ground) as (state, _):
            most = 0
            for number in range(1_000):
                await state.transact([Put(f"k{number % 10}", b"x" * 200)], [draft()])
                most = max(most, sum(len(message.payload) for message in ground.journal))
            assert most < 16_000
            assert len(ground.pointers) <= 2
            assert sum(len(chunk.payload) for chunk in ground.chunks.values()) < 10_000
            values = await state.scan("")
        async with opened(ground) as (other, _):
            assert await other.scan("") == values

    run_in_virtual_time(run())


# ---- watching


def test_a_watcher_hears_what_is_there_and_then_every_change_in_order() -> None:
    async def run() -> None:
        ground = Ground()
        heard: list[tuple[str, bytes | None]] = []
        async with opened(ground) as (writer, _), opened(ground) as (watcher, _):
            await writer.transact([Put("a.1", b"1"), Put("b.1", b"1")])
            end = await watcher.watch("a.", lambda key, stored: heard.append((key, stored and stored.value)))
            assert heard == [("a.1", b"1")]
            await writer.transact([Put("a.2", b"2"), Put("b.1", b"2")])
            await writer.transact([Put("a.1", None)])
            await asyncio.sleep(0.1)
            assert heard[1:] == [("a.2", b"2"), ("a.1", None)]
            end()
            end()
            await writer.transact([Put("a.3", b"3")])
            await asyncio.sleep(2.0)
            assert len(heard) == 3

    run_in_virtual_time(run())


def test_a_watcher_that_fails_takes_nothing_from_the_others() -> None:
    async def run() -> None:
        ground = Ground()
        heard: list[str] = []

        def fails(key: str, stored: Stored | None) -> None:
            raise RuntimeError("planted")

        async with opened(ground) as (writer, _), opened(ground) as (watcher, _):
            await watcher.watch("", fails)
            await watcher.watch("", lambda key, stored: heard.append(key))
            await writer.transact([Put("a", b"1")])
            await asyncio.sleep(0.1)
            assert heard == ["a"]

    run_in_virtual_time(run())


def test_a_watcher_that_hears_nothing_looks_for_itself() -> None:
    async def run() -> None:
        ground = Ground()
        heard: list[str] = []
        async with opened(ground) as (writer, _), opened(ground) as (watcher, road):
            road.deaf = True
            await watcher.watch("", lambda key, stored: heard.append(key))
            for number in range(3):
                await writer.transact([Put(f"k{number}", b"")])
            await asyncio.sleep(1.5)
            assert heard == ["k0", "k1", "k2"]

    run_in_virtual_time(run())


def test_a_watcher_that_slept_over_a_snapshot_hears_what_has_become_different(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "_LEAST", 1_000)

    async def run() -> None:
        ground = Ground()
        seen: dict[str, bytes] = {}

        def changed(key: str, stored: Stored | None) -> None:
            if stored is None:
                del seen[key]
            else:
                seen[key] = stored.value

        async with opened(ground) as (writer, _), opened(ground) as (watcher, road):
            await writer.transact([Put("gone", b"1"), Put("same", b"1")])
            await watcher.watch("", changed)
            road.deaf = road.is_away = True
            await writer.transact([Put("gone", None)])
            for number in range(60):
                await writer.transact([Put(f"k{number % 3}", b"%d" % number)])
            assert ground.journal[0].seq > 3
            road.is_away = False
            await asyncio.sleep(3.0)
            assert seen == {"same": b"1", "k0": b"57", "k1": b"58", "k2": b"59"}

    run_in_virtual_time(run())


# ---- a journal made anew


def test_a_journal_made_anew_is_an_empty_state_and_whoever_had_it_must_seize_it_again() -> None:
    async def run() -> None:
        ground = Ground()
        deposed: list[bool] = []
        seen: dict[str, Stored | None] = {}
        async with opened(ground) as (state, _), opened(ground) as (watcher, _):
            state.on_deposed = lambda: deposed.append(True)
            await state.seize()
            last = await state.transact([Put("a", b"1")])
            await watcher.watch("", seen.__setitem__)
            ground.make_anew()
            assert await state.get("a") is None
            assert deposed == [True]
            assert isinstance(await transacted(state, Put("b", b"1")), SwarmwireError)
            await state.seize()
            assert await state.transact([Put("a", b"2", 0)]) > last, "revisions go on rising"
            await asyncio.sleep(3.0)
            stored = seen["a"]
            assert stored is not None
            assert stored.value == b"2"

    run_in_virtual_time(run())


def test_a_journal_that_has_lost_its_end_is_believed_after_a_while() -> None:
    async def run() -> None:
        ground = Ground()
        deposed: list[bool] = []
        async with opened(ground) as (state, _):
            state.on_deposed = lambda: deposed.append(True)
            await state.transact([Put("a", b"1")])
            await state.transact([Put("a", b"2")])
            lost = ground.journal.pop()
            # Whoever was asked may only lag behind: then nothing is amiss.
            reading = asyncio.create_task(state.get("a"))
            await asyncio.sleep(2.0)
            ground.journal.append(lost)
            assert await reading == Stored(b"2", 2)
            assert deposed == []
            ground.journal.pop()
            assert await _eventually(state) == Stored(b"1", 1)
            assert deposed == [True]
            await state.seize()
            assert await state.transact([Put("a", b"3", 1)]) == 3

    run_in_virtual_time(run())


def test_a_journal_that_has_lost_its_end_to_another_one_is_not_gone_on_with() -> None:
    async def run() -> None:
        ground = Ground()
        async with opened(ground) as (one, _), opened(ground) as (other, _):
            for number in range(3):
                await one.transact([Put("a", b"%d" % number), Put(f"k{number}", b"")])
            del ground.journal[1:]
            ground.seq = 1
            for number in range(4):
                await other.transact([Put("b", b"%d" % number)])
            assert await _eventually(one) == Stored(b"0", 1)
            assert await one.scan("") == await other.scan("")

    run_in_virtual_time(run())


async def _eventually(state: JournaledState) -> Stored | None:
    """What the key is read as when it can be."""
    while True:
        try:
            return await state.get("a")
        except SwarmwireError:
            await asyncio.sleep(0.1)


def test_a_journal_that_makes_no_sense_is_unavailable_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        ground = Ground()
        async with opened(ground) as (state, _):
            ground.store(ground.journal, b"what is this", 0)
            for _ in range(2):
                error = await transacted(state, Put("a", b"1"))
                assert isinstance(error, SwarmwireError)
                assert error.code is ErrorCode.UNAVAILABLE

    run_in_virtual_time(run())
    assert sum("none of its journal" in record.message for record in caplog.records) == 1


# ---- the end


def test_what_was_asked_for_before_it_is_closed_is_done() -> None:
    async def run() -> None:
        ground = Ground()
        async with opened(ground) as (state, _):
            works = [asyncio.create_task(state.transact([Put(f"k{n}", b"")], [draft(b"%d" % n)])) for n in range(5)]
            await asyncio.sleep(0)
        assert all(isinstance(revision, int) for revision in await asyncio.gather(*works))
        assert len(ground.log) == 5

    run_in_virtual_time(run())


def test_closing_waits_for_a_journal_that_is_away_no_longer_than_it_must() -> None:
    async def run() -> None:
        ground = Ground()
        async with opened(ground) as (state, road):
            await state.transact([Put("a", b"")])
            road.is_dead = True
            work = asyncio.create_task(transacted(state, Put("b", b"")))
            await asyncio.sleep(0.1)
            began = asyncio.get_running_loop().time()
            await state.close()
            assert asyncio.get_running_loop().time() - began < 3.0
            error = await work
            assert isinstance(error, SwarmwireError)
            assert error.code is ErrorCode.OUTCOME_UNKNOWN
            error = await transacted(state, Put("b", b""))
            assert isinstance(error, SwarmwireError)
            assert error.code is ErrorCode.UNAVAILABLE

    run_in_virtual_time(run())


def test_a_write_that_fails_unexpectedly_is_told_and_the_next_one_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        async with opened(Ground()) as (state, road):
            await state.transact([Put("a", b"1")])
            append, failures = road.append, iter((ValueError("nobody thought of it"),))

            async def append_or_fail(payload: bytes, after: int) -> int:
                for failure in failures:
                    raise failure
                return await append(payload, after)

            road.append = append_or_fail  # type: ignore[method-assign]
            error = await transacted(state, Put("b", b"2"))
            assert isinstance(error, SwarmwireError)
            assert error.code is ErrorCode.OUTCOME_UNKNOWN
            await state.transact([Put("c", b"3")])
            assert [key for key, _ in await state.scan("")] == ["a", "c"]

    run_in_virtual_time(run())
    assert "the state could not be written" in caplog.text
