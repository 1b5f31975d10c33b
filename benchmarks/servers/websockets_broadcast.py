"""`websockets` with its own `broadcast()`, on uvloop. Usage: websockets_broadcast.py PORT"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter, defaultdict

import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.exceptions import ConnectionClosed

__all__ = ["handler", "main"]

_subscribers: defaultdict[str, set[ServerConnection]] = defaultdict(set)
_seq: Counter[str] = Counter()


async def handler(connection: ServerConnection) -> None:
    """Serve one connection until it ends."""
    mine: set[str] = set()
    try:
        async for raw in connection:
            message = json.loads(raw)
            topic = message["topic"]
            if message["type"] == "subscribe":
                mine.add(topic)
                _subscribers[topic].add(connection)
                await connection.send(json.dumps({"type": "subscribed", "topic": topic}))
            else:
                _publish(topic, message["data"])
    except ConnectionClosed:
        pass
    finally:
        for topic in mine:
            _subscribers[topic].discard(connection)


def _publish(topic: str, data: object) -> None:
    _seq[topic] += 1
    event = json.dumps({"type": "event", "topic": topic, "seq": _seq[topic], "data": data})
    broadcast(_subscribers[topic], event)


async def main(port: int) -> None:
    """Serve until the process is ended."""
    async with serve(handler, "127.0.0.1", port, compression=None, backlog=4096) as server:
        await server.serve_forever()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(int(sys.argv[1])))
