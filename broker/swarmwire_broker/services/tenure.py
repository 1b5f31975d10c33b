"""The time in which services write: what is still on its way when another broker has them changes nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Final, Protocol

from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from ..engines.base import Draft, Engine, Put, Stored

__all__ = ["Store", "Tenure"]

_RETRY_MS: Final = 1_000


class Store(Protocol):
    """The part of an engine that services keep their state in."""

    @property
    def defers(self) -> bool:
        """Whether a step may still fail when nobody waits for it any more."""
        ...

    def get(self, key: str) -> Awaitable[Stored | None]:
        """The value of a key."""
        ...

    def scan(self, prefix: str) -> Awaitable[list[tuple[str, Stored]]]:
        """All keys that begin with a prefix, in order."""
        ...

    def transact(self, puts: Sequence[Put], appends: Sequence[Draft] = ()) -> Awaitable[int]:
        """Change keys and append events in one step, as an engine does; the new revision."""
        ...


class Tenure:
    """An engine's state as services have it, until `end`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._is_over = False

    @property
    def defers(self) -> bool:
        return self._engine.defers

    def end(self) -> None:
        """Let nothing be written from now on. Harmless twice."""
        self._is_over = True

    def get(self, key: str) -> Awaitable[Stored | None]:
        return self._engine.get(key)

    def scan(self, prefix: str) -> Awaitable[list[tuple[str, Stored]]]:
        return self._engine.scan(prefix)

    def transact(self, puts: Sequence[Put], appends: Sequence[Draft] = ()) -> Awaitable[int]:
        if self._is_over:
            sentence = "The services went to another broker meanwhile; nothing was done."
            raise SwarmwireError(ErrorCode.UNAVAILABLE, sentence, retry_after_ms=_RETRY_MS)
        return self._engine.transact(puts, appends)
