"""Several brokers write one state over roads on which anything may be lost, late or unheard; some of them die."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeVar
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmwire_broker.engines.base import Draft, Put, Stored
from swarmwire_broker.engines.nats.state import snapshot
from swarmwire_broker.engines.nats.state.journal import decode_group
from swarmwire_broker.engines.nats.state.journaled import JournaledState
from swarmwire_protocol.codec import event_head, event_origin
from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from .memstorage import Fate, Ground, Road
from .virtualtime import run_in_virtual_time

T = TypeVar("T")
COUNTER = "counter"
PADDING = b"x" * 150
NOT_DONE = frozenset((ErrorCode.CONFLICT, ErrorCode.UNAVAILABLE))


def draft(name: str, index: int) -> Draft:
    topic = f"tx.{name}"
    return Draft(topic, event_head(topic), event_origin("broker"), b"%d" % index)


@dataclass
class Broker:
    state: JournaledState
    road: Road
    watched: dict[str, Stored] = field(default_factory=dict)
    revisions: dict[str, list[int]] = field(default_factory=dict)

    def changed(self, key: str, stored: Stored | None) -> None:
        if stored is None:
            self.watched.pop(key, None)
        else:
            self.watched[key] = stored
            self.revisions.setdefault(key, []).append(stored.revision)


class World:
    """Brokers, what they were asked for, and what they said became of it."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.ground = Ground()
        self.done: dict[str, int] = {}
        self.not_done: set[str] = set()
        self.with_events: set[str] = set()
        self.names = 0
        self.problems: list[str] = []

    def broker(self, *faults: Fate) -> Broker:
        road = Road(self.ground, self.random, faults)
        loop = asyncio.get_running_loop()
        state = JournaledState(road, road, steady_ms=lambda: int(loop.time() * 1000), patience=5.0, trusted_ms=2_000)
        return Broker(state, road)

    async def change(self, state: JournaledState) -> None:
        """Count one up, mark that it was done, and publish two events of it."""
        self.names += 1
        name = f"{self.names}"
        try:
            stored = await state.get(COUNTER)
            count, revision = (int(stored.value), stored.revision) if stored is not None else (0, 0)
            puts = [Put(COUNTER, b"%d" % (count + 1), revision), Put(f"mark.{name}", PADDING, 0)]
            events = [draft(name, 0), draft(name, 1)] if self.random.random() < 0.7 else []
            self.with_events |= {name} if events else set()
            self.done[name] = await state.transact(puts, events)
        except SwarmwireError as error:
            if error.code in NOT_DONE:
                self.not_done.add(name)
            elif error.code is not ErrorCode.OUTCOME_UNKNOWN:
                raise
        else:
            if events and self.events()[name] != [b"0", b"1"]:
                self.problems.append(f"change {name} was said to be done, and the log had {self.events().get(name)}")

    def events(self) -> dict[str, list[bytes]]:
        found: dict[str, list[bytes]] = {}
        for _, event in self.ground.log:
            found.setdefault(event.topic.removeprefix("tx."), []).append(event.data)
        return found

    async def work(self, broker: Broker, changes: int, parallel: int) -> None:
        for _ in range(changes):
            if self.random.random() < 0.1:
                await unless_away(broker.state.seize())
            await asyncio.gather(*(self.change(broker.state) for _ in range(self.random.randint(1, parallel))))

    async def check(self) -> None:
        """A broker that comes last sees what must have happened, and nothing else."""
        last = self.broker()
        await last.state.seize()
        marks = {key.removeprefix("mark."): stored for key, stored in await last.state.scan("mark.")}
        counter = await last.state.get(COUNTER)
        assert self.problems == []
        assert set(self.done) <= marks.keys(), "what was said to be done is there"
        assert not self.not_done & marks.keys(), "what was said not to be done is not"
        assert {name: marks[name].revision for name in self.done} == self.done
        assert len(marks) == (int(counter.value) if counter is not None else 0), (
            "nothing was done twice, or over another"
        )
        for name, found in self.events().items():
            assert name in marks, "no event is there without its change"
            assert found == [b"0", b"1"], "the events of a change are there once, and in order"
        assert self.with_events & marks.keys() <= self.events().keys(), "no change is there without its events"
        await last.state.close()
        terms = [decode_group(message.payload).t for message in self.ground.journal]
        assert terms == sorted(terms), "whoever was fenced has written nothing"


async def unless_away(work: Coroutine[Any, Any, T]) -> T | None:
    """What it gives; None where the state could not be reached."""
    try:
        return await work
    except SwarmwireError as error:
        if error.code is not ErrorCode.UNAVAILABLE:
            raise
        return None


async def run(random: Random, writers: int, changes: int, parallel: int, deaths: int) -> None:
    world = World(random)
    brokers = [world.broker(*Fate) for _ in range(writers)]
    watcher = world.broker(Fate.REFUSED)
    while await unless_away(watcher.state.watch("", watcher.changed)) is None:
        pass
    works = [asyncio.create_task(world.work(broker, changes, parallel)) for broker in brokers]
    for broker, work in list(zip(brokers, works, strict=True))[:deaths]:
        await asyncio.sleep(random.random() * 3.0)
        broker.road.is_dead = True
        work.cancel()
    await asyncio.wait(works)
    for work in works:
        assert work.cancelled() or work.exception() is None, work.exception()
    await asyncio.sleep(10.0)
    for broker in brokers[deaths:]:
        await broker.state.close()
        await broker.state.close()
    await world.check()
    watcher.road.faults = ()
    await asyncio.sleep(3.0)
    final = world.broker()
    differ = dict(await final.state.scan("")).items() ^ watcher.watched.items()
    assert not differ, "whoever watches has seen it all"
    assert all(seen == sorted(set(seen)) for seen in watcher.revisions.values())
    await watcher.state.close()


@pytest.mark.parametrize("least", [1_500, 512 * 1024])
@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1 << 32), st.integers(1, 3), st.integers(1, 10), st.integers(1, 6), st.integers(0, 2))
def test_every_change_is_done_once_or_not_at_all_and_its_events_with_it(
    least: int, seed: int, writers: int, changes: int, parallel: int, deaths: int
) -> None:
    with patch.object(snapshot, "_LEAST", least):
        run_in_virtual_time(run(Random(seed), writers, changes, parallel, min(deaths, writers)))
