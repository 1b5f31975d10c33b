"""Publishing with a bounded number of acks outstanding."""

import asyncio
from typing import Any

import pytest
from examples.codeswarm.pipeline import Pipeline

from swarmwire_channels import EventStream
from swarmwire_protocol.errors import ErrorCode, SwarmwireError


class Broker:
    """Takes publishes; acknowledges them when it is told to, or fails them as it is told."""

    def __init__(self, *faults: ErrorCode) -> None:
        self.taken: list[str] = []
        self.acks = asyncio.Event()
        self._faults = list(faults)

    def subscribe(self, pattern: str, *args: Any, **options: Any) -> EventStream:
        raise NotImplementedError(pattern)

    async def publish(self, topic: str, data: Any, *args: Any, **options: Any) -> Any:
        self.taken.append(topic)
        if self._faults:
            raise SwarmwireError(self._faults.pop(0))
        await self.acks.wait()


async def test_publishing_waits_only_when_too_many_acks_are_outstanding() -> None:
    broker = Broker()
    pipeline = Pipeline(broker, limit=2)
    await pipeline.publish("a", 1)
    await pipeline.publish("b", 1)
    third = asyncio.ensure_future(pipeline.publish("c", 1))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(third), 0.05)
    assert broker.taken == ["a", "b"]
    broker.acks.set()
    await third
    await pipeline.drain()
    assert broker.taken == ["a", "b", "c"]


async def test_draining_waits_for_every_ack() -> None:
    broker = Broker()
    pipeline = Pipeline(broker)
    await pipeline.publish("a", 1)
    draining = asyncio.ensure_future(pipeline.drain())
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(draining), 0.05)
    broker.acks.set()
    await draining


async def test_a_publish_of_unknown_outcome_is_made_again() -> None:
    broker = Broker(ErrorCode.OUTCOME_UNKNOWN, ErrorCode.UNAVAILABLE)
    broker.acks.set()
    pipeline = Pipeline(broker)
    await pipeline.publish("a", 1)
    await pipeline.drain()
    assert broker.taken == ["a", "a", "a"]


@pytest.mark.parametrize(
    ("faults", "code"),
    [([ErrorCode.PERMISSION_DENIED], "PERMISSION_DENIED"), ([ErrorCode.OUTCOME_UNKNOWN] * 3, "OUTCOME_UNKNOWN")],
)
async def test_what_fails_for_good_is_raised_at_the_next_occasion(faults: list[ErrorCode], code: str) -> None:
    pipeline = Pipeline(Broker(*faults))
    await pipeline.publish("a", 1)
    with pytest.raises(SwarmwireError, match=code):
        await pipeline.drain()
    with pytest.raises(SwarmwireError, match=code):
        await pipeline.publish("b", 1)
