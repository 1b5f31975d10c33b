"""Reading a stretch of a stream from its beginning to its end, once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from ....natslink import JetStream, Link, LinkError, NoAnswer, status_of
from ..body import place_of

__all__ = ["Delivered", "pull"]

_MULTIPLE: Final = (2, 10)
"""The first version whose consumers take several filters."""
_EXPIRES_NS: Final = 1_000_000_000
_INACTIVE_NS: Final = 10_000_000_000


class Delivered(NamedTuple):
    """A message of a stream."""

    seq: int
    subject: bytes
    headers: bytes
    payload: bytes


async def pull(
    link: Link,
    js: JetStream,
    stream: str,
    subjects: Sequence[str],
    first: int,
    *,
    batch: int,
    headers_only: bool = False,
    is_enough: Callable[[Delivered], bool] | None = None,
    timeout: float = 5.0,
) -> list[Delivered]:
    """All messages of these subjects (patterns that do not overlap; none: all) that a stream has from a place on.

    Servers that take one filter give more where several are asked for.

    Arguments:
        batch: how many messages come at once.
        is_enough: asked for each; where it says so the rest is left out.
        timeout: seconds without a message after which it is given up.

    Raises:
        LinkError: it could not be read to its end.
    """
    version = link.server.version if link.server is not None else ()
    config = _config(subjects, first, headers_only, version >= _MULTIPLE)
    made = await js.ask(f"CONSUMER.CREATE.{stream}", {"stream_name": stream, "config": config}, timeout=timeout)
    reading = _Reading(link, f"{stream}.{made['name']}", is_enough)
    try:
        if made["num_pending"]:
            await reading.all(batch, timeout)
    finally:
        reading.close()
    return reading.found


def _config(subjects: Sequence[str], first: int, headers_only: bool, takes_several: bool) -> dict[str, Any]:
    config: dict[str, Any] = {
        "ack_policy": "none",
        "deliver_policy": "by_start_sequence",
        "opt_start_seq": max(1, first),
        "replay_policy": "instant",
        "inactive_threshold": _INACTIVE_NS,
        "mem_storage": True,
        "num_replicas": 1,
        "headers_only": headers_only,
    }
    if len(subjects) == 1:
        config["filter_subject"] = subjects[0]
    elif subjects and takes_several:
        config["filter_subjects"] = list(subjects)
    return config


class _Reading:
    """A consumer that is read to its end."""

    def __init__(self, link: Link, consumer: str, is_enough: Callable[[Delivered], bool] | None) -> None:
        self.found: list[Delivered] = []
        self._link = link
        self._consumer = consumer
        self._is_enough = is_enough
        self._is_over = False
        self._expected = 1
        self._wanted = 0
        self._progress = asyncio.Event()
        self._inbox = link.new_inbox()
        self._subscription = link.subscribe(self._inbox, self._receive)

    async def all(self, batch: int, timeout: float) -> None:
        body = b'{"batch":%d,"expires":%d}' % (batch, _EXPIRES_NS)
        while not self._is_over:
            self._wanted = batch
            self._link.publish(f"$JS.API.CONSUMER.MSG.NEXT.{self._consumer}".encode(), body, reply=self._inbox)
            while self._wanted and not self._is_over:
                self._progress.clear()
                try:
                    async with asyncio.timeout(timeout):
                        await self._progress.wait()
                except TimeoutError:
                    raise NoAnswer(f"a consumer of NATS was silent for {timeout:g} s") from None
        if self._expected < 0:
            raise LinkError("a consumer of NATS has left out messages")

    def _receive(self, subject: bytes, reply: bytes, headers: bytes, payload: bytes) -> None:
        self._progress.set()
        if self._is_over:
            return
        if not reply.startswith(b"$JS.ACK."):
            # A status: nothing more has come in time (the rest was purged meanwhile), or the consumer is gone.
            self._is_over = status_of(headers) != 100
            return
        place = place_of(reply)
        if place.consumer_seq != self._expected:
            self._expected, self._is_over = -1, True
            return
        self._expected += 1
        self._wanted -= 1
        delivered = Delivered(place.seq, subject, headers, payload)
        self.found.append(delivered)
        self._is_over = place.pending == 0 or (self._is_enough is not None and self._is_enough(delivered))

    def close(self) -> None:
        self._subscription.close()
        try:
            self._link.publish(f"$JS.API.CONSUMER.DELETE.{self._consumer}".encode(), b"", reply=self._link.new_inbox())
        except LinkError:
            return  # it goes away by itself when nobody asks it
