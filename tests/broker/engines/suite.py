"""What all parts of the conformance suite stand on: an engine under test, and changes to put into it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar, NamedTuple, cast

import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from swarmwire_broker.core.settings import Limits
from swarmwire_broker.engines.base import Engine

from .models import topics
from .rig import RealClock, Rig, SettableClock, rigged

__all__ = ["Change", "EngineSuite", "changes", "examples", "put_all"]


class Change(NamedTuple):
    """An event of a test: `size` bytes of data, or with `clear` the end of its topic."""

    topic: str
    size: int = 1
    clear: bool = False


changes = st.builds(Change, topics, st.integers(1, 200), st.booleans())


async def put_all(rig: Rig, events: list[Change]) -> None:
    for topic, size, clear in events:
        await rig.append(topic, b"1" * size, clear=clear)


_Property = Callable[..., Coroutine[Any, Any, None]]


class _Wanted(NamedTuple):
    """A property, the most examples it is tried with, and what these are of for an engine."""

    test: _Property
    most: int
    given: Callable[[type[EngineSuite]], Sequence[st.SearchStrategy[Any]]]

    def made_for(self, suite: type[EngineSuite]) -> _Property:
        most = self.most if suite.most_examples is None else min(self.most, suite.most_examples)
        # That one property is tried with several engines is what the suite is for.
        quiet = [HealthCheck.differing_executors, HealthCheck.too_slow]
        tried = settings(max_examples=most, deadline=None, suppress_health_check=quiet)
        return cast(_Property, tried(given(*self.given(suite))(self.test)))


def examples(
    count: int, given: Callable[[type[EngineSuite]], Sequence[st.SearchStrategy[Any]]]
) -> Callable[[_Property], _Property]:
    """Try a property with so many examples, or with as many as the engine has time for."""

    def mark(test: _Property) -> _Property:
        test.wanted = _Wanted(test, count, given)  # type: ignore[attr-defined]
        return test

    return mark


class EngineSuite:
    """What every engine is asked.

    Attributes:
        real_time: the log is elsewhere and has its own clock: time passes by waiting, and cannot be set.
        dedupe_ms: how long keys are remembered where that is tried.
        margin_ms: how far from that a time must be for it to be certain which side of it it is on.
        least_events, least_bytes: the smallest log that the engine can hold.
        keeps_last_beyond_log: the last event of a topic outlives its eviction, in a table with bounds of its own.
        most_examples: as many examples of a property as the engine has time for; None: all.
    """

    real_time: ClassVar = False
    dedupe_ms: ClassVar = 60_000
    margin_ms: ClassVar = 1
    least_events: ClassVar = 0
    least_bytes: ClassVar = 0
    keeps_last_beyond_log: ClassVar = True
    most_examples: ClassVar[int | None] = None

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "open_engine" in cls.__dict__:
            for name in dir(cls):
                wanted = getattr(getattr(cls, name), "wanted", None)
                if wanted is not None:
                    setattr(cls, name, wanted.made_for(cls))

    @staticmethod
    def open_engine(limits: Limits, clock: SettableClock) -> AbstractAsyncContextManager[Engine]:
        """Open a new, empty engine with these limits and these clocks, started; close and remove it afterwards."""
        raise NotImplementedError

    def rigged(self, limits: Limits | None = None) -> AbstractAsyncContextManager[Rig]:
        return rigged(self.open_engine, limits, clock=RealClock() if self.real_time else None)

    @pytest_asyncio.fixture
    async def rig(self) -> AsyncIterator[Rig]:
        async with self.rigged() as rig:
            yield rig
