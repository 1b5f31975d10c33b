"""What a broker wants to hear of the log: the patterns of its clients, as few filters for its one consumer.

A change of filters costs a new consumer. So what is not wanted any more is heard for some seconds still, and where
new patterns come one after the other the filters grow broader, step by step, until they take in what comes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ..dedupe import monotonic_ms
from .filters import FilterTree, Shape
from .subjects import Filter, Subjects, filters_of, tokens_of

__all__ = ["Interest"]

_ANY: Final = 1_000_000

_BREADTHS: Final = (
    Shape(_ANY, _ANY),  # as narrow as the limit allows
    Shape(_ANY, 8),
    Shape(_ANY, 1),
    Shape(_ANY, 1, depth=1),  # all of what has the same first segment
    Shape(1, 1, depth=0),  # everything
)

_OFTEN_MS: Final = 1_000
"""Changes of filters closer together than this come often."""

_STEP_AFTER: Final = 3
"""So many changes that come often make the filters one step broader."""

_CALM_MS: Final = 5_000
"""How long the filters must have been enough before they become narrower; twice as long for each step of breadth."""

_REMEMBERED: Final = 4_096


class Interest:
    """The patterns wanted, counted, and the filters that cover them.

    Arguments:
        limit: the most filters a consumer may have.
        steady_ms: milliseconds that only rise.

    Attributes:
        filters: those of the last plan.
    """

    def __init__(self, subjects: Subjects, *, limit: int = 128, steady_ms: Callable[[], int] = monotonic_ms) -> None:
        self.filters: tuple[Filter, ...] = ()
        self._subjects = subjects
        self._limit = limit
        self._steady_ms = steady_ms
        self._counts: dict[str, int] = {}
        self._wanted = FilterTree()
        self._present = FilterTree()
        self._known: dict[str, bool] = {}
        self._breadth = 0
        self._quick = 0  # changes that came often, since the last step
        self._changed_ms = -_OFTEN_MS
        self._is_short = False  # the present filters do not cover what is wanted
        self._is_loose = False  # something was wanted once that is not any more
        self._narrower: tuple[Filter, ...] | None = None

    def __len__(self) -> int:
        return len(self._counts)

    def want(self, pattern: str, wanted: bool) -> bool:
        """Somebody wants this pattern, or one who did does not; whether the present filters do not do any longer."""
        count = self._counts.get(pattern, 0)
        if wanted:
            self._counts[pattern] = count + 1
            if not count:
                self._begin(pattern)
        elif count > 1:
            self._counts[pattern] = count - 1
        elif count:
            self._end(pattern)
        return self._is_short

    def _begin(self, pattern: str) -> None:
        self._narrower = None
        for one in filters_of(pattern):
            self._wanted.add(one)
            if not self._is_short and not self._present.covers(one):
                self._is_short = True

    def _end(self, pattern: str) -> None:
        del self._counts[pattern]
        self._narrower = None
        self._is_loose = True
        for one in filters_of(pattern):
            self._wanted.remove(one)

    # ---- filters

    def plan(self) -> tuple[bytes, ...]:
        """The filters to hear from now on, as the server wants them; none where nothing is wanted."""
        if self._is_short:
            self._broaden()
            self._take(self._cover(self._breadth))
        elif self._narrower is not None:
            self._breadth = max(0, self._breadth - 1)
            self._take(self._narrower)
        return tuple(map(self._subjects.filter, self.filters))

    def _broaden(self) -> None:
        now = self._steady_ms()
        self._quick = self._quick + 1 if now - self._changed_ms < _OFTEN_MS else 0
        if self._quick >= _STEP_AFTER and self._breadth < len(_BREADTHS) - 1:
            self._breadth += 1
            self._quick = 0

    def _take(self, filters: tuple[Filter, ...]) -> None:
        self.filters = filters
        self._present = FilterTree(filters)
        self._known.clear()
        self._narrower = None
        self._is_short = False
        self._is_loose = False
        self._changed_ms = self._steady_ms()

    def _cover(self, breadth: int) -> tuple[Filter, ...]:
        return self._wanted.cover(self._limit, _BREADTHS[breadth])

    def narrows(self) -> bool:
        """Whether less could be heard, and it has been calm for long enough: then the next `plan` says less.

        To be asked from time to time, every second or so; it takes as long as a plan does.
        """
        if self._is_short or self._narrower is not None:
            return self._narrower is not None
        now = self._steady_ms()
        if not (self._is_loose or self._breadth) or now - self._changed_ms < _CALM_MS << self._breadth:
            return False
        narrower = self._cover(max(0, self._breadth - 1))
        if narrower != self.filters:
            self._narrower = narrower
            return True
        self._breadth = max(0, self._breadth - 1)
        self._is_loose = False
        return False

    def covers(self, topic: str) -> bool:
        """Whether the present filters match a topic."""
        known = self._known.get(topic)
        if known is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            known = self._known[topic] = self._present.covers(tokens_of(topic))
        return known
