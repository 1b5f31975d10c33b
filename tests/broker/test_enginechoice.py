"""Which engine a configuration asks for, what is measured of it, and what operators are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from swarmwire_broker.config import Config
from swarmwire_broker.core.hub import Hub
from swarmwire_broker.core.settings import Limits
from swarmwire_broker.core.stats import Stats
from swarmwire_broker.enginechoice import add_gauges, make_engine, told
from swarmwire_broker.engines.entry import Draft
from swarmwire_broker.engines.memory import MemoryEngine
from swarmwire_broker.engines.nats.engine import NatsEngine
from swarmwire_broker.engines.sqlite import SqliteEngine
from swarmwire_broker.metrics import read_gauge
from swarmwire_protocol.codec import event_head

from .core.fakes import FakeClock

NATS = ["nats://me:hunter2@127.0.0.1:1"]


def now_ms() -> int:
    return 1_700_000_000_000


def gauges_of(config: Config) -> dict[str, float | None]:
    stats, engine = Stats(), make_engine(config, now_ms)
    add_gauges(stats, Hub(engine, FakeClock()), engine)
    return {name: read_gauge(name, read) for name, read in stats.gauges.items()}


async def test_the_log_is_where_the_configuration_says(tmp_path: Path) -> None:
    assert isinstance(make_engine(Config(), now_ms), MemoryEngine)
    assert isinstance(make_engine(Config(data=str(tmp_path)), now_ms), SqliteEngine)
    assert isinstance(make_engine(Config(nats=NATS), now_ms), NatsEngine)


@pytest.mark.parametrize("given", [{}, {"data": "here"}, {"nats": NATS}], ids=["memory", "sqlite", "nats"])
async def test_every_gauge_of_an_engine_can_be_read_before_it_is_started(given: dict[str, Any]) -> None:
    gauges = gauges_of(Config(**given))
    assert None not in gauges.values(), gauges
    assert {"connections", "dedupe_keys", "log_events"} <= set(gauges)


async def test_what_is_measured_of_a_log_in_nats() -> None:
    assert gauges_of(Config(nats=NATS)) | {
        "log_events": 0,
        "window_events": 0,
        "write_queue_events": 0,
        "write_queue_bytes": 0,
        "writable": 1,
        "unacknowledged": 0,
        "position_lag": 0,
        "follower_restarts": 0,
    } == gauges_of(Config(nats=NATS))


async def test_limits_reach_the_engine() -> None:
    limits = Limits(write_queue_events=2)
    engine = make_engine(Config(nats=NATS, limits=limits), now_ms)
    assert isinstance(engine, NatsEngine)
    assert engine.remote
    for _ in range(3):
        assert not engine.congested
        engine.queue.add(Draft("a", event_head("a"), b"", b"1"))
    assert engine.congested


@pytest.mark.parametrize(
    ("given", "facts"),
    [
        ({}, {"kind": "memory", "durability": "accepted"}),
        ({"data": "here"}, {"kind": "sqlite", "directory": "here", "durability": "stored"}),
        (
            {"nats": NATS, "nats_space": "left"},
            {
                "kind": "nats",
                "space": "left",
                "server": None,
                "servers": 1,
                "replicas": 0,
                "durability": "stored_lazily",
            },
        ),
    ],
)
async def test_operators_are_told_which_log_it_is_and_no_secret(given: dict[str, Any], facts: dict[str, Any]) -> None:
    config = Config(**given)
    said = told(config, make_engine(config, now_ms))
    assert said == facts | {"writable": True}
    assert "hunter2" not in str(said)
