"""Since which place in the log a broker has heard what: what its memory may answer for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from ..matcher import Matcher
from .filters import FilterTree
from .subjects import Filter, filters_of

__all__ = ["Coverage"]

_MOST_STRETCHES: Final = 16
"""So many changes of filters are told apart; beyond it, the oldest two count as the later of them."""

_REMEMBERED: Final = 256


class _Stretch(NamedTuple):
    """All that these filters match has been heard from behind a place on, and is heard still."""

    after: int
    filters: FilterTree


class Coverage:
    """The filters that are heard, and since when.

    It never claims more than was heard. It may claim less: where filters were joined and parted again, what cannot
    be told by one filter that covers another counts as not heard.
    """

    def __init__(self) -> None:
        self._stretches: list[_Stretch] = []  # the longest heard first
        self._known: dict[tuple[tuple[str, ...], tuple[str, ...]], int | None] = {}

    def change(self, filters: Iterable[Filter], after: int) -> None:
        """From behind this place on these filters are heard, and no others. Places never go back."""
        filters = tuple(filters)
        present = FilterTree(filters)
        kept = [_Stretch(one.after, _common(one.filters, present, filters)) for one in self._stretches]
        kept = [one for one in kept if one.filters]
        if not any(all(map(one.filters.covers, filters)) for one in kept):
            kept.append(_Stretch(after, present))
        if len(kept) > _MOST_STRETCHES:
            first, second = kept[:2]
            kept[:2] = [_Stretch(second.after, FilterTree((*first.filters, *second.filters)))]
        self._stretches = kept
        self._known.clear()

    def clear(self) -> None:
        """Nothing is heard."""
        self._stretches.clear()
        self._known.clear()

    def since(self, matcher: Matcher) -> int | None:
        """The place after which everything was heard that these patterns match; None if not all of it is heard."""
        names = (matcher.literals, matcher.wildcards)
        if names in self._known:
            return self._known[names]
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        since = self._known[names] = self._since(matcher)
        return since

    def _since(self, matcher: Matcher) -> int | None:
        since = 0
        for pattern in (*matcher.literals, *matcher.wildcards):
            for one in filters_of(pattern):
                heard = self._heard(one)
                if heard is None:
                    return None
                since = max(since, heard)
        return since

    def _heard(self, filter: Filter) -> int | None:
        return next((one.after for one in self._stretches if one.filters.covers(filter)), None)


def _common(heard: FilterTree, present: FilterTree, filters: Iterable[Filter]) -> FilterTree:
    """What was heard before and still is."""
    still = FilterTree(one for one in heard if present.covers(one))
    for one in filters:
        if heard.covers(one) and not still.covers(one):
            still.add(one)
    return still
