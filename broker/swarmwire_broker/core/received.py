"""What one read of a stream held: messages, and common publishes that were scanned already."""

from __future__ import annotations

from swarmwire_protocol.accelerators import PlainPublish

__all__ = ["run_end", "size_of"]


def size_of(messages: list[bytes | PlainPublish]) -> int:
    """The bytes of publishes that were scanned; 0 where there is another message among them."""
    size = 0
    for message in messages:
        if isinstance(message, bytes):
            return 0
        size += message[0]
    return size


def run_end(messages: list[bytes | PlainPublish], start: int) -> int:
    """Where the run that begins at `start` ends: publishes that differ in their data alone, or any one message."""
    stop = start + 1
    first = messages[start]
    if isinstance(first, bytes) or not _is_bare(first):
        return stop
    topic = first[1]
    while stop < len(messages):
        message = messages[stop]
        if isinstance(message, bytes) or not _is_bare(message) or message[1] != topic:
            break
        stop += 1
    return stop


def _is_bare(publish: PlainPublish) -> bool:
    """Whether it has neither id nor key."""
    return publish[3] is None and publish[4] is None
