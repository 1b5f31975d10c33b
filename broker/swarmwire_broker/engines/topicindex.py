"""A trie of topics, asked by pattern: which of the topics that are there does a pattern match?"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final, TypeAlias

from swarmwire_protocol.topics import matches

__all__ = ["TopicIndex"]

# A branch maps a segment to what lies below it: the topic itself where nothing else does, however long it is (so a
# topic costs one entry and no dict of its own), else a branch. The topic that ends at a branch stands in it under "".
_Branch: TypeAlias = "dict[str, _Branch | str]"

_HERE: Final = ""
_WILD: Final = ("*", "#")


class TopicIndex:
    """A set of topics that answers `find(pattern)` at the cost of what the pattern walks, not of what is there."""

    __slots__ = ("_root",)

    def __init__(self) -> None:
        self._root: _Branch = {}

    def __bool__(self) -> bool:
        return bool(self._root)

    def clear(self) -> None:
        self._root.clear()

    def add(self, topic: str, segments: list[str] | None = None) -> None:
        """Put a topic in; harmless if it is there. Whoever has its segments at hand spares taking it apart."""
        branch = self._root
        for depth, segment in enumerate(topic.split(".") if segments is None else segments, 1):
            below = branch.get(segment)
            if below is None:
                branch[segment] = topic
                return
            if isinstance(below, str):
                if below == topic:
                    return
                below = branch[segment] = _branch_of(below, depth)
            branch = below
        branch[_HERE] = topic

    def remove(self, topic: str) -> None:
        """Take a topic out; harmless if it is not there."""
        path: list[tuple[_Branch, str]] = []
        branch = self._root
        for segment in topic.split("."):
            below = branch.get(segment)
            if not isinstance(below, dict):
                if below == topic:
                    del branch[segment]
                break
            path.append((branch, segment))
            branch = below
        else:
            branch.pop(_HERE, None)
        while path and not branch:
            branch, segment = path.pop()
            del branch[segment]

    def find(self, pattern: str, *, most: int | None = None, steps: int | None = None) -> list[str] | None:
        """The topics that a pattern matches, in no order.

        None if they are more than `most`, or if telling takes more than `steps` places to look at.
        """
        found: list[str] = []
        segments = pattern.split(".")
        spent = 0
        seen: set[tuple[int, int]] = set()
        work: list[tuple[_Branch | str, int]] = [(self._root, 0)]
        while work:
            if steps is not None and spent + len(work) > steps:
                return None
            node, index = work.pop()
            # A topic is asked once as a whole, whatever part of the pattern has led there.
            place = (id(node), 0 if isinstance(node, str) else index)
            if place in seen:
                continue
            seen.add(place)
            spent += 1
            if isinstance(node, str):
                spent += node.count(".")
                if matches(pattern, node):
                    found.append(node)
            elif index < len(segments):
                work += islice(self._below(node, index, segments), steps)
            elif (topic := node.get(_HERE)) is not None:
                work.append((topic, index))
            if most is not None and len(found) > most:
                return None
        return found

    def _below(self, node: _Branch, index: int, segments: list[str]) -> Iterator[tuple[_Branch | str, int]]:
        """Where a pattern goes on, read up to segment `index`, from a place in the trie."""
        segment = segments[index]
        if segment == "#":
            yield node, index + 1
        # A pattern that begins with a wildcard matches no topic that begins with `$`.
        guarded = node is self._root and segments[0] in _WILD
        if segment not in _WILD:
            if (below := node.get(segment)) is not None and not (guarded and segment.startswith("$")):
                yield below, index + 1
            return
        after = index + 1 if segment == "*" else index
        for name, below in node.items():
            if name != _HERE and not (guarded and name.startswith("$")):
                yield below, after


def _branch_of(topic: str, depth: int) -> _Branch:
    """A branch for a topic that has stood by itself so far; `depth` segments lead there."""
    segments = topic.split(".", depth + 1)
    return {segments[depth] if depth < len(segments) else _HERE: topic}
