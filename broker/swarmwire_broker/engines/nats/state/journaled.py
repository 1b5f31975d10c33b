"""Keys, values and revisions over a journal that all brokers read."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from typing import Final

from ...base import Put, Stored
from ...entry import Draft
from .current import Current
from .following import Following
from .journal import Changed
from .pausing import Pause
from .refusals import away, closed, too_large, unknown
from .statewriter import StateWriter
from .storage import EventLog, Storage, StorageAway
from .wishes import Wish

__all__ = ["JournaledState"]

_CLOSING: Final = 2.0
"""Seconds to finish what was asked for."""
_WAITING: Final = 10_000
"""Changes that may wait to be decided."""
_UNREACHABLE: Final = "The state cannot be reached just now."


class JournaledState:
    """What `engines/base.py` promises of keys and `transact`, for one of several brokers.

    Nothing is read before it is used; what is read then is what the leader of the journal has at that moment. One that
    was cut off a moment ago may have less; what is written on top of that is refused.

    Arguments:
        storage: where the journal is.
        events: the log that the events of changes go into.
        steady_ms: milliseconds that only rise, also while the machine sleeps.
        patience: seconds after which whoever waits is told that it cannot be done, or is not known.
        trusted_ms: how long the log is sure to know an id again.

    Attributes:
        on_deposed: called when another broker has seized the state, or when it was made anew. Then every `transact` is
            refused until the next `seize`, and what was remembered of it is worth nothing.
    """

    def __init__(
        self,
        storage: Storage,
        events: EventLog,
        *,
        steady_ms: Callable[[], int],
        patience: float = 10.0,
        trusted_ms: int = 10_000,
    ) -> None:
        self.on_deposed: Callable[[], None] = _nothing
        self._storage = storage
        self._patience = patience
        self._current = Current(storage)
        self._following = Following(self._current, storage)
        name = secrets.token_hex(8)
        self._writer = StateWriter(self._current, storage, events, name, steady_ms, trusted_ms)
        self._writer.on_deposed = self._deposed
        self._open: set[Wish] = set()
        self._writes = False
        self._closed = False

    async def close(self) -> None:
        """Finish what was asked for, for two seconds at most, and end. Harmless twice."""
        if self._closed:
            return
        self._closed = True
        await self._following.close()
        if self._writes:
            await self._writer.close(_CLOSING)
        await self._current.close()
        for wish in tuple(self._open):
            wish.fail(unknown() if wish.sent else closed())

    # ---- reading

    async def get(self, key: str) -> Stored | None:
        """The value of a key. UNAVAILABLE where it cannot be read just now."""
        await self._read()
        return self._current.fold.state.get(key)

    async def scan(self, prefix: str) -> list[tuple[str, Stored]]:
        """All keys that begin with a prefix, in order. UNAVAILABLE where they cannot be read just now."""
        await self._read()
        return self._current.fold.state.scan(prefix)

    async def watch(self, prefix: str, changed: Changed) -> Callable[[], None]:
        """Tell of all keys with a prefix, and then of every change, in order, as long as this broker runs.

        Where so much was missed that only the outcome is known, that is told. What is returned ends it.

        Raises:
            SwarmwireError: UNAVAILABLE.
        """
        await self._read()
        self._following.start()
        return self._current.watch(prefix, changed)

    async def _read(self) -> None:
        """Know what was committed by now, and of everything this broker has sent whether it was."""
        if self._closed:
            raise closed()
        pause = Pause()
        try:
            async with asyncio.timeout(self._patience):
                while True:
                    if self._storage.is_away:
                        raise away(_UNREACHABLE)
                    try:
                        await self._writer.committing.certain.wait()
                        await self._current.refresh()
                    except StorageAway:
                        await pause()
                    else:
                        return
        except TimeoutError:
            raise away(_UNREACHABLE) from None

    # ---- writing

    @property
    def is_deposed(self) -> bool:
        """Whether nothing can be written before the next `seize`."""
        return self._writer.is_deposed

    async def seize(self) -> None:
        """Make this broker the one that writes: whoever wrote before is refused from now on, until it seizes in turn.

        Returns when the state is known, and the events of all changes are in the log.

        Raises:
            SwarmwireError: UNAVAILABLE; to be tried again.
        """
        self._begin()
        loop = asyncio.get_running_loop()
        over = loop.time() + self._patience
        pause = Pause()
        while True:
            try:
                await self._writer.seize(lambda: loop.time() >= over)
            except StorageAway:
                if loop.time() >= over:
                    raise away(_UNREACHABLE) from None
            else:
                return
            await pause()

    async def transact(self, puts: Sequence[Put], appends: Sequence[Draft] = ()) -> int:
        """Change keys and append events in one step; the new revision. See `engines/base.py`.

        Raises:
            ValueError: a draft has a key.
            SwarmwireError: CONFLICT; MESSAGE_TOO_LARGE; UNAVAILABLE: it was not done; OUTCOME_UNKNOWN: it may have been
                or will be, and `get` tells as soon as it is certain.
        """
        if any(draft.key is not None for draft in appends):
            raise ValueError("expected drafts without a key: one of them could be refused when the rest is done")
        wish = self._wish(puts, appends)
        try:
            async with asyncio.timeout(self._patience):
                return await asyncio.shield(wish.decided)
        except TimeoutError:
            if wish.sent:
                raise unknown() from None
            raise away(_UNREACHABLE) from None
        finally:
            self._open.discard(wish)
            if not wish.decided.done():
                wish.decided.cancel()  # nobody waits any more: what was not sent is left out

    def _wish(self, puts: Sequence[Put], appends: Sequence[Draft]) -> Wish:
        self._begin()
        if self._storage.is_away:
            raise away(_UNREACHABLE)
        if len(self._open) >= _WAITING or self._writer.untold >= _WAITING:
            raise away(f"{_WAITING} changes wait to be written, or for their events to be.")
        wish = Wish(puts, appends)
        if wish.size > (most := self._storage.most_bytes):
            raise too_large(wish.size, most)
        self._writer.submit(wish)
        self._open.add(wish)
        return wish

    def _begin(self) -> None:
        if self._closed:
            raise closed()
        if not self._writes:
            self._writes = True
            self._writer.start()

    def _deposed(self) -> None:
        self.on_deposed()


def _nothing() -> None:
    """Who hears of it until somebody does."""
