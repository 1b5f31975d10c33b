"""The rounds: every workload on every server, one after the other, again and again.

Within a round the servers of one workload follow each other, so that their ratios are of the same minute.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from . import topicmatch
from .estimates import seconds
from .generator import Figures, GeneratorFailed, Times, generate
from .peers import PEERS, Kind, Peer
from .processes import ServerFailed, running
from .spreads import Cell
from .workloads import WORKLOADS, Workload

__all__ = ["Plan", "Results", "Say", "TOPIC_MATCH", "cells", "has_part", "plan_seconds", "run_rounds"]

TOPIC_MATCH = "topic-match"
"""The one workload without a load generator."""

Say: TypeAlias = Callable[[str], None]

_PROBE = WORKLOADS["fanout-100"]
_FALLBACK_RATE = 4_500.0
_OVER = 2.0
_MATCH_SECONDS = 8.0


@dataclass(frozen=True)
class Plan:
    """What is run: names of peers and workloads, how often, how long each time."""

    peers: tuple[str, ...]
    workloads: tuple[str, ...]
    rounds: int
    times: Times


@dataclass
class Results:
    """What came out: figures by cell and round (None where there are none), what went wrong, and the rounds done."""

    runs: dict[Cell, list[Figures | None]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    overload_rate: float | None = None
    rounds: int = 0

    def add(self, cell: Cell, figures: Figures | None) -> None:
        self.runs.setdefault(cell, []).append(figures)


def run_rounds(plan: Plan, say: Say, keep: Callable[[Results], None] = lambda results: None) -> Results:
    """Run it all; what fails is noted, and the run goes on. `keep` is given what there is after each round."""
    results = Results()
    progress = _Progress(plan, say)
    for number in range(plan.rounds):
        for workload, peer in cells(plan, number):
            figures = _attempt(plan, results, workload, peer)
            results.add((workload, peer), figures)
            progress.tell(number, workload, peer, figures)
        results.rounds = number + 1
        keep(results)
    return results


class _Progress:
    """What is said after each run: what it measured, and how long the rest will take if it goes on like this."""

    def __init__(self, plan: Plan, say: Say) -> None:
        self._plan, self._say = plan, say
        self._start = time.monotonic()
        self._wanted = plan_seconds(plan)
        self._done = 0.0

    def tell(self, number: int, workload: str, peer: str, figures: Figures | None) -> None:
        self._done += cell_seconds(workload, peer, self._plan.times)
        left = (time.monotonic() - self._start) * max(0.0, self._wanted / self._done - 1)
        place = f"round {number + 1}/{self._plan.rounds}"
        self._say(f"{place}  {workload:<22} {peer:<20} {_summary(figures)}  {_left(left)}")


def plan_seconds(plan: Plan) -> float:
    """About how long a plan takes."""
    every = (cell for number in range(plan.rounds) for cell in cells(plan, number))
    return sum(cell_seconds(workload, peer, plan.times) for workload, peer in every)


def cell_seconds(workload: str, peer: str, times: Times) -> float:
    """About how long one run takes."""
    return _MATCH_SECONDS if workload == TOPIC_MATCH else seconds(WORKLOADS[workload], peer, times)


def cells(plan: Plan, number: int) -> Iterator[Cell]:
    """What runs in a round, in its order."""
    for name in plan.workloads:
        if name == TOPIC_MATCH:
            yield name, "swarmwire"
            continue
        most = WORKLOADS[name].rounds
        if most is None or number < most:
            yield from ((name, peer) for peer in plan.peers if has_part(WORKLOADS[name], PEERS[peer]))


def has_part(workload: Workload, peer: Peer) -> bool:
    """Whether a server can and shall run a workload."""
    if peer.name in workload.also:
        return True
    if workload.peers is not None:
        return peer.name in workload.peers
    return peer.everywhere and (not workload.wildcards or peer.dialect.star is not None)


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
    settings = workload.settings if peer.kind is Kind.OURS else ()
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
        case {"storm_caught_up_s": float(caught_up), "delivery_rate": float(rate)}:
            return f"{caught_up:9.2f} s until all have all, {rate:,.0f} deliveries/s"
        case {"rss_per_message": float(memory), "publish_rate": _}:
            return f"{memory:9,.0f} B a message"
        case {"rss_per_connection": memory, "connect_rate": rate}:
            return f"{memory or 0:9,.0f} B a connection, {rate or 0:,.0f} connections/s"
        case _:
            return "done"


def _left(seconds: float) -> str:
    return f"({seconds / 60:.0f} min left)" if seconds >= 90 else f"({seconds:.0f} s left)"
