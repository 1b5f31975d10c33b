"""Which topics a set of patterns matches, remembered for as long as the set is used."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from swarmwire_protocol.topics import is_literal

from .patterntree import PatternNode, matching, plant

__all__ = ["Matcher"]

_REMEMBERED: Final = 4_096


class Matcher:
    """Patterns, ready to be asked about topics.

    Attributes:
        literals: the patterns without wildcards: each is the one topic it matches.
        wildcards: the others.
    """

    __slots__ = ("_exact", "_known", "_root", "literals", "wildcards")

    def __init__(self, patterns: Iterable[str]) -> None:
        unique = dict.fromkeys(patterns)
        self.literals = tuple(p for p in unique if is_literal(p))
        self.wildcards = tuple(p for p in unique if not is_literal(p))
        self._exact = frozenset(self.literals)
        self._root = PatternNode()
        for pattern in self.wildcards:
            plant(self._root, pattern)
        self._known: dict[str, bool] = {}

    def __call__(self, topic: str) -> bool:
        """Whether any of the patterns matches the topic."""
        if topic in self._exact:
            return True
        if not self.wildcards:
            return False
        known = self._known.get(topic)
        if known is None:
            known = bool(matching(self._root, topic.split(".")))
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[topic] = known
        return known
