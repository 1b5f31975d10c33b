"""The brokers of a cluster: who is there, as far as this one can tell."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Final

from ..core.ports import Clock, Timer
from ..services.operators.membership import MemberFacts
from .messages import Anew, Beat, Leave, Message, Stranger
from .post import Post

__all__ = ["BEAT", "GONE", "Member", "Members"]

log = logging.getLogger("swarmwire.broker.cluster")

BEAT: Final = 1.0
"""Seconds between two heartbeats of a broker."""

GONE: Final = 5.0
"""Seconds without a word after which a broker is taken for gone."""

_LATE: Final = 2.0
"""Seconds that the own heartbeat may be late before it was this process that stood still, and not the others."""


_REMEMBERED: Final = 1_000
"""Brokers that are remembered as taken for gone."""


class Member:
    """Another broker that is there; `heard` is the time of the hub's clock at which it last was."""

    __slots__ = ("beat", "heard", "id")

    def __init__(self, id: str, heard: float, beat: Beat) -> None:
        self.id = id
        self.heard = heard
        self.beat = beat


class Members:
    """Tells when brokers come and go.

    A broker that was taken for gone and speaks again is told so, for what was between the two is void on both sides.

    Arguments:
        beat: makes the own heartbeat.

    Attributes:
        came: called with the id of a broker that is there now.
        went: called with the id of one that is gone.
        beaten: called with each heartbeat of another broker that is there.
        shaken: called with the id of one that is there, when messages between the two may have been lost.
    """

    def __init__(self, post: Post, clock: Clock, beat: Callable[[], Beat]) -> None:
        self._post = post
        self._clock = clock
        self._make = beat
        self._members: dict[str, Member] = {}
        self._went: dict[str, float] = {}
        self._timer: Timer | None = None
        self._due = 0.0
        self.came: list[Callable[[str], None]] = []
        self.went: list[Callable[[str], None]] = []
        self.shaken: list[Callable[[str], None]] = []
        self.beaten: Callable[[str, Beat], None] = _nobody
        post.heard = self._heard
        post.on(Beat, self._beaten)
        post.on(Leave, self._left)
        post.on(Stranger, self._strange)
        post.on(Anew, self._anew)
        post.bus.watch(self._bus_changed)

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._members))

    def __len__(self) -> int:
        return len(self._members)

    def __contains__(self, id: object) -> bool:
        return id in self._members

    def get(self, id: str) -> Member | None:
        """The broker of this id, if it is there."""
        return self._members.get(id)

    def start(self) -> None:
        """Say that this broker is there, from now on each second."""
        self._due = self._clock.time()
        self._on_time()

    def close(self) -> None:
        """Say goodbye. Harmless twice."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._post.tell_all(Leave())

    def say(self) -> None:
        """Say now that this broker is there."""
        self._post.tell_all(self._make())

    def shown(self, coordinator: str | None) -> list[MemberFacts]:
        """All brokers, this one first."""
        now = self._clock.time()
        shown = [_shown(self._post.id, self._make(), coordinator, 0.0, here=True)]
        found = sorted(self._members.values(), key=lambda member: member.id)
        return shown + [_shown(one.id, one.beat, coordinator, now - one.heard, here=False) for one in found]

    # ---- time

    def _on_time(self) -> None:
        now = self._clock.time()
        if now - self._due > _LATE:  # what others sent meanwhile is still to be read
            for member in self._members.values():
                member.heard = max(member.heard, now - GONE + BEAT)
        self.say()
        for member in list(self._members.values()):
            if now - member.heard > GONE:
                log.warning("a broker of the cluster is not heard any more", extra={"member": member.id})
                self._lose(member.id)
        self._due = now + BEAT
        self._timer = self._clock.call_later(BEAT, self._on_time)

    # ---- what is heard

    def _heard(self, sender: str, message: Message) -> bool:
        member = self._members.get(sender)
        if member is not None:
            member.heard = self._clock.time()
            return True
        # Of who is not known only these say anything.
        return isinstance(message, Beat | Stranger)

    def _beaten(self, sender: str, beat: Beat) -> None:
        member = self._members.get(sender)
        if member is not None:
            member.beat = beat
            self.beaten(sender, beat)
            return
        if self._went.pop(sender, None) is not None:
            self._post.tell(sender, Stranger())
        self._members[sender] = Member(sender, self._clock.time(), beat)
        log.info("a broker joined the cluster", extra={"member": sender, "name_of_member": beat.name})
        self.say()  # who is new need not wait for the next time
        for came in self.came:
            came(sender)

    def _left(self, sender: str, message: Leave) -> None:
        log.info("a broker left the cluster", extra={"member": sender})
        self._lose(sender)
        self._went.pop(sender, None)

    def _strange(self, sender: str, message: Stranger) -> None:
        """This broker was taken for gone: for it the other one is gone too, and comes with its next word."""
        if sender in self._members:
            self._lose(sender)
            self._went.pop(sender, None)

    def _anew(self, sender: str, message: Anew) -> None:
        for shaken in self.shaken:
            shaken(sender)

    def _lose(self, id: str) -> None:
        del self._members[id]
        self._post.forget(id)
        self._went[id] = self._clock.time()
        while len(self._went) > _REMEMBERED:
            del self._went[next(iter(self._went))]
        for went in self.went:
            went(id)

    # ---- the bus

    def _bus_changed(self, is_up: bool) -> None:
        if is_up:
            self._post.tell_all(Anew())
            self.say()
        for id in list(self._members):
            for shaken in self.shaken:
                shaken(id)


def _nobody(sender: str, beat: Beat) -> None:
    """Nobody looks at heartbeats."""


def _shown(id: str, beat: Beat, coordinator: str | None, heard: float, *, here: bool) -> MemberFacts:
    return MemberFacts(
        id=id,
        name=beat.name,
        version=beat.version,
        uptime=round(beat.uptime * 1000),
        clients=beat.clients,
        coordinator=id == coordinator,
        here=here,
        heard_ms=round(heard * 1000),
    )
