"""Fences: clients that were a being once, and may not publish in its name any more."""

from __future__ import annotations

from swarmwire_protocol.errors import ErrorCode, SwarmwireError
from swarmwire_protocol.topics import encode_segment

from ...core.identity import Author
from ...core.publishing import Publishing
from .beings import BeingRecord

__all__ = ["Fences"]


class Fences:
    """Refuses the publishes of former holders under `<kind>.<id>.#`; publishes under other kinds cost nothing."""

    def __init__(self, publishing: Publishing) -> None:
        self._publishing = publishing
        self._fenced: dict[str, dict[str, frozenset[tuple[str, str]]]] = {}

    def put_up(self, record: BeingRecord) -> None:
        """Fence the former holders of a being, or nobody where it has none."""
        kind, being = encode_segment(record.kind), encode_segment(record.id)
        if not record.formers:
            self._take_down(kind, being)
            return
        beings = self._fenced.get(kind)
        if beings is None:
            beings = self._fenced[kind] = {}
            self._publishing.guard(kind, self._check)
        beings[being] = frozenset(record.formers)

    def take_down(self, record: BeingRecord) -> None:
        """The being is gone. Harmless where there was no fence."""
        self._take_down(encode_segment(record.kind), encode_segment(record.id))

    def close(self) -> None:
        """Fence nobody any more. Harmless twice."""
        for kind in self._fenced:
            self._publishing.unguard(kind, self._check)
        self._fenced.clear()

    def _take_down(self, kind: str, being: str) -> None:
        beings = self._fenced.get(kind)
        if beings is not None and beings.pop(being, None) is not None and not beings:
            del self._fenced[kind]
            self._publishing.unguard(kind, self._check)

    def _check(self, topic: str, author: Author) -> None:
        segments = topic.split(".", 2)
        if len(segments) < 2:
            return
        fenced = self._fenced[segments[0]].get(segments[1])
        if fenced is not None and (author.scope, author.instance) in fenced:
            raise SwarmwireError(
                ErrorCode.FENCED, "Another holder publishes for this being now; this one may not.", field="topic"
            )
