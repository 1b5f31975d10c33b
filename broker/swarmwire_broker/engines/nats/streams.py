"""The stream that is the log: how it must be made, what is found instead, and which log it is."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from hashlib import blake2b
from time import monotonic
from typing import Any, Final, NamedTuple

from ...natslink.errors import ApiError, LinkError
from ...natslink.jetstream import JetStream
from ..retention import Keep

__all__ = [
    "EngineMismatch",
    "LogStream",
    "StreamFacts",
    "check",
    "description",
    "ensure",
    "facts_of",
    "log_config",
    "stream_name",
    "topic_prefix",
    "turnover",
]

_FORMAT: Final = 1
_NO_STREAM: Final = 10059
_NAME_TAKEN: Final = 10058
_CLUSTER_OF: Final = 3
_SPACE: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_DESCRIPTION: Final = re.compile(r"swarmwire log, format (\d{1,9}), generation (\d{1,9})")
_LEAST_DUPLICATES_MS: Final = 100
_HEARD: Final = 10_000
"""Events that wait in the stream of a log of nothing for the brokers to hear them."""

_FASTEST_EVENTS: Final = 250_000
_FASTEST_BYTES: Final = 1_000_000_000
"""More than a stream takes in a second."""

_LONGEST_TURNOVER: Final = 1.0
_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 1.0

_PASSING: Final = frozenset((10004, 10005, 10008, 10009, 10023))
"""Refusals that end by themselves while a cluster comes up: no leader yet, not enough servers yet."""

_FOREIGN: Final = ("mirror", "sources", "no_ack", "sealed", "republish", "subject_transform")
"""What no stream of ours has unless its configuration says so."""

_FREE: Final = frozenset({"description", "num_replicas"})
"""What a stream may have otherwise: the description is read apart, and replicas are the operator's to change."""


class EngineMismatch(OSError):
    """The stream is there, and is not one that this broker can use: one sentence that says what differs."""


class StreamFacts(NamedTuple):
    """What a stream said of itself.

    `epoch` is the name of the log: of the stream, of when it was made, and of its generation, which is raised when it
    has lost what it had acknowledged. `first` is `last` + 1 where it holds nothing. `settled`: all servers that keep it
    are there and have all of it, as far as the one that was asked knows.
    """

    name: str
    created: str
    generation: int
    replicas: int
    first: int
    last: int
    settled: bool = True

    @property
    def epoch(self) -> str:
        text = f"{self.name}\0{self.created}\0{self.generation}"
        return blake2b(text.encode(), digest_size=8).hexdigest()


def stream_name(space: str) -> str:
    """The name of a space's log. ValueError for what is no name of a space."""
    if not _SPACE.fullmatch(space):
        raise ValueError(f"expected a space of 1 to 64 letters, digits, _ or -, got {space[:100]!a}")
    return f"swarmwire_{space}_log"


def topic_prefix(space: str) -> bytes:
    """What the subjects of a space's topics begin with."""
    return f"swarmwire.{space}.e.".encode()


def description(generation: int) -> str:
    """What the log says of itself to people, and to brokers."""
    return f"swarmwire log, format {_FORMAT}, generation {generation}"


def log_config(space: str, keep: Keep, dedupe_ms: int) -> dict[str, Any]:
    """How the log of a space is made.

    The stream of a log of nothing holds the newest events nevertheless: brokers have to hear them. Where events are
    kept for less than `dedupe_ms`, keys of other brokers are forgotten with them.
    """
    keep = _kept(keep)
    duplicates_ms = max(dedupe_ms, _LEAST_DUPLICATES_MS)
    if keep.age_ms is not None:
        duplicates_ms = min(duplicates_ms, max(keep.age_ms, _LEAST_DUPLICATES_MS))
    return {
        "name": stream_name(space),
        "description": description(1),
        "subjects": [topic_prefix(space).decode() + ">"],
        "storage": "file",
        "retention": "limits",
        "discard": "old",
        "max_consumers": -1,
        "max_msgs": _limit(keep.events),
        "max_msgs_per_subject": -1,
        "max_bytes": _limit(keep.bytes),
        "max_age": 0 if keep.age_ms is None else max(keep.age_ms, _LEAST_DUPLICATES_MS) * 1_000_000,
        "max_msg_size": -1,
        "duplicate_window": duplicates_ms * 1_000_000,
    }


def turnover(keep: Keep) -> float:
    """Seconds in which the log cannot let go what it has just taken, however fast it is filled; never more than one."""
    keep = _kept(keep)
    seconds = [_LONGEST_TURNOVER]
    if keep.events is not None:
        seconds.append(keep.events / _FASTEST_EVENTS)
    if keep.bytes is not None:
        seconds.append(keep.bytes / _FASTEST_BYTES)
    if keep.age_ms is not None:
        seconds.append(keep.age_ms / 2_000)
    return min(seconds)


def _kept(keep: Keep) -> Keep:
    """What the stream keeps, so that a log which keeps this can be heard."""
    return Keep(_HEARD, None, keep.age_ms) if 0 in (keep.events, keep.bytes) else keep


def _limit(most: int | None) -> int:
    return -1 if most is None else most


