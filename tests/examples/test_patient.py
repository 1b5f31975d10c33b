"""The client that is there before its broker."""

from __future__ import annotations

from swarmwire_broker.core.settings import Limits
from swarmwire_broker.testing import BrokerFactory

from .program import program

AT_ONCE = Limits(reconnect_window_ms=0)


async def test_a_client_that_was_first_connects_when_the_broker_comes(
    broker_factory: BrokerFactory, unused_tcp_port: int
) -> None:
    url = f"ws://127.0.0.1:{unused_tcp_port}/ws"
    async with program("patient", "--url", url, "--count", 3, "--pause", 0.01) as patient:
        await patient.line(".*attempt 1 to connect again in .*")
        await broker_factory(port=unused_tcp_port)
        await patient.line(f"connected to {url}")
        await patient.line("tick.patient 3")
        assert await patient.end() == 0


async def test_no_tick_is_missing_over_a_restart_of_the_broker(
    broker_factory: BrokerFactory, unused_tcp_port: int
) -> None:
    first = await broker_factory(port=unused_tcp_port, limits=AT_ONCE)
    async with program("patient", "--url", first.url, "--pause", 0.02) as patient:
        await patient.line("tick.patient 3")
        await first.stop()
        await patient.line("lost the broker: .*")
        await broker_factory(port=unused_tcp_port, limits=AT_ONCE)
        await patient.line("connected again, now as .*")
        reached = int((await patient.line(r"tick.patient (\d+)"))[1])
        await patient.line(f"tick.patient {reached + 20}")
        assert await patient.interrupt() == 0
    ticks = [int(line.split()[1]) for line in patient.lines if line.startswith("tick.patient ")]
    assert ticks == list(range(1, len(ticks) + 1))
