"""The workloads, as a table: what the load generator does, and what of it is worth showing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

__all__ = ["WORKLOADS", "Shown", "Workload"]


class Shown(Enum):
    """Which table of the report a workload belongs to."""

    COST = "cost"
    PACED = "paced"
    ACKS = "acks"
    IDLE = "idle"
    STALLED = "stalled"
    RECONNECT = "reconnect"
    STORED = "stored"
    STORED_FANOUT = "stored fan-out"
    AWAITED = "awaited"
    CALLS = "calls"
    TASKS = "tasks"
    RESUMED = "resumed"
    TOPICS = "topics"
    BESIDE = "beside"
    CLUSTER = "cluster"


@dataclass(frozen=True)
class Workload:
    """One workload. `options` are the load generator's.

    Attributes:
        quick: whether the short run has it.
        peers: the only servers it is for; None for all that can and have a part everywhere.
        also: servers beside those that have a part everywhere.
        wildcards: whether subscribers use different patterns of one topic.
        pattern: what subscribers ask for, in place of their topic.
        topic: where publishers publish, in place of their topic; a template.
        acks: whether publishes ask for an answer.
        program: which of a server's programs is the load, in place of the load generator: a client library at work.
        resumes: whether subscribers come back from where they were.
        probes: whether a publisher asks again and again how fast it is answered.
        overload: whether the rate is set to twice what one send per message can carry.
        settings: of Swarmwire's configuration, beside the usual.
        seconds: measured, where that is not the time of the run; a quick run may cut it.
        takes: seconds it takes beside the usual, more or less.
        rounds: only the first so many rounds have it; None for all.
    """

    name: str
    title: str
    shown: Shown
    options: tuple[str, ...]
    quick: bool = False
    peers: tuple[str, ...] | None = None
    also: tuple[str, ...] = ()
    wildcards: bool = False
    pattern: str | None = None
    topic: str | None = None
    acks: bool = False
    program: str | None = None
    resumes: bool = False
    probes: bool = False
    overload: bool = False
    settings: tuple[str, ...] = ()
    seconds: float | None = None
    takes: float = 0
    rounds: int | None = None


def _options(**values: float) -> tuple[str, ...]:
    return tuple(part for name, value in values.items() for part in (f"--{name.replace('_', '-')}", f"{value:g}"))


def _fan(subscribers: int, window: int, payload: int = 128) -> tuple[str, ...]:
    return _options(subs=subscribers, window=window, batch=window, payload=payload)


def _pairs(window: int, payload: int = 128) -> tuple[str, ...]:
    return _options(subs=100, pubs=100, topics=100, window=window, batch=window, payload=payload)


def _publishers(count: int) -> tuple[str, ...]:
    """Publishers alone, each with 32 publishes that are not answered yet."""
    return _options(subs=0, pubs=count, topics=count, window=32, batch=32, drain=5)


def _calls(name: str, title: str, outstanding: int, quick: bool = False) -> Workload:
    return Workload(
        name,
        title,
        Shown.CALLS,
        _options(outstanding=outstanding),
        quick,
        peers=("swarmwire", "swarmwire_unix", "nats_tcp"),
        program="calls",
        takes=1,
    )


def _tasks(workers: int, title: str) -> Workload:
    return Workload(
        f"tasks-{workers}",
        title,
        Shown.TASKS,
        _options(workers=workers, tasks=1_000),
        peers=_TASK_PEERS,
        program="tasks",
        takes=5 + workers / 2,
        rounds=3,
    )


def _stored(count: int, title: str, quick: bool = False) -> Workload:
    options = _publishers(count)
    peers = _EITHER if count == 100 else _MEMORY_AND_STORED
    return Workload(f"stored-{count}", title, Shown.STORED, options, quick, peers=peers, acks=True)


_OURS: Final = ("swarmwire",)
_EITHER: Final = ("swarmwire", "swarmwire_stored", "swarmwire_lazy")
_MEMORY_AND_STORED: Final = ("swarmwire", "swarmwire_stored")
_NAIVE: Final = ("naive_starlette", "websockets_broadcast", "python_socketio")
_LARGE: Final = ("swarmwire", "coalesce", "nats")
_LARGE_SINGLE: Final = ("swarmwire", "direct", "nats")
_SHARED_LOAD: Final = ("swarmwire", "nats", "centrifugo", "mosquitto")
_TASK_PEERS: Final = ("swarmwire", "swarmwire_stored", "rq")
_WAYS: Final = ("swarmwire", "swarmwire_unix", "swarmwire_pipe", "nats_tcp")
_CLUSTER: Final = ("swarmwire", "swarmwire_nats_1", "swarmwire_nats_2", "swarmwire_nats_3")
_CLUSTERED: Final = (*_CLUSTER, "centrifugo", "centrifugo_redis")
_STALL: Final = {"rate": 500, "payload": 4000}
_ROOM: Final = ("limits.max_unauthenticated=6000",)
_MILLIONS: Final = ("limits.log_events=2500000", "limits.log_bytes=none")
_MANY_TOPICS: Final = ("limits.latest_topics=1200000", "limits.latest_bytes=2000000000")

WORKLOADS: Final[dict[str, Workload]] = {
    workload.name: workload
    for workload in (
        Workload("fanout-100", "fan-out to 100, batched", Shown.COST, _fan(100, 32), quick=True, also=_NAIVE),
        Workload("fanout-1000", "fan-out to 1000, batched", Shown.COST, _fan(1000, 32), also=("naive_starlette",)),
        Workload("fanout-100-single", "fan-out to 100, unbatched", Shown.COST, _fan(100, 1)),
        Workload("fanout-1000-single", "fan-out to 1000, unbatched", Shown.COST, _fan(1000, 1), quick=True),
        Workload("pairs", "100 pairs, batched", Shown.COST, _pairs(8), quick=True, also=_NAIVE),
        Workload("pairs-single", "100 pairs, unbatched", Shown.COST, _pairs(1), quick=True),
        Workload("fanout-100-4k", "fan-out to 100, batched, 4 KB", Shown.COST, _fan(100, 32, 4000), peers=_LARGE),
        Workload("fanout-1000-4k", "fan-out to 1000, batched, 4 KB", Shown.COST, _fan(1000, 32, 4000), peers=_LARGE),
        Workload(
            "fanout-1000-single-4k",
            "fan-out to 1000, unbatched, 4 KB",
            Shown.COST,
            _fan(1000, 1, 4000),
            peers=_LARGE_SINGLE,
        ),
        Workload("pairs-4k", "100 pairs, batched, 4 KB", Shown.COST, _pairs(8, 4000), peers=_LARGE),
        Workload("pairs-single-4k", "100 pairs, unbatched, 4 KB", Shown.COST, _pairs(1, 4000), peers=_LARGE_SINGLE),
        Workload(
            "wildcards",
            "fan-out to 1000 by 200 patterns, batched",
            Shown.COST,
            _fan(1000, 32),
            wildcards=True,
        ),
        Workload(
            "bursts",
            "bursts of 50 to 1000, ten a second",
            Shown.PACED,
            _options(subs=1000, burst=50, interval_us=100_000, drain=4),
            takes=1,
        ),
        Workload(
            "overload",
            "overload: 50 publishers to 100",
            Shown.PACED,
            _options(subs=100, pubs=50, drain=4),
            overload=True,
            takes=1,
            peers=("swarmwire", "coalesce", "direct", "nats", "centrifugo", "mosquitto", "socketio"),
        ),
        Workload(
            "steady-fanout",
            "200 messages a second to 100",
            Shown.PACED,
            _options(subs=100, rate=200),
            quick=True,
            seconds=2,
        ),
        Workload(
            "steady-pairs",
            "4000 messages a second over 100 pairs",
            Shown.PACED,
            _options(subs=100, pubs=100, topics=100, rate=4000),
            seconds=2,
        ),
        Workload("fanout-100-acks", "fan-out to 100, batched", Shown.ACKS, _fan(100, 32), acks=True, peers=_OURS),
        Workload(
            "fanout-1000-single-acks", "fan-out to 1000, unbatched", Shown.ACKS, _fan(1000, 1), acks=True, peers=_OURS
        ),
        Workload("pairs-acks", "100 pairs, batched", Shown.ACKS, _pairs(8), acks=True, peers=_OURS),
        Workload("pairs-single-acks", "100 pairs, unbatched", Shown.ACKS, _pairs(1), acks=True, peers=_OURS),
        Workload(
            "idle",
            "5000 idle subscribers, each with a topic of its own",
            Shown.IDLE,
            _options(subs=5000, topics=5000, pubs=0, hold=1),
            settings=_ROOM,
        ),
        Workload(
            "all-awake",
            "500 a second of 4 KB to 45",
            Shown.STALLED,
            _options(subs=45, **_STALL),
            peers=_SHARED_LOAD,
            seconds=3,
        ),
        Workload(
            "stalled",
            "500 a second of 4 KB to 45, 5 more stalled",
            Shown.STALLED,
            _options(subs=45, stalled=5, wake=10, **_STALL),
            peers=_SHARED_LOAD,
            seconds=3,
        ),
        Workload(
            "stalled-small-log",
            "500 a second of 4 KB to 45, 5 more stalled, a log of 500 events",
            Shown.STALLED,
            _options(subs=45, stalled=5, wake=10, **_STALL),
            peers=_OURS,
            settings=("limits.log_events=500",),
            seconds=3,
        ),
        Workload(
            "reconnect",
            "2000 subscribers cut, all reconnecting and resuming at once",
            Shown.RECONNECT,
            _options(subs=2000, pubs=100, topics=100, rate=1000, storm_after=0.5, drain=10),
            peers=_OURS,
            resumes=True,
            settings=_ROOM,
            seconds=4,
        ),
        _stored(1, "1 publisher"),
        _stored(10, "10 publishers"),
        _stored(100, "100 publishers", quick=True),
        Workload(
            "stored-fanout",
            "fan-out to 1000, 512 in flight",
            Shown.STORED_FANOUT,
            _options(subs=1000, window=512, batch=32, drain=5),
            peers=_MEMORY_AND_STORED,
        ),
        Workload(
            "stored-bursts",
            "fan-out to 1000, bursts of 32, twenty a second",
            Shown.STORED_FANOUT,
            _options(subs=1000, burst=32, interval_us=50_000, drain=5),
            peers=_MEMORY_AND_STORED,
        ),
        Workload(
            "awaited",
            "100 awaited publishes at any time",
            Shown.AWAITED,
            (),
            peers=(*_EITHER, "jetstream", "jetstream_sync"),
            program="awaited",
            seconds=2,
        ),
        Workload(
            "resume-shared",
            "2000 clients resume: the same 1000 events for all",
            Shown.RESUMED,
            _options(subs=2000, pubs=1, topics=1, missed=1000, drain=60),
            peers=_MEMORY_AND_STORED,
            resumes=True,
            probes=True,
            settings=_ROOM,
            takes=5,
        ),
        Workload(
            "resume-own",
            "2000 clients resume: 1000 events of each one's own topic",
            Shown.RESUMED,
            _options(subs=2000, pubs=2000, topics=2000, missed=1000, drain=100),
            peers=_MEMORY_AND_STORED,
            resumes=True,
            probes=True,
            settings=(*_ROOM, *_MILLIONS),
            takes=70,
            rounds=1,
        ),
        Workload(
            "history",
            "1,000,000 events of 100 topics, read by one wildcard",
            Shown.RESUMED,
            _options(subs=1, pubs=100, topics=100, fan=1, missed=10_000, drain=100),
            peers=_MEMORY_AND_STORED,
            pattern="bench.#",
            resumes=True,
            probes=True,
            settings=_MILLIONS,
            takes=45,
            rounds=1,
        ),
        Workload(
            "million-topics",
            "1,000,000 topics, one event each",
            Shown.TOPICS,
            _options(subs=0, pubs=100, topics=100, missed=10_000),
            peers=_MEMORY_AND_STORED,
            topic="bench.t{id}.{number}",
            probes=True,
            settings=_MANY_TOPICS,
            takes=30,
            rounds=1,
        ),
        _calls("calls-one", "one call under way", 1, quick=True),
        _calls("calls-pipelined", "100 calls under way", 100),
        _tasks(1, "1000 tasks, 1 worker"),
        _tasks(8, "1000 tasks, 8 workers"),
        Workload("ways-pairs", "100 pairs, batched", Shown.BESIDE, _pairs(8), quick=True, peers=_WAYS),
        Workload("ways-pairs-single", "100 pairs, unbatched", Shown.BESIDE, _pairs(1), peers=_WAYS),
        Workload(
            "round-trip",
            "one pair, one message under way",
            Shown.BESIDE,
            _options(window=1),
            quick=True,
            peers=(*_WAYS, "echo"),
        ),
        Workload(
            "cluster-fanout",
            "fan-out to 1000, batched",
            Shown.CLUSTER,
            _fan(1000, 32),
            peers=_CLUSTERED,
            rounds=3,
        ),
        Workload("cluster-pairs", "100 pairs, batched", Shown.CLUSTER, _pairs(8), peers=_CLUSTERED, rounds=3),
        Workload(
            "cluster-publishers",
            "100 publishers, each publish acknowledged",
            Shown.CLUSTER,
            _publishers(100),
            peers=(*_CLUSTER, "jetstream_tcp"),
            acks=True,
            rounds=3,
        ),
        Workload(
            "cluster-windowed",
            "nats-py's publish_async, 4000 in flight",
            Shown.CLUSTER,
            _options(outstanding=4000),
            peers=("jetstream",),
            program="windowed",
            rounds=3,
        ),
        Workload(
            "cluster-round-trip",
            "one pair, one message under way",
            Shown.CLUSTER,
            _options(window=1),
            peers=(*_CLUSTERED, "jetstream_tcp"),
            rounds=3,
        ),
    )
}
"""Every workload, in the order of the report."""
