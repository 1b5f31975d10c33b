"""Locks by name."""

from __future__ import annotations

import asyncio

from swarmwire_broker.services.keylocks import KeyLocks


async def test_commands_about_one_name_come_in_the_order_of_asking() -> None:
    locks, seen = KeyLocks(), list[str]()

    async def work(number: int) -> None:
        async with locks.hold("a"):
            seen.append(f"in {number}")
            await asyncio.sleep(0)
            seen.append(f"out {number}")

    await asyncio.gather(*(work(number) for number in range(3)))
    assert seen == ["in 0", "out 0", "in 1", "out 1", "in 2", "out 2"]


async def test_commands_about_other_names_do_not_wait() -> None:
    locks = KeyLocks()
    async with locks.hold("a"), asyncio.timeout(5), locks.hold("b"):
        assert len(locks) == 2


async def test_nothing_is_kept_of_names_that_nobody_holds_or_waits_for() -> None:
    locks = KeyLocks()

    async def wait() -> None:
        async with locks.hold("a"):
            raise AssertionError("it was cancelled")

    async with locks.hold("a"):
        waiting = asyncio.get_running_loop().create_task(wait())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert len(locks) == 1
    assert len(locks) == 0
