"""The log as the events of changes need it: to put them in, and to look whether they are."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final

from ....natslink import ApiError, JetStream, Link, LinkError, header
from ...entry import Draft
from ..subjects import Subjects
from .journal import Place
from .storage import StorageAway
from .stretch import Delivered, pull

__all__ = ["NatsEventLog"]

_BATCH: Final = 1_000
_STEPS: Final = 200
"""Events that are looked at one by one; where there are more, the whole log from there on is."""
_NO_MESSAGE: Final = 10037
_ANSWER: Final = 2.0
"""Seconds for the server to answer."""


class NatsEventLog:
    """The stream of the log.

    Arguments:
        publish: puts an event into the log; see `storage.EventLog`.
        position: the epoch of the log, and a place that is not beyond its end.
        stream, prefix: the stream's name, and what the subjects of its topics begin with.
    """

    def __init__(
        self,
        link: Link,
        js: JetStream,
        *,
        publish: Callable[[Draft, bytes], None],
        position: Callable[[], tuple[str, int]],
        stream: str,
        prefix: bytes,
    ) -> None:
        self._link = link
        self._js = js
        self._publish = publish
        self._position = position
        self._stream = stream
        self._subjects = Subjects(prefix)

    def publish(self, draft: Draft, message_id: bytes) -> None:
        self._publish(draft, message_id)

    def position(self) -> Place:
        return Place(*self._position())

    async def find(self, ids: Collection[bytes], topics: Collection[str], after: Place) -> dict[bytes, int]:
        # A place in a log that was made anew says nothing of this one.
        first = after.seq + 1 if after.epoch == self._position()[0] else 1
        search = _Search(ids)
        try:
            if not await self._step(search, topics, first):
                await self._sweep(search, first)
        except LinkError as problem:
            raise StorageAway(str(problem)) from None
        return search.found

    async def _step(self, search: _Search, topics: Iterable[str], first: int) -> bool:
        """Ask the leader for one event after the other of each topic; False if that takes too long."""
        steps = _STEPS
        for topic in topics:
            subject, seq = self._subjects.subject(topic).decode(), first
            while not search.is_over:
                if not steps:
                    return False
                steps -= 1
                if not (seq := await self._next(search, subject, seq)):
                    break
        return True

    async def _next(self, search: _Search, subject: str, seq: int) -> int:
        """Look at the first event of a subject from a place on; the place after it, or 0 if there is none."""
        message = await self._get({"seq": seq, "next_by_subj": subject})
        if message is None:
            return 0
        found: int = message["seq"]
        search.look(found, b64decode(message.get("hdrs", "")))
        return found + 1

    async def _last(self) -> int:
        """The place of the last event that is there; 0 if none is."""
        message = await self._get({"last_by_subj": self._subjects.everything.decode()})
        return 0 if message is None else int(message["seq"])

    async def _get(self, what: Mapping[str, Any]) -> dict[str, Any] | None:
        """A message, as the leader has it."""
        try:
            answer = await self._js.ask(f"STREAM.MSG.GET.{self._stream}", what, timeout=_ANSWER)
        except ApiError as problem:
            if problem.err_code == _NO_MESSAGE:
                return None
            raise
        message: dict[str, Any] = answer["message"]
        return message

    async def _sweep(self, search: _Search, first: int) -> None:
        """Look at all there is; a replica that has not all of it does not count."""
        last = await self._last()
        if last < first:
            return

        def is_enough(delivered: Delivered) -> bool:
            search.look(delivered.seq, delivered.headers)
            return search.is_over

        swept = await pull(
            self._link, self._js, self._stream, [], first, batch=_BATCH, headers_only=True, is_enough=is_enough
        )
        if not search.is_over and (not swept or swept[-1].seq < last):
            raise StorageAway("what was read of the log lags behind")


class _Search:
    """Which ids are sought, and where they were found."""

    def __init__(self, ids: Iterable[bytes]) -> None:
        self.found: dict[bytes, int] = {}
        self._missing = set(ids)

    @property
    def is_over(self) -> bool:
        return not self._missing

    def look(self, seq: int, headers: bytes) -> None:
        message_id = header(headers, b"Nats-Msg-Id") if headers else None
        if message_id is not None and message_id in self._missing:
            self._missing.discard(message_id)
            self.found[message_id] = seq
