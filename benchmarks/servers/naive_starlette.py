"""What one writes first: a Starlette endpoint that awaits one send per subscriber. Usage: naive_starlette.py PORT"""

from __future__ import annotations

import json
import sys
from collections import Counter, defaultdict

import uvicorn
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

__all__ = ["app", "endpoint"]

_subscribers: defaultdict[str, set[WebSocket]] = defaultdict(set)
_seq: Counter[str] = Counter()


async def endpoint(websocket: WebSocket) -> None:
    """Serve one connection until it ends."""
    await websocket.accept()
    try:
        while True:
            await _handle(websocket, json.loads(await websocket.receive_text()))
    except WebSocketDisconnect:
        for subscribers in _subscribers.values():
            subscribers.discard(websocket)


async def _handle(websocket: WebSocket, message: dict[str, object]) -> None:
    topic = str(message["topic"])
    if message["type"] == "subscribe":
        _subscribers[topic].add(websocket)
        await websocket.send_text(json.dumps({"type": "subscribed", "topic": topic}))
        return
    _seq[topic] += 1
    event = json.dumps({"type": "event", "topic": topic, "seq": _seq[topic], "data": message["data"]})
    for subscriber in list(_subscribers[topic]):
        await subscriber.send_text(event)


app = Starlette(routes=[WebSocketRoute("/ws", endpoint)])

if __name__ == "__main__":
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        loop="uvloop",
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        log_level="warning",
        backlog=4096,
    )
