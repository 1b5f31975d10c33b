"""The columns of the tables that have a row for each workload and server: which figure, under which title."""

from __future__ import annotations

from typing import Final

from .workloads import Shown

__all__ = ["COLUMNS"]

_CPU: Final = "cpu_us_per_delivery"

COLUMNS: Final[dict[Shown, tuple[tuple[str, str], ...]]] = {
    Shown.IDLE: (
        ("rss_per_connection", "bytes of memory a connection"),
        ("connect_rate", "connections a second"),
        ("connect_cpu_us", "CPU a connection, µs"),
    ),
    Shown.STALLED: (
        (_CPU, "CPU a delivery, µs"),
        ("p50_us", "p50, µs"),
        ("p99_us", "p99, µs"),
        ("rss_peak_kb", "peak memory, KB"),
        ("stalled_closed", "stalled cut off"),
        ("woken_complete", "caught up once awake"),
        ("silent_losses", "losses nobody was told of"),
        ("gaps", "gaps told"),
    ),
    Shown.STORED: (
        ("delivery_rate", "acknowledged publishes a second"),
        (_CPU, "CPU each, µs"),
        ("p50_us", "p50 until the ack, µs"),
        ("p99_us", "p99, µs"),
    ),
    Shown.STORED_FANOUT: (
        ("delivery_rate", "deliveries a second"),
        (_CPU, "CPU each, µs"),
        ("p50_us", "p50, µs"),
        ("p99_us", "p99, µs"),
    ),
    Shown.AWAITED: (
        ("delivery_rate", "acknowledged publishes a second"),
        (_CPU, "server CPU each, µs"),
        ("p50_us", "p50, µs"),
        ("p99_us", "p99, µs"),
        ("generator_busy", "client busy"),
    ),
    Shown.CALLS: (
        ("delivery_rate", "calls a second"),
        (_CPU, "server CPU each, µs"),
        ("p50_us", "p50, µs"),
        ("p99_us", "p99, µs"),
        ("generator_busy", "client busy"),
    ),
    Shown.TASKS: (
        ("delivery_rate", "tasks a second"),
        (_CPU, "server CPU each, µs"),
        ("server_busy", "server busy"),
    ),
    Shown.RESUMED: (
        ("storm_caught_up_s", "all have all, s"),
        ("delivery_rate", "events a second"),
        (_CPU, "CPU each, µs"),
        ("p99_us", "p99 of a ping meanwhile, µs"),
        ("max_us", "longest, µs"),
        ("lost", "lost"),
        ("order_errors", "missed or doubled"),
        ("rss_peak_kb", "peak memory, KB"),
    ),
    Shown.TOPICS: (
        ("rss_per_message", "bytes of memory a topic"),
        ("rss_peak_kb", "peak memory, KB"),
    ),
    Shown.BESIDE: (
        (_CPU, "CPU a delivery, µs"),
        ("delivery_rate", "deliveries a second"),
        ("p50_us", "p50, µs"),
        ("p99_us", "p99, µs"),
    ),
    Shown.CLUSTER: (
        (_CPU, "CPU a delivery, its log included, µs"),
        ("delivery_rate", "deliveries or acks a second"),
        ("p50_us", "p50, µs"),
        ("p99_us", "p99, µs"),
    ),
    Shown.RECONNECT: (
        ("storm_ready_s", "all back, s"),
        ("storm_caught_up_s", "all caught up, s"),
        ("lost", "lost"),
        ("order_errors", "missed or doubled"),
        ("rss_peak_kb", "peak memory, KB"),
    ),
}
