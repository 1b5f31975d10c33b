"""A tree of patterns, asked by topic: which of the patterns that are there match it?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self, TypeVar

from swarmwire_protocol.topics import is_reserved

__all__ = ["PatternNode", "matching", "plant"]


class PatternNode:
    """A place in the tree, with what lies one segment deeper in `below`. `pattern` is the one that ends here, or empty.

    A subclass keeps at a pattern's node what belongs to the pattern.
    """

    __slots__ = ("below", "pattern")

    def __init__(self) -> None:
        self.below: dict[str, Self] = {}
        self.pattern = ""


N = TypeVar("N", bound=PatternNode)


def plant(root: N, pattern: str) -> N:
    """The node of a pattern; it, and what leads there, is made where it is missing."""
    node = root
    for segment in pattern.split("."):
        below = node.below.get(segment)
        if below is None:
            below = node.below[segment] = type(root)()
        node = below
    node.pattern = pattern
    return node


def matching(root: N, topic: str) -> Iterator[N]:
    """The nodes of the patterns that match a topic, each once. At worst it looks at nodes x segments, never at more."""
    segments = topic.split(".")
    last = len(segments)
    reserved = is_reserved(topic)
    seen: set[tuple[int, int]] = set()
    work: list[tuple[N, int]] = [(root, 0)]
    while work:
        node, index = work.pop()
        # A pattern that begins with a wildcard matches no topic that begins with `$`.
        wild = not (reserved and node is root)
        if wild and (many := node.below.get("#")) is not None:
            # `#` takes nothing here, or any number of segments: once per place is enough.
            for taken in range(index, last + 1):
                if (id(many), taken) in seen:
                    break
                seen.add((id(many), taken))
                work.append((many, taken))
        if index == last:
            if node.pattern:
                yield node
            continue
        if (exact := node.below.get(segments[index])) is not None:
            work.append((exact, index + 1))
        if wild and (one := node.below.get("*")) is not None:
            work.append((one, index + 1))
