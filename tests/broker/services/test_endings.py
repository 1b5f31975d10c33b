"""Endings: each item once, in order, some at a time."""

from __future__ import annotations

from swarmwire_broker.services.endings import Endings

from ..core.fakes import FakeClock, Gate


async def test_all_are_ended_once_and_in_order() -> None:
    clock, ended = FakeClock(), list[int]()

    async def end(item: int) -> None:
        ended.append(item)

    endings = Endings(clock, end)
    for item in range(1_000):
        endings.add(item)
    clock.settle()
    endings.add(1_000)
    clock.settle()
    assert ended == list(range(1_001))
    assert len(endings) == 0


async def test_at_most_64_are_worked_on_at_once() -> None:
    clock, begun, gate = FakeClock(), list[int](), Gate()

    async def end(item: int) -> None:
        begun.append(item)
        await gate

    endings = Endings(clock, end)
    for item in range(1_000):
        endings.add(item)
    clock.settle()
    assert (len(begun), len(endings)) == (64, 936)
    gate.open()
    clock.settle()
    assert begun == list(range(1_000))


async def test_what_fails_keeps_no_other_from_its_turn() -> None:
    clock = FakeClock()

    async def end(item: int) -> None:
        raise ValueError(item)

    endings = Endings(clock, end)
    for item in range(200):
        endings.add(item)
    clock.settle()
    assert len(clock.failures) == 200


async def test_after_closing_those_that_waited_are_forgotten_and_closing_twice_is_harmless() -> None:
    clock, begun, gate = FakeClock(), list[int](), Gate()

    async def end(item: int) -> None:
        begun.append(item)
        await gate

    endings = Endings(clock, end)
    for item in range(100):
        endings.add(item)
    clock.settle()
    endings.close()
    endings.close()
    gate.open()
    clock.settle()
    assert len(begun) == 64
