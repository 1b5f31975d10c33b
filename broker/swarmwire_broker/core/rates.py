"""Rate limits: token buckets for clients, subjects, topics and failed logins.

Time is passed in, in monotonic seconds from 0. A wait is in seconds: 0.0 means now, infinity means never.
"""

from __future__ import annotations

import math
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from itertools import islice
from typing import NamedTuple, TypeAlias

from swarmwire_protocol.topics import matches

from .settings import RateLimit, Rates

__all__ = ["LoginGuard", "RateLimiter", "SessionRates", "Spent", "TokenBucket", "origin_of", "retry_after_ms"]

_SLACK = 1e-6
"""Seconds by which a refill may fall short of what was promised: floats round."""


Pair: TypeAlias = tuple[float, float]
"""Messages, and bytes."""


class Spent(NamedTuple):
    """What was spent: by subject, by what clients that share their limits are called, by pattern of topics."""

    subjects: dict[str, Pair]
    clients: dict[str, Pair]
    topics: dict[str, float]

    @property
    def is_any(self) -> bool:
        """Whether it is more than nothing."""
        return bool(self.subjects or self.clients or self.topics)


class TokenBucket:
    """Lets `burst` units pass at once and `rate` units a second on the long run.

    Rate 0 lets nothing pass after the burst; burst 0 lets nothing pass at all. What is larger than the burst
    passes only when the bucket is full, and is paid for afterwards: the bucket goes into debt.

    Attributes:
        spent: units booked here, since whoever looks at it has set it back.
    """

    __slots__ = ("_at", "_tokens", "burst", "rate", "spent")

    def __init__(self, rate: float, burst: float) -> None:
        self.rate = rate
        self.burst = burst
        self._tokens = burst
        self._at = 0.0
        self.spent = 0.0

    @staticmethod
    def of(limit: RateLimit) -> TokenBucket:
        """A full bucket for a limit; a burst of None is one second's worth."""
        return TokenBucket(limit.rate, limit.rate if limit.burst is None else limit.burst)

    def take(self, n: float, now: float) -> float:
        """Spend `n` if that is allowed now (0.0); else spend nothing and say how long until it could be."""
        wait = self.wait(n, now)
        if wait == 0.0:
            self.spend(n)
        return wait

    def has(self, n: float, now: float) -> bool:
        """Whether `n` are there to be spent. More may be allowed: `wait` knows."""
        tokens = self._tokens
        if now > self._at:
            tokens += (now - self._at) * self.rate
            if tokens > self.burst:
                tokens = self.burst
            self._tokens = tokens
            self._at = now
        return n <= tokens

    def wait(self, n: float, now: float) -> float:
        """How long until `n` may be spent, without spending it."""
        self._refill(now)
        if n <= 0:
            return 0.0
        missing = min(n, self.burst) - self._tokens
        if self.burst == 0 or (self.rate == 0 and missing > 0):
            return math.inf
        # The slack is lent, not given: what is spent is booked in full.
        return missing / self.rate if missing > self.rate * _SLACK else 0.0

    def spend(self, n: float) -> None:
        """Book `n` that `wait` has allowed at this moment."""
        self._tokens -= n
        self.spent += n

    def charge(self, n: float, now: float) -> None:
        """Book `n` without asking. A charge makes no debt deeper than one burst."""
        self.charge_for_others(n, now)
        self.spent += n

    def charge_for_others(self, n: float, now: float) -> None:
        """Book `n` that was spent at another bucket of the same limit."""
        self._refill(now)
        self._tokens = max(self._tokens - n, min(self._tokens, -self.burst))

    def full_at(self) -> float:
        """When the bucket will be full again, if nothing more is spent."""
        missing = self.burst - self._tokens
        if missing <= 0:
            return self._at
        return self._at + missing / self.rate if self.rate else math.inf

    def last_used(self) -> float:
        """The latest time the bucket was told."""
        return self._at

    def _refill(self, now: float) -> None:
        if now > self._at:
            self._tokens = min(self.burst, self._tokens + (now - self._at) * self.rate)
            self._at = now


def retry_after_ms(wait: float) -> int | None:
    """A wait as an error carries it: whole milliseconds, rounded up; None where waiting does not help."""
    return None if math.isinf(wait) else math.ceil(wait * 1000)


def _take_spent(bucket: TokenBucket | None) -> float:
    if bucket is None or not bucket.spent:
        return 0.0
    spent, bucket.spent = bucket.spent, 0.0
    return spent


class _Meter:
    """The limits of messages and of bytes of one client, or of one subject."""

    __slots__ = ("bytes", "messages", "users")

    def __init__(self, messages: RateLimit | None, size: RateLimit | None) -> None:
        self.messages = TokenBucket.of(messages) if messages else None
        self.bytes = TokenBucket.of(size) if size else None
        self.users = 0

    def buckets(self) -> list[TokenBucket]:
        return [bucket for bucket in (self.messages, self.bytes) if bucket is not None]

    def take_spent(self) -> Pair:
        """What was spent since the last time: messages and bytes."""
        return _take_spent(self.messages), _take_spent(self.bytes)

    def charge_for_others(self, spent: Pair, now: float) -> None:
        """Book what was spent at another broker."""
        for bucket, amount in zip((self.messages, self.bytes), spent, strict=True):
            if bucket is not None:
                bucket.charge_for_others(amount, now)


