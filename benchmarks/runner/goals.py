"""What Swarmwire is to reach, as a table; each goal is judged by the median of the rounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from .spreads import Cell, Runs, Spread, figure, ratio

__all__ = ["GOALS", "Goal", "Verdict", "judge"]

_OURS: Final = "swarmwire"
_CPU: Final = "cpu_us_per_delivery"


@dataclass(frozen=True)
class Goal:
    """`name` of `cell`, divided by that of `other` where there is one, must not be above (or below) `bound`.

    `other_name` is what it is divided by, where that is another figure.
    """

    what: str
    cell: Cell
    name: str
    other: Cell | None
    bound: float
    relation: Literal["<=", ">="] = "<="
    other_name: str | None = None


@dataclass(frozen=True)
class Verdict:
    """A goal with what was measured; `reached` is None where it was not."""

    goal: Goal
    measured: Spread | None
    reached: bool | None


def _cpu(workload: str, what: str, **bounds: float) -> list[Goal]:
    """At most so many times the CPU per delivery of each of these servers."""
    return [
        Goal(f"{what}: CPU against {peer}", (workload, _OURS), _CPU, (workload, peer), bound)
        for peer, bound in bounds.items()
    ]


def _latency(workload: str, what: str, **peers: Mapping[str, float]) -> list[Goal]:
    return [
        Goal(f"{what}: {name.removesuffix('_us')} against {peer}", (workload, _OURS), name, (workload, peer), bound)
        for peer, bounds in peers.items()
        for name, bound in bounds.items()
    ]


def _batched(workload: str, what: str) -> list[Goal]:
    return _cpu(
        workload,
        what,
        coalesce=1.4,
        nats=0.8,
        centrifugo=0.8,
        mosquitto=1 / 12,
        socketio=1 / 12,
        naive_starlette=1 / 25,
    )


def _steady(workload: str, what: str) -> list[Goal]:
    peers = ("nats", "centrifugo", "mosquitto", "socketio")
    others = {peer: {"p50_us": 1.1} for peer in peers}
    return _latency(workload, what, direct={"p50_us": 1.3, "p99_us": 1.5}, **others)


def _none(workload: str, what: str, name: str) -> Goal:
    return Goal(what, (workload, _OURS), name, None, 0)


def _complete(workload: str, server: str) -> list[Goal]:
    return [
        Goal(f"{workload}, {server}: nothing lost", (workload, server), "lost", None, 0),
        Goal(f"{workload}, {server}: nothing missed or doubled", (workload, server), "order_errors", None, 0),
    ]


def _yardstick(workload: str, receivers: int) -> Goal:
    what = f"the yardstick is hard, fan-out to {receivers}: coalescing C against nats"
    return Goal(what, (workload, "coalesce"), _CPU, (workload, "nats"), 0.75)


_IDLE: Final = ("idle", _OURS)
_STALLED: Final = ("stalled", _OURS)
_KEPT: Final = "swarmwire_stored"
_STORED: Final = ("stored-100", _KEPT)
_FANOUT: Final = ("stored-fanout", _KEPT)
_FANOUT_MEMORY: Final = ("stored-fanout", _OURS)
_BURSTS: Final = ("stored-bursts", _KEPT)
_BURSTS_MEMORY: Final = ("stored-bursts", _OURS)
_AWAITED: Final = ("awaited", _KEPT)
_JETSTREAM: Final = ("awaited", "jetstream")
_MATCH: Final = ("topic-match", _OURS)
_UNIX: Final = "swarmwire_unix"
_WAYS: Final = "ways-pairs"
_WAYS_SINGLE: Final = "ways-pairs-single"
_ROUND_TRIP: Final = "round-trip"
_ON_NATS: Final = "swarmwire_nats_1"
_NATS_FANOUT: Final = ("cluster-fanout", _ON_NATS)
_MEMORY_FANOUT: Final = ("cluster-fanout", _OURS)
_CLUSTER_TRIP: Final = "cluster-round-trip"

GOALS: Final[tuple[Goal, ...]] = (
    _yardstick("fanout-100", 100),
    _yardstick("fanout-1000", 1000),
    *_batched("fanout-100", "fan-out to 100, batched"),
    *_batched("fanout-1000", "fan-out to 1000, batched"),
    *_cpu(
        "fanout-1000-single",
        "fan-out to 1000, unbatched",
        direct=1.4,
        nats=0.75,
        centrifugo=0.75,
        mosquitto=0.75,
        socketio=0.75,
    ),
    *_cpu("pairs", "pairs, batched", nats=1.6, centrifugo=0.8, mosquitto=0.5, socketio=0.25),
    *_cpu("pairs-single", "pairs, unbatched", nats=1.0, mosquitto=1.3),
    _none("bursts", "bursts: nothing lost", "lost"),
    *_cpu("bursts", "bursts", nats=0.6),
    *_latency("bursts", "bursts", nats={"p99_us": 1.0}),
    _none("overload", "overload: nothing lost", "lost"),
    *_latency("overload", "overload", direct={"p99_us": 1 / 50}),
    *_steady("steady-fanout", "200 messages a second to 100"),
    *_steady("steady-pairs", "4000 messages a second over 100 pairs"),
    Goal("idle: bytes of memory a subscriber", _IDLE, "rss_per_connection", None, 6 * 1024),
    Goal("idle: memory against nats", _IDLE, "rss_per_connection", ("idle", "nats"), 0.25),
    Goal("idle: memory against centrifugo", _IDLE, "rss_per_connection", ("idle", "centrifugo"), 0.25),
    Goal("connections a second against mosquitto", _IDLE, "connect_rate", ("idle", "mosquitto"), 0.6, ">="),
    Goal("connections a second against socketio", _IDLE, "connect_rate", ("idle", "socketio"), 1.5, ">="),
    Goal("a tenth stalled: p99 of the others against without", _STALLED, "p99_us", ("all-awake", _OURS), 1.5),
    Goal("a tenth stalled: silent losses once awake", _STALLED, "silent_losses", None, 0),
    Goal("a tenth stalled: caught up once awake, of 5", _STALLED, "woken_complete", None, 5, ">="),
    _none("stalled-small-log", "stalled beyond the log: silent losses once awake", "silent_losses"),
    Goal("stalled beyond the log: gaps", ("stalled-small-log", _OURS), "gaps", None, 5, ">="),
    _none("reconnect", "2000 reconnecting: nothing lost", "lost"),
    _none("reconnect", "2000 reconnecting: nothing missed or doubled", "order_errors"),
    Goal("100 publishers: stored against memory", _STORED, "delivery_rate", ("stored-100", _OURS), 0.5, ">="),
    Goal("fan-out flat out, deliveries: stored against memory", _FANOUT, "delivery_rate", _FANOUT_MEMORY, 0.9, ">="),
    Goal("fan-out in bursts, CPU: stored against memory", _BURSTS, _CPU, _BURSTS_MEMORY, 1 / 0.9),
    Goal("100 awaited publishes: against JetStream in files", _AWAITED, "delivery_rate", _JETSTREAM, 2, ">="),
    Goal("one call: p50 against NATS request/reply", ("calls-one", _OURS), "p50_us", ("calls-one", "nats_tcp"), 2),
    *(
        Goal(f"{what}, {how}: against a Redis-backed queue", (name, server), "delivery_rate", (name, "rq"), 1, ">=")
        for name, what in (("tasks-1", "tasks, 1 worker"), ("tasks-8", "tasks, 8 workers"))
        for server, how in ((_OURS, "in memory"), (_KEPT, "stored"))
    ),
    *(
        goal
        for workload in ("resume-shared", "resume-own", "history")
        for server in (_OURS, _KEPT)
        for goal in _complete(workload, server)
    ),
    Goal("pairs by Unix socket, batched: CPU against by WebSocket", (_WAYS, _UNIX), _CPU, (_WAYS, _OURS), 0.75),
    Goal(
        "pairs by Unix socket, unbatched: CPU against by WebSocket",
        (_WAYS_SINGLE, _UNIX),
        _CPU,
        (_WAYS_SINGLE, _OURS),
        0.75,
    ),
    Goal("round trip by Unix socket: p50 against a C echo", (_ROUND_TRIP, _UNIX), "p50_us", (_ROUND_TRIP, "echo"), 3),
    Goal("one broker on NATS, fan-out to 1000: CPU against in memory", _NATS_FANOUT, _CPU, _MEMORY_FANOUT, 1.25),
    Goal(
        "one broker on NATS, acknowledged publishes: against nats-py's publish_async",
        ("cluster-publishers", _ON_NATS),
        "delivery_rate",
        ("cluster-windowed", "jetstream"),
        3,
        ">=",
    ),
    Goal(
        "one broker on NATS, publish to delivery: p50 against a bare JetStream publish and its ack",
        (_CLUSTER_TRIP, _ON_NATS),
        "p50_us",
        (_CLUSTER_TRIP, "jetstream_tcp"),
        2,
    ),
    Goal("topic match, first time, against decoding", _MATCH, "uncached_us", _MATCH, 10, "<=", "decode_us"),
    Goal("topic match, known, against decoding", _MATCH, "cached_us", _MATCH, 0.3, "<=", "decode_us"),
)


def judge(runs: Runs) -> list[Verdict]:
    """Every goal with what the rounds say of it."""
    return [_judge(runs, goal) for goal in GOALS]


def _judge(runs: Runs, goal: Goal) -> Verdict:
    measured = _measured(runs, goal)
    if measured is None:
        return Verdict(goal, None, None)
    below = measured.median <= goal.bound
    return Verdict(goal, measured, below if goal.relation == "<=" else measured.median >= goal.bound)


def _measured(runs: Runs, goal: Goal) -> Spread | None:
    if goal.other is None:
        return figure(runs, goal.cell, goal.name)
    return ratio(runs, goal.cell, goal.other, goal.name, goal.other_name)
