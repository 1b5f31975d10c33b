"""The soak: one run after another, and what is kept of those that fail."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from ..nats.faults import faults_of
from ..nats.ground import Clustered
from ..nats.servers import Version, needs
from . import soak
from .faults import FAULTS
from .history import load
from .holding import workload as holding
from .holding.records import Got, Note
from .model import Model, good_history
from .records import Record, Seen
from .workload import Plan


def soaked(
    monkeypatch: pytest.MonkeyPatch, records: list[Record], *arguments: str, notes: Sequence[Note] = ()
) -> tuple[int, list[Plan]]:
    """The exit code of a soak whose runs all have this history, and their plans; it stops after the first second."""
    plans: list[Plan] = []

    async def run(plan: Plan, directory: Path) -> list[Record]:
        plans.append(plan)
        return records

    async def work(plan: holding.Plan, directory: Path) -> list[Note]:
        return list(notes)

    monkeypatch.setattr(soak, "run", run)
    monkeypatch.setattr(holding, "run", work)
    return soak.main(["--minutes", "0.002", "--seed", "7", *arguments]), plans


def test_good_runs_leave_nothing_behind(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, plans = soaked(monkeypatch, good_history(random.Random(1)), "--keep", str(tmp_path / "kept"))
    assert code == 0
    assert [plan.seed for plan in plans] == list(range(7, 7 + len(plans)))
    assert {plan.engine for plan in plans} == {"memory", "sqlite"}
    assert not (tmp_path / "kept").exists()
    assert "all promises were kept" in capsys.readouterr().err


def test_a_failed_run_is_told_and_its_history_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = Model(random.Random(1))
    sub = model.subscribe()
    model.publish("a.x")
    model.deliver(sub)
    broken: list[Record] = [record for record in model.settle() if not isinstance(record, Seen)]
    code, _ = soaked(monkeypatch, broken, "--keep", str(tmp_path), "--engine", "memory")
    assert code == 1
    assert load(tmp_path / "history-memory-7.jsonl") == broken
    told = capsys.readouterr().err
    assert "missing: subscription" in told
    assert "python -m tests.history.check" in told


def test_holdings_that_overlap_are_told_and_what_happened_is_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = good_history(random.Random(1))
    both = [Got(at=at, begun=0.5, ttl=9.0, name="t1", holder=f"w{at}", token=at) for at in (1, 2)]
    code, _ = soaked(monkeypatch, good, "--keep", str(tmp_path), "--engine", "memory", notes=both)
    assert code == 1
    assert len((tmp_path / "holdings-memory-7.jsonl").read_bytes().splitlines()) == 2
    assert "shared: t1 was held by w1" in capsys.readouterr().err


@needs(Version.NEWEST)
def test_plans_of_clusters_are_of_all_shapes_and_name_faults_that_there_are(tmp_path: Path) -> None:
    plans = [soak.plan_of(seed, ("nats",), seconds=1.0) for seed in range(100)]
    assert {(plan.nodes, plan.version) for plan in plans} == {
        (nodes, version) for nodes in (1, 3) for version in Version
    }
    known = {*FAULTS, *faults_of(Clustered(tmp_path, [], {}, draw=random.Random(1), brokers=0), random.Random(1))}
    assert {name for plan in plans for name in plan.faults} == known
    assert not any("cut-leader" in plan.faults for plan in plans if plan.version is Version.OLD)


def test_a_seed_always_makes_the_same_plan() -> None:
    plans = [soak.plan_of(seed, ("memory", "sqlite"), seconds=1.0) for seed in range(50)]
    assert plans == [soak.plan_of(seed, ("memory", "sqlite"), seconds=1.0) for seed in range(50)]
    assert len({(plan.engine, plan.faults, plan.log_events, plan.rate) for plan in plans}) > 20
