"""A publisher for tests of the dashboard under load: the status and health of thousands of agents, at a steady rate.

    python -m tests.dashboard.load --url ws://127.0.0.1:8765/ws --rate 20000 --agents 5000 --seconds 20

It writes prepared WebSocket frames to a socket, so that it takes little of the processor that broker and browser need
too. Each second, and at the end, it writes a line of JSON with what the broker has really taken, as the broker's own
answers say. Without `--seconds` it goes on until SIGTERM or Ctrl-C.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import random
import signal
import sys
import time
from collections.abc import Iterator, Sequence

import orjson
from msgspec import Struct

from .publisher import Publisher, text_frame

__all__ = ["Reached", "main"]

TICK_SECONDS = 0.02
"""How often a part of the events is written."""

LONGEST_CATCH_UP = 0.25
"""Seconds of events that are written at once after a delay; what is late beyond that is never published."""

VARIANTS = 4
"""How many different events each topic has, one after the other."""

STATUSES = ("busy", "idle", "busy", "idle", "busy", "busy", "idle", "error")


class Reached(Struct, frozen=True, kw_only=True):
    """What a publisher did: events that the broker took, in so many seconds, and how many it refused."""

    asked: float
    published: int
    refused: int
    seconds: float
    rate: float
    final: bool = False


# ---- What is published


def prepared(agents: int, kinds: Sequence[str], seed: int = 1) -> list[bytes]:
    """A publish for each topic and variant; each round goes through all topics once, in an order of its own."""
    chance = random.Random(seed)
    frames: list[bytes] = []
    for _ in range(VARIANTS):
        topics = [(f"load-{number:05}", kind) for number in range(agents) for kind in kinds]
        chance.shuffle(topics)
        frames += [text_frame(_publish(agent, kind, chance)) for agent, kind in topics]
    return frames


def _publish(agent: str, kind: str, chance: random.Random) -> dict[str, object]:
    match kind:
        case "status":
            status = chance.choice(STATUSES)
            data: dict[str, object] = {"agentId": agent, "status": status, "message": f"item {chance.randrange(1000)}"}
        case "health":
            metrics = {"cpu": round(chance.uniform(1, 99), 1), "memory": round(chance.uniform(10, 90), 1)}
            data = {"agentId": agent, "healthy": chance.random() > 0.01, "metrics": metrics}
        case "metrics":
            metrics = {"responseTime": round(chance.uniform(1, 500), 1), "throughput": chance.randrange(1000)}
            data = {"agentId": agent, "metrics": metrics}
        case _:
            raise ValueError(f"expected status, health or metrics as kind of events, got {kind!r}")
    return {"type": "publish", "topic": f"agent.{agent}.{kind}", "data": data}


# ---- The pace


async def publish(options: argparse.Namespace, stop: asyncio.Event) -> None:
    """Publish until `stop`, or until the time is up, and tell what was reached."""
    frames = itertools.cycle(prepared(options.agents, options.kinds.split(",")))
    publisher = await Publisher.open(options.url, options.token)
    try:
        await _paced(publisher, frames, options, stop)
    finally:
        await publisher.close()


async def _paced(
    publisher: Publisher, frames: Iterator[bytes], options: argparse.Namespace, stop: asyncio.Event
) -> None:
    began = due_from = time.monotonic()
    told, written, sent = began, 0, 0
    while not stop.is_set() and (options.seconds is None or time.monotonic() - began < options.seconds):
        count = max(0, int((time.monotonic() - due_from) * options.rate) - sent)
        if count > (most := int(LONGEST_CATCH_UP * options.rate)):
            due_from, sent, count = time.monotonic() - LONGEST_CATCH_UP, 0, most
        publisher.write(b"".join(itertools.islice(frames, count)))
        written, sent = written + count, sent + count
        await publisher.drain()
        if time.monotonic() - told >= 1:
            await publisher.decided()
            told = time.monotonic()
            _tell(options.rate, publisher, written, told - began, final=False)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), TICK_SECONDS)
    await publisher.decided()
    _tell(options.rate, publisher, written, time.monotonic() - began, final=True)


def _tell(asked: float, publisher: Publisher, written: int, seconds: float, *, final: bool) -> None:
    published = written - publisher.refused
    reached = Reached(
        asked=asked,
        published=published,
        refused=publisher.refused,
        seconds=round(seconds, 3),
        rate=round(published / seconds, 1),
        final=final,
    )
    sys.stdout.buffer.write(orjson.dumps({name: getattr(reached, name) for name in reached.__struct_fields__}) + b"\n")
    sys.stdout.flush()


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.dashboard.load", description=(__doc__ or "").split("\n")[0])
    add = parser.add_argument
    add("--url", default="ws://127.0.0.1:8765/ws", help="the broker's WebSocket (default %(default)s)")
    add("--token", help="the token to log in with")
    add("--rate", type=float, default=20_000, help="events a second (default 20000)")
    add("--agents", type=int, default=5_000, help="agents that they tell of (default 5000)")
    add("--kinds", default="status,health", help="kinds of events: status, health, metrics (default %(default)s)")
    add("--seconds", type=float, help="how long (default: until a signal)")
    return parser.parse_args(arguments)


async def _run(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await publish(options, stop)


def main(arguments: Sequence[str]) -> int:
    """Publish as these arguments say; returns the exit code."""
    try:
        asyncio.run(_run(_options(arguments)))
    except (OSError, asyncio.IncompleteReadError) as error:
        print(f"load: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
