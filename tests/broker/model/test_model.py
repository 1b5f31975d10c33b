"""A broker held to a simple model of its contract, whatever clients, sockets, operators and time do to it.

`SWARMWIRE_SOAK=n` plays n times as many games.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from .durable import SQLITE
from .engines import DEEP, MEMORY
from .faults import FAULTS
from .machine import Machine
from .world import Kind

_SOAK = int(os.environ.get("SWARMWIRE_SOAK", "1"))

_ANY: dict[str, Any] = {
    "deadline": None,
    "print_blob": True,
    "suppress_health_check": list(HealthCheck),
}
_BUDGET = settings(
    max_examples=120,
    stateful_step_count=40,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    **_ANY,
)
"""What must do to find a fault, the same games every time."""


@pytest.mark.parametrize(
    ("kind", "games"), [(MEMORY, 45), (DEEP, 45), (SQLITE, 40)], ids=lambda value: getattr(value, "name", "")
)
def test_the_broker_does_what_the_model_says(kind: Kind, games: int) -> None:
    profile = settings(max_examples=games * _SOAK, stateful_step_count=30 if _SOAK == 1 else 60, **_ANY)
    run_state_machine_as_test(Machine.of(kind), settings=profile)


@pytest.mark.parametrize("kind", FAULTS, ids=lambda kind: str(kind.name).strip("_"))
def test_the_machine_finds_a_planted_fault(kind: Kind) -> None:
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Machine.of(kind), settings=_BUDGET)
