"""Which receivers an event reaches: a tree of patterns, and a bounded memory of what topics resolved to.

Topics that are matched by the same patterns share one `Route`, and a route keeps its receivers as a ready tuple.
A client that joins or leaves a pattern that others hold makes only the routes of that pattern stale; a pattern that
appears or disappears concerns only the remembered topics it matches.
"""

from __future__ import annotations

from typing import Any, Final, Generic, Protocol, TypeVar

from ..engines.patterntree import PatternNode, matching, plant
from ..engines.topicindex import TopicIndex

__all__ = ["Receiver", "Route", "Router"]

_FORGET_STEPS: Final = 4_096
"""How much a change of patterns may look at to tell which topics it concerns; beyond that all are forgotten."""


class Receiver(Protocol):
    """What can be subscribed: `shared` ones get events as they are, the others each in their own way."""

    @property
    def shared(self) -> bool: ...


R = TypeVar("R", bound=Receiver)


class _Node(PatternNode, Generic[R]):
    """A place in the tree. `receivers` counts how often each holds the pattern that ends here."""

    __slots__ = ("receivers", "routes")

    def __init__(self) -> None:
        super().__init__()
        self.receivers: dict[R, int] = {}
        self.routes: set[Route[R]] = set()


class Route(Generic[R]):
    """The receivers of all topics that the same patterns match.

    Attributes:
        shared: receivers that get the event as it is, each once; a new tuple whenever it changes.
        own: the others.
    """

    __slots__ = ("nodes", "own", "shared", "stale", "topics")

    def __init__(self, nodes: tuple[_Node[R], ...]) -> None:
        self.nodes = nodes
        self.topics = 0
        self.stale = True
        self.shared: tuple[Any, ...] = ()
        self.own: tuple[Any, ...] = ()

    def refresh(self) -> None:
        everyone = dict.fromkeys(receiver for node in self.nodes for receiver in node.receivers)
        self.shared = tuple(receiver for receiver in everyone if receiver.shared)
        self.own = tuple(receiver for receiver in everyone if not receiver.shared)
        self.stale = False


class Router(Generic[R]):
    """Patterns and who holds them. `max_topics` bounds the memory of resolved topics; the oldest make room."""

    def __init__(self, max_topics: int) -> None:
        self._max_topics = max_topics
        self._root: _Node[R] = _Node()
        self._patterns: dict[str, _Node[R]] = {}
        self._routes: dict[tuple[int, ...], Route[R]] = {}
        self._known: dict[str, Route[R]] = {}
        self._known_topics = TopicIndex()

    @property
    def patterns(self) -> int:
        """How many different patterns are held."""
        return len(self._patterns)

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all is left: no pattern, no node, no remembered topic."""
        return not (self._patterns or self._root.below or self._routes or self._known or self._known_topics)

    # ---- who holds what

    def add(self, pattern: str, receiver: R) -> None:
        """Let a receiver hold a pattern once more."""
        node = self._patterns.get(pattern)
        if node is None:
            node = self._patterns[pattern] = plant(self._root, pattern)
            self._forget_matching(pattern)
        node.receivers[receiver] = node.receivers.get(receiver, 0) + 1
        self._make_stale(node)

    def remove(self, pattern: str, receiver: R) -> None:
        """Take one hold of a receiver back."""
        node = self._patterns[pattern]
        left = node.receivers[receiver] - 1
        if left:
            node.receivers[receiver] = left
            return
        del node.receivers[receiver]
        self._make_stale(node)
        if not node.receivers:
            self._forget_matching(pattern)
            self._prune(pattern)

    def holders(self, pattern: str) -> list[R]:
        """Who holds exactly this pattern."""
        node = self._patterns.get(pattern)
        return list(node.receivers) if node else []

    def _make_stale(self, node: _Node[R]) -> None:
        for route in node.routes:
            route.stale = True

    def _prune(self, pattern: str) -> None:
        del self._patterns[pattern]
        path = [self._root]
        segments = pattern.split(".")
        for segment in segments:
            path.append(path[-1].below[segment])
        path[-1].pattern = ""
        for parent, segment, node in zip(path[-2::-1], reversed(segments), reversed(path), strict=False):
            if node.below or node.pattern:
                break
            del parent.below[segment]
        if not self._patterns:
            self._forget_all()

    # ---- where an event goes

    def route(self, topic: str) -> Route[R]:
        """The receivers of a topic. The route is good until the next change of who holds what."""
        route = self._known.get(topic)
        if route is None:
            route = self._resolve(topic)
        if route.stale:
            route.refresh()
        return route

    def _resolve(self, topic: str) -> Route[R]:
        nodes = tuple(matching(self._root, topic))
        if not self._patterns or not self._max_topics:
            return Route(nodes)
        # Room is made first: the topic that goes may be the last of the very route that this one takes.
        while len(self._known) >= self._max_topics:
            self._forget(next(iter(self._known)))
        route = self._known[topic] = self._route_along(nodes)
        self._known_topics.add(topic)
        route.topics += 1
        return route

    def _route_along(self, nodes: tuple[_Node[R], ...]) -> Route[R]:
        key = tuple(map(id, nodes))
        route = self._routes.get(key)
        if route is None:
            route = self._routes[key] = Route(nodes)
            for node in nodes:
                node.routes.add(route)
        return route

    # ---- forgetting what was remembered

    def _forget_matching(self, pattern: str) -> None:
        topics = self._known_topics.find(pattern, steps=_FORGET_STEPS)
        if topics is None:
            self._forget_all()
        else:
            for topic in topics:
                self._forget(topic)

    def _forget(self, topic: str) -> None:
        route = self._known.pop(topic)
        self._known_topics.remove(topic)
        route.topics -= 1
        if not route.topics:
            for node in route.nodes:
                node.routes.discard(route)
            del self._routes[tuple(map(id, route.nodes))]

    def _forget_all(self) -> None:
        self._known = {}
        self._known_topics.clear()
        self._routes = {}
        for node in self._patterns.values():
            node.routes.clear()
