"""Planted faults: each takes a good history and breaks one promise in it, or finds no place for that."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any, TypeAlias

from msgspec.structs import replace

from swarmwire_protocol.topics import matches

from .case import Case, Story
from .records import Granted, Held, Missed, Record, Refused, Seen, Setup, Stopped, Stuck
from .violations import Kind

__all__ = ["FAULTS", "Fault", "plant"]

Change: TypeAlias = dict[int, list[Record]]
"""What stands in the place of records, by their identity."""

Fault: TypeAlias = Callable[[Case], Iterator[Change]]
"""Finds all places of a history where the fault can be planted."""


def plant(fault: Fault, records: list[Record], draw: random.Random) -> list[Record] | None:
    """The history with the fault at one of its possible places; None if there is none."""
    changes = list(fault(Case(records)))
    if not changes:
        return None
    change = draw.choice(changes)
    broken = [new for record in records for new in change.get(id(record), [record])]
    return sorted(broken, key=lambda record: record.at)


def _with(record: Any, **fields: Any) -> Change:
    return {id(record): [replace(record, **fields)]}


def _without(*records: Record) -> Change:
    return {id(record): [] for record in records}


def _behind(record: Record, *more: Record) -> Change:
    return {id(record): [record, *more]}


def _events(case: Case, *, whole: bool = True) -> Iterator[tuple[Story, Seen]]:
    """Acknowledged events given to subscriptions, with `whole` only to those that are owed each."""
    for story in case.stories:
        if whole and (story.thins or story.asked.start == "latest"):
            continue
        yield from ((story, event) for event in story.events if event.number in case.truth.acks)


# ---- order


def swapped(case: Case) -> Iterator[Change]:
    for story in case.stories:
        for one, other in pairwise(story.items):
            if isinstance(one, Seen) and isinstance(other, Seen) and one.epoch == other.epoch:
                yield {id(one): [replace(other, at=one.at)], id(other): [replace(one, at=other.at)]}


def published_in_another_order(case: Case) -> Iterator[Change]:
    for epoch in case.truth.epochs:
        for one, other in pairwise(case.truth.log(epoch)):
            if one.client == other.client:
                first, second = case.truth.publishes[one.number], case.truth.publishes[other.number]
                yield _with(first, at=second.at) | _with(second, at=first.at)


def placed_before_what_was_acknowledged(case: Case) -> Iterator[Change]:
    for epoch in case.truth.epochs:
        for one, other in pairwise(case.truth.log(epoch)):
            if one.client != other.client and other.number in case.truth.acks:
                yield _with(case.truth.publishes[one.number], at=case.truth.acks[other.number].at + 0.5)


def ts_that_falls(case: Case) -> Iterator[Change]:
    for _, event in _events(case, whole=False):
        if any(stored.ts > 1 for stored in case.truth.between(event.epoch, 0, event.seq)):
            yield {id(each): [replace(each, ts=1)] for each in _copies(case, event)}


def _copies(case: Case, event: Seen) -> list[Seen]:
    return [each for story in case.stories for each in story.events if each.number == event.number]


# ---- losses


def dropped(case: Case) -> Iterator[Change]:
    for story in case.stories:
        if story.thins or story.asked.start == "latest":
            continue
        for _, event, following in zip(story.items, story.items[1:], story.items[2:], strict=False):
            if isinstance(event, Seen) and isinstance(following, Seen) and event.number in case.truth.acks:
                yield _without(event)


def dropped_at_the_end(case: Case) -> Iterator[Change]:
    for story in case.stories:
        last = story.items[-1] if len(story.items) > 1 else None
        is_plain = story.asked.start != "latest" or not story.interrupted
        if case.is_open(story) and is_plain and isinstance(last, Seen) and last.number in case.truth.acks:
            yield _without(last)


def stayed_in_the_old_log(case: Case) -> Iterator[Change]:
    for story in case.stories:
        jumps = [index for index, item in enumerate(story.items) if _is_epoch(item)]
        if jumps and story.asked.start != "latest" and case.is_open(story) and _sees(story, jumps[-1]):
            yield _without(*story.items[jumps[-1] :])


def _sees(story: Story, index: int) -> bool:
    return any(isinstance(item, Seen) for item in story.items[index:])


def _is_epoch(item: Record) -> bool:
    return isinstance(item, Missed) and item.reason == "epoch"


def stuck(case: Case) -> Iterator[Change]:
    for story in case.stories:
        if case.is_open(story):
            last = case.records[-1]
            yield {id(last): [Stuck(at=last.at - 0.5, client=story.client, sub=story.sub), last]}


def stored_nowhere(case: Case) -> Iterator[Change]:
    for story, event in _events(case):
        copies = _copies(case, event)
        later = any(each.epoch == event.epoch and each.seq > event.seq for each in story.events)
        if later and event is not story.items[0]:
            yield _without(*copies)


# ---- doubles


def given_twice(case: Case) -> Iterator[Change]:
    yield from (_behind(event, event) for _, event in _events(case, whole=False))


def stored_twice(case: Case) -> Iterator[Change]:
    for story, event in _events(case):
        if event is story.items[-1]:
            yield _behind(event, replace(event, seq=case.truth.head(event.epoch) + 1))


# ---- what the log really holds


def acknowledged_but_not_in_the_log(case: Case) -> Iterator[Change]:
    yield from (_without(held) for held in _held(case) if held.number in case.truth.acks)


def another_in_the_log_than_was_acknowledged(case: Case) -> Iterator[Change]:
    for one, other in pairwise(_held(case)):
        if one.number in case.truth.acks:
            yield _with(one, number=other.number)


def twice_in_the_log(case: Case) -> Iterator[Change]:
    yield from (_behind(held, replace(held, seq=case.truth.head(held.epoch) + 1)) for held in _held(case))


def in_the_log_though_it_was_refused(case: Case) -> Iterator[Change]:
    held = _held(case)
    for number in case.truth.refused if held else ():
        yield _behind(held[-1], replace(held[-1], seq=held[-1].seq + 1, number=number))


def in_the_log_though_nobody_published_it(case: Case) -> Iterator[Change]:
    held = _held(case)
    if held:
        yield _behind(held[-1], replace(held[-1], seq=held[-1].seq + 1, number=-1))


def in_the_log_but_not_given(case: Case) -> Iterator[Change]:
    """Of an event of unknown outcome only the log itself can tell that it was stored."""
    held = {each.number for each in _held(case)}
    for story in case.stories:
        if story.thins or story.asked.start == "latest":
            continue
        for _, event, following in zip(story.items, story.items[1:], story.items[2:], strict=False):
            if not isinstance(event, Seen) or not isinstance(following, Seen):
                continue
            if event.number in held and event.number not in case.truth.acks:
                yield _without(*_copies(case, event))


def _held(case: Case) -> list[Held]:
    return [record for record in case.records if isinstance(record, Held)]


# ---- what nobody published


def payload_altered(case: Case) -> Iterator[Change]:
    yield from (_with(event, digest=event.digest + 1) for _, event in _events(case, whole=False))


def topic_altered(case: Case) -> Iterator[Change]:
    yield from (_with(event, topic=f"{event.topic}.other") for _, event in _events(case, whole=False))


def never_published(case: Case) -> Iterator[Change]:
    yield from (_with(event, number=-1) for _, event in _events(case, whole=False))


def refused_and_delivered(case: Case) -> Iterator[Change]:
    for _, event in _events(case, whole=False):
        ack = case.truth.acks[event.number]
        yield {id(ack): [Refused(at=ack.at, client=ack.client, number=ack.number, code="LIMIT_EXCEEDED")]}


def seen_before_it_was_published(case: Case) -> Iterator[Change]:
    for _, event in _events(case, whole=False):
        yield _with(case.truth.publishes[event.number], at=event.at + 0.5)


def acknowledged_at_the_place_of_another(case: Case) -> Iterator[Change]:
    acks = list(case.truth.acks.values())
    for one, other in pairwise(acks):
        yield _with(other, epoch=one.epoch, seq=one.seq)


# ---- deliveries without permission


def beside_the_pattern(case: Case) -> Iterator[Change]:
    for story in case.stories:
        for event in story.events:
            for stored in case.truth.between(event.epoch, event.seq, 2**62):
                publish = case.truth.publishes[stored.number]
                if not matches(story.asked.pattern, stored.topic):
                    stray = {"topic": stored.topic, "number": stored.number, "digest": publish.digest}
                    yield _behind(event, replace(event, seq=stored.seq, at=max(event.at, stored.begun + 0.1), **stray))


def after_unsubscribing(case: Case) -> Iterator[Change]:
    for story in case.stories:
        if story.ended < float("inf") and story.events:
            last = story.events[-1]
            yield _behind(last, replace(last, at=story.ended + 0.5, seq=last.seq + 1))


def without_subscribing(case: Case) -> Iterator[Change]:
    yield from (_behind(event, replace(event, sub="nobody's")) for _, event in _events(case))


def without_permission(case: Case) -> Iterator[Change]:
    for story, event in _events(case):
        publish = case.truth.publishes[event.number]
        if len(case.grants[story.client]) == 1:
            yield _behind(publish, Granted(at=publish.at - 0.5, client=story.client, subscribe=["nothing.at.all"]))


def after_the_token_expired(case: Case) -> Iterator[Change]:
    for grant, at in _sole_grants(case):
        yield _with(grant, until=at - 1.0)


def after_the_token_expired_between_two_stops(case: Case) -> Iterator[Change]:
    for grant, at in _sole_grants(case):
        stops = [Stopped(since=at - 4.0, at=at - 1.1), Stopped(since=at - 0.1, at=at + 2.0)]
        yield {**_with(grant, until=at - 1.0), **_behind(case.setup, *stops)}


def _sole_grants(case: Case) -> Iterator[tuple[Granted, float]]:
    """The permission of a client that was given only one, with the publish of an event that it was given by it."""
    for story, event in _events(case):
        grants = case.grants[story.client]
        if len(grants) == 1:
            yield grants[0], case.truth.publishes[event.number].at


def echoed(case: Case) -> Iterator[Change]:
    for story, event in _events(case, whole=False):
        publish = case.truth.publishes[event.number]
        if publish.client == story.client:
            yield _with(publish, echo=False)


# ---- snapshots and beginnings


def stale_snapshot(case: Case) -> Iterator[Change]:
    for story in case.stories:
        event = story.events[0] if story.asked.start == "latest" and story.events else None
        if event is None:
            continue
        for stored in case.truth.between(event.epoch, 0, event.seq):
            newer = case.truth.acks.get(event.number)
            publish = case.truth.publishes[stored.number]
            if stored.topic == event.topic and newer is not None and newer.at < story.asked.at and stored.echo:
                yield _with(event, seq=stored.seq, number=stored.number, digest=publish.digest)


def snapshot_without_a_topic(case: Case) -> Iterator[Change]:
    for story in case.stories:
        if story.asked.start != "latest" or story.thins:
            continue
        for event in story.events[:-1]:
            later = [each for each in case.truth.log(event.epoch) if each.topic == event.topic and each.seq > event.seq]
            clear = case.truth.publishes[event.number].clear
            if not later and not clear and event.number in case.truth.acks:
                yield _without(event)


def before_its_beginning(case: Case) -> Iterator[Change]:
    for story in case.stories:
        if story.asked.start != "now" or not story.events or story.cursor is None:
            continue
        first = story.items[0]
        place = int(story.cursor.partition(":")[2])
        for stored in case.truth.between(story.cursor.partition(":")[0], 0, place + 1):
            if isinstance(first, Seen) and first.epoch == stored.epoch and story.wants(stored):
                publish = case.truth.publishes[stored.number]
                early = {"seq": stored.seq, "number": stored.number, "digest": publish.digest, "ts": stored.ts}
                yield {id(first): [replace(first, topic=stored.topic, **early), first]}


def late_beginning(case: Case) -> Iterator[Change]:
    for story in case.stories:
        if story.asked.start in ("start", "last", "since") and not story.thins and len(story.events) > 1:
            first, second = story.items[0], story.items[1]
            if isinstance(first, Seen) and isinstance(second, Seen) and first.epoch == second.epoch:
                ack = case.truth.acks.get(first.number)
                is_held = ack is not None and ack.at < story.asked.at and first.seq > case.kept_after(first.epoch)
                # Only who else was given it can tell its ts.
                if is_held and len(_copies(case, first)) > 1 and not case.truth.strays:
                    yield _without(first)


# ---- gaps


def gap_over_what_was_held(case: Case) -> Iterator[Change]:
    for _, event in _events(case):
        if event.seq > case.kept_after(event.epoch):
            start, end = f"{event.epoch}:{event.seq - 1}", f"{event.epoch}:{event.seq}"
            yield {id(event): [_gap(event, start, end, "evicted")]}


def gap_that_was_not_asked_for(case: Case) -> Iterator[Change]:
    for story, event in _events(case):
        if story.asked.mode != "drop_oldest":
            start, end = f"{event.epoch}:{event.seq - 1}", f"{event.epoch}:{event.seq}"
            yield {id(event): [_gap(event, start, end, "overflow", 1)]}


def gap_that_miscounts(case: Case) -> Iterator[Change]:
    for story in case.stories:
        yield from (_with(gap, dropped=gap.dropped + 100) for gap in story.gaps if gap.dropped is not None)


def gap_of_an_epoch_that_goes_on(case: Case) -> Iterator[Change]:
    for _, event in _events(case):
        place = f"{event.epoch}:{event.seq}"
        yield _behind(event, _gap(event, place, place, "epoch"))


def gap_of_an_epoch_under_a_durable_log(case: Case) -> Iterator[Change]:
    setup = case.records[0]
    if isinstance(setup, Setup) and any(_is_epoch(gap) for story in case.stories for gap in story.gaps):
        yield _with(setup, durable=True)


def gap_of_a_denial_that_was_none(case: Case) -> Iterator[Change]:
    for story, event in _events(case):
        if len(case.grants[story.client]) == 1:
            place = f"{event.epoch}:{event.seq}"
            yield _behind(event, _gap(event, place, place, "denied"))


def another_log_without_a_gap(case: Case) -> Iterator[Change]:
    for story in case.stories:
        for item, following in pairwise(story.items):
            if _is_epoch(item) and isinstance(following, Seen) and _has_place(story, item):
                yield _without(item)


def _has_place(story: Story, item: Record) -> bool:
    return item is not story.items[0] or story.asked.start in ("now", "cursor")


def _gap(event: Seen, start: str, end: str, reason: str, dropped: int | None = None) -> Missed:
    return Missed(at=event.at, client=event.client, sub=event.sub, start=start, end=end, reason=reason, dropped=dropped)


# ---- conflation


def skipped_miscounts(case: Case) -> Iterator[Change]:
    for story in case.stories:
        given: set[str] = set()
        for item in story.items:
            if isinstance(item, Missed):
                given.clear()
            elif item.skipped is not None:
                if item.topic in given:
                    yield _with(item, skipped=item.skipped + 100)
                given.add(item.topic)


def skipped_is_not_said(case: Case) -> Iterator[Change]:
    for story in case.stories:
        yield from (_with(event, skipped=None) for event in story.events if story.thins)


def skipped_without_conflation(case: Case) -> Iterator[Change]:
    for story in case.stories:
        yield from (_with(event, skipped=1) for event in story.events if not story.thins)


def last_value_never_given(case: Case) -> Iterator[Change]:
    for story in case.stories:
        last = story.items[-1] if len(story.items) > 1 else None
        is_plain = story.asked.start != "latest" or not story.interrupted
        if (
            story.thins
            and is_plain
            and case.is_open(story)
            and isinstance(last, Seen)
            and last.number in case.truth.acks
        ):
            yield _without(last)


FAULTS: dict[Fault, frozenset[Kind]] = {
    swapped: frozenset({Kind.ORDER}),
    published_in_another_order: frozenset({Kind.ORDER}),
    placed_before_what_was_acknowledged: frozenset({Kind.ORDER}),
    ts_that_falls: frozenset({Kind.ORDER}),
    dropped: frozenset({Kind.MISSING}),
    dropped_at_the_end: frozenset({Kind.MISSING, Kind.SNAPSHOT}),
    stayed_in_the_old_log: frozenset({Kind.MISSING}),
    stuck: frozenset({Kind.MISSING}),
    stored_nowhere: frozenset({Kind.UNSTORED}),
    given_twice: frozenset({Kind.DUPLICATE}),
    stored_twice: frozenset({Kind.DUPLICATE}),
    acknowledged_but_not_in_the_log: frozenset({Kind.UNSTORED}),
    another_in_the_log_than_was_acknowledged: frozenset({Kind.UNSTORED}),
    twice_in_the_log: frozenset({Kind.DUPLICATE}),
    in_the_log_though_it_was_refused: frozenset({Kind.PHANTOM}),
    in_the_log_though_nobody_published_it: frozenset({Kind.PHANTOM}),
    in_the_log_but_not_given: frozenset({Kind.MISSING}),
    payload_altered: frozenset({Kind.ALTERED}),
    topic_altered: frozenset({Kind.ALTERED}),
    never_published: frozenset({Kind.PHANTOM}),
    refused_and_delivered: frozenset({Kind.PHANTOM}),
    seen_before_it_was_published: frozenset({Kind.PHANTOM}),
    acknowledged_at_the_place_of_another: frozenset({Kind.ALTERED}),
    beside_the_pattern: frozenset({Kind.UNPERMITTED}),
    after_unsubscribing: frozenset({Kind.UNPERMITTED}),
    without_subscribing: frozenset({Kind.UNPERMITTED}),
    without_permission: frozenset({Kind.UNPERMITTED}),
    after_the_token_expired: frozenset({Kind.UNPERMITTED}),
    after_the_token_expired_between_two_stops: frozenset({Kind.UNPERMITTED}),
    echoed: frozenset({Kind.UNPERMITTED}),
    stale_snapshot: frozenset({Kind.SNAPSHOT}),
    snapshot_without_a_topic: frozenset({Kind.SNAPSHOT, Kind.MISSING}),
    before_its_beginning: frozenset({Kind.START}),
    late_beginning: frozenset({Kind.START, Kind.MISSING}),
    gap_over_what_was_held: frozenset({Kind.GAP}),
    gap_that_was_not_asked_for: frozenset({Kind.GAP}),
    gap_that_miscounts: frozenset({Kind.GAP}),
    gap_of_an_epoch_that_goes_on: frozenset({Kind.GAP}),
    gap_of_an_epoch_under_a_durable_log: frozenset({Kind.GAP}),
    gap_of_a_denial_that_was_none: frozenset({Kind.GAP}),
    another_log_without_a_gap: frozenset({Kind.GAP}),
    skipped_miscounts: frozenset({Kind.THINNING}),
    skipped_is_not_said: frozenset({Kind.THINNING}),
    skipped_without_conflation: frozenset({Kind.THINNING}),
    last_value_never_given: frozenset({Kind.MISSING, Kind.SNAPSHOT}),
}
"""The faults there are, each with the kinds of violation of which one must be reported."""
