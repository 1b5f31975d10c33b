"""What one read of a stream held, and where it is a run of publishes."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from swarmwire_broker.core.received import run_end, size_of
from swarmwire_broker.engines.memory import MemoryEngine
from swarmwire_protocol.accelerators import PlainPublish

from .fakes import World


def bare(topic: str, size: int = 50) -> PlainPublish:
    return size, topic, b"1", None, None


_messages = st.one_of(
    st.just(b"{}"),
    st.builds(bare, st.sampled_from("ab"), st.integers(1, 9)),
    st.tuples(st.integers(1, 9), st.just("a"), st.just(b"1"), st.sampled_from([None, 1]), st.sampled_from([None, "k"])),
)


def is_bare(message: bytes | PlainPublish) -> bool:
    return not isinstance(message, bytes) and message[3:] == (None, None)


@given(st.lists(_messages, min_size=1, max_size=12))
def test_runs_are_as_long_as_can_be_and_leave_nothing_out(messages: list[Any]) -> None:
    start = 0
    while start < len(messages):
        stop = run_end(messages, start)
        run = messages[start:stop]
        assert len(run) == 1 or (all(map(is_bare, run)) and len({message[1] for message in run}) == 1)
        if stop < len(messages) and is_bare(run[0]) and is_bare(messages[stop]):
            assert messages[stop][1] != run[0][1]
        start = stop
    assert start == len(messages)


def test_the_size_of_a_read_is_known_where_all_of_it_was_scanned() -> None:
    assert size_of([bare("a", 40), (60, "b", b"1", 1, "k")]) == 100
    assert size_of([bare("a", 40), b"{}"]) == 0
    assert size_of([]) == 0


class _Ticking(MemoryEngine):
    """Each look at the clock finds another time."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**{**arguments, "now_ms": itertools.count(1_000).__next__})


def test_a_run_on_a_topic_that_is_known_is_of_one_moment() -> None:
    world = World(engine_class=_Ticking)
    session = world.client().session
    session.receive_all([bare("a"), bare("a"), bare("a")])
    assert [entry.ts for entry in world.log] == [1_000, 1_001, 1_002]
    session.receive_all([bare("a"), bare("a"), bare("b"), bare("b"), bare("a")])
    assert [(entry.topic, entry.ts) for entry in world.log[3:]] == [
        ("a", 1_003),
        ("a", 1_003),
        ("b", 1_004),
        ("b", 1_005),
        ("a", 1_006),
    ]
