"""The subscribers of a client: of every mode, from everywhere, fast and slow, coming and going."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable

from swarmwire_protocol.topics import matches

from .records import Mode, Start, Stuck
from .witness import Watch, Witness

__all__ = ["Readers"]

PATTERNS = ("#", "a.#", "a.*", "b.*", "*.x", "#.x", "a.x", "c")
NARROW = ("a.x", "a.y", "a.z.#", "b.x", "b.*", "c", "a.*")
MODES: tuple[Mode, ...] = ("all", "all", "drop_oldest", "disconnect", "conflate")
STARTS: tuple[Start, ...] = ("now", "start", "latest", "cursor", "last", "since")
MOST = 6


class Readers:
    """Subscribes and unsubscribes by chance; with `narrow` only to a little each, and more often."""

    def __init__(self, witness: Witness, draw: random.Random, *, narrow: bool = False) -> None:
        self.witness = witness
        self._patterns = NARROW if narrow else PATTERNS
        self._pauses = (0.02, 0.2) if narrow else (0.05, 0.6)
        self._draw = draw
        self._history = witness.history
        self._hurry = asyncio.Event()
        self._open: list[Watch] = []

    def everything(self) -> None:
        """Read the whole log, without any pause."""
        self._open.append(self.witness.subscribe("#", _at_once, start="start"))

    async def come_and_go(self, over: float) -> None:
        """Open subscriptions, and end some, until a moment of the loop's time."""
        loop, draw = asyncio.get_running_loop(), self._draw
        while loop.time() < over:
            self._subscribe()
            await asyncio.sleep(draw.uniform(*self._pauses))
            self._open = [watch for watch in self._open if not watch.ended]
            if len(self._open) >= MOST:
                await self._open.pop(draw.randrange(len(self._open))).unsubscribe()

    def _subscribe(self) -> None:
        draw = self._draw
        start, value = self._start()
        mode = draw.choice(MODES)
        buffer = draw.choice((None, None, 4, 50))
        watch = self.witness.subscribe(
            draw.choice(self._patterns), self._pace(), mode=mode, start=start, value=value, buffer=buffer, queue_size=20
        )
        self._open.append(watch)

    def _start(self) -> tuple[Start, str | int | None]:
        """Where to begin, with the place if it needs one."""
        start = self._draw.choice(STARTS)
        match start:
            case "last":
                return start, self._draw.randint(0, 50)
            case "since":
                return start, int(time.time() * 1000) - self._draw.randint(-200, 3000)
            case "cursor":
                places = [str(watch.place) for watch in self.witness.watches if watch.place is not None]
                return ("cursor", self._draw.choice(places)) if places else ("now", None)
        return start, None

    def _pace(self) -> Callable[[], Awaitable[None]]:
        draw = self._draw
        slowness = draw.choice((0.0, 0.0, 0.002, 0.02))
        pause = draw.choice((0.0, 0.0, 0.005))

        async def pace() -> None:
            seconds = draw.uniform(0.2, 1.0) if draw.random() < pause else slowness
            if seconds and not self._hurry.is_set():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(seconds):
                        await self._hurry.wait()

        return pace

    # ---- the end

    def hurry(self) -> None:
        """Read without pauses from now on."""
        self._hurry.set()

    async def caught_up(self, places: dict[str, tuple[str, int]], patience: float) -> None:
        """Wait until all that are open have received these places; who has not within seconds is written down."""
        over = time.monotonic() + patience
        while late := [watch for watch in self._open if not watch.ended and not _has(watch, places)]:
            if time.monotonic() > over:
                for watch in late:
                    self._history.add(Stuck(at=self._history.now(), client=self.witness.name, sub=watch.asked.sub))
                return
            await asyncio.sleep(0.02)


def _has(watch: Watch, places: dict[str, tuple[str, int]]) -> bool:
    wanted = [place for topic, place in places.items() if matches(watch.asked.pattern, topic)]
    if not wanted or watch.place is None:
        return not wanted
    epoch, seq = max(wanted, key=lambda place: place[1])
    return watch.place.epoch == epoch and watch.place.seq >= seq


async def _at_once() -> None:
    """No pause at all."""
