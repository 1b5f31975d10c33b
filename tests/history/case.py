"""A history made ready to be judged: what there was in the log, and the story of each subscription."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import cached_property

from swarmwire_protocol.topics import matches

from .records import (
    Complete,
    Connected,
    Ended,
    Granted,
    Lost,
    Missed,
    Parted,
    Record,
    Seen,
    Settled,
    Setup,
    Stopped,
    Subscribed,
    Subscribing,
    Unknown,
    Unsubscribed,
)
from .truth import Stored, Truth

__all__ = ["Case", "Story"]

_UNAWARE = 10.0
"""Seconds for which a server may take itself for the leader still, when others have another."""


class Story:
    """One subscription from its beginning to its end. Moments that never came are infinity."""

    def __init__(self, asked: Subscribing) -> None:
        self.asked = asked
        self.client = asked.client
        self.sub = asked.sub
        self.items: list[Seen | Missed] = []
        self.cursor: str | None = None
        self.subscribed = math.inf
        self.complete = math.inf
        self.ended = math.inf
        self.after_end: list[Seen | Missed] = []
        self.interrupted = not asked.roomy

    def __str__(self) -> str:
        return f"subscription {self.sub} of {self.client} to {self.asked.pattern}"

    @property
    def thins(self) -> bool:
        return self.asked.mode == "conflate"

    @property
    def events(self) -> list[Seen]:
        return [item for item in self.items if isinstance(item, Seen)]

    @property
    def gaps(self) -> list[Missed]:
        return [item for item in self.items if isinstance(item, Missed)]

    def take(self, record: Record) -> None:
        """Take one more record of this subscription."""
        match record:
            case Seen() | Missed():
                (self.items if self.ended == math.inf else self.after_end).append(record)
            case Subscribed():
                self.subscribed, self.cursor = record.at, record.cursor
            case Complete():
                self.complete = min(self.complete, record.at)
            case Unsubscribed() | Ended():
                self.ended = min(self.ended, record.at)

    def wants(self, stored: Stored) -> bool:
        """Whether an event of the log is for this subscription."""
        hidden = stored.client == self.client and not stored.echo
        return not hidden and matches(self.asked.pattern, stored.topic)


class Case:
    """All that the properties ask for.

    Attributes:
        grants, losses, connects: by client, in the order of their moments.
        orphans: deliveries to subscriptions that nobody asked for.
        stops: when the broker could not run, in the order of their beginnings.
        given_up: numbers of publishes of unknown outcome that were sent on more than one connection. A broker that was
            stopped may come to the first of these when the client has long gone on with another.
    """

    def __init__(self, records: Iterable[Record]) -> None:
        self.records = list(records)
        self.truth = Truth(self.records)
        self.setup = next((each for each in self.records if isinstance(each, Setup)), Setup(at=0, engine="memory"))
        self.settled = next((each.at for each in self.records if isinstance(each, Settled)), math.inf)
        self.stops = sorted((each for each in self.records if isinstance(each, Stopped)), key=lambda each: each.since)
        self.grants: dict[str, list[Granted]] = {}
        self.losses: dict[str, list[float]] = {}
        self.connects: dict[str, list[Connected]] = {}
        self.orphans: list[Seen | Missed] = []
        self.given_up: set[int] = set()
        self._stories: dict[tuple[str, str], Story] = {}
        for record in self.records:
            self._take(record)
        self._note_interruptions()

    def _take(self, record: Record) -> None:
        match record:
            case Granted():
                self.grants.setdefault(record.client, []).append(record)
            case Lost():
                self.losses.setdefault(record.client, []).append(record.at)
            case Connected():
                self.connects.setdefault(record.client, []).append(record)
            case Unknown():
                begun = self.truth.publishes[record.number].at if record.number in self.truth.publishes else record.at
                if any(begun <= at <= record.at for at in self.losses.get(record.client, ())):
                    self.given_up.add(record.number)
            case Subscribing():
                self._stories[record.client, record.sub] = Story(record)
            case Seen() | Missed() | Subscribed() | Complete() | Unsubscribed() | Ended():
                story = self._stories.get((record.client, record.sub))
                if story is not None:
                    story.take(record)
                elif isinstance(record, Seen | Missed):
                    self.orphans.append(record)

    def _note_interruptions(self) -> None:
        for story in self.stories:
            losses = self.losses.get(story.client, ())
            story.interrupted |= any(story.asked.at <= at <= story.complete for at in losses)

    @cached_property
    def stories(self) -> list[Story]:
        return list(self._stories.values())

    @cached_property
    def epochs(self) -> set[str]:
        """The epochs that a broker named at a welcome."""
        return {record.epoch for connects in self.connects.values() for record in connects}

    def is_open(self, story: Story) -> bool:
        """Whether the subscription was still there when all was settled, and so is owed everything."""
        return self.settled < math.inf and story.subscribed < math.inf and story.ended > self.settled

    def may_lag(self, at: float) -> bool:
        """Whether a broker may have asked a server then that did not know of what others had acknowledged."""
        parted = (each for each in self.records if isinstance(each, Parted))
        return any(each.since <= at <= each.at + _UNAWARE for each in parted)

    def epoch_at(self, client: str, at: float) -> str | None:
        """The log that a client was last welcomed to before a moment."""
        return next((each.epoch for each in reversed(self.connects.get(client, [])) if each.at <= at), None)

    def run_for(self, at: float, seconds: float) -> float:
        """The moment at which the broker has run for so long since another; the time it was stopped does not count."""
        end = at + seconds
        for stop in self.stops:
            if stop.since <= end and stop.at > at:
                end += stop.at - max(stop.since, at)
                at = stop.at
        return end

    def kept_after(self, epoch: str, at: float = math.inf) -> int:
        """All places after this one were in the log at that moment: none of them can have been evicted."""
        most = self.setup.log_events
        return 0 if most is None else max(0, self.truth.head_at(epoch, at) - most)
