"""What the broker counts: plain integers that the hot path raises, and one histogram of latency.

Nothing here knows how the numbers are shown; `swarmwire_broker.metrics` turns them into the Prometheus text.
"""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["BOUNDS", "SIZES", "Histogram", "Stats"]

BOUNDS: tuple[float, ...] = (
    *(0.0001, 0.00025, 0.0005),
    *(0.001, 0.0025, 0.005),
    *(0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0),
)
"""Upper bounds of the buckets, in seconds; an observation equal to a bound is within it."""


SIZES: tuple[float, ...] = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)
"""Upper bounds of the buckets for numbers of events."""


class Histogram:
    """How often durations fell into fixed buckets.

    Attributes:
        counts: observations per bucket, not cumulated; the last one is for what is over every bound.
        total: the sum of all observations, in seconds.
    """

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...] = BOUNDS) -> None:
        if not bounds or list(bounds) != sorted(set(bounds)):
            raise ValueError(f"bounds of a histogram must rise strictly, not {bounds}")
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, seconds: float, count: int = 1) -> None:
        """Count `count` observations of the same duration."""
        place, last = 0, len(self.bounds)
        while place < last:
            bound = self.bounds[place]
            if bound >= seconds:
                break
            place += 1
        self.counts[place] += count
        self.total += seconds * count

    @property
    def count(self) -> int:
        """The number of all observations."""
        return sum(self.counts)


class Stats:
    """The counters of one broker. Whoever does the work raises them: `stats.publishes += 1`.

    Attributes:
        connections_opened, connections_closed: connections that began and ended.
        publishes, publish_bytes: events accepted, and the bytes of their `data`.
        deliveries, delivery_bytes: events written to clients, one for each client, and their bytes.
        drops: events that a subscription in mode drop_oldest lost.
        ephemeral_skipped: ephemeral events not written because a session was behind.
        replays: replays begun.
        refused_connections: connections turned away before their hello (limit, Origin, Host).
        logins_failed: logins refused.
        duplicates: publishes answered from their key.
        errors: errors sent, by code.
        gaps: gaps sent, by reason.
        latency: seconds between reading a publish and writing its event.
        commits, batches: seconds that each transaction of a durable log took, and the events it stored.
        gauges: functions that are read at a scrape, by name; the owner of the number puts them there.
    """

    __slots__ = (
        "batches",
        "commits",
        "connections_closed",
        "connections_opened",
        "deliveries",
        "delivery_bytes",
        "drops",
        "duplicates",
        "ephemeral_skipped",
        "errors",
        "gaps",
        "gauges",
        "latency",
        "logins_failed",
        "publish_bytes",
        "publishes",
        "refused_connections",
        "replays",
    )

    def __init__(self) -> None:
        self.connections_opened = 0
        self.connections_closed = 0
        self.publishes = 0
        self.publish_bytes = 0
        self.deliveries = 0
        self.delivery_bytes = 0
        self.drops = 0
        self.ephemeral_skipped = 0
        self.replays = 0
        self.refused_connections = 0
        self.logins_failed = 0
        self.duplicates = 0
        self.errors: dict[str, int] = {}
        self.gaps: dict[str, int] = {}
        self.latency = Histogram()
        self.commits = Histogram()
        self.batches = Histogram(SIZES)
        self.gauges: dict[str, Callable[[], float]] = {}

    def error(self, code: str) -> None:
        """Count an error sent to a client."""
        self.errors[code] = self.errors.get(code, 0) + 1

    def commit(self, events: int, seconds: float) -> None:
        """Count a transaction of a durable log."""
        self.commits.observe(seconds)
        self.batches.observe(events)

    def gap(self, reason: str) -> None:
        """Count a gap sent to a client."""
        self.gaps[reason] = self.gaps.get(reason, 0) + 1
