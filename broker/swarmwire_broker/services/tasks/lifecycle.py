"""The events that tell of a task's life: where the broker manages the task, nobody else publishes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from swarmwire_protocol.errors import ErrorCode, SwarmwireError
from swarmwire_protocol.topics import decode_segment

__all__ = ["check_lifecycle"]

_LIFECYCLE: Final = frozenset(
    {
        "created",
        "assigned",
        "started",
        "progress",
        "retrying",
        "completed",
        "failed",
        "cancelled",
        "closed",
        "resumed",
    }
)


def check_lifecycle(topic: str, is_managed: Callable[[str], bool]) -> None:
    """Refuse a client's publish that tells of the life of a task whose id is managed.

    Raises:
        SwarmwireError: PERMISSION_DENIED.
    """
    segments = topic.split(".")
    if len(segments) != 3 or segments[2] not in _LIFECYCLE:
        return
    if is_managed(_decoded(segments[1])):
        sentence = "The broker manages this task; it alone publishes what becomes of it."
        raise SwarmwireError(ErrorCode.PERMISSION_DENIED, sentence, field="topic")


def _decoded(segment: str) -> str:
    """The id of a task in a topic; the empty text, which is none, where it is no id."""
    try:
        return decode_segment(segment)
    except SwarmwireError:
        return ""
