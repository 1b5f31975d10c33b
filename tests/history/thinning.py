"""Conflation counts: an event stands for the earlier ones of its topic, and says for how many."""

from __future__ import annotations

from collections.abc import Iterator

from .case import Case, Story
from .records import Missed, Seen
from .violations import Kind, Violation

__all__ = ["check"]


def check(case: Case) -> Iterator[Violation]:
    for story in case.stories:
        yield from _counts(case, story) if story.thins else _plain(story)


def _plain(story: Story) -> Iterator[Violation]:
    for event in story.events:
        if event.skipped is not None:
            yield _violation(story, event, f"with skipped {event.skipped}, though nothing is conflated")


def _counts(case: Case, story: Story) -> Iterator[Violation]:
    former: dict[str, Seen] = {}
    for item in story.items:
        if isinstance(item, Missed):
            former.clear()
            continue
        if item.skipped is None:
            yield _violation(story, item, "without saying how many it stands for")
        elif (before := former.get(item.topic)) is not None and before.epoch == item.epoch:
            yield from _count(case, story, before, item, item.skipped)
        former[item.topic] = item


def _count(case: Case, story: Story, before: Seen, event: Seen, skipped: int) -> Iterator[Violation]:
    between = case.truth.between(event.epoch, before.seq, event.seq)
    count = sum(stored.topic == event.topic and story.wants(stored) for stored in between)
    # After a loss the count begins anew: what the lost connection had counted is not known to the next.
    fewest = 0 if _was_interrupted(case, story, before, event) else count
    if not fewest <= skipped <= count + len(case.truth.strays):
        yield _violation(
            story, event, f"with skipped {skipped}, but {count} were published since the one at {before.seq}"
        )


def _was_interrupted(case: Case, story: Story, before: Seen, event: Seen) -> bool:
    if story.asked.start == "latest" and case.may_lag(story.asked.at):
        return True  # what a part that was cut off held for the last of a topic came first
    return not story.asked.roomy or any(at <= event.at for at in case.losses.get(story.client, ()))


def _violation(story: Story, event: Seen, why: str) -> Violation:
    place = f"{event.epoch}:{event.seq}"
    return Violation(Kind.THINNING, f"{story} was given event {event.number} on {event.topic} at {place} {why}.")
