"""Payload encryption: what a client seals on its way out, and opens and judges on its way in."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from swarmwire_protocol import messages as wire
from swarmwire_protocol.payload import decode_data
from swarmwire_protocol.topics import check_pattern, matches

from .envelope import NONCE_BYTES, Envelope, Unreadable, open_envelope, read_envelope, seal
from .errors import (
    ErrorCode,
    PlainPayload,
    ReplayedPayload,
    SealedPayloadError,
    SwarmwireError,
    TamperedPayload,
    UnknownKey,
)
from .keyring import Key, Keyring
from .replay import Place, Window, is_ephemeral, place_in_log

__all__ = ["SEALS_PER_KEY", "Encryption", "Opener", "Sealing"]

SEALS_PER_KEY: Final = 2**32
"""How often a key seals: for more, random nonces of 96 bits could meet."""


class Encryption:
    """What is sealed, with which keys, and how strictly it is judged: `connect(url, encryption=Encryption(keys))`.

    One object may serve any number of clients; each remembers for itself what it has had.

    Args:
        keys: a ring for all topics, or patterns with the ring of their topics; the first that matches counts, and
            None says plain. What no pattern matches is plain, and so is the broker's own `$sys`.
        strict: whether an event that cannot be trusted raises in the loop over a subscription. Else it is left out
            and given to the state event `error`.
        max_age: how many seconds after it was sealed the broker may have taken an event.
        max_skew: how many seconds the publisher's clock may be ahead of the broker's.
        memory: how many payloads a subscription (and the client, for all of them) remembers to find replays.
        seals_per_key: how often a key of this process seals before it is refused; a share of it, where many seal.
    """

    def __init__(
        self,
        keys: Keyring | Mapping[str, Keyring | None],
        *,
        strict: bool = False,
        max_age: float = 300.0,
        max_skew: float = 60.0,
        memory: int = 65_536,
        seals_per_key: int = SEALS_PER_KEY,
    ) -> None:
        rings = {"#": keys} if isinstance(keys, Keyring) else dict(keys)
        for pattern in rings:
            check_pattern(pattern)
        self.strict = strict
        self.max_age_ms = _milliseconds("max_age", max_age)
        self.max_skew_ms = _milliseconds("max_skew", max_skew)
        self.memory = _count("memory", memory, 1, 2**24)
        self._seals_per_key = _count("seals_per_key", seals_per_key, 0, SEALS_PER_KEY)
        self._rings = rings

    def __repr__(self) -> str:
        return f"Encryption({self._rings!r})"

    def ring_of(self, topic: str) -> Keyring | None:
        """The keys of a topic; None if its events are plain."""
        for pattern, ring in self._rings.items():
            if matches(pattern, topic):
                return ring
        return None

    def use(self, keyring: Keyring, pattern: str = "#") -> None:
        """Take other keys for a pattern that has some: what is sealed and opened from now on goes by them.

        Raises:
            KeyError: for a pattern that was not given.
        """
        if pattern not in self._rings:
            raise KeyError(pattern)
        self._rings = {**self._rings, pattern: keyring}

    def seal(self, data: msgspec.Raw, topic: str, message_key: str | None, t: int) -> msgspec.Raw:
        """Data as it goes to the broker: sealed at `t`, in milliseconds since 1970, or as it was where it is plain.

        Raises:
            SwarmwireError: LIMIT_EXCEEDED when the key has sealed as much as it may.
        """
        ring = self.ring_of(topic)
        if ring is None:
            return data
        return seal(bytes(data), self._counted(ring.current), topic, message_key, t, os.urandom(NONCE_BYTES))

    def _counted(self, key: Key) -> Key:
        if key.sealed >= self._seals_per_key:
            raise SwarmwireError(
                ErrorCode.LIMIT_EXCEEDED,
                f"Expected at most {self._seals_per_key} payloads sealed with {key.id}; rotate to a new key.",
                field="encryption",
            )
        key.sealed += 1
        return key


class Opener:
    """Opens and judges what one subscription is handed, in the order of the log."""

    def __init__(self, encryption: Encryption, ours: Window) -> None:
        self._encryption = encryption
        self._ours = ours
        self._mine = Window(encryption.memory, encryption.max_age_ms)

    @property
    def strict(self) -> bool:
        """Whether what cannot be trusted is raised to the reader."""
        return self._encryption.strict

    def open(self, event: wire.Event, epoch: str) -> Any:
        """The data of an event as Python objects.

        Raises:
            SealedPayloadError: PlainPayload, UnknownKey, TamperedPayload or ReplayedPayload.
            SwarmwireError: INVALID_MESSAGE for data that is no JSON.
        """
        ring = self._encryption.ring_of(event.topic)
        if ring is None:
            return decode_data(event.data)
        try:
            return decode_data(msgspec.Raw(self._opened(event, ring, epoch)))
        except SealedPayloadError as error:
            error.cursor = None if event.seq is None else f"{epoch}:{event.seq}"
            raise

    def _opened(self, event: wire.Event, ring: Keyring, epoch: str) -> bytes:
        try:
            envelope = read_envelope(event.data)
            if envelope is None:
                raise PlainPayload("Expected sealed data on this topic, got plain data.", topic=event.topic)
            key = _key_of(envelope, ring, event.topic)
            nonce, plain = open_envelope(envelope, key, event.topic)
        except Unreadable as error:
            raise TamperedPayload(str(error), topic=event.topic) from None
        # Only what the key vouches for is judged by its time, and remembered.
        self._check_time(event, envelope.t)
        self._check_new(event, envelope.t, key.id.encode() + nonce, epoch)
        return plain

    def _check_time(self, event: wire.Event, t: int) -> None:
        # By the broker's time of the event, not by ours: reading an old log is no replay.
        age = event.ts - t
        if age > self._encryption.max_age_ms:
            raise ReplayedPayload(
                f"Expected data sealed at most {self._encryption.max_age_ms} ms before the broker took it, "
                f"got {age} ms: an old one sent again, or a clock that is wrong.",
                topic=event.topic,
            )
        if -age > self._encryption.max_skew_ms:
            raise ReplayedPayload(
                f"Expected data sealed before the broker took it, got a time {-age} ms after: a clock is wrong.",
                topic=event.topic,
            )

    def _check_new(self, event: wire.Event, t: int, id: bytes, epoch: str) -> None:
        place = place_in_log(event, epoch)
        before = self._mine.place_of(id)
        if before is None:
            before = self._ours.place_of(id)
            if t <= self._mine.floor:
                raise ReplayedPayload("This was sealed before what is still remembered of others.", topic=event.topic)
        elif is_ephemeral(place):  # a subscription is handed an ephemeral event once
            raise ReplayedPayload("The same sealed data came before.", topic=event.topic)
        if before is not None and before != place:
            raise ReplayedPayload(f"The same sealed data came before, {_said(before)}.", topic=event.topic)
        self._mine.remember(id, place, t, event.ts)
        self._ours.remember(id, place, t, event.ts)


class Sealing:
    """The encryption of one client: makes the openers of its subscriptions, which share what they have seen."""

    def __init__(self, encryption: Encryption, *, now: Callable[[], float] = time.time) -> None:
        self.encryption = encryption
        self._now = now
        self._seen = Window(encryption.memory, encryption.max_age_ms)

    def opener(self) -> Opener:
        """For a new subscription."""
        return Opener(self.encryption, self._seen)

    def now(self) -> int:
        """The publisher's clock, in milliseconds since 1970."""
        return int(self._now() * 1000)


def _key_of(envelope: Envelope, ring: Keyring, topic: str) -> Key:
    key = ring.find(envelope.kid)
    if key is None:
        known = ", ".join(ring.ids)
        raise UnknownKey(f"Expected data sealed with one of {known}, got {envelope.kid[:80]!r}.", topic=topic)
    return key


def _said(place: Place) -> str:
    return "as an ephemeral event" if is_ephemeral(place) else f"as event {place[1]} of the log {place[0]}"


def _milliseconds(field: str, seconds: float) -> int:
    if not (math.isfinite(seconds) and 0 <= seconds <= 10**9):
        raise SwarmwireError(ErrorCode.INVALID_MESSAGE, f"Expected 0 to 10^9 seconds, got {seconds}.", field=field)
    return round(seconds * 1000)


def _count(field: str, value: int, least: int, most: int) -> int:
    if not least <= value <= most:
        raise SwarmwireError(ErrorCode.INVALID_MESSAGE, f"Expected {least} to {most}, got {value}.", field=field)
    return value
