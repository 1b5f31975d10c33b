from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from swarmwire.backoff import Backoff


@given(base=st.floats(0, 10), cap=st.floats(0, 100), draw=st.floats(0, 1), attempts=st.integers(1, 2000))
def test_a_delay_lies_between_half_and_all_of_the_doubled_base_under_the_cap(
    base: float, cap: float, draw: float, attempts: int
) -> None:
    backoff = Backoff(base, cap, draw=lambda: draw)
    for _ in range(attempts):
        delay = backoff.next()
    whole = min(cap, base * 2 ** min(attempts - 1, 60))
    assert whole / 2 <= delay <= whole
    assert backoff.attempt == attempts


def test_a_success_starts_over() -> None:
    backoff = Backoff(1.0, 100.0, draw=lambda: 1.0)
    assert [backoff.next() for _ in range(4)] == [1.0, 2.0, 4.0, 8.0]
    backoff.reset()
    assert (backoff.attempt, backoff.next()) == (0, 1.0)


def test_different_clients_wait_differently() -> None:
    assert len({Backoff(1.0, 1.0).next() for _ in range(20)}) > 1
