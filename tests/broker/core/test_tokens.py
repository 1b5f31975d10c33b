"""Random names: the lengths that are asked for, and none twice."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from swarmwire_broker.core.tokens import Tokens


@given(lengths=st.lists(st.integers(min_value=1, max_value=2048), max_size=20))
def test_each_has_the_digits_that_were_asked_for(lengths: list[int]) -> None:
    tokens = Tokens()
    for length in lengths:
        assert re.fullmatch(f"[0-9a-f]{{{length}}}", tokens.take(length))


def test_none_is_handed_out_twice() -> None:
    tokens = Tokens()
    assert len({tokens.take(12) for _ in range(1000)}) == 1000


def test_those_of_two_pools_differ() -> None:
    assert Tokens().take(32) != Tokens().take(32)
