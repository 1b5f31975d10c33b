"""What is delivered was published, and as it was published; a place in the log is that of one event."""

from __future__ import annotations

from collections.abc import Iterator

from .case import Case, Story
from .records import Publishing, Seen
from .violations import Kind, Violation

__all__ = ["check"]


def check(case: Case) -> Iterator[Violation]:
    for story in case.stories:
        for event in story.events:
            yield from _of_event(case, story, event)
    yield from _of_places(case)


def _of_event(case: Case, story: Story, event: Seen) -> Iterator[Violation]:
    what = f"{story} was given event {event.number} on {event.topic} at {event.epoch}:{event.seq}"
    publish = case.truth.publishes.get(event.number)
    if publish is None:
        yield Violation(Kind.PHANTOM, f"{what}, which nobody published.")
        return
    if event.number in case.truth.refused:
        yield Violation(Kind.PHANTOM, f"{what}, whose publish was refused to {publish.client} as not done.")
    if event.at < publish.at:
        yield Violation(Kind.PHANTOM, f"{what} before {publish.client} published it.")
    if (event.topic, event.digest) != (publish.topic, publish.digest):
        yield Violation(Kind.ALTERED, f"{what}: {_difference(event, publish)}.")


def _difference(event: Seen, publish: Publishing) -> str:
    if event.topic != publish.topic:
        return f"{publish.client} published it on {publish.topic}"
    return f"its payload is not the one that {publish.client} published"


def _of_places(case: Case) -> Iterator[Violation]:
    for (epoch, seq), numbers in case.truth.holders.items():
        if len(numbers) > 1:
            names = " and ".join(str(number) for number in sorted(numbers))
            yield Violation(Kind.ALTERED, f"the place {epoch}:{seq} was told to be that of the events {names}.")
