"""Publishers that never stop, and what must be true of the log when they have."""

from __future__ import annotations

import asyncio
from collections import defaultdict

from swarmwire_broker.engines.base import Draft, Engine, Entry, Outcome
from swarmwire_protocol.codec import event_head, event_origin
from swarmwire_protocol.errors import ErrorCode

__all__ = ["Load", "published", "publish"]


async def publish(engine: Engine, topic: str, data: bytes, *, key: str | None = None) -> Outcome:
    """Publish and wait for what becomes of it."""
    decided: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
    named = ("load", key) if key is not None else None
    engine.append(Draft(topic, event_head(topic), event_origin("load"), data, named, None, False, decided.set_result))
    return await decided


def published(entry: Entry) -> int:
    """The number that an event of a load carries."""
    return int(entry.payload.rpartition(b'"data":')[2][:-1])


class Load:
    """Some publishers, each on a topic of its own with numbers that rise; every other one with keys.

    Attributes:
        stored: topic -> number -> the place it was acknowledged with.
        unknown: topic -> numbers of which it is not known.
        refused: topic -> numbers that were certainly not stored.
    """

    def __init__(self, engine: Engine, *, publishers: int = 4, ahead: int = 20, name: str = "load") -> None:
        self.stored: dict[str, dict[int, int]] = defaultdict(dict)
        self.unknown: dict[str, set[int]] = defaultdict(set)
        self.refused: dict[str, set[int]] = defaultdict(set)
        self._engine = engine
        self._stopped = False
        self._stored = asyncio.Event()
        self._tasks = [
            asyncio.create_task(self._publish(f"{name}.p{number}", number % 2 == 0, ahead))
            for number in range(publishers)
        ]

    @property
    def count(self) -> int:
        """How many were acknowledged."""
        return sum(map(len, self.stored.values()))

    async def more(self, count: int) -> None:
        """Return when so many more were acknowledged."""
        until = self.count + count
        async with asyncio.timeout(60):
            while self.count < until:
                self._stored.clear()
                await self._stored.wait()

    async def stop(self) -> None:
        """Publish no more, and wait until all is decided."""
        self._stopped = True
        await asyncio.gather(*self._tasks)

    async def _publish(self, topic: str, keyed: bool, ahead: int) -> None:
        number = 0
        while not self._stopped:
            numbers = range(number, number + ahead)
            number += ahead
            decided = await asyncio.gather(
                *(publish(self._engine, topic, b"%d" % n, key=str(n) if keyed else None) for n in numbers)
            )
            for n, outcome in zip(numbers, decided, strict=True):
                self._note(topic, n, outcome)
            if any(outcome.error is not None for outcome in decided):
                await asyncio.sleep(0.02)

    def _note(self, topic: str, number: int, outcome: Outcome) -> None:
        if outcome.error is None:
            assert not outcome.duplicate
            self.stored[topic][number] = outcome.seq
            self._stored.set()
        elif outcome.error.code is ErrorCode.OUTCOME_UNKNOWN:
            self.unknown[topic].add(number)
        else:
            assert outcome.error.code is ErrorCode.UNAVAILABLE
            assert outcome.error.retry_after_ms
            self.refused[topic].add(number)

    def check(self, log: list[Entry]) -> None:
        """See that a log has all that was acknowledged, each once, in order, and nothing that was refused."""
        found: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for entry in log:
            found[entry.topic].append((published(entry), entry.seq))
        assert [entry.seq for entry in log] == sorted({entry.seq for entry in log})
        for topic, stored in self.stored.items():
            numbers = [number for number, _ in found[topic]]
            assert len(numbers) == len(set(numbers)), f"{topic}: something was stored twice"
            assert numbers == sorted(numbers), f"{topic}: the order is inverted"
            places = dict(found[topic])
            assert {number: places.get(number) for number in stored} == stored, f"{topic}: acknowledged, and lost"
            assert set(numbers) <= set(stored) | self.unknown[topic], f"{topic}: refused, and stored"
