"""A broker's state in a process of its own: it changes keys as fast as it can, and says what it was told is done.

    python -m tests.broker.engines.nats.stateprocess URL SPACE LIFE

The changes of every life have names of their own.
"""

from __future__ import annotations

import asyncio
import itertools
import sys

from swarmwire_broker.engines.base import Draft, Put
from swarmwire_broker.engines.nats.engine import NatsEngine
from swarmwire_protocol.codec import event_head, event_origin
from swarmwire_protocol.errors import SwarmwireError

from .opening import make_engine

__all__ = ["change"]


def change(name: str) -> tuple[list[Put], list[Draft]]:
    """One change, and the two events that come with it."""
    topic = f"tx.{name}"
    drafts = [Draft(topic, event_head(topic), event_origin("broker"), data) for data in (b"0", b"1")]
    return [Put(f"mark.{name}", b"x" * 100, 0)], drafts


async def work(engine: NatsEngine, life: str, names: itertools.count[int]) -> None:
    while True:
        name = f"{life}-{next(names)}"
        try:
            await engine.transact(*change(name))
        except SwarmwireError as error:
            print("failed", name, error.code, flush=True)
        else:
            print("done", name, flush=True)


async def main(url: str, space: str, life: str) -> None:
    engine = make_engine(url, space=space)
    await engine.start()
    await engine.state.seize()
    names = itertools.count(1)
    await asyncio.gather(*(work(engine, life, names) for _ in range(8)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
