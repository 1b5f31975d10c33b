"""What all parts of the conformance suite stand on: an engine under test, and changes to put into it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple

import pytest_asyncio
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from swarmwire_broker.core.settings import Limits
from swarmwire_broker.engines.base import Engine

from .models import topics
from .rig import Rig, SettableClock, rigged

__all__ = ["Change", "EngineSuite", "changes", "put_all", "with_examples"]


class Change(NamedTuple):
    """An event of a test: `size` bytes of data, or with `clear` the end of its topic."""

    topic: str
    size: int = 1
    clear: bool = False


changes = st.builds(Change, topics, st.integers(1, 200), st.booleans())


async def put_all(rig: Rig, events: list[Change]) -> None:
    for topic, size, clear in events:
        await rig.append(topic, b"1" * size, clear=clear)


def with_examples(count: int) -> settings:
    """So many examples. That one property runs against several engines is what the suite is for."""
    return settings(max_examples=count, deadline=None, suppress_health_check=[HealthCheck.differing_executors])


class EngineSuite:
    @staticmethod
    def open_engine(limits: Limits, clock: SettableClock) -> AbstractAsyncContextManager[Engine]:
        """Open a new, empty engine with these limits and these clocks, started; close and remove it afterwards."""
        raise NotImplementedError

    def rigged(self, limits: Limits | None = None) -> AbstractAsyncContextManager[Rig]:
        return rigged(self.open_engine, limits)

    @pytest_asyncio.fixture
    async def rig(self) -> AsyncIterator[Rig]:
        async with self.rigged() as rig:
            yield rig
