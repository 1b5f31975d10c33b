"""The counters of a broker in the text format of Prometheus.

Every call collects from the `Stats` it is given: there is no global registry, so two brokers in one process
do not meet.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from .core.stats import Histogram, Stats
from .version import VERSION

__all__ = ["CONTENT_TYPE", "COUNTERS", "StatsCollector", "read_gauge", "render"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""The content type of what `render` returns."""

log = logging.getLogger("swarmwire.broker.metrics")

COUNTERS = {
    "connections_opened": "Connections that began.",
    "connections_closed": "Connections that ended.",
    "refused_connections": "Connections turned away before their hello.",
    "logins_failed": "Logins refused.",
    "publishes": "Events accepted.",
    "publish_bytes": "Bytes of data of the events accepted.",
    "duplicates": "Publishes answered from their idempotency key.",
    "deliveries": "Events written to clients, one for each client.",
    "delivery_bytes": "Bytes of the events written to clients.",
    "drops": "Events that subscriptions in mode drop_oldest lost.",
    "ephemeral_skipped": "Ephemeral events not written because a session was behind.",
    "replays": "Replays begun.",
}
"""The counters of `Stats` by name, with what they count."""

_LABELLED = {
    "errors": ("code", "Errors sent to clients."),
    "gaps": ("reason", "Gaps announced to clients."),
}
_GAUGES = {
    "connections": "Connections open now.",
    "queue_bytes": "Bytes waiting for the sockets of clients.",
    "catching_up": "Sessions that read the log because they are behind.",
    "subscriptions": "Subscriptions of all connections.",
    "log_events": "Events in the log.",
    "log_bytes": "Bytes of the events in the log.",
    "latest_topics": "Topics whose last event is kept.",
    "dedupe_keys": "Idempotency keys remembered.",
    "write_queue_events": "Events that wait to be stored.",
    "write_queue_bytes": "Bytes of these.",
    "writable": "1 while the log can be written, 0 while it cannot (the disk is full, NATS is away).",
    "patterns": "Different patterns that the router holds.",
    "window_events": "Events of the log in NATS that are held in memory.",
    "unacknowledged": "Events sent to NATS and not acknowledged yet.",
    "position_lag": "Places by which this broker is known to be behind the end of the log in NATS.",
    "follower_restarts": "Times that this broker's consumer was made anew.",
    "members": "Brokers of the cluster that this one hears, itself with them.",
    "coordinator": "Whether this broker answers for the cluster: 1 at one of its brokers.",
    "filters": "Filters of this broker's consumer; 1 also where it is sent everything.",
}


class StatsCollector(Collector):
    """Reads a `Stats` whenever Prometheus asks. A gauge that fails is left out and logged, the others stand."""

    def __init__(self, stats: Stats) -> None:
        self._stats = stats

    def collect(self) -> Iterator[Metric]:
        yield _build_info()
        yield from self._counters()
        yield from self._labelled()
        yield from self._gauges()
        stats = self._stats
        yield _histogram(
            "publish_latency_seconds", "Seconds between reading a publish and writing its event.", stats.latency
        )
        yield _histogram("commit_seconds", "Seconds that a transaction of the log on disk took.", stats.commits)
        yield _histogram("commit_events", "Events that a transaction of the log on disk stored.", stats.batches)

    def _counters(self) -> Iterator[Metric]:
        for name, sentence in COUNTERS.items():
            yield CounterMetricFamily(f"swarmwire_{name}", sentence, value=getattr(self._stats, name))

    def _labelled(self) -> Iterator[Metric]:
        for name, (label, sentence) in _LABELLED.items():
            family = CounterMetricFamily(f"swarmwire_{name}", sentence, labels=[label])
            for value, count in sorted(getattr(self._stats, name).items()):
                family.add_metric([value], count)
            yield family

    def _gauges(self) -> Iterator[Metric]:
        for name, read in list(self._stats.gauges.items()):
            value = read_gauge(name, read)
            if value is not None:
                sentence = _GAUGES.get(name, "A number of the broker.")
                yield GaugeMetricFamily(f"swarmwire_{name}", sentence, value=value)


def render(stats: Stats) -> bytes:
    """Everything that is counted, in the text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(StatsCollector(stats))
    return generate_latest(registry)


def read_gauge(name: str, read: Callable[[], float]) -> float | None:
    """What a gauge says; None where it fails, which is logged."""
    try:
        return float(read())
    except Exception:
        log.exception("a gauge failed", extra={"gauge": name})
        return None


def _histogram(name: str, sentence: str, histogram: Histogram) -> Metric:
    seen, buckets = 0, []
    for bound, count in zip((*histogram.bounds, "+Inf"), histogram.counts, strict=True):
        seen += count
        buckets.append((str(bound), seen))
    return HistogramMetricFamily(f"swarmwire_{name}", sentence, buckets, histogram.total)


def _build_info() -> Metric:
    family = GaugeMetricFamily("swarmwire_build_info", "The version that runs, as a label.", labels=["version"])
    family.add_metric([VERSION], 1)
    return family
