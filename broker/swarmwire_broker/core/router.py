"""Which receivers an event reaches: patterns with those who hold them, and a bounded memory of what topics resolved to.

Topics that are matched by the same patterns share one `Route`, and a route keeps its receivers as a ready tuple.
A client that joins or leaves a pattern that others hold renews only the routes of that pattern, each when it is next
asked for; a pattern that appears or disappears concerns only the remembered topics it matches.
"""

from __future__ import annotations

from itertools import islice
from typing import Any, Final, Protocol

from swarmwire_protocol.topics import is_literal

from ..engines.patterntree import Pattern, PatternNode, matching, plant, uproot
from ..engines.topicindex import TopicIndex

__all__ = ["Receiver", "Route", "Router"]

_FORGET_STEPS: Final = 4_096
"""How much a change of patterns may look at to tell which topics it concerns; beyond that all are forgotten."""

_FEW: Final = 16
"""Up to so many patterns, their receivers are told apart by comparing each with each."""

_ROOM: Final = 64
"""Where the memory is full, this part of it is given up at once: looking for the oldest then costs next to nothing."""


class Receiver(Protocol):
    """What can be subscribed: `shared` ones get events as they are, the others each in their own way."""

    @property
    def shared(self) -> bool: ...


class Route:
    """The receivers of all topics that the same patterns match.

    Attributes:
        shared: receivers that get the event as it is, each once; a new tuple whenever it changes.
        own: the others.
        nodes: the patterns.
        topics: how many remembered topics go here.
        seen: the number of the last change that the receivers take into account.
    """

    __slots__ = ("nodes", "own", "seen", "shared", "topics")

    def __init__(self, nodes: tuple[Pattern, ...]) -> None:
        self.nodes = nodes
        self.topics = 0
        self.seen = -1
        self.shared: tuple[Any, ...] = ()
        self.own: tuple[Any, ...] = ()

    def renew(self, changes: int) -> None:
        """Take into account what changed up to the change of this number."""
        for node in self.nodes:
            if node.changed > self.seen:
                if len(self.nodes) > _FEW or not self._collect_few():
                    self._collect_all()
                break
        self.seen = changes

    def _collect_few(self) -> bool:
        """Collect from patterns with one shared receiver each, without hashing them; whether they are such."""
        found: list[Any] = []
        for node in self.nodes:
            holders = node.holders
            if isinstance(holders, dict):
                return False
            for known in found:
                if known is holders:
                    break
            else:
                if holders is not None:
                    found.append(holders)
        self.shared = tuple(found)
        self.own = ()
        return True

    def _collect_all(self) -> None:
        shared: dict[Any, None] = {}
        own: dict[Any, None] | None = None
        for node in self.nodes:
            holders = node.holders
            if isinstance(holders, dict):
                for receiver in holders:
                    if receiver.shared:
                        shared[receiver] = None
                    else:
                        if own is None:
                            own = {}
                        own[receiver] = None
            elif holders is not None:
                shared[holders] = None
        self.shared = tuple(shared)
        self.own = tuple(own) if own else ()


