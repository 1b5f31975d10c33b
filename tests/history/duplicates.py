"""Exactly once: no subscription is given an event twice, and no publish has two places."""

from __future__ import annotations

from collections.abc import Iterator

from .case import Case, Story
from .violations import Kind, Violation

__all__ = ["check"]


def check(case: Case) -> Iterator[Violation]:
    for story in case.stories:
        yield from _given_twice(story)
    yield from _stored_twice(case)


def _given_twice(story: Story) -> Iterator[Violation]:
    places: set[tuple[str, int]] = set()
    numbers: dict[int, str] = {}
    for event in story.events:
        place = f"{event.epoch}:{event.seq}"
        if (event.epoch, event.seq) in places:
            yield Violation(
                Kind.DUPLICATE, f"{story} was given event {event.number} on {event.topic} at {place} twice."
            )
        elif event.number in numbers:
            yield Violation(
                Kind.DUPLICATE,
                f"{story} was given event {event.number} on {event.topic} at {numbers[event.number]} and at {place}.",
            )
        places.add((event.epoch, event.seq))
        numbers[event.number] = place


def _stored_twice(case: Case) -> Iterator[Violation]:
    for number, places in case.truth.places.items():
        publish = case.truth.publishes.get(number)
        if publish is not None and len(places) > 1:
            where = " and ".join(f"{epoch}:{seq}" for epoch, seq in places)
            yield Violation(
                Kind.DUPLICATE,
                f"event {number}, which {publish.client} published once on {publish.topic}, was stored at {where}.",
            )
