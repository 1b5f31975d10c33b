"""The tables of the bench: whatever one names, another has."""

from __future__ import annotations

import re

import pytest
from benchmarks.runner.chart import CHARTED
from benchmarks.runner.generator import Times, arguments
from benchmarks.runner.goals import GOALS
from benchmarks.runner.peers import LOADGEN, PEERS, SOCKET, Kind, Way
from benchmarks.runner.places import BENCHMARKS, ROOT, SERVERS
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
    "jetstream",
    "jetstream_sync",
    "jetstream_tcp",
    "nats_tcp",
    "centrifugo_redis",
    "echo",
    "rq",
}
CLUSTERED = {"swarmwire_nats_1", "swarmwire_nats_2", "swarmwire_nats_3"}
OURS = {"swarmwire", "swarmwire_unix", "swarmwire_pipe", "swarmwire_stored", "swarmwire_lazy", *CLUSTERED}
TIMES = Times(warmup=0.1, measured=0.5)


def test_swarmwire_is_first_and_all_that_it_is_compared_with_follow() -> None:
    assert next(iter(PEERS)) == "swarmwire"
    assert {peer.name for peer in PEERS.values() if peer.kind is Kind.OURS} == OURS
    assert set(PEERS) - OURS == COMPARED


@pytest.mark.parametrize("peer", PEERS.values(), ids=lambda peer: peer.name)
def test_a_peer_names_files_that_are_there_and_where_it_listens(peer: object) -> None:
    [row] = [row for row in PEERS.values() if row is peer]
    assert row.config is None or (SERVERS / row.config).is_file()
    scripts = [word.removeprefix("{servers}/") for word in row.command if word.startswith("{servers}/")]
    assert [script for script in scripts if not (SERVERS / script).is_file()] == []
    where = (SERVERS / row.config).read_text(encoding="utf-8") if row.config else " ".join(row.command)
    assert any(place in where for place in ("{port}", "@PORT@", "{runtime}/" + SOCKET))


def test_a_server_is_reached_by_tcp_unless_it_is_there_for_another_way() -> None:
    ways = {name: peer.way for name, peer in PEERS.items() if peer.way is not Way.TCP}
    assert ways == {"swarmwire_unix": Way.UNIX, "swarmwire_pipe": Way.FIFO, "echo": Way.UNIX}


def test_swarmwire_says_the_same_by_every_way() -> None:
    def said(name: str) -> list[str]:
        line = arguments(PEERS[name].dialect, WORKLOADS["ways-pairs"], TIMES)
        return line[line.index("--connect-frame") :]

    assert said("swarmwire") == said("swarmwire_unix") == said("swarmwire_pipe")
    assert said("nats_tcp") == said("nats")


@pytest.mark.parametrize("peer", ["echo", "jetstream_tcp"])
def test_nobody_subscribes_to_what_answers_its_publishers(peer: str) -> None:
    line = arguments(PEERS[peer].dialect, WORKLOADS["round-trip"], TIMES)
    assert [line[at + 1] for at, word in enumerate(line) if word == "--subs"] == ["0"]


def test_every_source_of_the_load_generator_is_compiled() -> None:
    assert set(LOADGEN.sources) == {f"loadgen/{path.name}" for path in (BENCHMARKS / "loadgen").glob("*.c")}


def test_every_table_of_the_report_has_workloads_with_both_payloads() -> None:
    assert {workload.shown for workload in WORKLOADS.values()} == set(Shown)
    assert any("4000" in workload.options for workload in WORKLOADS.values())
    assert 2 <= sum(workload.quick for workload in WORKLOADS.values()) <= 10


@pytest.mark.parametrize("workload", WORKLOADS.values(), ids=lambda workload: workload.name)
def test_a_workload_runs_on_swarmwire_and_on_known_peers_only(workload: object) -> None:
    [row] = [row for row in WORKLOADS.values() if row is workload]
    assert {*(row.peers or ()), *row.also} <= set(PEERS)
    # The yardstick of one goal is a program of its own: its other side is what our publishers do.
    assert has_part(row, PEERS["swarmwire"]) or row.name == "cluster-windowed"


def test_only_servers_with_wildcards_run_the_workload_of_wildcards() -> None:
    able = {name for name, peer in PEERS.items() if has_part(WORKLOADS["wildcards"], peer)}
    assert able == {"swarmwire", "nats", "mosquitto"}


def test_what_only_some_workloads_name_has_a_part_in_those_alone() -> None:
    named = {name for name, workload in WORKLOADS.items() if has_part(workload, PEERS["naive_starlette"])}
    assert named == {"fanout-100", "fanout-1000", "pairs"}
    stored = {name for name, workload in WORKLOADS.items() if has_part(workload, PEERS["swarmwire_stored"])}
    assert "fanout-100" not in stored
    assert {"stored-100", "resume-own", "history"} <= stored


def test_whoever_runs_the_awaited_workload_has_a_program_for_it() -> None:
    able = [peer for peer in PEERS.values() if has_part(WORKLOADS["awaited"], peer)]
    stored = {"swarmwire", "swarmwire_stored", "swarmwire_lazy"}
    assert {peer.name for peer in able} == {*stored, "jetstream", "jetstream_sync"}
    programs = [peer.programs["awaited"][-1].replace(".", "/") + ".py" for peer in able]
    assert [program for program in programs if not (ROOT / program).is_file()] == []


@pytest.mark.parametrize("workload", WORKLOADS.values(), ids=lambda workload: workload.name)
def test_whoever_has_a_part_in_a_workload_of_programs_has_one_that_is_there(workload: object) -> None:
    [row] = [row for row in WORKLOADS.values() if row is workload]
    for peer in PEERS.values():
        if row.program is not None and has_part(row, peer):
            assert (ROOT / (peer.programs[row.program][-1].replace(".", "/") + ".py")).is_file()


def test_answers_are_waited_for_where_acks_are_asked_for() -> None:
    line = arguments(PEERS["swarmwire"].dialect, WORKLOADS["stored-10"], TIMES)
    assert line[line.index("--answers") + 1] == '"type":"ack"'
    assert "--answers" not in arguments(PEERS["swarmwire"].dialect, WORKLOADS["pairs"], TIMES)


def test_a_workload_may_name_a_pattern_and_a_topic_of_its_own() -> None:
    history = arguments(PEERS["swarmwire"].dialect, WORKLOADS["history"], TIMES)
    frames = [history[history.index(name) + 1] for name in ("--subscribe-frame", "--resume-frame")]
    assert all('"pattern":"bench.#"' in frame for frame in frames)
    topics = arguments(PEERS["swarmwire"].dialect, WORKLOADS["million-topics"], TIMES)
    assert '"topic":"bench.t{id}.{number}"' in topics[topics.index("--publish") + 1]


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
    assert line[line.index("--duration") + 1] == "2"


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
