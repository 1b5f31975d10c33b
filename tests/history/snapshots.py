"""Snapshots: `latest` gives the last event of every topic, and then the tail.

Its tail begins between asking and the broker's answer. It is read in pages, and a topic that changes before its page is
read comes in the tail only. A snapshot that was cut is asked for again as a whole, so of that one nothing is known but
when the subscription was complete.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import chain, pairwise

from swarmwire_protocol.cursor import Cursor
from swarmwire_protocol.topics import matches

from .case import Case, Story
from .missing import Hole
from .records import Missed, Seen
from .truth import Stored
from .violations import Kind, Violation
from .walk import is_new_log

__all__ = ["check", "holes"]


class _Segment:
    """What came of one log, up to the gap that announced the next."""

    def __init__(self, epoch: str, asked: float, answered: float) -> None:
        self.epoch = epoch
        self.asked = asked
        self.answered = answered
        self.reach = 0
        self.is_last = True
        self.seen: dict[str, list[Seen]] = {}
        self.covered: list[tuple[int, int]] = []

    def take(self, item: Seen | Missed) -> None:
        if isinstance(item, Seen):
            self.seen.setdefault(item.topic, []).append(item)
            self.reach = max(self.reach, item.seq)
            return
        start, end = Cursor.parse(item.start), Cursor.parse(item.end)
        self.covered.append((start.seq, end.seq))
        if item.reason != "evicted":  # what was dropped from the table is older than what may still come
            self.reach = max(self.reach, end.seq)

    def close(self, item: Seen | Missed) -> None:
        """Another log follows; the gap before it says how far this one was received."""
        self.is_last = False
        start = Cursor.parse(item.start) if isinstance(item, Missed) else None
        if start is not None and start.epoch == self.epoch:
            self.reach = max(self.reach, start.seq)

    def covers(self, seq: int) -> bool:
        return any(start < seq <= end for start, end in self.covered)


def check(case: Case) -> Iterator[Violation]:
    for story in case.stories:
        yield from (Violation(Kind.SNAPSHOT, f"{hole}.") for hole in holes(case, story))
        for segment in _segments(case, story):
            yield from _stale(case, story, segment)


def holes(case: Case, story: Story) -> Iterator[Hole]:
    """What a snapshot and its tail lack."""
    for segment in _segments(case, story):
        owed = 2**62 if segment.is_last and case.is_open(story) else segment.reach
        for log in _by_topic(case, story, segment.epoch).values():
            for stored, following in pairwise(chain(log, [None])):
                assert stored is not None
                is_owed = stored.seq <= owed and not segment.covers(stored.seq) and story.wants(stored)
                if is_owed and _is_due(story, segment, stored, following):
                    yield Hole(story, stored, next(iter(segment.seen.get(stored.topic, [])), None))


def _is_due(story: Story, segment: _Segment, stored: Stored, following: Stored | None) -> bool:
    seen = segment.seen.get(stored.topic, [])
    if any(event.seq == stored.seq for event in seen):
        return False
    if story.thins and following is not None:
        return False  # that one is owed instead
    if stored.begun > segment.answered:
        return True  # it is of the tail
    if not story.interrupted and seen and stored.seq > seen[0].seq:
        return True  # the topic's last event was given already, so this is of the tail
    # It was the topic's last when the snapshot was read, or came after that.
    return not stored.clear and (following is None or following.begun > story.complete)


def _stale(case: Case, story: Story, segment: _Segment) -> Iterator[Violation]:
    """No event that was no longer its topic's last when the snapshot was asked for."""
    if case.may_lag(story.asked.at):
        return  # what is newer comes in the tail
    logs = _by_topic(case, story, segment.epoch)
    for topic, seen in segment.seen.items():
        following = dict(pairwise(stored.seq for stored in logs.get(topic, [])))
        acked = {stored.seq: stored for stored in logs.get(topic, [])}
        for event in seen:
            newer = acked.get(following.get(event.seq, -1))
            if newer is not None and newer.acked < segment.asked:
                yield Violation(
                    Kind.SNAPSHOT,
                    f"{story} was given event {event.number} on {topic} at {event.epoch}:{event.seq}, "
                    f"which was not the topic's last: {newer} was acknowledged before the snapshot was asked for.",
                )


def _by_topic(case: Case, story: Story, epoch: str) -> dict[str, list[Stored]]:
    # An event that is hidden from the client takes the place of its topic's last all the same.
    logs: dict[str, list[Stored]] = {}
    for stored in case.truth.log(epoch):
        if matches(story.asked.pattern, stored.topic):
            logs.setdefault(stored.topic, []).append(stored)
    return logs


def _segments(case: Case, story: Story) -> list[_Segment]:
    """The logs that a snapshot was given of; what came after it was complete is of the last of them."""
    epoch = case.epoch_at(story.client, story.subscribed)
    if story.asked.start != "latest" or epoch is None:
        return []
    first = next((item for item in story.items if isinstance(item, Seen)), None)
    if first is not None and not any(is_new_log(item) for item in story.items[: story.items.index(first)]):
        epoch = first.epoch
    answered = story.complete if story.interrupted else story.subscribed
    segments = [_Segment(epoch, story.asked.at, answered)]
    for item in story.items:
        if not is_new_log(item):
            segments[-1].take(item)
            continue
        segments[-1].close(item)
        if item.at > story.complete:
            break
        if isinstance(item, Missed):
            segments.append(_Segment(Cursor.parse(item.end).epoch, -math.inf, answered))
    return segments
