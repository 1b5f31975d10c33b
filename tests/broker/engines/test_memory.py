"""The memory engine: the conformance suite, and what is its own."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from swarmwire_broker.core.settings import Limits
from swarmwire_broker.engines.base import Engine, Entry, Outcome, PageLimit
from swarmwire_broker.engines.matcher import Matcher
from swarmwire_broker.engines.memory import MemoryEngine

from .conformance import EngineConformance
from .rig import Rig, SettableClock, rigged


@asynccontextmanager
async def open_memory(limits: Limits, clock: SettableClock) -> AsyncIterator[Engine]:
    engine = MemoryEngine(
        now_ms=clock,
        steady_ms=clock.steady_ms,
        log_events=limits.log_events,
        log_bytes=limits.log_bytes,
        log_age_ms=limits.log_age_ms,
        latest_topics=limits.latest_topics,
        latest_bytes=limits.latest_bytes,
        dedupe_ms=limits.dedupe_ms,
        dedupe_keys=limits.dedupe_keys,
        dedupe_keys_per_subject=limits.dedupe_keys_per_subject,
    )
    await engine.start()
    yield engine
    await engine.close()


class TestMemory(EngineConformance):
    open_engine = staticmethod(open_memory)


async def test_an_append_is_decided_at_once() -> None:
    async with rigged(open_memory) as rig:
        outcomes: list[Outcome] = []
        rig.engine.append(rig.draft("a", done=outcomes.append))
        assert outcomes == [Outcome(1)]


async def test_what_is_appended_together_is_of_one_moment_and_what_is_too_old_by_then_is_gone() -> None:
    moments = itertools.count(1_000, 10)
    engine = MemoryEngine(now_ms=moments.__next__, log_age_ms=15)
    heard: list[Entry] = []
    engine.listener = heard.append
    draft = Rig(MemoryEngine(now_ms=SettableClock()), SettableClock()).draft
    engine.append(draft("a"))
    engine.append_all([draft("a"), draft("b"), draft("a")])
    engine.append_all([draft("c"), draft("c")])
    assert [entry.ts for entry in heard] == [1_000, 1_010, 1_010, 1_010, 1_020, 1_020]
    assert engine.log.oldest == 2


async def test_memory_reaches_back_as_far_as_the_log() -> None:
    async with rigged(open_memory, Limits(log_events=2)) as rig:
        await rig.publish("a", "a", "a")
        page = rig.engine.read(Matcher(["a"]), 0, PageLimit(10, 1_000, 10))
        assert page is not None
        assert [entry.seq for entry in page.entries] == [2, 3]


async def test_a_listener_that_publishes_the_same_key_again_gets_a_duplicate() -> None:
    async with rigged(open_memory) as rig:
        outcomes: list[Outcome] = []

        def echo(entry: Entry) -> None:
            rig.heard.append(entry)
            rig.engine.append(rig.draft("a", key="k", done=outcomes.append))

        rig.engine.listener = echo
        await rig.append("a", key="k")
        assert outcomes == [Outcome(1, duplicate=True)]
        assert len(rig.heard) == 1


async def test_the_last_of_a_broad_pattern_are_found_while_others_publish_and_the_log_evicts() -> None:
    async with rigged(open_memory, Limits(log_events=5_000)) as rig:
        for number in range(5_000):
            rig.engine.append(rig.draft(f"task.t{number}.progress"))

        async def others() -> None:
            for number in range(4_990):
                rig.engine.append(rig.draft(f"other.t{number}"))

        place, _ = await asyncio.gather(rig.engine.find_last(Matcher(["#.rare"]), 1), others())
        assert place == rig.engine.oldest - 1 == 4_990
