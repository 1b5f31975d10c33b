"""The promises hold for several brokers over NATS while brokers, servers and networks fail.

`make soak ENGINE=nats` does the same for longer, with other faults and other seeds.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from ..history.checker import check
from ..history.history import save
from ..history.records import Acked, Audited, Fault, Missed, Record, Seen, Settled
from ..history.service import longest_outage
from ..history.workload import Plan, run
from .otherversion import OTHER
from .servers import Version, needs

NETWORK = ("reset", "cut", "stall", "delay", "throttle")

PLANS = (
    Plan(seed=1, engine="nats", programs=(None, OTHER), faults=("kill", "kill-two", "pause", *NETWORK)),
    Plan(seed=2, engine="nats", version=Version.OLD, faults=("kill", "kill-server"), narrow=True, log_events=300),
    Plan(seed=3, engine="nats", nodes=3, brokers=3, faults=("kill", "kill-leader", "kill-follower"), seconds=8.0),
    Plan(seed=4, engine="nats", nodes=3, faults=("cut-leader",), narrow=True, seconds=6.0),
    Plan(seed=5, engine="nats", nodes=3, version=Version.OLD, faults=("rolling",)),
    Plan(seed=6, engine="nats", faults=("remake", "reset")),
)
ELECTION = 30.0
"""Seconds that the longest loss of service may take: a cut of 8, an election, and a machine that does other things."""


def name_of(plan: Plan) -> str:
    return f"{plan.version}-x{plan.nodes}-{'two-versions-' if plan.programs else ''}{plan.faults[0]}"


def of(kind: type[Record], records: list[Record]) -> int:
    return sum(isinstance(record, kind) for record in records)


@pytest.mark.parametrize("plan", [pytest.param(plan, marks=needs(plan.version), id=name_of(plan)) for plan in PLANS])
async def test_every_promise_is_kept(plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "brokers").mkdir()
    records = await run(plan, tmp_path / "brokers")
    path = tmp_path / f"history-{name_of(plan)}.jsonl"
    save(records, path)
    violations = check(records)
    told = "\n".join(str(violation) for violation in violations[:20])
    assert not violations, f"seed {plan.seed}: {len(violations)} violations, the history is in {path}\n{told}"
    assert isinstance(records[-1], Settled)
    assert of(Audited, records) == 1
    assert of(Acked, records) > 50
    assert of(Seen, records) > 100
    happened = {record.text for record in records if isinstance(record, Fault)}
    assert happened & set(plan.faults)
    gaps = {record.reason for record in records if isinstance(record, Missed)}
    assert ("epoch" in gaps) is ("remake" in happened)
    assert max(longest_outage(records).values()) < ELECTION
