"""What the registry tells of a being: one topic a being, `registry.<kind>.<id>`, and where workers come and go."""

from __future__ import annotations

from typing import Final

from swarmwire_protocol.errors import SwarmwireError
from swarmwire_protocol.topics import encode_segment

from ...core.identity import Author
from ...engines.entry import Draft
from ..telling import told
from .beings import Being, BeingRecord

__all__ = ["RESERVED", "came", "changed", "check_topics", "went"]

RESERVED: Final = ("registry.*.*", "worker.*.added", "worker.*.removed")
"""Topics that the registry alone publishes on."""

_WORKER: Final = "worker"


def check_topics(kind: str, id: str) -> None:
    """See that a being of this kind and id has topics.

    Raises:
        SwarmwireError: INVALID_TOPIC where they would be too long.
    """
    try:
        told(_topic(kind, id), None)
        told(_worker_topic(id, "removed"), None)
    except SwarmwireError as error:
        raise SwarmwireError(error.code, error.message, field="params.id") from None


def came(record: BeingRecord, author: Author, *, is_new: bool) -> list[Draft]:
    """It was registered: for the first time, or anew by another holder."""
    drafts = changed(record, "registered", author)
    if is_new and record.kind == _WORKER:
        # Something that happens, not a state: nothing is to be found under it later.
        drafts.append(told(_worker_topic(record.id, "added"), Being.of(record), author, clear=True))
    return drafts


def changed(record: BeingRecord, event: str, author: Author | None = None) -> list[Draft]:
    """It is `updated`, `online` again or `suspect`."""
    return [told(_topic(record.kind, record.id), Being.of(record).told(event), author)]


def went(record: BeingRecord, author: Author | None = None) -> list[Draft]:
    """It is gone, and nothing is to be found of it later."""
    gone = Being.of(record, "gone")
    drafts = [told(_topic(record.kind, record.id), gone.told("gone"), author, clear=True)]
    if record.kind == _WORKER:
        drafts.append(told(_worker_topic(record.id, "removed"), gone, author, clear=True))
    return drafts


def _topic(kind: str, id: str) -> str:
    return f"registry.{encode_segment(kind)}.{encode_segment(id)}"


def _worker_topic(id: str, event: str) -> str:
    return f"worker.{encode_segment(id)}.{event}"
