"""`metrics.get`: what the broker counts, what it has now, and what it did a second over the last while."""

from __future__ import annotations

from collections import deque
from typing import Annotated, Final, NamedTuple

from msgspec import Meta, Struct

from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from ...core.durations import parse_duration
from ...core.hub import Hub
from ...core.methods import Asked, Method, Params
from ...core.ports import Timer
from ...core.stats import Histogram
from ...metrics import COUNTERS, read_gauge

__all__ = ["Figures", "FiguresTold", "Latency", "Measured"]

_SHORTEST: Final = 1.0
_PERCENTILES: Final = {"p50": 0.5, "p99": 0.99}


class _Get(Params, kw_only=True):
    period: Annotated[str, Meta(max_length=32)] = "5m"


class Latency(Struct, kw_only=True):
    """Upper bounds of the publish latency in milliseconds; None where nothing was published, or it was over all."""

    p50: float | None = None
    p99: float | None = None


class Measured(Struct, kw_only=True):
    """What is counted since the broker was made, and what there is now."""

    counters: dict[str, int]
    gauges: dict[str, float]
    errors: dict[str, int]
    gaps: dict[str, int]


class FiguresTold(Measured, kw_only=True):
    """The same, with what happened a second over the period.

    Attributes:
        timestamp: when it was read, in milliseconds since 1970.
        period: as it was asked for.
        covered_ms: how much of it the broker's notes reach back.
        rates: counts a second over what is covered, and that is taken to be a second at least.
        publish_latency_ms: of the publishes within it.
    """

    timestamp: int
    period: str
    covered_ms: int
    rates: dict[str, float]
    publish_latency_ms: Latency


class _Note(NamedTuple):
    """The counters at one moment; `at` is in seconds of the hub's clock."""

    at: float
    counters: dict[str, int]
    latency: list[int]


class Figures:
    """Notes the counters now and then, so that a rate can be told of any period that its notes reach back.

    Attributes:
        lag_ms: how late the loop was for the last note.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._notes: deque[_Note] = deque()
        self._timer: Timer | None = None
        self._due = 0.0
        self.lag_ms = 0.0

    def methods(self) -> list[Method]:
        return [Method("metrics.get", _Get, self._get, admin=True, looks=True)]

    async def start(self) -> None:
        """Make the first note."""
        self._take_note()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # ---- the notes

    def _take_note(self) -> None:
        clock, limits = self._hub.clock, self._hub.limits
        now = clock.time()
        if self._timer is not None:
            self.lag_ms = max(0.0, now - self._due) * 1000
        self._notes.append(self._now())
        while len(self._notes) > limits.samples:
            self._notes.popleft()
        self._due = now + limits.sample_ms / 1000
        self._timer = clock.call_later(limits.sample_ms / 1000, self._take_note)

    def _now(self) -> _Note:
        stats = self._hub.stats
        return _Note(self._hub.clock.time(), self.counters(), list(stats.latency.counts))

    def counters(self) -> dict[str, int]:
        """Everything that only rises, by name; errors and gaps as their sums."""
        stats = self._hub.stats
        found = {name: int(getattr(stats, name)) for name in COUNTERS}
        return found | {"errors": sum(stats.errors.values()), "gaps": sum(stats.gaps.values())}

    def measured(self) -> Measured:
        """What there is now."""
        stats = self._hub.stats
        read = ((name, read_gauge(name, gauge)) for name, gauge in list(stats.gauges.items()))
        gauges = {name: value for name, value in read if value is not None}
        return Measured(counters=self.counters(), gauges=gauges, errors=dict(stats.errors), gaps=dict(stats.gaps))

    # ---- what is told

    def _get(self, asked: Asked, params: _Get) -> FiguresTold:
        seconds = _seconds(params.period)
        then, now = self._note_before(seconds), self._now()
        covered = now.at - then.at
        rises = {name: count - then.counters.get(name, 0) for name, count in now.counters.items()}
        latency = [count - before for count, before in zip(now.latency, then.latency, strict=True)]
        measured = self.measured()
        return FiguresTold(
            counters=measured.counters,
            gauges=measured.gauges,
            errors=measured.errors,
            gaps=measured.gaps,
            timestamp=self._hub.clock.now_ms(),
            period=params.period,
            covered_ms=round(covered * 1000),
            rates={name: round(rise / max(covered, _SHORTEST), 3) for name, rise in rises.items()},
            publish_latency_ms=_latency(self._hub.stats.latency, latency),
        )

    def _note_before(self, seconds: float) -> _Note:
        """The last note that is at least so old, or else the oldest."""
        begin = self._hub.clock.time() - seconds
        found = self._notes[0]
        for note in self._notes:
            if note.at > begin:
                break
            found = note
        return found


def _seconds(period: str) -> float:
    try:
        seconds = parse_duration(period)
    except ValueError as error:
        sentence = str(error)
    else:
        if seconds > 0:
            return seconds
        sentence = "expected a period longer than nothing"
    raise SwarmwireError(ErrorCode.INVALID_MESSAGE, f"{sentence[0].upper()}{sentence[1:]}.", field="params.period")


def _latency(histogram: Histogram, counts: list[int]) -> Latency:
    found: dict[str, float | None] = {}
    for name, share in _PERCENTILES.items():
        found[name] = _bound(histogram.bounds, counts, share)
    return Latency(**found)


def _bound(bounds: tuple[float, ...], counts: list[int], share: float) -> float | None:
    """The bound, in milliseconds, of the bucket in which this share of all observations is reached."""
    wanted, seen = share * sum(counts), 0
    for bound, count in zip(bounds, counts, strict=False):
        seen += count
        if count and seen >= wanted:
            return bound * 1000
    return None
