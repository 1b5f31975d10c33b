"""Nothing is lost silently: between two things that a subscription was given, no event for it is left out."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from swarmwire_protocol.cursor import Cursor

from .case import Case, Story
from .records import Missed, Seen, Stuck
from .truth import Stored
from .violations import Kind, Violation
from .walk import end, is_new_log, steps

__all__ = ["Hole", "check", "holes"]


class Hole(NamedTuple):
    """An event that a subscription should have been given, and what came in its place (None: nothing any more)."""

    story: Story
    stored: Stored
    instead: Seen | Missed | None

    def __str__(self) -> str:
        place = "nothing came after it" if self.instead is None else f"{_name(self.instead)} came"
        return f"{self.story} was not given {self.stored}: {place} and no gap covers it"


def check(case: Case) -> Iterator[Violation]:
    for story in case.stories:
        for hole in holes(case, story):
            yield Violation(Kind.MISSING, f"{hole}.")
        yield from _untold(case, story)
    for record in case.records:
        if isinstance(record, Stuck):
            yield Violation(Kind.MISSING, f"subscription {record.sub} of {record.client} never got to the end.")


def holes(case: Case, story: Story) -> Iterator[Hole]:
    """What is missing of an ordinary replay or of live events. The log of a snapshot is judged by its own rules."""
    by_snapshot = story.asked.start == "latest"
    superseded = _superseding(case, story)
    for step in steps(story):
        if step.position is not None and not by_snapshot:
            for stored in _skipped(case, step.position, step.item):
                if story.wants(stored) and superseded.get((stored.epoch, stored.seq), math.inf) >= step.item.at:
                    yield Hole(story, stored, step.item)
        by_snapshot &= not (is_new_log(step.item) and step.item.at > story.complete)
    if not by_snapshot:
        for stored in _tail(case, story):
            if superseded.get((stored.epoch, stored.seq), math.inf) == math.inf:
                yield Hole(story, stored, None)


def _superseding(case: Case, story: Story) -> dict[tuple[str, int], float]:
    """By place of an event, the earliest moment at which a later one of its topic was published.

    A conflating subscription is owed that one instead.
    """
    found: dict[tuple[str, int], float] = {}
    for epoch in case.truth.epochs if story.thins else ():
        earliest: dict[str, float] = {}
        for stored in reversed([each for each in case.truth.log(epoch) if story.wants(each)]):
            found[epoch, stored.seq] = earliest.get(stored.topic, math.inf)
            earliest[stored.topic] = min(stored.begun, found[epoch, stored.seq])
    return found


def _skipped(case: Case, position: Cursor, item: Seen | Missed) -> list[Stored]:
    """The events of the log between a place and what came next."""
    if isinstance(item, Seen):
        epoch, before = item.epoch, item.seq
    else:
        start = Cursor.parse(item.start)
        epoch, before = start.epoch, start.seq + 1
    return case.truth.between(epoch, position.seq, before) if epoch == position.epoch else []


def _tail(case: Case, story: Story) -> list[Stored]:
    """What is in the log behind the end of a subscription that was there to the last."""
    if not case.is_open(story):
        return []
    place = end(story)
    if place is not None:
        wanted = case.truth.between(place.epoch, place.seq, 2**62)
    else:
        wanted = [each for epoch in case.truth.epochs for each in case.truth.log(epoch)]
        wanted = [each for each in wanted if each.begun > story.subscribed]
    return [stored for stored in wanted if story.wants(stored)]


def _untold(case: Case, story: Story) -> Iterator[Violation]:
    """A log that took another's place must have been announced, if there is anything in it for the subscription."""
    place = end(story)
    if place is None or not case.is_open(story):
        return
    current = case.epoch_at(story.client, case.settled)
    if current is None or current == place.epoch:
        return
    for stored in case.truth.log(current):
        if story.wants(stored):
            yield Violation(Kind.MISSING, f"{story} stayed in log {place.epoch} and was not given {stored}.")
            return


def _name(item: Seen | Missed) -> str:
    if isinstance(item, Seen):
        return f"event {item.number} on {item.topic} at {item.epoch}:{item.seq}"
    return f"a gap ({item.reason}) from {item.start} to {item.end}"
