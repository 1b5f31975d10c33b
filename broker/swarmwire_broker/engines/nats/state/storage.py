"""What the state asks of wherever it is stored: so its rules are tested without a server."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple, Protocol

from ...entry import Draft
from .journal import Place

__all__ = ["Doubtful", "EventLog", "Message", "Refused", "Storage", "StorageAway", "Superseded"]


class StorageAway(Exception):
    """It cannot be read just now."""


class Refused(StorageAway):
    """What was to be written was certainly not."""


class Doubtful(StorageAway):
    """What was to be written was, or will be, or never will."""


class Superseded(Exception):
    """Nothing was written, for what it was to follow is not the last any more."""


class Message(NamedTuple):
    """What is stored, and its place."""

    seq: int
    payload: bytes


class Storage(Protocol):
    """The journal, and the snapshots beside it. Whatever reads raises StorageAway where it cannot be read just now."""

    @property
    def most_bytes(self) -> int:
        """The most bytes a message may have."""

    @property
    def is_away(self) -> bool:
        """Whether it has been out of reach for longer than a moment."""

    async def identity(self) -> str:
        """The name of this very journal; one made anew has another."""

    async def append(self, payload: bytes, after: int) -> int:
        """Store a group if the last one stands at `after`; its place.

        Raises:
            Superseded, Refused, Doubtful: see there.
        """

    async def last(self) -> Message | None:
        """The last group."""

    async def since(self, first: int) -> list[Message]:
        """All groups from this place on, in order."""

    async def pointer(self) -> Message | None:
        """The pointer to the snapshot that counts."""

    async def chunks(self, name: str) -> dict[int, bytes]:
        """The chunks of a snapshot by number, as far as they are there."""

    async def write_chunk(self, name: str, number: int, payload: bytes) -> int:
        """Store a chunk; its place. Raises StorageAway."""

    async def write_pointer(self, payload: bytes, after: int) -> int:
        """Store a pointer if the last one stands at `after`; its place. Raises as `append`."""

    async def tidy(self, journal: int, chunks: int, pointer: int) -> None:
        """Remove groups, chunks and pointers that stand before these places."""

    def listen(self, heard: Callable[[int, bytes], None]) -> Callable[[], None]:
        """Call this with groups that were stored, mostly; what is returned ends it."""


class EventLog(Protocol):
    """The log, as far as the events of changes need it."""

    def publish(self, draft: Draft, message_id: bytes) -> None:
        """Store an event, once for each id within some time; `draft.done` hears what became of it."""

    def position(self) -> Place:
        """A place that is not beyond the end of the log."""

    async def find(self, ids: Collection[bytes], topics: Collection[str], after: Place) -> dict[bytes, int]:
        """Which of these ids stand in the log after a place, and where. Raises StorageAway."""
