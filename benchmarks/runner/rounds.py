"""The rounds: every workload on every server, one after the other, again and again.

Within a round the servers of one workload follow each other, so that their ratios are of the same minute.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from . import topicmatch
from .generator import Figures, GeneratorFailed, Times, generate
from .peers import PEERS, Peer
from .processes import ServerFailed, running
from .spreads import Cell
from .workloads import WORKLOADS, Workload

__all__ = ["Plan", "Results", "Say", "TOPIC_MATCH", "has_part", "run_rounds"]

TOPIC_MATCH = "topic-match"
"""The one workload without a load generator."""

Say: TypeAlias = Callable[[str], None]

_PROBE = WORKLOADS["fanout-100"]
_FALLBACK_RATE = 4_500.0
_OVER = 2.0


@dataclass(frozen=True)
class Plan:
    """What is run: names of peers and workloads, how often, how long each time."""

    peers: tuple[str, ...]
    workloads: tuple[str, ...]
    rounds: int
    times: Times


@dataclass
class Results:
    """What came out: figures by cell and round (None where there are none), and what went wrong."""

    runs: dict[Cell, list[Figures | None]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    overload_rate: float | None = None

    def add(self, cell: Cell, figures: Figures | None) -> None:
        self.runs.setdefault(cell, []).append(figures)


def run_rounds(plan: Plan, say: Say) -> Results:
    """Run it all; what fails is noted, and the run goes on."""
    results = Results()
    cells = list(_cells(plan))
    start = time.monotonic()
    for number in range(plan.rounds):
        for position, (workload, peer) in enumerate(cells, start=1):
            figures = _attempt(plan, results, workload, peer)
            results.add((workload, peer), figures)
            done = (number * len(cells) + position) / (plan.rounds * len(cells))
            left = (time.monotonic() - start) * (1 / done - 1)
            say(f"round {number + 1}/{plan.rounds}  {workload:<22} {peer:<20} {_summary(figures)}  {_left(left)}")
    return results


def _cells(plan: Plan) -> Iterator[Cell]:
    for name in plan.workloads:
        if name == TOPIC_MATCH:
            yield name, "swarmwire"
            continue
        yield from ((name, peer) for peer in plan.peers if has_part(WORKLOADS[name], PEERS[peer]))


def has_part(workload: Workload, peer: Peer) -> bool:
    """Whether a server can and shall run a workload."""
    if workload.peers is not None and peer.name not in workload.peers:
        return False
    return not workload.wildcards or peer.dialect.star is not None


def _attempt(plan: Plan, results: Results, workload: str, peer: str) -> Figures | None:
    try:
        if workload == TOPIC_MATCH:
            return topicmatch.measure()
        return _measure(plan, results, WORKLOADS[workload], PEERS[peer])
    except (ServerFailed, GeneratorFailed) as failure:
        results.failures.append(f"{workload}, {peer}: {failure}")
        return None


def _measure(plan: Plan, results: Results, workload: Workload, peer: Peer) -> Figures:
    rate = _overload_rate(plan, results) if workload.overload else None
    settings = workload.settings if peer.name == "swarmwire" else ()
    with running(peer, settings) as server:
        return generate(server, workload, plan.times, rate)


def _overload_rate(plan: Plan, results: Results) -> float:
    """Twice what one send per message can carry here, in messages a second; found once, so that rounds compare."""
    if results.overload_rate is None:
        results.overload_rate = _FALLBACK_RATE
        if "direct" in plan.peers:
            with running(PEERS["direct"]) as server:
                carried = generate(server, _PROBE, plan.times)["publish_rate"]
                results.overload_rate = _OVER * carried if carried else _FALLBACK_RATE
    return results.overload_rate


def _summary(figures: Figures | None) -> str:
    match figures:
        case None:
            return "no result"
        case {"uncached_us": float(uncached), "cached_us": float(cached)}:
            return f"{uncached:9.2f} us first, {cached:.3f} us known"
        case {"cpu_us_per_delivery": float(cpu), "delivery_rate": float(rate)}:
            return f"{cpu:9.3f} us CPU a delivery, {rate:11,.0f} deliveries/s"
        case {"rss_per_connection": memory, "connect_rate": rate}:
            return f"{memory or 0:9,.0f} B a connection, {rate or 0:,.0f} connections/s"
        case _:
            return "done"


def _left(seconds: float) -> str:
    return f"({seconds / 60:.0f} min left)" if seconds >= 90 else f"({seconds:.0f} s left)"
