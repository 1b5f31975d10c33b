"""What `QUICK=1`, `SKIP=` and `ONLY=` choose."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest
from benchmarks.runner import __main__ as command
from benchmarks.runner.__main__ import main, plan_of
from benchmarks.runner.installs import InstallFailed
from benchmarks.runner.peers import PEERS
from benchmarks.runner.report import Record, save
from benchmarks.runner.rounds import TOPIC_MATCH
from benchmarks.runner.spreads import Runs
from benchmarks.runner.workloads import WORKLOADS


def test_everything_runs_five_times() -> None:
    plan = plan_of(quick=False, skip=(), only=())
    assert plan.peers == tuple(PEERS)
    assert plan.workloads == (*WORKLOADS, TOPIC_MATCH)
    assert plan.rounds == 5


def test_the_quick_run_is_two_short_rounds_of_the_key_workloads() -> None:
    plan = plan_of(quick=True, skip=(), only=())
    assert plan.rounds == 2
    assert set(plan.workloads) == {name for name, workload in WORKLOADS.items() if workload.quick}
    assert plan.times.measured < plan_of(quick=False, skip=(), only=()).times.measured


def test_skip_leaves_out_servers() -> None:
    assert set(PEERS) - set(plan_of(quick=False, skip=("nats", "direct"), only=()).peers) == {"nats", "direct"}


def test_only_chooses_servers_and_workloads_alike() -> None:
    plan = plan_of(quick=True, skip=(), only=("nats", "swarmwire", "reconnect", TOPIC_MATCH))
    assert plan.peers == ("swarmwire", "nats")
    assert plan.workloads == ("reconnect", TOPIC_MATCH)


@pytest.mark.parametrize(("skip", "only"), [(("rabbit",), ()), ((), ("rabbit",)), (("pairs",), ())])
def test_a_name_that_is_not_known_is_refused(skip: tuple[str, ...], only: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="is not known"):
        plan_of(quick=False, skip=skip, only=only)


def test_a_server_that_cannot_be_had_ends_the_run_and_names_the_way_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(wanted: object) -> None:
        if wanted is PEERS["nats"].install:
            raise InstallFailed("the network is gone")

    monkeypatch.setattr(command, "install", refuse)
    assert main(["--quick", "--only", "nats,pairs"]) == 2
    told = capsys.readouterr().err
    assert "nats-server cannot be had (the network is gone)" in told
    assert "SKIP=nats" in told


def test_figures_that_were_kept_can_be_shown_without_a_change_to_the_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    machine = {"date": "2026-01-01", "processor": "x", "cores": "2", "system": "Linux", "python": "3.11"}
    runs: Runs = {("pairs", "swarmwire"): [{"cpu_us_per_delivery": 7.0}]}
    kept = Record(machine, 1, 1.0, (), None, (), runs, wanted=5)
    save(kept, tmp_path / "kept.json")
    monkeypatch.setattr(command, "DOCUMENT", tmp_path / "no document")
    assert main(["--report", str(tmp_path / "kept.json"), "--show"]) == 0
    told = capsys.readouterr().out
    assert "1 of 5 rounds" in told
    assert "| Swarmwire | 7.00 (7.00-7.00) |" in told


def test_it_says_before_it_begins_how_long_it_will_take(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*arguments: object, **more: object) -> None:
        raise KeyboardInterrupt

    for name in ("install", "write_credentials"):
        monkeypatch.setattr(command, name, lambda *arguments: None)
    monkeypatch.setattr(command, "describe", lambda peers: {})
    monkeypatch.setattr(command, "alone", nullcontext)
    monkeypatch.setattr(command, "run_rounds", interrupt)
    assert main(["--quick", "--skip", "centrifugo"]) == 130
    told = capsys.readouterr()
    assert "2 rounds, about " in told.out
    assert "--show" in told.err
