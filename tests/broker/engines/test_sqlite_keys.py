"""Idempotency keys in the file: as long there as in memory, and over a restart for what is left of their time."""

from __future__ import annotations

from pathlib import Path

from swarmwire_broker.engines.base import Outcome

from .rig import SettableClock
from .test_sqlite_retention import counted
from .test_sqlite_start import opened


async def test_keys_are_remembered_over_a_restart_and_no_longer_than_before(tmp_path: Path) -> None:
    clock = SettableClock()
    async with opened(tmp_path, clock) as rig:
        await rig.append("a", key="k")
    clock.wait(59_999)
    async with opened(tmp_path, clock) as rig:
        assert await rig.append("a", key="k") == Outcome(1, duplicate=True)
        clock.wait(1)
        assert await rig.append("a", key="k") == Outcome(2)


async def test_the_steady_clock_of_another_process_says_nothing_of_stored_keys(tmp_path: Path) -> None:
    clock, another = SettableClock(), SettableClock()
    another.wait(10 * 60_000)
    another.ms = clock.ms + 30_000
    async with opened(tmp_path, another) as rig:
        await rig.append("a", key="k")
    async with opened(tmp_path, clock) as rig:
        clock.wait(59_999)
        assert await rig.append("a", key="k") == Outcome(1, duplicate=True)


async def test_a_clock_set_back_before_a_restart_keeps_a_key_for_dedupe_ms_at_most(tmp_path: Path) -> None:
    clock = SettableClock()
    async with opened(tmp_path, clock) as rig:
        await rig.append("a", key="k")
    clock.ms -= 24 * 3_600_000
    async with opened(tmp_path, clock) as rig:
        clock.wait(59_999)
        assert await rig.append("a", key="k") == Outcome(1, duplicate=True)
        clock.wait(1)
        assert await rig.append("a", key="k") == Outcome(2)


async def test_of_a_key_that_is_stored_twice_the_later_place_counts(tmp_path: Path) -> None:
    clock = SettableClock()
    async with opened(tmp_path, clock) as rig:
        await rig.append("a", key="long")
        clock.ms -= 50_000
        await rig.append("a", key="k")
    clock.ms += 60_000
    async with opened(tmp_path, clock) as rig:
        # Its time is over, that of the one before it is not: it is still in the file.
        assert await rig.append("a", key="long") == Outcome(1, duplicate=True)
        assert await rig.append("a", key="k") == Outcome(3)
    clock.ms -= 30_000
    async with opened(tmp_path, clock) as rig:
        assert await rig.append("a", key="k") == Outcome(3, duplicate=True)


async def test_expired_keys_leave_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as rig:
        for number in range(20):
            await rig.append("a", key=f"k{number}")
        rig.clock.wait(60_000)
        await rig.append("a", key="new")
        assert counted(tmp_path, "keys") == 1
    rig.clock.ms += 60_000
    async with opened(tmp_path, rig.clock) as rig:
        await rig.append("a")
        assert counted(tmp_path, "keys") == 0


async def test_a_clock_set_forward_takes_no_key_from_the_file_early(tmp_path: Path) -> None:
    async with opened(tmp_path) as rig:
        await rig.append("a", key="k")
        rig.clock.ms += 2 * 60_000
        await rig.append("a", key="new")
        assert counted(tmp_path, "keys") == 2
        rig.clock.ms -= 2 * 60_000
    async with opened(tmp_path, rig.clock) as rig:
        assert await rig.append("a", key="k") == Outcome(1, duplicate=True)
