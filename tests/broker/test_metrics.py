"""What is counted, and how Prometheus reads it."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from swarmwire_broker.core.stats import BOUNDS, Histogram, Stats
from swarmwire_broker.metrics import render


def samples(stats: Stats) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(render(stats).decode())
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def test_every_counter_is_exposed_under_its_name() -> None:
    stats = Stats()
    counters = [name for name in Stats.__slots__ if isinstance(getattr(stats, name), int)]
    for number, name in enumerate(counters, 1):
        setattr(stats, name, number)

    found = samples(stats)

    for number, name in enumerate(counters, 1):
        assert found[f"swarmwire_{name}_total", ()] == number


def test_errors_and_gaps_are_counted_by_what_they_say() -> None:
    stats = Stats()
    stats.error("INVALID_TOPIC")
    stats.error("INVALID_TOPIC")
    stats.error('a "quoted"\nline')
    stats.gap("evicted")

    found = samples(stats)

    assert found["swarmwire_errors_total", (("code", "INVALID_TOPIC"),)] == 2
    assert found["swarmwire_errors_total", (("code", 'a "quoted"\nline'),)] == 1
    assert found["swarmwire_gaps_total", (("reason", "evicted"),)] == 1


def test_gauges_are_read_when_they_are_asked_for() -> None:
    stats, open_now = Stats(), [1, 2, 3]
    stats.gauges["connections"] = lambda: len(open_now)
    assert samples(stats)["swarmwire_connections", ()] == 3
    open_now.clear()
    assert samples(stats)["swarmwire_connections", ()] == 0


def test_a_gauge_that_fails_is_left_out_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    stats = Stats()
    stats.gauges["queue_bytes"] = lambda: 1 / 0
    stats.gauges["log_events"] = lambda: 7

    with caplog.at_level(logging.ERROR, "swarmwire.broker.metrics"):
        found = samples(stats)

    assert ("swarmwire_queue_bytes", ()) not in found
    assert found["swarmwire_log_events", ()] == 7
    assert [record.getMessage() for record in caplog.records] == ["a gauge failed"]


def test_two_brokers_in_one_process_do_not_meet() -> None:
    first, second = Stats(), Stats()
    first.publishes += 1
    assert samples(first)["swarmwire_publishes_total", ()] == 1
    assert samples(second)["swarmwire_publishes_total", ()] == 0


def test_the_version_is_told() -> None:
    assert any(name == "swarmwire_build_info" and dict(labels)["version"] for name, labels in samples(Stats()))


def test_latency_is_exposed_cumulated() -> None:
    stats = Stats()
    stats.latency.observe(0.0001)
    stats.latency.observe(0.003, 4)
    stats.latency.observe(60)
    name = "swarmwire_publish_latency_seconds"

    found = samples(stats)

    assert found[f"{name}_bucket", (("le", "0.0001"),)] == 1
    assert found[f"{name}_bucket", (("le", "0.0025"),)] == 1
    assert found[f"{name}_bucket", (("le", "0.005"),)] == 5
    assert found[f"{name}_bucket", (("le", "10.0"),)] == 5
    assert found[f"{name}_bucket", (("le", "+Inf"),)] == 6
    assert found[f"{name}_count", ()] == 6
    assert found[f"{name}_sum", ()] == pytest.approx(60.0121)


@given(st.lists(st.floats(min_value=0, max_value=100)))
def test_an_observation_falls_into_the_first_bucket_that_holds_it(observations: list[float]) -> None:
    histogram = Histogram()
    for seconds in observations:
        histogram.observe(seconds)

    expected = [0] * (len(BOUNDS) + 1)
    for seconds in observations:
        expected[next((at for at, bound in enumerate(BOUNDS) if seconds <= bound), len(BOUNDS))] += 1
    assert histogram.counts == expected
    assert histogram.count == len(observations)
    assert histogram.total == pytest.approx(sum(observations))


@pytest.mark.parametrize("bounds", [(), (1.0, 1.0), (2.0, 1.0)])
def test_bounds_that_do_not_rise_are_refused(bounds: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="rise strictly"):
        Histogram(bounds)
