"""Publishing: an event gets its id and its key, and its caller waits for what becomes of it."""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import Iterator
from functools import lru_cache

from swarmwire_protocol.codec import encode
from swarmwire_protocol.messages import Publish
from swarmwire_protocol.topics import check_topic

from .errors import ErrorCode, SwarmwireError
from .outgoing import Outgoing, PendingPublish
from .records import Published
from .sealedpublish import SealedPublish
from .sealing import Sealing

__all__ = ["Publisher", "timed_out"]

_check_topic = lru_cache(maxsize=128)(check_topic)
"""Most that publish do so again where they just did."""


class Publisher:
    """Puts publishes into the queue. Its keys are unique over all clients everywhere."""

    def __init__(self, outgoing: Outgoing, ids: Iterator[int], sealing: Sealing | None = None) -> None:
        self._sealing = sealing
        self._loop = asyncio.get_running_loop()
        self._outgoing = outgoing
        self._ids = ids
        self._prefix = secrets.token_hex(8)
        self._numbers = itertools.count(1)

    async def acknowledged(self, message: Publish, timeout: float | None) -> Published:
        """Publish, and wait for the broker's answer; see `Client.publish`. The message gets its key and its id."""
        _check_topic(message.topic)
        if message.key is None and not message.ephemeral:
            # An ephemeral event has no place in the log that a repeat could be known by.
            message.key = f"{self._prefix}:{next(self._numbers)}"
        message.id = number = next(self._ids)
        if timeout is not None and timeout <= 0:
            raise timed_out("publish", timeout)
        answer: asyncio.Future[Published] = self._loop.create_future()
        if self._sealing is None:
            pending = PendingPublish(encode(message), number, message.key, answer)
        else:
            pending = SealedPublish(message, self._sealing, answer)
        try:
            if timeout is None:
                if not self._outgoing.add_at_once(pending):
                    await self._outgoing.add(pending)
                return await answer
            async with asyncio.timeout(timeout):
                await self._outgoing.add(pending)
                return await answer
        except TimeoutError:
            raise timed_out("publish", timeout) from None
        finally:
            if not answer.done() or answer.cancelled():
                self._outgoing.forget(pending)

    async def unacknowledged(self, message: Publish) -> None:
        """Publish at most once, and learn nothing of it. It waits its turn behind what was published before."""
        _check_topic(message.topic)
        pending = PendingPublish(encode(message)) if self._sealing is None else SealedPublish(message, self._sealing)
        await self._outgoing.add(pending)


def timed_out(what: str, timeout: float | None) -> SwarmwireError:
    """The error of a request whose caller's patience ended."""
    return SwarmwireError(ErrorCode.TIMEOUT, f"This {what} was not answered within {timeout} s.")
