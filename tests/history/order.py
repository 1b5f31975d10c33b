"""Order: places rise in every subscription, along every publisher's calls, with real time and with `ts`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .case import Case, Story
from .records import Seen
from .truth import Stored
from .violations import Kind, Violation
from .walk import steps

__all__ = ["check"]


def check(case: Case) -> Iterator[Violation]:
    for story in case.stories:
        yield from _rising(story)
    for epoch in case.truth.epochs:
        log = case.truth.log(epoch)
        yield from _of_each_publisher([stored for stored in log if stored.number not in case.given_up])
        yield from _of_real_time(log)
        yield from _of_ts(log)


def _rising(story: Story) -> Iterator[Violation]:
    given: set[tuple[str, int]] = set()
    for position, item in steps(story):
        if not isinstance(item, Seen):
            continue
        place = (item.epoch, item.seq)
        what = f"{story} was given event {item.number} on {item.topic} at {item.epoch}:{item.seq}"
        if position is not None and position.epoch != item.epoch:
            yield Violation(Kind.GAP, f"{what} while it stood at {position}, and no gap announced the new log.")
        elif position is not None and item.seq <= position.seq and place not in given:
            if not given:
                yield Violation(Kind.START, f"{what}, which is not after its beginning {position}.")
            else:
                yield Violation(Kind.ORDER, f"{what} after it had reached {position}.")
        given.add(place)


def _of_each_publisher(log: list[Stored]) -> Iterator[Violation]:
    latest: dict[str, Stored] = {}
    for stored in log:
        former = latest.get(stored.client)
        if former is not None and former.begun > stored.begun:
            yield Violation(
                Kind.ORDER, f"{stored.client} published {stored} before {former}, but their places are the other way."
            )
        else:
            latest[stored.client] = stored


def _of_real_time(log: list[Stored]) -> Iterator[Violation]:
    """An event that was acknowledged before another was begun lies before it."""
    earliest: Stored | None = None
    for stored in reversed(log):
        if earliest is not None and earliest.acked < stored.begun:
            yield Violation(
                Kind.ORDER, f"{earliest} was acknowledged before {stored} was published, but lies behind it."
            )
        if earliest is None or stored.acked < earliest.acked:
            earliest = stored


def _of_ts(log: Iterable[Stored]) -> Iterator[Violation]:
    former: Stored | None = None
    for stored in log:
        if former is not None and stored.ts and stored.ts < former.ts:
            yield Violation(Kind.ORDER, f"the ts {stored.ts} of {stored} is before the ts {former.ts} of {former}.")
        if stored.ts:
            former = stored
