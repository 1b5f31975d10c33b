"""What is remembered of sealed payloads, and for how long."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from swarmwire.replay import Window


def name(number: int) -> bytes:
    return b"%d" % number


def test_what_was_seen_is_known_at_its_place() -> None:
    window = Window(10, 1000)
    window.remember(b"a", ("e", 1), 100, 100)
    assert window.place_of(b"a") == ("e", 1)
    assert window.place_of(b"b") is None


def test_the_first_place_stays() -> None:
    window = Window(10, 1000)
    window.remember(b"a", ("e", 1), 100, 100)
    window.remember(b"a", ("e", 2), 100, 101)
    assert window.place_of(b"a") == ("e", 1)
    assert len(window) == 1


def test_it_is_forgotten_when_a_copy_could_not_be_fresh_any_more() -> None:
    window = Window(10, 1000)
    window.remember(b"a", ("e", 1), 100, 100)
    window.remember(b"b", ("e", 2), 1100, 1100)
    assert window.place_of(b"a") == ("e", 1)
    window.remember(b"c", ("e", 3), 1101, 1101)
    assert window.place_of(b"a") is None
    assert window.floor == -1


def test_an_old_event_read_beside_new_ones_takes_no_room() -> None:
    window = Window(10, 1000)
    window.remember(b"new", ("e", 9), 5000, 5000)
    window.remember(b"old", ("e", 1), 100, 100)
    assert len(window) == 1


def test_beyond_the_limit_those_sealed_first_go_and_the_floor_tells() -> None:
    window = Window(3, 10_000)
    for number, t in enumerate((50, 10, 40, 30, 20)):
        window.remember(name(number), ("e", number), t, 100)
    assert len(window) == 3
    assert window.floor == 20
    assert window.place_of(name(0)) == ("e", 0)


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 5)), max_size=60), st.integers(1, 8))
def test_a_copy_that_could_pass_is_remembered_or_below_the_floor(steps: list[tuple[int, int]], limit: int) -> None:
    max_age, now = 10, 40
    window = Window(limit, max_age)
    seen: dict[bytes, int] = {}
    for number, (delay, pause) in enumerate(steps):
        now += pause
        t = now - delay
        window.remember(name(number), ("e", number), t, now)
        seen[name(number)] = t
        assert len(window) <= limit
        for id, sealed_at in seen.items():
            fresh = now - sealed_at <= max_age
            assert not fresh or window.place_of(id) is not None or sealed_at <= window.floor
