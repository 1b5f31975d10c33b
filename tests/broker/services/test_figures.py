"""metrics.get: what is counted, what there is, and rates out of bounded notes."""

from __future__ import annotations

import msgspec
import pytest

from swarmwire_broker.broker import Broker
from swarmwire_broker.config import Config
from swarmwire_broker.core.settings import Limits
from swarmwire_broker.metrics import COUNTERS
from swarmwire_broker.services.operators.figures import Figures
from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from ..core.fakes import World


def figures_of(world: World) -> Figures:
    return Figures(world.hub)


def told(figures: Figures, period: str = "5m") -> dict[str, object]:
    method = figures.methods()[0]
    answer = method.run(None, method.params(period=period))  # type: ignore[arg-type]
    found: dict[str, object] = msgspec.to_builtins(answer)
    return found


async def test_it_tells_every_counter_and_every_gauge() -> None:
    broker = Broker()
    await broker.start()
    await broker.publish("a", "xyz")
    found = await broker.call("metrics.get")
    gauges = set(broker.stats.gauges)
    await broker.stop()
    assert set(found["counters"]) == {*COUNTERS, "errors", "gaps"} == set(found["rates"])
    assert found["counters"]["publish_bytes"] == 5
    assert set(found["gauges"]) == gauges
    assert found["period"] == "5m"


async def test_a_rate_is_what_happened_a_second_over_the_period() -> None:
    world = World(limits=Limits(sample_ms=1_000))
    figures = figures_of(world)
    await figures.start()
    world.hub.stats.publishes += 100
    world.clock.advance(10.0)
    world.hub.stats.publishes += 20
    world.clock.advance(10.0)
    assert told(figures, "10s")["rates"]["publishes"] == 2.0  # type: ignore[index]
    assert told(figures, "20s")["rates"]["publishes"] == 6.0  # type: ignore[index]
    figures.close()


async def test_a_period_that_goes_further_back_than_the_notes_is_answered_as_far_as_they_reach() -> None:
    world = World(limits=Limits(sample_ms=1_000, samples=5))
    figures = figures_of(world)
    await figures.start()
    world.hub.stats.publishes += 1_000
    world.clock.advance(100.0)
    world.hub.stats.publishes += 8
    found = told(figures, "1h")
    assert found["covered_ms"] == 4_000
    assert found["rates"]["publishes"] == 2.0  # type: ignore[index]
    figures.close()


async def test_the_first_second_is_taken_for_a_whole_one() -> None:
    world = World()
    figures = figures_of(world)
    await figures.start()
    world.hub.stats.publishes += 3
    assert told(figures)["rates"]["publishes"] == 3.0  # type: ignore[index]
    figures.close()


async def test_the_latency_is_of_the_publishes_within_the_period() -> None:
    world = World(limits=Limits(sample_ms=1_000))
    figures = figures_of(world)
    await figures.start()
    world.hub.stats.latency.observe(9.0, 1_000)
    world.clock.advance(10.0)
    assert told(figures, "5s")["publish_latency_ms"] == {"p50": None, "p99": None}
    world.hub.stats.latency.observe(0.0009, 98)
    world.hub.stats.latency.observe(0.2, 2)
    assert told(figures, "5s")["publish_latency_ms"] == {"p50": 1.0, "p99": 250.0}
    figures.close()


async def test_closed_it_notes_nothing_more_and_closes_twice() -> None:
    world = World(limits=Limits(sample_ms=1_000))
    figures = figures_of(world)
    await figures.start()
    figures.close()
    figures.close()
    world.clock.advance(10.0)
    world.hub.stats.publishes += 50
    assert told(figures, "1s")["rates"]["publishes"] == 5.0  # type: ignore[index]


@pytest.mark.parametrize("period", ["", "5", "0s", "five minutes", "-3m"])
async def test_a_period_that_is_none_is_refused_by_its_name(period: str) -> None:
    broker = Broker(Config())
    await broker.start()
    with pytest.raises(SwarmwireError) as refused:
        await broker.call("metrics.get", {"period": period})
    await broker.stop()
    assert (refused.value.code, refused.value.field) == (ErrorCode.INVALID_MESSAGE, "params.period")
