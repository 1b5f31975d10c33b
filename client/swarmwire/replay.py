"""Which sealed payloads a reader has had: the same one at another place of the log is a replay."""

from __future__ import annotations

import heapq
from typing import TypeAlias

from swarmwire_protocol.messages import Event

__all__ = ["Place", "Window", "is_ephemeral", "place_in_log"]

Place: TypeAlias = tuple[str, int]
"""The epoch and the seq of an event; of an ephemeral one, no epoch and the time at which the broker took it."""


def place_in_log(event: Event, epoch: str) -> Place:
    """Where an event stands."""
    return ("", event.ts) if event.seq is None else (epoch, event.seq)


def is_ephemeral(place: Place) -> bool:
    """Whether the event of this place is in no log."""
    return not place[0]


class Window:
    """Remembers where each payload was seen, for as long as a copy of it could pass as fresh.

    A copy bears the time of its original, and what came `max_age` ms after its time is refused anyway. So once the
    broker's time has passed that, the original can be forgotten. At most `limit` are remembered: beyond it those
    sealed first are forgotten early, and `floor` is the latest time that was.
    """

    __slots__ = ("_by_time", "_limit", "_max_age", "_now", "_places", "floor")

    def __init__(self, limit: int, max_age: int) -> None:
        self._limit = limit
        self._max_age = max_age
        self._now = 0
        self._places: dict[bytes, Place] = {}
        self._by_time: list[tuple[int, bytes]] = []
        self.floor = -1
        """Nothing sealed at this time or before can be vouched for, unless it is remembered."""

    def __len__(self) -> int:
        return len(self._places)

    def place_of(self, id: bytes) -> Place | None:
        """Where this payload was seen; None if it was not, or is forgotten."""
        return self._places.get(id)

    def remember(self, id: bytes, place: Place, t: int, ts: int) -> None:
        """It was sealed at `t` and taken by the broker at `ts`, both in milliseconds since 1970."""
        self._now = max(self._now, ts)
        if id not in self._places:
            self._places[id] = place
            heapq.heappush(self._by_time, (t, id))
        self._forget()

    def _forget(self) -> None:
        oldest = self._by_time
        while oldest and oldest[0][0] + self._max_age < self._now:
            self._places.pop(heapq.heappop(oldest)[1])
        while len(oldest) > self._limit:
            t, id = heapq.heappop(oldest)
            self._places.pop(id)
            self.floor = max(self.floor, t)