class SessionRates:
    """The limits of one session: its own, those it shares with its subject, and those of topics.

    `by_topic` tells whether there are any of topics.
    """

    __slots__ = ("_bytes", "_closed", "_limiter", "_messages", "_shared", "_subject", "by_topic")

    def __init__(
        self, limiter: RateLimiter, subject: str, meters: tuple[_Meter, ...], by_topic: bool, shared: bool = False
    ) -> None:
        self.by_topic = by_topic
        self._shared = shared
        self._limiter = limiter
        self._subject = subject
        self._messages = tuple(meter.messages for meter in meters if meter.messages)
        self._bytes = tuple(meter.bytes for meter in meters if meter.bytes)
        self._closed = False

    def message(self, size: int, now: float) -> float:
        """Take one message of `size` bytes from every limit (0.0), or from none and say how long to wait."""
        wait = 0.0
        for bucket in self._messages:
            if not bucket.has(1, now):
                wait = max(wait, bucket.wait(1, now))
        for bucket in self._bytes:
            if not bucket.has(size, now):
                wait = max(wait, bucket.wait(size, now))
        if wait == 0.0:
            for bucket in self._messages:
                bucket.spend(1)
            for bucket in self._bytes:
                bucket.spend(size)
        return wait

    def messages(self, count: int, size: int, now: float) -> bool:
        """Take so many messages of `size` bytes together from every limit, if that is allowed now, or from none."""
        for bucket in self._messages:
            if not bucket.has(count, now):
                return False
        for bucket in self._bytes:
            if not bucket.has(size, now):
                return False
        self.give_back(-count, -size)
        return True

    def give_back(self, count: int, size: int) -> None:
        """Of what was taken at this moment, so much is not used."""
        for bucket in self._messages:
            bucket.spend(-count)
        for bucket in self._bytes:
            bucket.spend(-size)

    def charge(self, size: int, now: float) -> None:
        """Book one message of `size` bytes that is never refused."""
        for bucket in self._messages:
            bucket.charge(1, now)
        for bucket in self._bytes:
            bucket.charge(size, now)

    def publish(self, topic: str, now: float) -> float:
        """Take one publish from the limit of its topic, if there is one; else say how long to wait."""
        bucket = self._limiter.topic_bucket(topic)
        return 0.0 if bucket is None else bucket.take(1, now)

    def close(self) -> None:
        """The session has ended. Harmless twice."""
        if not self._closed:
            self._closed = True
            self._limiter.release(self._subject, self._shared)


class _MeterTable:
    """Meters by name. They outlive their users until they are full again; of those without a user at most `max_idle`
    are remembered: beyond it the one longest gone is forgotten.
    """

    def __init__(self, messages: RateLimit | None, size: RateLimit | None, max_idle: int) -> None:
        self._messages = messages
        self._bytes = size
        self._max_idle = max_idle
        self._meters: dict[str, _Meter] = {}
        self.idle: dict[str, float] = {}
        self._latest = 0.0
        self._round: list[str] = []

    @property
    def limits(self) -> bool:
        """Whether there is anything to measure."""
        return self._messages is not None or self._bytes is not None

    def make(self) -> _Meter:
        """A meter that nobody else uses."""
        return _Meter(self._messages, self._bytes)

    def take(self, name: str) -> _Meter:
        """The meter of this name, with one user more."""
        meter = self._meters.get(name)
        if meter is None:
            meter = self._meters[name] = self.make()
        self.idle.pop(name, None)
        meter.users += 1
        return meter

    def release(self, name: str) -> None:
        """It has one user fewer."""
        meter = self._meters.get(name)
        if meter is None:
            return
        meter.users -= 1
        if meter.users == 0:
            buckets = meter.buckets()
            self._latest = max(self._latest, *(bucket.last_used() for bucket in buckets))
            self.idle[name] = max(bucket.full_at() for bucket in buckets)
            self._forget()

    def take_spent(self, most: int) -> dict[str, Pair]:
        """What was spent by name since the last time; so many names are looked at, and others the next time."""
        if not self._round:
            self._round = list(self._meters)
        names, self._round = self._round[-most:], self._round[:-most]
        taken = ((name, self._meters[name].take_spent()) for name in names if name in self._meters)
        return {name: spent for name, spent in taken if spent[0] > 0 or spent[1] > 0}

    def charge_for_others(self, spent: dict[str, Pair], now: float) -> None:
        """Book what was spent at another broker; also by names that are not known here yet."""
        if self.limits:
            for name, pair in spent.items():
                self.take(name).charge_for_others(pair, now)
                self.release(name)

    def _forget(self) -> None:
        for name, full_at in list(islice(self.idle.items(), 2)):
            if full_at > self._latest and len(self.idle) <= self._max_idle:
                return
            del self.idle[name], self._meters[name]


