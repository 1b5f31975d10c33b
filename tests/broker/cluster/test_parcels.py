"""Messages larger than the bus takes, cut and put together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmwire_broker.cluster.parcels import MOST, Parcels, cut


@given(st.binary(min_size=1, max_size=2_000), st.integers(129, 400))
def test_parts_are_small_and_make_the_whole(payload: bytes, most: int) -> None:
    parcels = Parcels()
    parts = list(cut("abc", 7, payload, most))
    assert all(len(part) <= most for part in parts)
    taken = [parcels.take(part) for part in parts]
    assert taken[:-1] == [None] * (len(parts) - 1)
    assert taken[-1] == payload


@given(st.data())
def test_a_missing_part_never_makes_a_whole(data: st.DataObject) -> None:
    parcels = Parcels()
    parts = list(cut("abc", 7, b"x" * 1_000, 160))
    missing = data.draw(st.integers(0, len(parts) - 1))
    assert [parcels.take(part) for number, part in enumerate(parts) if number != missing] == [None] * (len(parts) - 1)
    whole = [parcels.take(part) for part in cut("abc", 8, b"y" * 200, 160)]
    assert whole[-1] == b"y" * 200


def test_two_senders_do_not_mix() -> None:
    parcels = Parcels()
    one, two = list(cut("a", 1, b"1" * 200, 160)), list(cut("b", 1, b"2" * 200, 160))
    taken = [parcels.take(part) for pair in zip(one, two, strict=True) for part in pair]
    assert [whole for whole in taken if whole] == [b"1" * 200, b"2" * 200]


def test_what_is_too_large_is_let_go() -> None:
    parcels = Parcels()
    assert all(parcels.take(part) is None for part in cut("a", 1, b"x" * (MOST + 1), 1024 * 1024))


@pytest.mark.parametrize("odd", [b"", b"X a 1 0 1\nx", b"P a 1 0 0\nx", b"P a b c d\nx", b"P\n", b"\xff 1 2 3 4\nx"])
def test_what_is_no_part_is_refused(odd: bytes) -> None:
    with pytest.raises(ValueError, match="expected a message or a part of one"):
        Parcels().take(odd)


def test_a_broker_that_is_gone_leaves_nothing() -> None:
    parcels = Parcels()
    *first, last = cut("a", 1, b"x" * 100, 160)
    assert [parcels.take(part) for part in first] == [None] * 3
    parcels.forget("a")
    assert parcels.take(last) is None
