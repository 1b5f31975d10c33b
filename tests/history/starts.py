"""Beginnings: `start` leaves nothing out, `last` begins so many events back, `since` at a time."""

from __future__ import annotations

from collections.abc import Iterator

from .case import Case, Story
from .records import Seen
from .truth import Stored
from .violations import Kind, Violation

__all__ = ["check"]


def check(case: Case) -> Iterator[Violation]:
    for story in case.stories:
        first = story.items[0] if story.items else None
        if not isinstance(first, Seen):
            continue
        log = [stored for stored in case.truth.log(first.epoch) if story.wants(stored)]
        match story.asked.start:
            case "start":
                yield from _start(case, story, first, log)
            case "last":
                yield from _last(case, story, first, log)
            case "since":
                yield from _since(case, story, first, log)


def _start(case: Case, story: Story, first: Seen, log: list[Stored]) -> Iterator[Violation]:
    earlier = [stored for stored in log if _was_held(case, stored, story) and stored.seq < first.seq]
    if earlier and not story.thins:
        yield _violation(story, first, f"leaves out {earlier[0]}")


def _last(case: Case, story: Story, first: Seen, log: list[Stored]) -> Iterator[Violation]:
    count = int(story.asked.value or 0)
    surely = sum(stored.seq >= first.seq and stored.acked < story.asked.at for stored in log)
    if surely > count and not case.may_lag(story.asked.at):
        yield _violation(story, first, f"is {surely} events back when it was asked for the last {count}")
    possibly = [stored for stored in log if stored.seq >= first.seq and stored.begun < story.subscribed]
    earlier = [stored for stored in log if _was_held(case, stored, story) and stored.seq < first.seq]
    if len(possibly) + len(case.truth.strays) < count and earlier and not story.thins:
        yield _violation(story, first, f"leaves out {earlier[-1]}, one of the last {count}")


def _since(case: Case, story: Story, first: Seen, log: list[Stored]) -> Iterator[Violation]:
    ts = int(story.asked.value or 0)
    ack = case.truth.acks.get(first.number)
    # A time to come is now: what is published until then is given all the same.
    was_there = ack is not None and ack.at < story.asked.at and not case.may_lag(story.asked.at)
    if first.ts and first.ts < ts and was_there:
        yield _violation(story, first, f"has ts {first.ts}, before the {ts} it was asked to begin at")
    for stored in log:
        if stored.seq < first.seq and stored.ts >= ts and _was_held(case, stored, story) and not story.thins:
            yield _violation(story, first, f"leaves out {stored} with ts {stored.ts}, of {ts} or later")
            return


def _was_held(case: Case, stored: Stored, story: Story) -> bool:
    """Whether the log held the event when the subscription began."""
    return stored.acked < story.asked.at and stored.seq > case.kept_after(stored.epoch)


def _violation(story: Story, first: Seen, why: str) -> Violation:
    place = f"{first.epoch}:{first.seq}"
    return Violation(Kind.START, f"{story} began with event {first.number} on {first.topic} at {place}, which {why}.")
