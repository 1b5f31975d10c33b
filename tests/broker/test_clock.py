"""Time and turns of the running loop."""

from __future__ import annotations

import asyncio
import logging
import time

import pytest

from swarmwire_broker.clock import LoopClock


async def test_time_is_the_loops_and_now_is_the_worlds() -> None:
    clock = LoopClock()
    assert clock.time() == pytest.approx(asyncio.get_running_loop().time(), abs=1)
    assert clock.now_ms() == pytest.approx(time.time() * 1000, abs=1_000)


async def test_callbacks_come_in_their_turn_unless_they_are_cancelled() -> None:
    clock, came = LoopClock(), list[str]()
    done = asyncio.Event()
    clock.call_later(0.01, lambda: came.append("later"))
    clock.call_later(0.02, done.set)
    clock.call_later(0.01, lambda: came.append("never")).cancel()
    clock.call_soon(lambda: came.append("soon"))
    clock.call_soon(lambda: came.append("not this")).cancel()
    assert came == []
    await done.wait()
    assert came == ["soon", "later"]


async def test_work_that_fails_is_logged_and_forgotten(caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        raise LookupError("nothing here")

    clock = LoopClock()
    with caplog.at_level(logging.ERROR):
        await asyncio.wait((clock.spawn(fail()),))
        await asyncio.sleep(0)
    (record,) = caplog.records
    assert record.exc_info is not None
    assert "nothing here" in str(record.exc_info[1])
    await clock.close()


async def test_closing_gives_up_what_runs_and_is_harmless_twice(caplog: pytest.LogCaptureFixture) -> None:
    clock, forever = LoopClock(), asyncio.Event()
    task = clock.spawn(forever.wait())
    await clock.close()
    assert task.cancelled()
    await clock.close()
    assert caplog.records == []


async def test_work_may_close_the_clock_it_runs_on() -> None:
    clock = LoopClock()
    ended = asyncio.Event()

    async def close() -> None:
        await clock.close()
        ended.set()

    other = clock.spawn(asyncio.Event().wait())
    clock.spawn(close())
    async with asyncio.timeout(5):
        await ended.wait()
    assert other.cancelled()
