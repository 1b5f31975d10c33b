"""No two workers hold one task or one lock, and what a killed one had is done by another."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import msgspec
import pytest

from ...nats.servers import Version, needs
from .checker import check
from .records import Ended, Finished, Got, Renewed
from .workload import FAULTS, GENTLE, Plan, run

PLANS = (
    pytest.param(Plan(seed=1, engine="sqlite", faults=FAULTS), id="sqlite"),
    pytest.param(Plan(seed=2, engine="memory", faults=GENTLE), id="memory"),
    pytest.param(Plan(seed=3, engine="nats", faults=FAULTS, seconds=8.0), id="nats", marks=needs(Version.NEWEST)),
)


@pytest.mark.parametrize("plan", PLANS)
async def test_what_is_held_is_held_by_one_and_every_task_ends_once(plan: Plan, tmp_path: Path) -> None:
    notes = await run(plan, tmp_path)
    path = tmp_path / "notes.jsonl"
    path.write_bytes(b"".join(msgspec.json.encode(note) + b"\n" for note in sorted(notes, key=lambda note: note.at)))
    violations = check(notes)
    told = "\n".join(str(violation) for violation in violations[:20])
    assert not violations, f"seed {plan.seed}: {len(violations)} violations, all that happened is in {path}\n{told}"
    count = Counter(type(note) for note in notes)
    assert count[Got] > 30
    assert count[Renewed] > 10
    assert count[Finished] > 20
    assert count[Ended] > 20
    assert {note.name for note in notes if isinstance(note, Got)} >= {"lock-1", "lock-2"}
