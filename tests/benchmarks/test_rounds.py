"""The rounds: in which order, and what becomes of a run that fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from benchmarks.runner import rounds
from benchmarks.runner.__main__ import plan_of
from benchmarks.runner.generator import GeneratorFailed, Times
from benchmarks.runner.peers import Peer
from benchmarks.runner.processes import Running
from benchmarks.runner.rounds import Plan, plan_seconds, run_rounds
from benchmarks.runner.workloads import Workload

TIMES = Times(warmup=0, measured=0)


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, float | None]]:
    """What would have been run; nats fails each time."""
    log: list[tuple[str, str, float | None]] = []

    @contextmanager
    def running(peer: Peer, settings: tuple[str, ...] = ()) -> Iterator[Running]:
        yield Running(peer, pid=1, ports=(1,), runtime=Path())

    def generate(
        server: Running, workload: Workload, times: Times, rate: float | None = None
    ) -> dict[str, float | None]:
        log.append((workload.name, server.peer.name, rate))
        if server.peer.name == "nats":
            raise GeneratorFailed("it has hung up")
        return {"cpu_us_per_delivery": float(len(log)), "delivery_rate": 1.0, "publish_rate": 1_000.0}

    monkeypatch.setattr(rounds, "running", running)
    monkeypatch.setattr(rounds, "generate", generate)
    return log


def test_the_servers_of_a_workload_follow_each_other_in_every_round(ran: list[tuple[str, str, float | None]]) -> None:
    run_rounds(Plan(("swarmwire", "direct"), ("pairs", "bursts"), 2, TIMES), say=lambda line: None)
    one_round = [("pairs", "swarmwire"), ("pairs", "direct"), ("bursts", "swarmwire"), ("bursts", "direct")]
    assert [(workload, peer) for workload, peer, _ in ran] == one_round * 2


def test_a_run_that_fails_is_noted_and_the_others_go_on(ran: list[tuple[str, str, float | None]]) -> None:
    said: list[str] = []
    results = run_rounds(Plan(("nats", "direct"), ("pairs",), 2, TIMES), said.append)
    assert results.runs["pairs", "nats"] == [None, None]
    assert [run["cpu_us_per_delivery"] for run in results.runs["pairs", "direct"] if run] == [2.0, 4.0]
    assert results.failures == ["pairs, nats: it has hung up"] * 2
    assert len(said) == 4
    assert "no result" in said[0]


def test_what_there_is_can_be_kept_after_each_round(ran: list[tuple[str, str, float | None]]) -> None:
    kept: list[tuple[int, int]] = []
    plan = Plan(("direct",), ("pairs",), 3, TIMES)
    run_rounds(plan, lambda line: None, lambda results: kept.append((results.rounds, len(ran))))
    assert kept == [(1, 1), (2, 2), (3, 3)]


def test_a_heavy_workload_is_left_out_of_the_later_rounds(ran: list[tuple[str, str, float | None]]) -> None:
    plan = Plan(("swarmwire",), ("pairs", "history"), 4, TIMES)
    run_rounds(plan, say=lambda line: None)
    assert [workload for workload, _, _ in ran] == ["pairs", "history"] + ["pairs"] * 3


def test_a_full_run_fits_into_fifty_minutes_and_a_quick_one_into_three() -> None:
    full, quick = (plan_of(quick=quick, skip=("centrifugo", "centrifugo_redis"), only=()) for quick in (False, True))
    assert plan_seconds(full) <= 50 * 60
    assert plan_seconds(quick) <= 3 * 60


def test_more_connections_and_more_rounds_take_longer() -> None:
    def taken(workload: str, peer: str, rounds: int = 1) -> float:
        return plan_seconds(Plan((peer,), (workload,), rounds, TIMES))

    assert taken("fanout-1000", "swarmwire") > taken("fanout-100", "swarmwire") > taken("fanout-100", "direct")
    assert taken("pairs", "nats", rounds=3) == pytest.approx(3 * taken("pairs", "nats"))


def test_overload_is_twice_what_was_carried_and_found_once(ran: list[tuple[str, str, float | None]]) -> None:
    results = run_rounds(Plan(("swarmwire", "direct"), ("overload",), 2, TIMES), say=lambda line: None)
    assert results.overload_rate == 2_000.0
    assert [rate for workload, _, rate in ran if workload == "overload"] == [2_000.0] * 4
    assert [(workload, peer) for workload, peer, _ in ran].count(("fanout-100", "direct")) == 1
