"""Sets of NATS filters: which of them cover a subject, and how few that do not overlap cover them all.

A server refuses a consumer whose filters overlap, and each filter costs it something; so what is asked for is a cover:
filters that match everything wanted, no two of them the same subject, and never more than a limit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from .subjects import Filter

__all__ = ["MAX_DEPTH", "FilterTree", "Shape"]

MAX_DEPTH: Final = 32
"""The most tokens of a filter: the most segments of a topic."""

_ONE: Final = "*"
_REST: Final = ">"

_MOST_ROUNDS: Final = 4
"""How often literals that overlap a `*` beside them are looked for, before all of them are taken into it."""

_MOST_PAIRS: Final = 50_000
"""Pairs of places compared for one cover; beyond it, what was not compared counts as overlapping."""


class Shape(NamedTuple):
    """How coarse a cover is.

    Attributes:
        first: how many first tokens stand beside each other before they become `*`.
        others: the same for all further tokens.
        depth: behind so many tokens everything is taken.
    """

    first: int
    others: int
    depth: int = MAX_DEPTH

    def below(self) -> Shape:
        """The shape of what lies one token deeper."""
        return Shape(self.others, self.others, self.depth - 1)


class _Node:
    """A place in the tree: how many filters end here, how many say `>` here, and what lies one token deeper."""

    __slots__ = ("below", "ends", "one", "rest")

    def __init__(self) -> None:
        self.ends = 0
        self.rest = 0
        self.one: _Node | None = None
        self.below: dict[str, _Node] = {}

    @property
    def goes_on(self) -> bool:
        """Whether anything longer than what ends here is matched."""
        return self.rest > 0 or self.one is not None or bool(self.below)

    def take_rest(self) -> None:
        """From here on everything is matched, so nothing lies deeper."""
        self.rest, self.one = 1, None
        self.below.clear()


class FilterTree:
    """A multiset of filters."""

    def __init__(self, filters: Iterable[Filter] = ()) -> None:
        self._root = _Node()
        for one in filters:
            self.add(one)

    def __bool__(self) -> bool:
        return self._root.goes_on

    def __iter__(self) -> Iterator[Filter]:
        """The filters, each once."""
        return _walk(self._root, ())

    def add(self, filter: Filter) -> None:
        """Put a filter in once more."""
        node = self._root
        for token in filter:
            if token == _REST:
                node.rest += 1
                return
            node = _made(node, token)
        node.ends += 1

    def remove(self, filter: Filter) -> None:
        """Take a filter out once that was put in."""
        node = self._root
        way: list[tuple[_Node, str]] = []
        for token in filter:
            if token == _REST:
                node.rest -= 1
                break
            way.append((node, token))
            child = node.one if token == _ONE else node.below.get(token)
            if child is None:
                raise KeyError(filter)
            node = child
        else:
            node.ends -= 1
        while way and not node.ends and not node.goes_on:
            node, token = way.pop()
            if token == _ONE:
                node.one = None
            else:
                del node.below[token]

    def covers(self, filter: Filter) -> bool:
        """Whether one of the filters matches all that this one matches; a topic's tokens are a filter too."""
        return _covers(self._root, filter, 0)

    def cover(self, limit: int, shape: Shape) -> tuple[Filter, ...]:
        """At most `limit` filters that match all that these match and do not overlap, as coarse as `shape` or more."""
        fan, depth = max(limit, 1), shape.depth
        root = _shaped(self._root, fan, depth, shape)
        while _count(root) > limit and depth > 0:
            if fan > 1:
                fan = max(1, min(fan, _widest(root)) // 2)
            else:
                depth = min(depth, _height(root)) - 1
            root = _shaped(root, fan, depth, shape)
        return tuple(sorted(_walk(root, ())))


def _made(node: _Node, token: str) -> _Node:
    """What lies behind a token, made where it is missing."""
    if token == _ONE:
        if node.one is None:
            node.one = _Node()
        return node.one
    child = node.below.get(token)
    if child is None:
        child = node.below[token] = _Node()
    return child


def _walk(node: _Node, way: Filter) -> Iterator[Filter]:
    if node.ends:
        yield way
    if node.rest:
        yield (*way, _REST)
    if node.one is not None:
        yield from _walk(node.one, (*way, _ONE))
    for token, child in node.below.items():
        yield from _walk(child, (*way, token))


def _count(node: _Node) -> int:
    below = sum(map(_count, node.below.values())) + (_count(node.one) if node.one is not None else 0)
    return (node.ends > 0) + (node.rest > 0) + below


def _covers(node: _Node, filter: Filter, place: int) -> bool:
    if place == len(filter):
        return node.ends > 0
    if node.rest:
        return True
    token = filter[place]
    if token != _ONE:  # a `>` is no child of any place, and what follows none is covered by none
        child = node.below.get(token)
        if child is not None and _covers(child, filter, place + 1):
            return True
    return token != _REST and node.one is not None and _covers(node.one, filter, place + 1)


# ---- covers


def _shaped(root: _Node, fan: int, depth: int, shape: Shape) -> _Node:
    """A cover of what lies here: as coarse as the shape, and as `fan` and `depth` demand."""
    root = _united([root], Shape(min(fan, shape.first), min(fan, shape.others), depth))
    _settle(root, _Purse())
    return root


def _widest(node: _Node) -> int:
    """The most tokens that stand beside each other."""
    below = max(map(_widest, node.below.values()), default=0)
    beside = len(node.below) + (node.one is not None)
    return max(beside, below, _widest(node.one) if node.one is not None else 0)


def _height(node: _Node) -> int:
    """The tokens of the longest filter."""
    below = max(map(_height, node.below.values()), default=-1)
    return max(int(node.rest > 0), 1 + below, 1 + _height(node.one) if node.one is not None else 0)


def _united(nodes: list[_Node], shape: Shape | None = None) -> _Node:
    """A new place that matches all that these match, where a shape says so more."""
    made = _Node()
    made.ends = int(any(node.ends for node in nodes))
    if any(node.rest for node in nodes):
        made.rest = 1
        return made
    ones = [node.one for node in nodes if node.one is not None]
    below: dict[str, list[_Node]] = {}
    for node in nodes:
        for token, child in node.below.items():
            below.setdefault(token, []).append(child)
    if shape is not None:
        if shape.depth <= 0 and (ones or below):
            made.rest = 1
            return made
        if len(below) + bool(ones) > shape.first:
            for children in below.values():
                ones += children
            below.clear()
        shape = shape.below()
    if ones:
        made.one = _united(ones, shape)
    for token, children in below.items():
        made.below[token] = _united(children, shape)
    return made


def _settle(node: _Node, purse: _Purse) -> None:
    """Widen what lies here until no two filters overlap."""
    if node.rest:
        node.take_rest()
        return
    for child in node.below.values():
        _settle(child, purse)
    if node.one is None:
        return
    _settle(node.one, purse)
    rounds = 0
    while met := _overlapping(node.one, node.below, purse, rounds):
        node.one = _united([node.one, *map(node.below.pop, met)])
        _settle(node.one, purse)
        rounds += 1
    if node.one.ends and node.one.rest:  # `*` and `*.>` are `>`
        node.take_rest()


def _overlapping(one: _Node, below: dict[str, _Node], purse: _Purse, rounds: int) -> list[str]:
    if rounds >= _MOST_ROUNDS:
        return list(below)
    return [token for token, child in below.items() if _overlap(one, child, purse)]


class _Purse:
    """How many pairs of places may be compared still."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = _MOST_PAIRS


def _overlap(a: _Node, b: _Node, purse: _Purse) -> bool:
    """Whether a subject is matched by both; that it is, where the purse is empty."""
    purse.left -= 1
    if purse.left < 0 or (a.ends and b.ends) or (a.rest and b.goes_on) or (b.rest and a.goes_on):
        return True
    return any(_overlap(one, other, purse) for one, other in _pairs(a, b))


def _pairs(a: _Node, b: _Node) -> Iterator[tuple[_Node, _Node]]:
    """The places one token deeper that the same subject can lead to."""
    if a.one is not None:
        if b.one is not None:
            yield a.one, b.one
        for child in b.below.values():
            yield a.one, child
    if b.one is not None:
        for child in a.below.values():
            yield child, b.one
    few, many = (a.below, b.below) if len(a.below) <= len(b.below) else (b.below, a.below)
    for token, child in few.items():
        if token in many:
            yield child, many[token]
