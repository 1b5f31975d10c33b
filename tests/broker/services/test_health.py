"""health.check: how each part is, and the state of the worst."""

from __future__ import annotations

import pytest

from swarmwire_broker import enginechoice
from swarmwire_broker.broker import Broker
from swarmwire_broker.config import Config
from swarmwire_broker.control import BrokerControl
from swarmwire_broker.core.hub import Hub
from swarmwire_broker.core.settings import Limits
from swarmwire_broker.services.operators.figures import Figures
from swarmwire_broker.services.operators.health import Checked, Health, State

from .callers import OpenEngine


async def started(config: Config | None = None) -> Broker:
    broker = Broker(config)
    await broker.start()
    return broker


def health_of(broker: Broker) -> Health:
    return Health(broker.hub, broker.control, Figures(broker.hub))


async def test_a_broker_that_does_what_it_should_is_well() -> None:
    broker = await started()
    told = await broker.call("health.check")
    await broker.stop()
    assert told["status"] == "ok"
    assert told["timestamp"] > 1_600_000_000_000
    assert set(told["checks"]) >= {"log", "config", "connections", "loop", "api"}
    assert {check["status"] for check in told["checks"].values()} == {"ok"}


async def test_a_log_that_cannot_be_written_is_failing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enginechoice, "MemoryEngine", OpenEngine)
    broker = await started()
    monkeypatch.setattr(OpenEngine, "trouble", "No space left on device.")
    told = await broker.call("health.check")
    monkeypatch.undo()
    await broker.stop()
    assert told["status"] == told["checks"]["log"]["status"] == "failing"
    assert "No space" not in told["checks"]["log"]["detail"]


@pytest.mark.parametrize(("servers", "end"), [(1, ""), (3, ", one of 3 servers")])
async def test_of_a_log_in_nats_the_server_is_told(monkeypatch: pytest.MonkeyPatch, servers: int, end: str) -> None:
    broker = await started()
    facts = {"kind": "nats", "server": "n1 2.12.0", "servers": servers}
    monkeypatch.setattr(BrokerControl, "engine", facts)
    told = health_of(broker).told()
    await broker.stop()
    assert told.checks["log"] == Checked(
        status=State.OK, detail=f"accepted, 0 events so far, in NATS at n1 2.12.0{end}"
    )


async def test_publishers_ahead_of_the_disk_are_a_degraded_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enginechoice, "MemoryEngine", OpenEngine)
    broker = await started()
    monkeypatch.setattr(OpenEngine, "congested", True)
    told = health_of(broker).told()
    monkeypatch.undo()
    await broker.stop()
    assert (told.status, told.checks["log"].status) == (State.DEGRADED, State.DEGRADED)


async def test_nearly_as_many_connections_as_there_may_be_are_degraded() -> None:
    broker = await started(Config(limits=Limits(max_connections=2)))
    assert health_of(broker).told().checks["connections"].status is State.OK
    async with broker.subscribe("a"), broker.subscribe("b"):
        assert health_of(broker).told().checks["connections"].status is State.DEGRADED
    await broker.stop()


async def test_a_broker_that_drains_is_failing_for_new_clients() -> None:
    broker = await started()
    health = health_of(broker)
    broker.drain()
    assert health.told().checks["connections"].status is State.FAILING
    await broker.stop()


async def test_a_loop_that_was_late_is_degraded() -> None:
    broker = await started()
    figures = Figures(broker.hub)
    figures.lag_ms = 1_500.0
    told = Health(broker.hub, broker.control, figures).told()
    await broker.stop()
    assert told.checks["loop"] == Checked(status=State.DEGRADED, detail="1500 ms late")


async def test_others_add_their_checks_and_one_that_raises_is_failing_without_its_words(
    caplog: pytest.LogCaptureFixture,
) -> None:
    broker = await started()
    health = health_of(broker)

    def broken() -> Checked:
        raise ValueError("a secret")

    health.add("fan", lambda: Checked(status=State.DEGRADED, detail="loud"))
    assert health.told().status is State.DEGRADED
    health.add("disk", broken)
    told = health.told()
    hub: Hub = broker.hub
    assert hub.info.id
    await broker.stop()
    assert told.status is State.FAILING
    assert "secret" not in told.checks["disk"].detail
    assert "a check failed" in caplog.text
