"""A publish whose data is sealed."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

from swarmwire_protocol.codec import encode
from swarmwire_protocol.messages import Publish

from .errors import SwarmwireError
from .outgoing import PendingPublish
from .records import Published
from .sealing import Sealing

__all__ = ["SealedPublish"]

_FRESH_MS: Final = 1000


class SealedPublish(PendingPublish):
    """Sealed anew while it waits to be first written, so that its time is when it set out; from then on the same bytes.

    Raises SwarmwireError LIMIT_EXCEEDED when its key has sealed as much as it may.
    """

    __slots__ = ("_bytes", "_message", "_plain", "_sealed_at", "_sealing")

    def __init__(self, message: Publish, sealing: Sealing, answer: asyncio.Future[Published] | None = None) -> None:
        self._message = message
        self._plain = message.data
        self._sealing = sealing
        self._sealed_at = 0
        super().__init__(self._seal(sealing.now()), _number_of(message), message.key, answer)

    @property
    def payload(self) -> bytes:
        """The message as it is written."""
        if self.written is None and (now := self._sealing.now()) - self._sealed_at > _FRESH_MS:
            with suppress(SwarmwireError):  # a key that may seal no more has sealed this once, which is good enough
                self._bytes = self._seal(now)
        return self._bytes

    @payload.setter
    def payload(self, value: bytes) -> None:
        self._bytes = value

    def _seal(self, now: int) -> bytes:
        message = self._message
        message.data = self._sealing.encryption.seal(self._plain, message.topic, message.key, now)
        self._sealed_at = now
        return encode(message)


def _number_of(message: Publish) -> int | None:
    return message.id if isinstance(message.id, int) else None
