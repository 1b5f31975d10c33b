"""What each broker tells of its clients: which methods they handle, and with what the patterns they want begin."""

from __future__ import annotations

from collections import Counter
from typing import Final

from swarmwire_protocol.topics import is_reserved

from ..core.hub import Hub
from ..core.ports import Timer
from .members import Members
from .messages import Beat, Names, WantNames
from .post import Post

__all__ = ["ANY", "NamesOfAll"]

ANY: Final = "#"
"""Stands for all first segments but those of the broker's own topics."""

_MOST: Final = 1_000
"""First segments that are told one by one; where there are more, all are wanted."""

_SOON: Final = 0.002
"""Seconds in which changes are gathered."""


class _Known:
    """The names of another broker, as of a revision."""

    __slots__ = ("handled", "revision", "wanted")

    def __init__(self) -> None:
        self.revision = 0
        self.handled: dict[str, int] = {}
        self.wanted: dict[str, int] = {}


class NamesOfAll:
    """Keeps the own names told, and those of the others known.

    Attributes:
        revision: of the own names; it rises with all that is told of them.
    """

    def __init__(self, hub: Hub, post: Post, members: Members) -> None:
        self._hub = hub
        self._post = post
        self._members = members
        self.revision = 0
        self._segments: Counter[str] = Counter()
        self._handled = hub.calls.handlers.counts()
        self._wanted: dict[str, int] = {}
        self._changes = Names(revision=0)
        self._timer: Timer | None = None
        self._known: dict[str, _Known] = {}
        self.handled: Counter[str] = Counter()
        self._wants: Counter[str] = Counter()
        hub.calls.handlers.changed = self._handlers_changed
        hub.delivery.wanted = self._patterns_changed
        post.on(Names, self._told)
        post.on(WantNames, self._asked)
        members.beaten = self._check
        members.came.append(self._came)
        members.went.append(self._went)

    def close(self) -> None:
        """Tell nothing any more. Harmless twice."""
        self._hub.delivery.wanted = None
        self._hub.calls.handlers.changed = _nobody
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # ---- what the others have

    def handling(self, method: str) -> dict[str, int]:
        """How many clients of each other broker handle a method."""
        if method not in self.handled:
            return {}
        return {id: known.handled[method] for id, known in self._known.items() if method in known.handled}

    def wants(self, topic: str) -> bool:
        """Whether a client of another broker may have subscribed to a topic."""
        wants = self._wants
        if not wants:
            return False
        first = topic.partition(".")[0]
        return first in wants or (ANY in wants and not is_reserved(topic))

    def wanting(self, topic: str) -> list[str]:
        """The brokers of these clients."""
        first, reserved = topic.partition(".")[0], is_reserved(topic)
        return [
            id for id, known in self._known.items() if first in known.wanted or (not reserved and ANY in known.wanted)
        ]

    def _check(self, sender: str, beat: Beat) -> None:
        """Ask for all of a broker's names where it has others than those that are known."""
        known = self._known.get(sender)
        if known is not None and known.revision != beat.revision:
            self._post.tell(sender, WantNames())

    # ---- the own ones

    def _handlers_changed(self, method: str, count: int) -> None:
        if count:
            self._handled[method] = count
        else:
            self._handled.pop(method, None)
        self._changes.handled[method] = count
        self._wind()

    def _patterns_changed(self, pattern: str, wanted: bool) -> None:
        first = pattern.partition(".")[0]
        segment = ANY if first in ("*", "#") else first
        self._segments[segment] += 1 if wanted else -1
        if self._segments[segment] <= 0:
            del self._segments[segment]
        self._wind()

    def _wind(self) -> None:
        if self._timer is None:
            self._timer = self._hub.clock.call_later(_SOON, self._tell)

    def _tell(self) -> None:
        self._timer = None
        wanted = self._wanted_now()
        for segment in self._wanted.keys() ^ wanted.keys():
            self._changes.wanted[segment] = wanted.get(segment, 0)
        self._wanted = wanted
        changes, self._changes = self._changes, Names(revision=0)
        if changes.handled or changes.wanted:
            self.revision += 1
            changes.revision = self.revision
            self._post.tell_all(changes)

    def _wanted_now(self) -> dict[str, int]:
        """Each segment once: how many patterns begin with it is of no use to others."""
        if len(self._segments) <= _MOST:
            return dict.fromkeys(self._segments, 1)
        reserved = (segment for segment in self._segments if is_reserved(segment))
        return {ANY: 1, **dict.fromkeys(reserved, 1)}

    def _asked(self, sender: str, message: WantNames) -> None:
        names = Names(revision=self.revision, handled=self._handled, wanted=self._wanted, whole=True)
        self._post.tell(sender, names)

    # ---- those of others

    def _came(self, id: str) -> None:
        self._known[id] = _Known()
        self._post.tell(id, WantNames())

    def _went(self, id: str) -> None:
        known = self._known.pop(id, None)
        if known is not None:
            self._count(known, -1)

    def _told(self, sender: str, message: Names) -> None:
        known = self._known.get(sender)
        if known is None:
            return
        if not message.whole and message.revision != known.revision + 1:
            if message.revision > known.revision:
                self._post.tell(sender, WantNames())
            return
        self._count(known, -1)
        if message.whole:
            known.handled, known.wanted = {}, {}
        _change(known.handled, message.handled)
        _change(known.wanted, message.wanted)
        known.revision = message.revision
        self._count(known, 1)

    def _count(self, known: _Known, by: int) -> None:
        for method, count in known.handled.items():
            _add(self.handled, method, by * count)
        for segment in known.wanted:
            _add(self._wants, segment, by)


def _change(table: dict[str, int], changes: dict[str, int]) -> None:
    for name, count in changes.items():
        if count:
            table[name] = count
        else:
            table.pop(name, None)


def _add(counter: Counter[str], name: str, by: int) -> None:
    counter[name] += by
    if counter[name] <= 0:
        del counter[name]


def _nobody(method: str, count: int) -> None:
    """Nobody wants to know."""
