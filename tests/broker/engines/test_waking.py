"""The clock of leases."""

from __future__ import annotations

import sys
import time

import pytest

from swarmwire_broker.engines.waking import waking_ms, waking_time


def test_it_goes_on_and_never_back() -> None:
    before = waking_time()
    time.sleep(0.02)
    assert 0.015 < waking_time() - before < 5.0
    assert abs(waking_ms() - waking_time() * 1000) < 1_000


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such clock")
def test_it_counts_the_time_for_which_the_machine_slept() -> None:
    assert abs(waking_time() - time.clock_gettime(time.CLOCK_BOOTTIME)) < 1.0
