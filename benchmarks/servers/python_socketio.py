"""python-socketio under uvicorn: rooms as topics. Usage: python_socketio.py PORT"""

from __future__ import annotations

import sys
from typing import Any

import socketio  # type: ignore[import-not-found, import-untyped, unused-ignore]
import uvicorn

__all__ = ["publish", "server", "subscribe"]

server: Any = socketio.AsyncServer(async_mode="asgi", cors_allowed_origins="*", ping_interval=60)


async def subscribe(sid: str, topic: str) -> None:
    """Let a client join the room of a topic."""
    await server.enter_room(sid, topic)
    await server.emit("ok", topic, to=sid)


async def publish(sid: str, topic: str, data: object) -> None:
    """Send data to the room of a topic."""
    await server.emit("ev", (topic, data), room=topic)


server.on("sub", subscribe)
server.on("pub", publish)

if __name__ == "__main__":
    uvicorn.run(
        socketio.ASGIApp(server),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        loop="uvloop",
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        log_level="warning",
        backlog=4096,
    )
