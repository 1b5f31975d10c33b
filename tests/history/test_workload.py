"""The promises hold for the real SDK and a real broker while things go wrong; `make soak` does the same for longer."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from .checker import check
from .faults import FAULTS
from .history import save
from .records import Acked, Fault, Missed, Record, Seen, Settled
from .workload import Plan, run

EVERYTHING = tuple(FAULTS)
GENTLE = tuple(name for name in FAULTS if name != "kill")

PLANS = (
    Plan(seed=1, engine="memory", faults=EVERYTHING),
    Plan(seed=2, engine="memory", faults=("kill",)),
    Plan(seed=3, engine="memory", faults=GENTLE, log_events=300, rate=120.0),
    Plan(seed=4, engine="sqlite", faults=EVERYTHING),
    Plan(seed=5, engine="sqlite", faults=("kill", "cut")),
    Plan(seed=6, engine="sqlite", faults=GENTLE),
)


def name_of(plan: Plan) -> str:
    return f"{plan.engine}-seed-{plan.seed}"


def counted(records: list[Record]) -> Counter[str]:
    """How many records there are of a kind, gaps by their reason and faults by their name."""
    return Counter(named(record) for record in records)


def named(record: Record) -> str:
    match record:
        case Missed():
            return record.reason
        case Fault():
            return record.text
    return type(record).__name__


@pytest.mark.parametrize("plan", PLANS, ids=name_of)
async def test_every_promise_is_kept(plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "broker").mkdir()
    records = await run(plan, tmp_path / "broker")
    path = tmp_path / f"history-{name_of(plan)}.jsonl"
    save(records, path)
    violations = check(records)
    told = "\n".join(str(violation) for violation in violations[:20])
    assert not violations, f"seed {plan.seed}: {len(violations)} violations, the history is in {path}\n{told}"
    count = counted(records)
    assert isinstance(records[-1], Settled)
    assert count[Acked.__name__] > 50
    assert count[Seen.__name__] > 100
    assert any(count[fault] for fault in plan.faults)
    assert (count["epoch"] > 0) is (plan.engine == "memory" and count["kill"] > 0)