class RateLimiter:
    """All rate limits of a broker but that of logins.

    A subject's limits outlive its sessions until they are full again, so reconnecting gains nothing; nor does it for
    clients that share theirs. Of the subjects without a session at most `max_idle` are remembered.
    """

    def __init__(self, rates: Rates, *, max_idle: int = 10_000, max_topics: int = 10_000) -> None:
        self._max_topics = max_topics
        self._clients = _MeterTable(rates.client_messages, rates.client_bytes, max_idle)
        self._subjects = _MeterTable(rates.subject_messages, rates.subject_bytes, max_idle)
        self._patterns = [(pattern, TokenBucket.of(limit)) for pattern, limit in rates.topics.items()]
        self._topics: dict[str, TokenBucket | None] = {}

    def session(self, subject: str, *, shared: bool = False) -> SessionRates | None:
        """The limits of a new session of this subject, to be closed with it; None if nothing is limited.

        With `shared` the limits of a client, too, are those of all such sessions of the subject.
        """
        meters = []
        if self._clients.limits:
            meters.append(self._clients.take(subject) if shared else self._clients.make())
        if self._subjects.limits:
            meters.append(self._subjects.take(subject))
        if not meters and not self._patterns:
            return None
        return SessionRates(self, subject, tuple(meters), bool(self._patterns), shared)

    def topic_bucket(self, topic: str) -> TokenBucket | None:
        """The bucket of the first pattern that matches the topic."""
        if not self._patterns:
            return None
        if topic in self._topics:
            return self._topics[topic]
        if len(self._topics) >= self._max_topics:
            del self._topics[next(iter(self._topics))]
        bucket = next((bucket for pattern, bucket in self._patterns if matches(pattern, topic)), None)
        self._topics[topic] = bucket
        return bucket

    def take_spent(self, most: int) -> Spent:
        """What was spent here since the last time, of what limits a whole cluster; of so many subjects at most."""
        topics = ((pattern, _take_spent(bucket)) for pattern, bucket in self._patterns)
        return Spent(
            self._subjects.take_spent(most),
            self._clients.take_spent(most),
            {pattern: spent for pattern, spent in topics if spent > 0},
        )

    def charge_for_others(self, spent: Spent, now: float) -> None:
        """Book what was spent at another broker."""
        self._subjects.charge_for_others(spent.subjects, now)
        self._clients.charge_for_others(spent.clients, now)
        if spent.topics:
            for pattern, bucket in self._patterns:
                bucket.charge_for_others(spent.topics.get(pattern, 0.0), now)

    def release(self, subject: str, shared: bool = False) -> None:
        """A session of this subject has ended (`SessionRates.close` says it)."""
        self._subjects.release(subject)
        if shared:
            self._clients.release(subject)

    @property
    def idle_subjects(self) -> int:
        """How many subjects are remembered that have no session."""
        return len(self._subjects.idle)


class LoginGuard:
    """Holds off addresses whose logins keep failing.

    An IPv6 address counts with its /64 network, and a port with its address. At most `max_addresses` are
    remembered: beyond it the one whose last failure is longest ago is forgotten.
    """

    def __init__(self, limit: RateLimit | None, max_addresses: int = 10_000) -> None:
        self._limit = limit
        self._max = max_addresses
        self._buckets: dict[str, TokenBucket] = {}

    @property
    def addresses(self) -> int:
        """How many addresses are remembered."""
        return len(self._buckets)

    def failed(self, address: str, now: float) -> None:
        """A login from this address was refused."""
        if self._limit is None or self._max == 0:
            return
        origin = origin_of(address)
        bucket = self._buckets.pop(origin, None) or TokenBucket.of(self._limit)
        bucket.charge(1, now)
        if len(self._buckets) >= self._max:
            del self._buckets[next(iter(self._buckets))]
        self._buckets[origin] = bucket

    def blocked(self, address: str, now: float) -> float:
        """Seconds until the next login from this address is looked at; 0.0 where none has failed."""
        if not self._buckets:
            return 0.0
        origin = origin_of(address)
        bucket = self._buckets.get(origin)
        if bucket is None:
            return 0.0
        wait = bucket.wait(1, now)
        if wait == 0.0 and bucket.full_at() <= now:
            del self._buckets[origin]
        return wait


def origin_of(address: str) -> str:
    """What an address counts as: without its port, an IPv6 address as its /64 network."""
    match _parse(address):
        case IPv6Address(ipv4_mapped=None) as ip:
            return str(ip_network((ip.packed, 64), strict=False))
        case IPv6Address(ipv4_mapped=IPv4Address() as ip):
            return str(ip)
        case IPv4Address() as ip:
            return str(ip)
        case _:
            return address


def _parse(address: str) -> IPv4Address | IPv6Address | None:
    host = address
    if address.startswith("["):
        host = address[1:].partition("]")[0]
    elif address.count(":") == 1:
        host = address.partition(":")[0]
    try:
        return ip_address(host)
    except ValueError:
        return None
