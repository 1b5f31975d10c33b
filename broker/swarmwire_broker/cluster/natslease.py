"""The message that says which broker is the coordinator, in a stream of NATS."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ..engines.nats.state.lastmessage import follow, last_of
from ..engines.nats.state.storage import Message, StorageAway
from ..engines.nats.streams import EngineMismatch, ensure
from ..natslink import ApiError, JetStream, Link, LinkError, header

__all__ = ["NatsLease"]

_ANSWER: Final = 1.5
"""Seconds for a server to answer, and a busy broker to read it: half a lease, for the next try is sent afterwards."""
_NO_STREAM: Final = 10059
_FORMAT: Final = "swarmwire lease, format 1"


class NatsLease:
    """A stream of its own, `swarmwire_<space>_lease`, that keeps one message. It is made anew where it is deleted."""

    def __init__(self, link: Link, js: JetStream, space: str, replicas: int | None) -> None:
        self._link = link
        self._js = js
        self._replicas = replicas
        self._name = f"swarmwire_{space}_lease"
        self._subject = f"swarmwire.{space}.c.coordinator"
        self._heard = f"swarmwire.{space}.ch"
        self._config = {
            "name": self._name,
            "description": _FORMAT,
            "subjects": [self._subject],
            "storage": "file",
            "retention": "limits",
            "discard": "old",
            "max_consumers": -1,
            "max_msgs": -1,
            "max_msgs_per_subject": 1,
            "max_bytes": -1,
            "max_age": 0,
            "max_msg_size": -1,
            "allow_direct": False,
            "republish": {"src": self._subject, "dest": self._heard},
        }

    async def open(self, timeout: float) -> None:
        """Find the stream, or make it, in so many seconds. Raises EngineMismatch, LinkError."""
        server = self._link.server
        clustered = bool(server and server.cluster)
        answer = await ensure(self._js, self._config, replicas=self._replicas, clustered=clustered, timeout=timeout)
        found = answer["config"].get("description", "")
        if found != _FORMAT:
            raise EngineMismatch(f"the stream {self._name} is no lease of this version of swarmwire: {found[:200]!r}")

    async def last(self) -> Message | None:
        """The last message. Raises StorageAway."""
        try:
            return await last_of(self._js, self._name, self._subject, _ANSWER)
        except LinkError as problem:
            if isinstance(problem, ApiError) and problem.err_code == _NO_STREAM:
                await self._make_anew()
            raise StorageAway(str(problem)) from None

    async def _make_anew(self) -> None:
        try:
            await self.open(_ANSWER)
        except OSError as problem:
            raise StorageAway(str(problem)) from None

    async def follow(self, payload: bytes, after: int) -> int:
        """Store a message behind the last one; its place. Raises Superseded, Refused, Doubtful."""
        return await follow(self._link, self._subject, payload, after, _ANSWER)

    def listen(self, heard: Callable[[int, bytes], None]) -> Callable[[], None]:
        """Call this with messages that were stored, mostly; what is returned ends it."""

        def receive(subject: bytes, reply: bytes, headers: bytes, payload: bytes) -> None:
            seq = header(headers, b"Nats-Sequence")
            if seq is not None and seq.isdigit():
                heard(int(seq), payload)

        return self._link.subscribe(self._heard.encode(), receive).close