def facts_of(answer: Mapping[str, Any]) -> StreamFacts:
    """What STREAM.INFO (or CREATE, or UPDATE) answered.

    Raises:
        EngineMismatch: it is not a log of this format.
    """
    config, state = answer["config"], answer["state"]
    found = _DESCRIPTION.fullmatch(config.get("description", ""))
    if found is None or int(found[1]) != _FORMAT:
        raise EngineMismatch(
            f"the stream {config['name']} is no log of swarmwire in format {_FORMAT}: "
            f"its description is {config.get('description', '')[:200]!r}"
        )
    last = state["last_seq"]
    first = state["first_seq"] if state["messages"] else last + 1
    others = (answer.get("cluster") or {}).get("replicas") or ()
    settled = len(others) + 1 >= config["num_replicas"] and all(
        one.get("current") and not one.get("offline") for one in others
    )
    return StreamFacts(config["name"], answer["created"], int(found[2]), config["num_replicas"], first, last, settled)


def check(wanted: Mapping[str, Any], found: Mapping[str, Any], *, replicas: int | None) -> None:
    """See that a stream is as it is wanted; what is false or not there is the same.

    Raises:
        EngineMismatch: it names all that differs.
    """
    names = [*(name for name in wanted if name not in _FREE), *(name for name in _FOREIGN if name not in wanted)]
    differ = [
        f"{name} is {found.get(name)!r} instead of {wanted.get(name)!r}"
        for name in names
        if (found.get(name) or None) != (wanted.get(name) or None)
    ]
    if replicas is not None and found["num_replicas"] != replicas:
        differ.append(f"num_replicas is {found['num_replicas']} instead of {replicas}")
    if differ:
        raise EngineMismatch(f"the stream {wanted['name']} is not as this broker is set up: {', '.join(differ)}")


async def ensure(
    js: JetStream, config: Mapping[str, Any], *, replicas: int | None, clustered: bool, timeout: float
) -> dict[str, Any]:
    """Find a stream or make it, and see that it is as it should be; tried again until the timeout (seconds) is over.

    Arguments:
        config: how it is made; its `num_replicas` is filled in, and its `description` may be found otherwise.
        replicas: how many servers keep it; None: three in a cluster, else one, and what is found is as good.

    Returns:
        What STREAM.INFO, or STREAM.CREATE, answered.

    Raises:
        EngineMismatch: it is there, and differs; or the servers cannot have it.
        LinkError: there was no answer in time.
    """
    over, pause = monotonic() + timeout, _PAUSE
    config = {**config, "num_replicas": replicas or (_CLUSTER_OF if clustered else 1)}
    while True:
        try:
            answer = await _found_or_made(js, config, max(over - monotonic(), _PAUSE))
        except LinkError as problem:
            if isinstance(problem, ApiError) and problem.err_code not in _PASSING:
                name = config["name"]
                raise EngineMismatch(f"the stream {name} cannot be had: {problem.description}") from None
            if monotonic() + pause > over:
                raise
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        else:
            check(config, answer["config"], replicas=replicas)
            return answer


async def _found_or_made(js: JetStream, config: Mapping[str, Any], timeout: float) -> dict[str, Any]:
    name = config["name"]
    try:
        return await js.ask(f"STREAM.INFO.{name}", timeout=timeout)
    except ApiError as problem:
        if problem.err_code != _NO_STREAM:
            raise
    try:
        return await js.ask(f"STREAM.CREATE.{name}", config, timeout=timeout)
    except ApiError as problem:
        if problem.err_code != _NAME_TAKEN:
            raise
    # Another broker was quicker, and is set up otherwise: `check` says how.
    return await js.ask(f"STREAM.INFO.{name}", timeout=timeout)


class LogStream:
    """The stream of a space.

    Arguments:
        replicas: how many servers keep it; None: three in a cluster, else one.

    Attributes:
        forgets_all: it may come to hold nothing by itself.
        turnover: see the function of this name.
    """

    def __init__(self, js: JetStream, space: str, keep: Keep, dedupe_ms: int, replicas: int | None = None) -> None:
        self.name = stream_name(space)
        self._js = js
        self._replicas = replicas
        self._config = log_config(space, keep, dedupe_ms)
        self.forgets_all = keep.age_ms is not None
        self.turnover = turnover(keep)

    async def open(self, *, clustered: bool, timeout: float) -> StreamFacts:
        """Find it or make it; see `ensure`."""
        return facts_of(
            await ensure(self._js, self._config, replicas=self._replicas, clustered=clustered, timeout=timeout)
        )

    async def ask(self, timeout: float) -> StreamFacts:
        """What it says of itself now.

        Raises:
            ApiError: with code 404 where it is gone.
            LinkError: there was no answer.
            EngineMismatch: another is there under its name.
        """
        return facts_of(await self._js.ask(f"STREAM.INFO.{self.name}", timeout=timeout))

    async def raise_generation(self, facts: StreamFacts, timeout: float) -> StreamFacts:
        """Make another log of it, by name: it has lost what it had acknowledged.

        Two brokers that find out together make one log of it, not two.
        """
        config = {
            **self._config,
            "num_replicas": facts.replicas,
            "description": description(facts.generation + 1),
        }
        return facts_of(await self._js.ask(f"STREAM.UPDATE.{self.name}", config, timeout=timeout))
