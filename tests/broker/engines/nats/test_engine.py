"""The engine of many brokers: the conformance suite against both generations of servers, and what is its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from swarmwire_broker.core.settings import Limits
from swarmwire_broker.engines.base import Engine

from ....nats.pool import shared
from ....nats.servers import Version, needs
from ..conformance import EngineConformance
from ..rig import SettableClock
from .opening import nats_engine


@asynccontextmanager
async def open_newest(limits: Limits, clock: SettableClock) -> AsyncIterator[Engine]:
    async with nats_engine(shared(Version.NEWEST).url, limits=limits, clock=clock) as engine:
        yield engine


@asynccontextmanager
async def open_old(limits: Limits, clock: SettableClock) -> AsyncIterator[Engine]:
    async with nats_engine(shared(Version.OLD).url, limits=limits, clock=clock) as engine:
        yield engine


class OnNats(EngineConformance):
    real_time = True
    dedupe_ms = 1_000
    margin_ms = 300
    keeps_last_beyond_log = False
    most_examples = 10


@needs(Version.NEWEST)
class TestNats(OnNats):
    open_engine = staticmethod(open_newest)


@needs(Version.OLD)
class TestNatsOld(OnNats):
    open_engine = staticmethod(open_old)
