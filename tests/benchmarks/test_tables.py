"""The tables of the bench: whatever one names, another has."""

from __future__ import annotations

import re

import pytest
from benchmarks.runner.chart import CHARTED
from benchmarks.runner.generator import Times, arguments
from benchmarks.runner.goals import GOALS
from benchmarks.runner.peers import LOADGEN, PEERS, Kind
from benchmarks.runner.places import BENCHMARKS, SERVERS
from benchmarks.runner.rounds import TOPIC_MATCH, has_part
from benchmarks.runner.workloads import WORKLOADS, Shown

COMPARED = {
    "coalesce",
    "direct",
    "naive_starlette",
    "websockets_broadcast",
    "python_socketio",
    "nats",
    "mosquitto",
    "socketio",
    "centrifugo",
}
TIMES = Times(warmup=0.1, measured=0.5)


def test_swarmwire_is_first_and_all_that_it_is_compared_with_follow() -> None:
    first, *others = PEERS
    assert first == "swarmwire"
    assert set(others) == COMPARED
    assert [peer.name for peer in PEERS.values() if peer.kind is Kind.OURS] == ["swarmwire"]


@pytest.mark.parametrize("peer", PEERS.values(), ids=lambda peer: peer.name)
def test_a_peer_names_files_that_are_there_and_a_port(peer: object) -> None:
    [row] = [row for row in PEERS.values() if row is peer]
    assert row.config is None or (SERVERS / row.config).is_file()
    scripts = [word.removeprefix("{servers}/") for word in row.command if word.startswith("{servers}/")]
    assert [script for script in scripts if not (SERVERS / script).is_file()] == []
    where = (SERVERS / row.config).read_text(encoding="utf-8") if row.config else " ".join(row.command)
    assert "{port}" in where or "@PORT@" in where


def test_every_source_of_the_load_generator_is_compiled() -> None:
    assert set(LOADGEN.sources) == {f"loadgen/{path.name}" for path in (BENCHMARKS / "loadgen").glob("*.c")}


def test_every_table_of_the_report_has_workloads_with_both_payloads() -> None:
    assert {workload.shown for workload in WORKLOADS.values()} == set(Shown)
    assert any("4000" in workload.options for workload in WORKLOADS.values())
    assert 2 <= sum(workload.quick for workload in WORKLOADS.values()) <= 6


@pytest.mark.parametrize("workload", WORKLOADS.values(), ids=lambda workload: workload.name)
def test_a_workload_runs_on_swarmwire_and_on_known_peers_only(workload: object) -> None:
    [row] = [row for row in WORKLOADS.values() if row is workload]
    assert set(row.peers or ()) <= set(PEERS)
    assert has_part(row, PEERS["swarmwire"])


def test_only_servers_with_wildcards_run_the_workload_of_wildcards() -> None:
    able = {name for name, peer in PEERS.items() if has_part(WORKLOADS["wildcards"], peer)}
    assert able == {"swarmwire", "nats", "mosquitto"}


def test_patterns_take_the_place_of_topics_where_wildcards_are_asked_for() -> None:
    line = arguments(PEERS["mosquitto"].dialect, WORKLOADS["wildcards"], TIMES)
    assert "{pattern16}" in line[line.index("--subscribe-frame") + 1]
    assert "{topic16}" in line[line.index("--publish") + 1]
    assert line[line.index("--topic-format") + 1].count("/") == 8


def test_acks_are_asked_for_where_the_workload_says_so() -> None:
    plain, acked = (arguments(PEERS["swarmwire"].dialect, WORKLOADS[name], TIMES) for name in ("pairs", "pairs-acks"))
    assert '"id"' not in plain[plain.index("--publish") + 1]
    assert '"id"' in acked[acked.index("--publish") + 1]


def test_what_a_workload_says_of_its_time_wins() -> None:
    line = arguments(PEERS["direct"].dialect, WORKLOADS["steady-pairs"], TIMES)
    assert line[line.index("--duration") + 1] == "3"


def test_a_quick_run_cuts_the_time_of_a_workload() -> None:
    assert Times(warmup=0.1, measured=0.5, most=1.0).of(WORKLOADS["steady-pairs"]) == 1.0
    assert Times(warmup=0.1, measured=0.5, most=1.0).of(WORKLOADS["pairs"]) == 0.5


@pytest.mark.parametrize("goal", GOALS, ids=lambda goal: re.sub(r"\W+", "-", goal.what))
def test_a_goal_speaks_of_cells_that_are_measured(goal: object) -> None:
    [row] = [row for row in GOALS if row is goal]
    for workload, peer in filter(None, (row.cell, row.other)):
        assert peer in PEERS
        assert workload == TOPIC_MATCH or has_part(WORKLOADS[workload], PEERS[peer])


def test_the_chart_shows_workloads_that_there_are() -> None:
    assert set(CHARTED) <= set(WORKLOADS)
