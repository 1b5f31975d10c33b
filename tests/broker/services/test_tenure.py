"""Services that another broker has taken over write nothing any more."""

from __future__ import annotations

import pytest

from swarmwire_broker.engines.base import Put, Stored
from swarmwire_broker.services.tenure import Tenure
from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from .rig import opened


async def test_until_its_end_it_is_the_state_of_the_engine() -> None:
    async with opened() as engine:
        tenure = Tenure(engine)
        revision = await tenure.transact([Put("a", b"1")])
        assert await engine.get("a") == await tenure.get("a") == Stored(b"1", revision)
        assert await tenure.scan("") == [("a", Stored(b"1", revision))]
        assert tenure.defers is engine.defers


async def test_after_its_end_it_can_be_read_and_not_written() -> None:
    async with opened() as engine:
        tenure = Tenure(engine)
        await tenure.transact([Put("a", b"1")])
        tenure.end()
        tenure.end()
        with pytest.raises(SwarmwireError) as refused:
            await tenure.transact([Put("a", b"2")])
        assert refused.value.code is ErrorCode.UNAVAILABLE
        assert refused.value.retry_after_ms == 1_000
        stored = await tenure.get("a")
        assert stored is not None
        assert stored.value == b"1"
