"""An independent witness of the log: what the stream itself holds, read by a client that is not the broker's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from nats.aio.client import Client

from ..history.history import History
from ..history.records import Audited, Held
from .witness import connected

__all__ = ["audit"]

_PATIENCE = 10.0


async def audit(history: History, servers: Sequence[str], space: str, epoch: str) -> None:
    """Write down what the log of a space holds, which is known as `epoch` to its brokers."""
    async with connected(servers) as client:
        state = (await client.jetstream().stream_info(f"swarmwire_{space}_log")).state
        if state.messages:
            for seq, event in await _read(client, space, state.last_seq):
                number = event["data"].get("number", -1) if isinstance(event["data"], dict) else -1
                history.add(Held(at=history.now(), epoch=epoch, seq=seq, number=number))
        history.add(Audited(at=history.now(), epoch=epoch, first=state.first_seq, last=state.last_seq))


async def _read(client: Client, space: str, last: int) -> list[tuple[int, dict[str, Any]]]:
    """All that is there up to a place, in order."""
    found: list[tuple[int, dict[str, Any]]] = []
    subscription = await client.jetstream().subscribe(
        f"swarmwire.{space}.e.>", stream=f"swarmwire_{space}_log", ordered_consumer=True
    )
    while not found or found[-1][0] < last:
        message = await subscription.next_msg(timeout=_PATIENCE)
        found.append((message.metadata.sequence.stream, orjson.loads(message.data)))
    await subscription.unsubscribe()
    return found
