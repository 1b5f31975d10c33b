"""The journal of the state, and its snapshots, in a stream of NATS."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any, Final

from ....natslink import ApiError, JetStream, Link, LinkError, LinkState, header
from ..streams import EngineMismatch, ensure
from .lastmessage import follow, last_of
from .storage import Message, StorageAway
from .stretch import Delivered, pull

__all__ = ["NatsStorage"]

_FORMAT: Final = 1
_NO_STREAM: Final = 10059
_ANSWER: Final = 2.0
"""Seconds for a server to answer."""
_MOMENT: Final = 1.0
"""Seconds without a link that nobody needs to be told of."""
_MARGIN: Final = 2_048
"""Bytes of a message for its headers, and for what stands in it beside changes."""
_GROUPS: Final = 500
_CHUNKS: Final = 8
"""How many are read at once."""


class NatsStorage:
    """A stream of its own, `swarmwire_<space>_state`. It is made by `open`, and made anew when somebody has deleted it.

    The server publishes what was committed on a subject beside it, which `listen` hears.
    """

    def __init__(self, link: Link, js: JetStream, space: str, replicas: int | None) -> None:
        self.name = f"swarmwire_{space}_state"
        self._link = link
        self._js = js
        self._replicas = replicas
        prefix = f"swarmwire.{space}.s"
        self._journal = f"{prefix}.journal"
        self._pointer = f"{prefix}.snapshot"
        self._chunks = f"{prefix}.snap"
        self._heard = f"swarmwire.{space}.sj"
        self._config = {
            "name": self.name,
            "description": f"swarmwire state, format {_FORMAT}",
            "subjects": [f"{prefix}.>"],
            "storage": "file",
            "retention": "limits",
            "discard": "old",
            "max_consumers": -1,
            "max_msgs": -1,
            "max_msgs_per_subject": -1,
            "max_bytes": -1,
            "max_age": 0,
            "max_msg_size": -1,
            "allow_direct": False,
            "republish": {"src": self._journal, "dest": self._heard},
        }
        self._most = 0
        self._away_since: float | None = None
        self._forget = link.on_state(self._link_is)
        self._link_is(link.state)

    def _link_is(self, state: LinkState) -> None:
        if self._link.server is not None:
            self._away_since = None
        elif self._away_since is None:
            self._away_since = monotonic()

    async def open(self, *, clustered: bool, timeout: float) -> None:
        """Find the stream or make it.

        Raises:
            EngineMismatch, LinkError: as `streams.ensure`.
        """
        answer = await ensure(self._js, self._config, replicas=self._replicas, clustered=clustered, timeout=timeout)
        found = answer["config"].get("description", "")
        if found != self._config["description"]:
            raise EngineMismatch(
                f"the stream {self.name} is no state of swarmwire in format {_FORMAT}: {found[:200]!r}"
            )

    def close(self) -> None:
        """Mind the link no more. Harmless twice."""
        self._forget()

    @property
    def most_bytes(self) -> int:
        if self._link.server is not None:
            self._most = self._link.server.max_payload - _MARGIN
        return self._most

    @property
    def is_away(self) -> bool:
        return self._away_since is not None and monotonic() - self._away_since > _MOMENT

    # ---- reading

    async def identity(self) -> str:
        created: str = (await self._ask("STREAM.INFO"))["created"]
        return created

    async def last(self) -> Message | None:
        return await self._last_of(self._journal)

    async def pointer(self) -> Message | None:
        return await self._last_of(self._pointer)

    async def since(self, first: int) -> list[Message]:
        return [Message(found.seq, found.payload) for found in await self._pull(self._journal, first, _GROUPS)]

    async def chunks(self, name: str) -> dict[int, bytes]:
        found = await self._pull(f"{self._chunks}.{name}.*", 1, _CHUNKS)
        return {int(chunk.subject.rpartition(b".")[2]): chunk.payload for chunk in found}

    async def _pull(self, subject: str, first: int, batch: int) -> list[Delivered]:
        try:
            return await pull(self._link, self._js, self.name, [subject], first, batch=batch)
        except LinkError as problem:
            raise await self._away(problem) from None

    async def _last_of(self, subject: str) -> Message | None:
        try:
            return await last_of(self._js, self.name, subject, _ANSWER)
        except LinkError as problem:
            raise await self._away(problem) from None

    async def _ask(self, api: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        try:
            return await self._js.ask(f"{api}.{self.name}", body, timeout=_ANSWER)
        except LinkError as problem:
            raise await self._away(problem) from None

    async def _away(self, problem: LinkError) -> StorageAway:
        """What to say of a problem. Where somebody has deleted the stream it is made anew."""
        if isinstance(problem, ApiError) and problem.err_code == _NO_STREAM:
            await self._make_anew()
        return StorageAway(str(problem))

    async def _make_anew(self) -> None:
        try:
            await self.open(clustered=bool(self._link.server and self._link.server.cluster), timeout=_ANSWER)
        except OSError as problem:
            raise StorageAway(str(problem)) from None

    # ---- writing

    async def append(self, payload: bytes, after: int) -> int:
        return await follow(self._link, self._journal, payload, after, _ANSWER)

    async def write_pointer(self, payload: bytes, after: int) -> int:
        return await follow(self._link, self._pointer, payload, after, _ANSWER)

    async def write_chunk(self, name: str, number: int, payload: bytes) -> int:
        return await follow(self._link, f"{self._chunks}.{name}.{number}", payload, 0, _ANSWER)

    async def tidy(self, journal: int, chunks: int, pointer: int) -> None:
        for subject, before in ((self._journal, journal), (f"{self._chunks}.>", chunks), (self._pointer, pointer)):
            # Servers (2.9) take a place of 1 for none, and remove all there is.
            if before > 1:
                await self._ask("STREAM.PURGE", {"filter": subject, "seq": before})

    # ---- hearing

    def listen(self, heard: Callable[[int, bytes], None]) -> Callable[[], None]:
        def receive(subject: bytes, reply: bytes, headers: bytes, payload: bytes) -> None:
            seq = header(headers, b"Nats-Sequence")
            if seq is not None and seq.isdigit():
                heard(int(seq), payload)

        return self._link.subscribe(self._heard.encode(), receive).close
