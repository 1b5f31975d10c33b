"""Publishing without waiting for each ack, and without losing track of any."""

from __future__ import annotations

import asyncio
from typing import Any

from swarmwire_channels import EventStream, PubSub
from swarmwire_protocol.errors import Outcome, SwarmwireError

__all__ = ["Pipeline"]

_ATTEMPTS = 3


class Pipeline:
    """A client whose `publish` returns at once, in order, while fewer than `limit` acks are outstanding.

    A publish of which nobody can say whether it was done (the broker was restarted) is made again: an event that
    comes twice does no harm here. What fails for good is raised by the next `publish`, or by `drain`.
    """

    def __init__(self, client: PubSub, limit: int = 64) -> None:
        self._client = client
        self._room = asyncio.Semaphore(limit)
        self._sending: set[asyncio.Task[None]] = set()
        self._failure: SwarmwireError | None = None

    def subscribe(self, pattern: str, *args: Any, **options: Any) -> EventStream:
        return self._client.subscribe(pattern, *args, **options)

    async def publish(self, topic: str, data: Any, *args: Any, **options: Any) -> None:
        """Publish in the background; waits only while too many acks are outstanding."""
        self._raise_failure()
        await self._room.acquire()
        sending = asyncio.create_task(self._send(topic, data, options))
        self._sending.add(sending)
        sending.add_done_callback(self._sending.discard)

    async def drain(self) -> None:
        """Return when everything is acknowledged."""
        while self._sending:
            await asyncio.wait(self._sending)
        self._raise_failure()

    async def _send(self, topic: str, data: Any, options: dict[str, Any]) -> None:
        try:
            await self._persist(topic, data, options)
        except SwarmwireError as error:
            self._failure = self._failure or error
        finally:
            self._room.release()

    async def _persist(self, topic: str, data: Any, options: dict[str, Any]) -> None:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                await self._client.publish(topic, data, timeout=None, **options)
                return
            except SwarmwireError as error:
                if attempt == _ATTEMPTS or not (error.retry or error.outcome is Outcome.UNKNOWN):
                    raise
                await asyncio.sleep((error.retry_after_ms or 0) / 1000)

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure
