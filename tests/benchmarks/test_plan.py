"""What `QUICK=1`, `SKIP=` and `ONLY=` choose."""

from __future__ import annotations

import pytest
from benchmarks.runner import __main__ as command
from benchmarks.runner.__main__ import main, plan_of
from benchmarks.runner.installs import InstallFailed
from benchmarks.runner.peers import PEERS
from benchmarks.runner.rounds import TOPIC_MATCH
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