class Router:
    """Patterns and who holds them. `max_topics` bounds the memory of resolved topics; the oldest make room."""

    __slots__ = ("_changes", "_known", "_known_topics", "_literal", "_max_topics", "_root", "_routes", "_wild")

    def __init__(self, max_topics: int) -> None:
        self._max_topics = max_topics
        self._changes = 0
        # Only patterns with wildcards are in the tree: the others are looked up by the topic as it is.
        self._literal: dict[str, Pattern] = {}
        self._wild: dict[str, PatternNode] = {}
        self._root = PatternNode()
        self._routes: dict[tuple[Pattern, ...], Route] = {}
        self._known: dict[str, Route] = {}
        self._known_topics = TopicIndex()

    @property
    def patterns(self) -> int:
        """How many different patterns are held or wanted."""
        return len(self._literal) + len(self._wild)

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all is left: no pattern, no node, no remembered topic."""
        root = self._root
        planted = root.below is not None or root.one is not None or root.many is not None
        return not (self.patterns or planted or self._routes or self._known or self._known_topics)

    # ---- who holds what

    def want(self, pattern: str) -> bool:
        """Count one subscription more, live or not; whether the pattern was not wanted before."""
        node = self._planted(pattern)
        node.wanted += 1
        return node.wanted == 1

    def unwant(self, pattern: str) -> bool:
        """Count one subscription fewer; whether the pattern is not wanted any more."""
        node = self._held(pattern)
        node.wanted -= 1
        if node.wanted:
            return False
        self._drop_unused(node)
        return True

    def add(self, pattern: str, receiver: Receiver) -> None:
        """Let a receiver hold a pattern once more."""
        node = self._planted(pattern)
        holders = node.holders
        if holders is None and receiver.shared:
            # By far the most patterns have one receiver: it stands for itself, without a dict.
            node.holders = receiver
        else:
            if not isinstance(holders, dict):
                holders = node.holders = {} if holders is None else {holders: 1}
            holders[receiver] = holders.get(receiver, 0) + 1
        self._touch(node)

    def remove(self, pattern: str, receiver: Receiver) -> None:
        """Take one hold of a receiver back."""
        node = self._held(pattern)
        holders = node.holders
        if isinstance(holders, dict):
            left = holders[receiver] - 1
            if left:
                holders[receiver] = left
                return
            del holders[receiver]
        elif holders is not receiver:
            raise KeyError(receiver)
        if holders is receiver or not holders:
            node.holders = None
        self._touch(node)
        self._drop_unused(node)

    def holders(self, pattern: str) -> list[Any]:
        """Who holds exactly this pattern."""
        node = self._literal.get(pattern) or self._wild.get(pattern)
        if node is None or node.holders is None:
            return []
        return list(node.holders) if isinstance(node.holders, dict) else [node.holders]

    def _held(self, pattern: str) -> Pattern:
        node = self._literal.get(pattern)
        return self._wild[pattern] if node is None else node

    def _planted(self, pattern: str) -> Pattern:
        node = self._literal.get(pattern) or self._wild.get(pattern)
        if node is not None:
            return node
        if is_literal(pattern):
            node = self._literal[pattern] = Pattern(pattern)
        else:
            node = self._wild[pattern] = plant(self._root, pattern)
        self._forget_matching(node)
        return node

    def _touch(self, node: Pattern) -> None:
        self._changes += 1
        node.changed = self._changes

    def _drop_unused(self, node: Pattern) -> None:
        if node.wanted or node.holders is not None:
            return
        if self.patterns == 1:
            self._forget_all()
        else:
            self._forget_matching(node)
        pattern = node.text
        if isinstance(node, PatternNode):
            del self._wild[pattern]
            uproot(self._root, pattern)
        else:
            del self._literal[pattern]

    # ---- where an event goes

    def route(self, topic: str) -> Route:
        """The receivers of a topic. The route is good until the next change of who holds what."""
        route = self._known.get(topic)
        if route is None:
            route = self._resolve(topic)
        if route.seen != self._changes:
            route.renew(self._changes)
        return route

    def _resolve(self, topic: str) -> Route:
        segments = topic.split(".")
        found: list[Any] = matching(self._root, segments)
        literal = self._literal.get(topic)
        if literal is not None:
            found.append(literal)
        nodes = tuple(found)
        if not self._max_topics or not (self._wild or self._literal):
            return Route(nodes)
        # Room is made first: the topic that goes may be the last of the very route that this one takes.
        if len(self._known) >= self._max_topics:
            self._forget_oldest()
        route = self._routes.get(nodes)
        if route is None:
            route = self._routes[nodes] = Route(nodes)
        route.topics += 1
        self._known[topic] = route
        self._known_topics.add(topic, segments)
        return route

    # ---- forgetting what was remembered

    def _forget_oldest(self) -> None:
        for topic in list(islice(self._known, 1 + self._max_topics // _ROOM)):
            self._forget(topic)

    def _forget_matching(self, node: Pattern) -> None:
        if not isinstance(node, PatternNode):
            if node.text in self._known:
                self._forget(node.text)
            return
        topics = self._known_topics.find(node.text, steps=_FORGET_STEPS)
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
            del self._routes[route.nodes]

    def _forget_all(self) -> None:
        self._known = {}
        self._known_topics.clear()
        self._routes = {}
