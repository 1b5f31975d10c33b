"""A tree of patterns, asked by topic: which of the patterns that are there match it?

A branch that one pattern alone goes down ends early: its node keeps what is left of the pattern in `rest`. So most
patterns cost a node or two, and most nodes that a topic comes to answer without leading any deeper.
"""

from __future__ import annotations

from sys import intern
from typing import Any, Final

__all__ = ["Pattern", "PatternNode", "matching", "plant", "uproot"]

_ONE: Final = "*"
_MANY: Final = "#"

# Most patterns end like others do: they share what they have of `rest`, as far as so many are known.
_MOST_ENDS: Final = 1_024
_ends: dict[tuple[str, ...], tuple[str, ...]] = {}


class Pattern:
    """A pattern, and what a router keeps about it.

    Attributes:
        text: the pattern itself; empty at a node that only leads to others.
        holders: nobody (None), one receiver, or a dict of receivers with how often each holds it.
        wanted: how many subscriptions there are, live ones and others.
        changed: the number of the change that last concerned the holders.
    """

    __slots__ = ("changed", "holders", "text", "wanted")

    def __init__(self, text: str = "") -> None:
        self.text = text
        self.holders: Any = None
        self.wanted = 0
        self.changed = 0


class PatternNode(Pattern):
    """A place in the tree, with what lies one segment deeper: `one` for `*`, `many` for `#`, `below` for all others.

    `rest` are segments that a topic must still have here to match; nothing lies deeper then, and none of them is `#`.
    """

    __slots__ = ("below", "many", "one", "rest")

    def __init__(self) -> None:
        super().__init__()
        self.below: dict[str, PatternNode] | None = None
        self.one: PatternNode | None = None
        self.many: PatternNode | None = None
        self.rest: tuple[str, ...] = ()


# ---- planting


def plant(root: PatternNode, pattern: str) -> PatternNode:
    """The node of a pattern, the same until it is uprooted; it, and what leads there, is made where it is missing."""
    node = root
    segments = [intern(segment) for segment in pattern.split(".")]
    for place, segment in enumerate(segments, 1):
        rest = tuple(segments[place:])
        below = _child(node, segment)
        if below is None:
            below = PatternNode()
            _put(node, segment, below)
            if _MANY not in rest:
                below.rest = _shared(rest)
        elif below.rest and below.rest != rest:
            below = _parted(node, segment, below)
        node = below
        if node.rest:
            break
    node.text = pattern
    return node


def uproot(root: PatternNode, pattern: str) -> None:
    """Take a pattern out that was planted, and what led only there."""
    node: PatternNode | None = root
    way: list[tuple[PatternNode, str]] = []
    for segment in pattern.split("."):
        if node is None or node.rest:
            break
        way.append((node, segment))
        node = _child(node, segment)
    if node is None or node.text != pattern:
        raise KeyError(pattern)
    node.text = ""
    while way and not node.text and _is_leaf(node):
        node, segment = way.pop()
        _cut(node, segment)


def _child(node: PatternNode, segment: str) -> PatternNode | None:
    if segment == _ONE:
        return node.one
    if segment == _MANY:
        return node.many
    return None if node.below is None else node.below.get(segment)


def _put(node: PatternNode, segment: str, child: PatternNode) -> None:
    if segment == _ONE:
        node.one = child
    elif segment == _MANY:
        node.many = child
    else:
        if node.below is None:
            node.below = {}
        node.below[segment] = child


def _cut(node: PatternNode, segment: str) -> None:
    if segment == _ONE:
        node.one = None
    elif segment == _MANY:
        node.many = None
    elif node.below is not None:
        del node.below[segment]
        if not node.below:
            node.below = None


def _parted(parent: PatternNode, segment: str, node: PatternNode) -> PatternNode:
    """Another pattern needs part of the way: the node moves one segment deeper, below a new one."""
    between = PatternNode()
    _put(parent, segment, between)
    _put(between, node.rest[0], node)
    node.rest = _shared(node.rest[1:])
    return between


def _shared(rest: tuple[str, ...]) -> tuple[str, ...]:
    if len(_ends) >= _MOST_ENDS:
        _ends.clear()
    return _ends.setdefault(rest, rest)


def _is_leaf(node: PatternNode) -> bool:
    return node.below is None and node.one is None and node.many is None


# ---- matching


def matching(root: PatternNode, segments: list[str]) -> list[PatternNode]:
    """The nodes of the patterns that match a topic, each once. At worst it looks at nodes x segments, never at more."""
    found: list[PatternNode] = []
    if not segments[0].startswith("$"):
        _walk(root, segments, 0, None, found)
    elif root.below is not None:
        # A pattern that begins with a wildcard matches no topic that begins with `$`.
        below = root.below.get(segments[0])
        if below is not None:
            _arrive(below, segments, 1, None, found)
    return found


# `least` is None until a `#` has been passed. Behind one, it keeps for each further `#` from which segment on that one
# was tried: what lies below is then come to at most once for each segment, whatever ways lead there.


def _walk(
    node: PatternNode, segments: list[str], index: int, least: dict[PatternNode, int] | None, found: list[PatternNode]
) -> None:
    if node.many is not None:
        _spread(node.many, segments, index, least, found)
    if index == len(segments):
        if node.text:
            found.append(node)
        return
    if node.below is not None:
        below = node.below.get(segments[index])
        if below is not None:
            _arrive(below, segments, index + 1, least, found)
    if node.one is not None:
        _arrive(node.one, segments, index + 1, least, found)


def _arrive(
    node: PatternNode, segments: list[str], index: int, least: dict[PatternNode, int] | None, found: list[PatternNode]
) -> None:
    if not node.rest:
        _walk(node, segments, index, least, found)
    elif len(node.rest) == len(segments) - index and _fits(node.rest, segments, index):
        found.append(node)


def _spread(
    many: PatternNode, segments: list[str], index: int, least: dict[PatternNode, int] | None, found: list[PatternNode]
) -> None:
    """Let `#` take nothing from `index` on, or any number of segments."""
    end = len(segments) + 1
    if least is not None:
        end = least.get(many, end)
        if index >= end:
            return
        least[many] = index
    if _is_leaf(many):
        place = len(segments) - len(many.rest)
        if index <= place < end and _fits(many.rest, segments, place):
            found.append(many)
        return
    if least is None:
        least = {}
    for taken in range(index, end):
        _walk(many, segments, taken, least, found)


def _fits(rest: tuple[str, ...], segments: list[str], index: int) -> bool:
    for wanted in rest:
        if wanted != "*" and wanted != segments[index]:
            return False
        index += 1
    return True
