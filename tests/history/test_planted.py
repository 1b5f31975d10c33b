"""Every fault that is planted into a good history is reported as what it is."""

from __future__ import annotations

import random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from .checker import check
from .model import good_history
from .planted import FAULTS, Fault, plant

ENOUGH = 3


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_planted_fault_is_found(fault: Fault) -> None:
    planted = 0
    for seed in range(1000):
        draw = random.Random(seed)
        broken = plant(fault, good_history(draw), draw)
        if broken is None:
            continue
        violations = check(broken)
        assert FAULTS[fault] & {violation.kind for violation in violations}, f"seed {seed}: {violations}"
        planted += 1
        if planted == ENOUGH:
            return
    raise AssertionError("expected histories that the fault can be planted in")


@settings(max_examples=60, deadline=None)
@given(draw=st.randoms(use_true_random=True), fault=st.sampled_from(list(FAULTS)))
def test_a_random_fault_in_a_random_history_is_found(draw: random.Random, fault: Fault) -> None:
    broken = plant(fault, good_history(draw), draw)
    assume(broken is not None)
    assert broken is not None
    assert FAULTS[fault] & {violation.kind for violation in check(broken)}
