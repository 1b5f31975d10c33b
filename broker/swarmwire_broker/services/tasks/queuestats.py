"""What has happened in each queue lately: counts, waits and durations in slices of time, kept in memory only."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any, Final

from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from ...core.durations import parse_duration

__all__ = ["KINDS", "QueueStats", "period_ms"]

_SLICE_MS: Final = 10_000
_SLICES: Final = 361
"""An hour, and the slice that has begun."""

KINDS: Final = ("submitted", "claimed", "completed", "failed", "cancelled", "retried")
"""What is counted."""


def period_ms(text: str) -> int:
    """The milliseconds of a period such as `5m`.

    Raises:
        SwarmwireError: INVALID_MESSAGE for anything else, and for no time at all.
    """
    try:
        length = round(parse_duration(text) * 1000)
    except ValueError:
        length = 0
    if not length:
        sentence = f"Expected a period such as 90s, 5m, 1h or 1d, got {text!a}."
        raise SwarmwireError(ErrorCode.INVALID_MESSAGE, sentence, field="params.period")
    return length


class _Times:
    """Some lengths of time: how many, their sum, the longest."""

    __slots__ = ("count", "most", "total")

    def __init__(self) -> None:
        self.count = self.total = self.most = 0

    def add(self, count: int, total: int, most: int) -> None:
        self.count += count
        self.total += total
        self.most = max(self.most, most)

    def shown(self) -> dict[str, Any]:
        return {"count": self.count, "mean": round(self.total / self.count) if self.count else 0, "max": self.most}


class _Slice:
    __slots__ = ("begin", "counts", "duration", "wait")

    def __init__(self, begin: int) -> None:
        self.begin = begin
        self.counts: Counter[str] = Counter()
        self.wait = _Times()
        self.duration = _Times()


class QueueStats:
    """The last hour of every queue, as far as this process has seen it. Times are in milliseconds since 1970.

    At most `limit` names are remembered: the one that was quiet for longest makes room.
    """

    def __init__(self, now: int, limit: int) -> None:
        self._since = now
        self._limit = limit
        self._slices: dict[str, deque[_Slice]] = {}

    def note(self, queue: str, kind: str, now: int, *, wait: int | None = None, duration: int | None = None) -> None:
        """Something of `KINDS` has happened."""
        part = self._slice(queue, now)
        part.counts[kind] += 1
        if wait is not None:
            part.wait.add(1, max(0, wait), max(0, wait))
        if duration is not None:
            part.duration.add(1, duration, duration)

    def _slice(self, queue: str, now: int) -> _Slice:
        slices = self._slices.get(queue)
        if slices is None:
            if self._slices and len(self._slices) >= self._limit:
                del self._slices[min(self._slices, key=lambda name: self._slices[name][-1].begin)]
            slices = self._slices[queue] = deque(maxlen=_SLICES)
        begin = now - now % _SLICE_MS
        if not slices or slices[-1].begin < begin:
            slices.append(_Slice(begin))
        return slices[-1]

    def names(self) -> list[str]:
        return list(self._slices)

    def of(self, queues: list[str], period: int, now: int) -> dict[str, Any]:
        """What happened in these queues in the last `period` milliseconds, as far back as is known."""
        begin = max(now - period, self._since, now - _SLICES * _SLICE_MS)
        counts: Counter[str] = Counter()
        wait, duration = _Times(), _Times()
        for queue in queues:
            for part in self._slices.get(queue, ()):
                if part.begin + _SLICE_MS > begin:
                    counts.update(part.counts)
                    wait.add(part.wait.count, part.wait.total, part.wait.most)
                    duration.add(part.duration.count, part.duration.total, part.duration.most)
        covered = max(1, now - begin)
        return {
            "since": begin,
            "covered_ms": covered,
            **{kind: counts[kind] for kind in KINDS},
            "rates": {kind: round(counts[kind] * 1000 / covered, 3) for kind in KINDS},
            "wait_ms": wait.shown(),
            "duration_ms": duration.shown(),
        }
