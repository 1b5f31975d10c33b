"""A trie of topics, asked by pattern: which of the topics that are there does a pattern match?"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final, TypeAlias

__all__ = ["TopicIndex"]

# A branch maps a segment to what lies below it: the topic itself where nothing else does (so a topic costs one
# entry and no dict of its own), else a branch. The topic that ends at a branch stands in it under "".
_Branch: TypeAlias = "dict[str, _Branch | str]"

_HERE: Final = ""
_WILD: Final = ("*", "#")


class TopicIndex:
    """A set of topics that answers `find(pattern)` at the cost of what the pattern walks, not of what is there."""

    def __init__(self) -> None:
        self._root: _Branch = {}

    def __bool__(self) -> bool:
        return bool(self._root)

    def clear(self) -> None:
        self._root.clear()

    def add(self, topic: str) -> None:
        """Put a topic in; harmless if it is there."""
        *way, last = topic.split(".")
        branch = self._root
        for segment in way:
            below = branch.get(segment)
            if not isinstance(below, dict):
                below = branch[segment] = {} if below is None else {_HERE: below}
            branch = below
        below = branch.get(last)
        if isinstance(below, dict):
            below[_HERE] = topic
        else:
            branch[last] = topic

    def remove(self, topic: str) -> None:
        """Take a topic out; harmless if it is not there."""
        *way, last = topic.split(".")
        path: list[tuple[_Branch, str]] = []
        branch = self._root
        for segment in way:
            below = branch.get(segment)
            if not isinstance(below, dict):
                return
            path.append((branch, segment))
            branch = below
        below = branch.get(last)
        if isinstance(below, dict):
            path.append((branch, last))
            below.pop(_HERE, None)
            branch = below
        else:
            branch.pop(last, None)
        for parent, segment in reversed(path):
            if parent[segment]:
                break
            del parent[segment]

    def find(self, pattern: str, *, most: int | None = None, steps: int | None = None) -> list[str] | None:
        """The topics that a pattern matches, in no order.

        None if they are more than `most`, or if telling takes more than `steps` places to look at.
        """
        found: list[str] = []
        segments = pattern.split(".")
        seen: set[tuple[int, int]] = set()
        work: list[tuple[_Branch | str, int]] = [(self._root, 0)]
        while work:
            if steps is not None and len(seen) + len(work) > steps:
                return None
            node, index = work.pop()
            if (id(node), index) in seen:
                continue
            seen.add((id(node), index))
            if index == len(segments):
                self._arrive(node, found)
                if most is not None and len(found) > most:
                    return None
            else:
                work += islice(self._below(node, index, segments), steps)
        return found

    def _below(self, node: _Branch | str, index: int, segments: list[str]) -> Iterator[tuple[_Branch | str, int]]:
        """Where a pattern goes on, read up to segment `index`, from a place in the trie."""
        segment = segments[index]
        if segment == "#":
            yield node, index + 1
        if isinstance(node, str):
            return
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

    def _arrive(self, node: _Branch | str, found: list[str]) -> None:
        topic = node if isinstance(node, str) else node.get(_HERE)
        if isinstance(topic, str):
            found.append(topic)
