"""Histories in which every promise is kept are found to be good."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from .checker import check
from .model import good_history


@settings(max_examples=150, deadline=None)
@given(draw=st.randoms(use_true_random=False), steps=st.integers(0, 60))
def test_a_history_of_the_model_is_good(draw: random.Random, steps: int) -> None:
    assert check(good_history(draw, steps=steps)) == []
