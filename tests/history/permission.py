"""Nobody is given what was not asked for, not allowed, or not wanted any more."""

from __future__ import annotations

from collections.abc import Iterator

from swarmwire_protocol.topics import matches

from .case import Case, Story
from .records import Granted, Seen
from .violations import Kind, Violation

__all__ = ["LEEWAY", "check"]

LEEWAY = 0.5
"""Seconds that the broker may run on after the end of a token until it notices."""


def check(case: Case) -> Iterator[Violation]:
    for orphan in case.orphans:
        if isinstance(orphan, Seen):
            yield _violation(f"subscription {orphan.sub} of {orphan.client}", orphan, "though nobody subscribed")
    for story in case.stories:
        yield from _of_story(case, story)


def _of_story(case: Case, story: Story) -> Iterator[Violation]:
    for item in story.after_end:
        if isinstance(item, Seen):
            yield _violation(str(story), item, "after it had ended")
    for event in story.events:
        publish = case.truth.publishes.get(event.number)
        if not matches(story.asked.pattern, event.topic):
            yield _violation(str(story), event, "which its pattern does not match")
        elif publish is not None and publish.client == story.client and not publish.echo:
            yield _violation(str(story), event, "which its own client published without echo")
        elif publish is not None and not _allowed(case, story.client, event, publish.at):
            yield _violation(str(story), event, "which was published when its client was not permitted to read it")


def _allowed(case: Case, client: str, event: Seen, published: float) -> bool:
    """Whether some permission covers the topic that was in force between the publish and the delivery."""
    grants = case.grants.get(client)
    if grants is None:
        return True
    return any(
        any(matches(pattern, event.topic) for pattern in grant.subscribe)
        for grant, following in zip(grants, [*grants[1:], None], strict=True)
        if grant.at <= event.at and published <= _end(case, grant, following)
    )


def _end(case: Case, grant: Granted, following: Granted | None) -> float:
    ends = [] if grant.until is None else [case.run_for(grant.until, LEEWAY)]
    if following is not None:
        ends.append(following.at)
    return min(ends, default=float("inf"))


def _violation(who: str, event: Seen, why: str) -> Violation:
    return Violation(
        Kind.UNPERMITTED, f"{who} was given event {event.number} on {event.topic} at {event.epoch}:{event.seq}, {why}."
    )
