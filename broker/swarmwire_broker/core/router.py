"""Which receivers an event reaches: a trie of patterns, and a bounded memory of what topics resolved to.

Topics that are matched by the same patterns share one `Route`, and a route keeps its receivers as a ready tuple.
A client that joins or leaves a pattern that others hold makes only the routes of that pattern stale; a pattern that
appears or disappears concerns only the remembered topics it matches.
"""

from __future__ import annotations

from typing import Any, Generic, Protocol, TypeVar

from swarmwire_protocol.topics import is_reserved

from ..engines.topicindex import TopicIndex

__all__ = ["Receiver", "Route", "Router"]


class Receiver(Protocol):
    """What can be subscribed: `shared` ones get events as they are, the others each in their own way."""

    @property
    def shared(self) -> bool: ...


R = TypeVar("R", bound=Receiver)


class _Node(Generic[R]):
    """A place in the trie. `receivers` counts how often each holds the pattern that ends here."""

    __slots__ = ("below", "pattern", "receivers", "routes")

    def __init__(self) -> None:
        self.below: dict[str, _Node[R]] = {}
        self.receivers: dict[R, int] = {}
        self.routes: set[Route[R]] = set()
        self.pattern = ""


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
            node = self._plant(pattern)
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

    def _plant(self, pattern: str) -> _Node[R]:
        node = self._root
        for segment in pattern.split("."):
            node = node.below.setdefault(segment, _Node())
        node.pattern = pattern
        self._patterns[pattern] = node
        return node

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
        nodes = tuple(self.match(topic))
        key = tuple(map(id, nodes))
        route = self._routes.get(key)
        if route is None:
            route = self._routes[key] = Route(nodes)
            for node in nodes:
                node.routes.add(route)
        if self._patterns:
            while len(self._known) >= self._max_topics and self._known:
                self._forget(next(iter(self._known)))
            self._known[topic] = route
            self._known_topics.add(topic)
            route.topics += 1
        else:
            del self._routes[key]
        return route

    def match(self, topic: str) -> list[_Node[R]]:
        """The patterns that match a topic, each once. At worst it costs segments x patterns walked, never more."""
        segments = topic.split(".")
        reserved = is_reserved(topic)
        last = len(segments)
        found: list[_Node[R]] = []
        seen: set[tuple[int, int]] = set()
        work: list[tuple[_Node[R], int]] = [(self._root, 0)]
        while work:
            node, index = work.pop()
            wild = not (reserved and node is self._root)
            if wild and (rest := node.below.get("#")) is not None:
                # `#` takes nothing here, or any number of segments: once per place is enough.
                for taken in range(index, last + 1):
                    if (id(rest), taken) in seen:
                        break
                    seen.add((id(rest), taken))
                    work.append((rest, taken))
            if index == last:
                if node.pattern:
                    found.append(node)
                continue
            if (exact := node.below.get(segments[index])) is not None:
                work.append((exact, index + 1))
            if wild and (one := node.below.get("*")) is not None:
                work.append((one, index + 1))
        return list(dict.fromkeys(found))

    # ---- forgetting what was remembered

    def _forget_matching(self, pattern: str) -> None:
        for topic in self._known_topics.find(pattern) or ():
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
        for topic in list(self._known):
            self._forget(topic)
