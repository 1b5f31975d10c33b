"""Tasks that wait for their time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from swarmwire_broker.services.tasks.delays import TaskDelays

from ..core.fakes import FakeClock


def rig() -> tuple[FakeClock, TaskDelays, list[str]]:
    clock, due = FakeClock(), list[str]()
    return clock, TaskDelays(clock, due.append), due


def test_each_task_is_due_once_at_its_time() -> None:
    clock, delays, due = rig()
    now = clock.now_ms()
    for id, seconds in (("b", 2), ("a", 1), ("c", 200)):
        delays.put(id, now + seconds * 1000)
    clock.advance(1.5)
    assert due == ["a"]
    clock.advance(1)
    assert due == ["a", "b"]
    clock.advance(200)
    assert due == ["a", "b", "c"]
    assert len(delays) == 0


def test_a_task_that_is_dropped_or_put_off_is_not_due_at_its_former_time() -> None:
    clock, delays, due = rig()
    now = clock.now_ms()
    delays.put("a", now + 1_000)
    delays.put("b", now + 1_000)
    delays.drop("a")
    delays.put("b", now + 3_000)
    clock.advance(2)
    assert due == []
    clock.advance(2)
    assert due == ["b"]


def test_nothing_is_due_once_it_is_closed() -> None:
    clock, delays, due = rig()
    delays.put("a", clock.now_ms() + 1_000)
    delays.close()
    delays.close()
    clock.advance(5)
    assert due == []


@given(st.integers(1, 1_000))
def test_what_is_put_and_dropped_again_leaves_nothing_behind(count: int) -> None:
    clock, delays, due = rig()
    for number in range(count):
        delays.put(f"t{number}", clock.now_ms() + 1_000 + number)
        delays.drop(f"t{number}")
    assert len(delays._heap) <= 66
    clock.advance(10)
    assert due == []
