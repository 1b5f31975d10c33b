"""The queues in memory: what goes out next, whatever came and went before."""

from __future__ import annotations

from typing import NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmwire_broker.services.tasks.ready import TaskQueues

_put = st.tuples(st.just("put"), st.integers(0, 30), st.sampled_from("abc"), st.integers(-2, 2))
_remove = st.tuples(st.just("remove"), st.integers(0, 30), st.none(), st.just(0))
_take = st.tuples(st.just("take"), st.just(0), st.sampled_from([None, "a", "ab", "c"]), st.just(0))


class Full(Exception):
    pass


def full(name: str) -> NoReturn:
    raise Full(name)


@given(st.lists(st.one_of(_put, _put, _remove, _take), max_size=300))
def test_the_next_task_is_the_oldest_of_the_highest_priority_among_its_types(
    steps: list[tuple[str, int, str | None, int]],
) -> None:
    queues = TaskQueues(lambda: 10, full)
    queue = queues.make("q")
    ready: dict[str, tuple[int, int, str]] = {}
    for order, (what, number, types, priority) in enumerate(steps):
        id = f"t{number}"
        match what:
            case "put":
                assert types is not None
                queue.put(id, types, priority, order)
                ready.setdefault(id, (-priority, order, types))
            case "remove":
                queue.remove(id)
                ready.pop(id, None)
            case _:
                fitting = [(place, each) for each, place in ready.items() if types is None or place[2] in types]
                expected = min(fitting)[1] if fitting else None
                assert queues.take(["none", "q"], types) == expected
                if expected is not None:
                    del ready[expected]
        assert queue.ready == len(ready)


@given(st.integers(1, 2_000))
def test_what_comes_and_goes_leaves_nothing_behind(count: int) -> None:
    queue = TaskQueues(lambda: 10, full).make("q")
    queue.put("kept", "a", 0, 0)
    for number in range(count):
        queue.put(f"t{number}", f"type {number}", 0, number + 1)
        queue.remove(f"t{number}")
    assert max(len(queue._all._places), len(queue._by_type)) <= 70
    assert queue.first(None) == queue.first(["a"]) == "kept"


def test_a_queue_that_is_paused_or_held_gives_nothing_and_is_not_forgotten() -> None:
    queues = TaskQueues(lambda: 10, full)
    queue = queues.make("q")
    queue.put("t", "a", 0, 1)
    queue.paused = True
    assert queues.take(["q"], None) is None
    queue.paused = False
    queue.held_by.add("project")
    assert queues.take(["q"], None) is None
    queue.held_by.clear()
    assert queues.take(["q"], None) == "t"
    queues.tidy("q")
    assert len(queues) == 0


def test_one_queue_more_than_there_may_be_is_refused_but_those_that_are_there_are_not() -> None:
    queues = TaskQueues(lambda: 1, full)
    queues.check_room("a")
    queues.make("a")
    queues.check_room("a")
    with pytest.raises(Full, match="b"):
        queues.check_room("b")
