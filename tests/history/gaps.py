"""Gaps that lie: a gap stands only where the log really no longer held the events, and counts them rightly."""

from __future__ import annotations

from collections.abc import Iterator

from swarmwire_protocol.cursor import Cursor
from swarmwire_protocol.errors import SwarmwireError
from swarmwire_protocol.topics import contains

from .case import Case, Story
from .records import Missed, Seen
from .violations import Kind, Violation

__all__ = ["check"]


def check(case: Case) -> Iterator[Violation]:
    for story in case.stories:
        for gap in story.gaps:
            for why in _lies(case, story, gap):
                yield Violation(
                    Kind.GAP, f"{story} was given a gap ({gap.reason}) from {gap.start} to {gap.end}, {why}."
                )


def _lies(case: Case, story: Story, gap: Missed) -> Iterator[str]:
    try:
        start, end = Cursor.parse(gap.start), Cursor.parse(gap.end)
    except SwarmwireError as error:
        yield f"whose ends are no cursors: {error}"
        return
    if start.epoch != end.epoch and gap.reason != "epoch":
        yield "which hides that the log is another"
    elif start.epoch == end.epoch and end.seq < start.seq and gap.reason != "epoch":
        yield "which ends before it starts"
    match gap.reason:
        case "epoch":
            yield from _epoch(case, story, gap, start, end)
        case "evicted":
            yield from _evicted(case, story, gap, start, end)
        case "overflow":
            yield from _overflow(case, story, gap, start, end)
        case "denied":
            yield from _denied(case, story)
        case _:
            yield "for a reason that there is not"
    if gap.reason in ("evicted", "overflow") and story.asked.start != "latest":
        yield from _given_before(story, gap, start, end)


def _epoch(case: Case, story: Story, gap: Missed, start: Cursor, end: Cursor) -> Iterator[str]:
    if start.epoch in case.epochs and case.setup.durable:
        yield "but the log is durable and was not recreated"
    if start.epoch == end.epoch and start.seq <= case.truth.head(start.epoch):
        yield "but the log is the same and reaches that far"
    if end.epoch not in case.epochs:
        yield f"but no broker ever had a log {end.epoch}"
    elif story.asked.mode != "drop_oldest" and end.seq > case.kept_after(end.epoch, gap.at):
        # An iterator that drops its oldest events may have merged the gap with what it dropped behind it.
        yield f"but the new log held everything after {case.kept_after(end.epoch, gap.at)}"


def _evicted(case: Case, story: Story, gap: Missed, start: Cursor, end: Cursor) -> Iterator[str]:
    kept = case.kept_after(end.epoch, gap.at)
    if end.seq <= kept:
        return
    if story.asked.mode == "drop_oldest" and start.seq < kept:
        return  # what was dropped behind it is in the same gap
    if story.asked.start == "latest" and _table_was_full(case, end.epoch):
        return
    yield f"but everything after {kept} was in the log"


def _table_was_full(case: Case, epoch: str) -> bool:
    most = case.setup.latest_topics
    return most is not None and len({stored.topic for stored in case.truth.log(epoch)}) > most


def _overflow(case: Case, story: Story, gap: Missed, start: Cursor, end: Cursor) -> Iterator[str]:
    if story.asked.mode != "drop_oldest":
        yield f"but its mode {story.asked.mode} drops nothing"
        return
    if start.epoch != end.epoch or gap.dropped is None:
        return
    held = [each for each in case.truth.between(end.epoch, start.seq, end.seq + 1) if story.wants(each)]
    most = len(held) + len(case.truth.strays)
    # Of a snapshot only the last event of each topic can be dropped.
    fewest = 0 if story.asked.start == "latest" and gap.at <= story.complete else len(held)
    if not fewest <= gap.dropped <= most:
        yield f"which counts {gap.dropped} dropped events, but {len(held)} were published there"


def _denied(case: Case, story: Story) -> Iterator[str]:
    grants = case.grants.get(story.client, [])
    if not grants:
        yield "but nobody ever had to have a permission"
    elif all(_covers(grant.subscribe, story.asked.pattern) for grant in grants):
        yield "but its client was permitted all the time"


def _covers(granted: list[str], pattern: str) -> bool:
    return any(contains(outer, pattern) for outer in granted)


def _given_before(story: Story, gap: Missed, start: Cursor, end: Cursor) -> Iterator[str]:
    for item in story.items:
        if item is gap:
            return
        if isinstance(item, Seen) and item.epoch == start.epoch == end.epoch and start.seq < item.seq <= end.seq:
            yield f"but it had been given event {item.number} on {item.topic} at {item.epoch}:{item.seq} before"
            return
