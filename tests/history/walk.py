"""The way of a subscription through the log: where it stood before each thing that it was given."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from swarmwire_protocol.cursor import Cursor

from .case import Story
from .records import Missed, Seen

__all__ = ["Step", "beginning", "end", "is_new_log", "steps"]


class Step(NamedTuple):
    """An item, and the place behind everything that came before it; None while that is not known."""

    position: Cursor | None
    item: Seen | Missed


def beginning(story: Story) -> Cursor | None:
    """The place after which the subscription is owed everything; None where its first event decides that."""
    if story.asked.start == "cursor":
        return Cursor.parse(str(story.asked.value))
    return Cursor.parse(story.cursor) if story.cursor is not None else None


def steps(story: Story) -> Iterator[Step]:
    """What the subscription was given, one by one."""
    position = beginning(story)
    for item in story.items:
        yield Step(position, item)
        position = _behind(position, item)


def _behind(position: Cursor | None, item: Seen | Missed) -> Cursor:
    reached = Cursor(item.epoch, item.seq) if isinstance(item, Seen) else Cursor.parse(item.end)
    backwards = isinstance(item, Seen) or item.reason != "epoch"
    if backwards and position is not None and position.epoch == reached.epoch and position.seq > reached.seq:
        return position
    return reached


def end(story: Story) -> Cursor | None:
    """The place behind everything that the subscription was given."""
    position = beginning(story)
    for step in steps(story):
        position = _behind(step.position, step.item)
    return position


def is_new_log(item: Seen | Missed) -> bool:
    """Whether it announces that another log follows."""
    return isinstance(item, Missed) and Cursor.parse(item.start).epoch != Cursor.parse(item.end).epoch
