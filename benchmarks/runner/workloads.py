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


@dataclass(frozen=True)
class Workload:
    """One workload. `options` are the load generator's.

    Attributes:
        quick: whether the short run has it.
        peers: the only servers it is for; None for all that can.
        wildcards: whether subscribers use different patterns of one topic.
        acks: whether publishes ask for an answer.
        resumes: whether subscribers come back from where they were.
        overload: whether the rate is set to twice what one send per message can carry.
        settings: of Swarmwire's configuration, beside the usual.
        seconds: measured, where that is not the time of the run; a quick run may cut it.
    """

    name: str
    title: str
    shown: Shown
    options: tuple[str, ...]
    quick: bool = False
    peers: tuple[str, ...] | None = None
    wildcards: bool = False
    acks: bool = False
    resumes: bool = False
    overload: bool = False
    settings: tuple[str, ...] = ()
    seconds: float | None = None


def _options(**values: float) -> tuple[str, ...]:
    return tuple(part for name, value in values.items() for part in (f"--{name.replace('_', '-')}", f"{value:g}"))


def _fan(subscribers: int, window: int, payload: int = 128) -> tuple[str, ...]:
    return _options(subs=subscribers, window=window, batch=window, payload=payload)


def _pairs(window: int, payload: int = 128) -> tuple[str, ...]:
    return _options(subs=100, pubs=100, topics=100, window=window, batch=window, payload=payload)


_OURS: Final = ("swarmwire",)
_SHARED_LOAD: Final = ("swarmwire", "coalesce", "nats", "centrifugo", "mosquitto")
_STALL: Final = {"rate": 500, "payload": 4000}
_ROOM: Final = ("limits.max_unauthenticated=6000",)

WORKLOADS: Final[dict[str, Workload]] = {
    workload.name: workload
    for workload in (
        Workload("fanout-100", "fan-out to 100, batched", Shown.COST, _fan(100, 32), quick=True),
        Workload("fanout-1000", "fan-out to 1000, batched", Shown.COST, _fan(1000, 32)),
        Workload("fanout-100-single", "fan-out to 100, unbatched", Shown.COST, _fan(100, 1)),
        Workload("fanout-1000-single", "fan-out to 1000, unbatched", Shown.COST, _fan(1000, 1), quick=True),
        Workload("pairs", "100 pairs, batched", Shown.COST, _pairs(8), quick=True),
        Workload("pairs-single", "100 pairs, unbatched", Shown.COST, _pairs(1), quick=True),
        Workload("fanout-100-4k", "fan-out to 100, batched, 4 KB", Shown.COST, _fan(100, 32, 4000)),
        Workload("fanout-1000-4k", "fan-out to 1000, batched, 4 KB", Shown.COST, _fan(1000, 32, 4000)),
        Workload("fanout-1000-single-4k", "fan-out to 1000, unbatched, 4 KB", Shown.COST, _fan(1000, 1, 4000)),
        Workload("pairs-4k", "100 pairs, batched, 4 KB", Shown.COST, _pairs(8, 4000)),
        Workload("pairs-single-4k", "100 pairs, unbatched, 4 KB", Shown.COST, _pairs(1, 4000)),
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
        ),
        Workload(
            "overload",
            "overload: 50 publishers to 100",
            Shown.PACED,
            _options(subs=100, pubs=50, drain=4),
            overload=True,
            peers=("swarmwire", "coalesce", "direct", "nats", "centrifugo", "mosquitto", "socketio"),
        ),
        Workload(
            "steady-fanout",
            "200 messages a second to 100",
            Shown.PACED,
            _options(subs=100, rate=200),
            quick=True,
            seconds=3,
        ),
        Workload(
            "steady-pairs",
            "4000 messages a second over 100 pairs",
            Shown.PACED,
            _options(subs=100, pubs=100, topics=100, rate=4000),
            seconds=3,
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
            _options(subs=5000, topics=5000, pubs=0, hold=2),
            settings=_ROOM,
        ),
        Workload(
            "all-awake",
            "500 a second of 4 KB to 45",
            Shown.STALLED,
            _options(subs=45, **_STALL),
            peers=_SHARED_LOAD,
            seconds=4,
        ),
        Workload(
            "stalled",
            "500 a second of 4 KB to 45, 5 more stalled",
            Shown.STALLED,
            _options(subs=45, stalled=5, wake=10, **_STALL),
            peers=_SHARED_LOAD,
            seconds=4,
        ),
        Workload(
            "stalled-small-log",
            "500 a second of 4 KB to 45, 5 more stalled, a log of 500 events",
            Shown.STALLED,
            _options(subs=45, stalled=5, wake=10, **_STALL),
            peers=_OURS,
            settings=("limits.log_events=500",),
            seconds=4,
        ),
        Workload(
            "reconnect",
            "2000 subscribers cut, all reconnecting and resuming at once",
            Shown.RECONNECT,
            _options(subs=2000, pubs=100, topics=100, rate=1000, storm_after=0.5, drain=10),
            peers=_OURS,
            resumes=True,
            settings=_ROOM,
            seconds=5,
        ),
    )
}
"""Every workload, in the order of the report."""
