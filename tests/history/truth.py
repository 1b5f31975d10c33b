"""The log as it must have been: what acknowledgements and deliveries together say of every place in it."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from .records import Acked, Held, Publishing, Record, Refused, Seen

__all__ = ["Stored", "Truth"]


class Stored(NamedTuple):
    """One event of the log. `begun` and `acked` are moments; an event that was never acknowledged has infinity."""

    epoch: str
    seq: int
    number: int
    topic: str
    client: str
    begun: float
    acked: float
    echo: bool
    clear: bool
    ts: int

    def __str__(self) -> str:
        return f"event {self.number} on {self.topic} at {self.epoch}:{self.seq}"


class Truth:
    """The events by epoch and place.

    Attributes:
        publishes, acks: by the number of the event.
        refused: numbers of publishes that were not done.
        places: every place that anybody said an event has.
        strays: numbers of publishes whose outcome was unknown and which nobody ever saw.
    """

    def __init__(self, records: Iterable[Record]) -> None:
        self.publishes: dict[int, Publishing] = {}
        self.acks: dict[int, Acked] = {}
        self.refused: set[int] = set()
        self.places: dict[int, dict[tuple[str, int], Acked | Held | Seen]] = {}
        self.holders: dict[tuple[str, int], set[int]] = {}
        self._ts: dict[tuple[str, int], int] = {}
        for record in records:
            self._take(record)
        self.strays = {number for number in self._open() if number not in self.places}
        self._logs = self._build()
        self._seqs = {epoch: [each.seq for each in log] for epoch, log in self._logs.items()}
        self._heads = {epoch: _heads(log) for epoch, log in self._logs.items()}

    def _take(self, record: Record) -> None:
        match record:
            case Publishing():
                self.publishes[record.number] = record
            case Acked():
                self.acks[record.number] = record
                self._place(record)
            case Refused():
                self.refused.add(record.number)
            case Held():
                self._place(record)
            case Seen():
                self._place(record)
                self._ts[record.epoch, record.seq] = record.ts

    def _open(self) -> Iterator[int]:
        """Publishes that nobody heard of, or heard nothing certain of."""
        return (number for number in self.publishes if number not in self.acks and number not in self.refused)

    def _place(self, record: Acked | Held | Seen) -> None:
        place = (record.epoch, record.seq)
        self.places.setdefault(record.number, {}).setdefault(place, record)
        self.holders.setdefault(place, set()).add(record.number)

    def _build(self) -> dict[str, list[Stored]]:
        logs: dict[str, list[Stored]] = {}
        for (epoch, seq), numbers in sorted(self.holders.items()):
            # Where several events claim a place, the one that was acknowledged there is taken for the right one.
            known = [number for number in sorted(numbers) if number in self.publishes]
            number = next((each for each in known if each in self.acks), known[0] if known else None)
            if number is not None:
                logs.setdefault(epoch, []).append(self._stored(epoch, seq, self.publishes[number]))
        return logs

    def _stored(self, epoch: str, seq: int, publish: Publishing) -> Stored:
        ack = self.acks.get(publish.number)
        acked = math.inf if ack is None else ack.at
        ts = self._ts.get((epoch, seq), 0)
        return Stored(
            epoch,
            seq,
            publish.number,
            publish.topic,
            publish.client,
            publish.at,
            acked,
            publish.echo,
            publish.clear,
            ts,
        )

    # ---- asking

    @property
    def epochs(self) -> Iterable[str]:
        return self._logs

    def log(self, epoch: str) -> list[Stored]:
        """All events of an epoch, in their order."""
        return self._logs.get(epoch, [])

    def head(self, epoch: str) -> int:
        """The highest place known."""
        log = self.log(epoch)
        return log[-1].seq if log else 0

    def head_at(self, epoch: str, at: float) -> int:
        """The highest place that the log can have had at a moment."""
        begun, heads = self._heads.get(epoch, ([], []))
        index = bisect_right(begun, at)
        return (heads[index - 1] if index else 0) + len(self.strays)

    def between(self, epoch: str, after: int, before: int) -> list[Stored]:
        """The events with after < seq < before."""
        seqs = self._seqs.get(epoch, [])
        return self.log(epoch)[bisect_right(seqs, after) : bisect_left(seqs, before)]


def _heads(log: list[Stored]) -> tuple[list[float], list[int]]:
    """The moments at which publishes began, and the highest place of any begun by then."""
    begun, heads, highest = [], [], 0
    for each in sorted(log, key=lambda stored: stored.begun):
        highest = max(highest, each.seq)
        begun.append(each.begun)
        heads.append(highest)
    return begun, heads
