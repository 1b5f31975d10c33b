"""Topic matching by itself: 100,000 wildcard patterns, at most ten of which match, against decoding the publish."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable
from typing import Final

from swarmwire_broker.core.router import Router
from swarmwire_protocol.codec import decode_from_client

__all__ = ["PATTERNS", "Holder", "measure", "patterns", "topics"]

PATTERNS: Final = 100_000

_SHAPES: Final = ("agent.a{0}.*.status", "agent.a{0}.#", "agent.*.s{0}.status", "*.a{0}.*.status", "#.s{0}.status")
_SHARED: Final = ("agent.*.*.status", "agent.#", "*.*.*.status", "#.status", "agent.*.#")
_TOPICS: Final = 10_000
_REPEATS: Final = 5


class Holder:
    """Who holds a pattern."""

    shared = True


def patterns() -> list[str]:
    """100,000 different patterns, each with a wildcard."""
    own = (PATTERNS - len(_SHARED)) // len(_SHAPES)
    numbered = [shape.format(n) for n in range(own) for shape in _SHAPES]
    numbered += [f"rest.*.{n}" for n in range(PATTERNS - len(_SHARED) - len(numbered))]
    return [*numbered, *_SHARED]


def topics() -> list[str]:
    """Topics of four segments, that ten of the patterns match."""
    return [f"agent.a{n}.s{n}.status" for n in range(_TOPICS)]


def measure() -> dict[str, float | None]:
    """Microseconds for a topic seen for the first time, for one seen before, and for decoding its publish of 128 B."""
    router = Router(max_topics=_TOPICS)
    for pattern in patterns():
        router.add(pattern, Holder())
    names = topics()
    gc.collect()
    uncached = _microseconds(router.route, names)
    cached = min(_microseconds(router.route, names) for _ in range(_REPEATS))
    publishes = [_publish(name) for name in names]
    decode = min(_microseconds(decode_from_client, publishes) for _ in range(_REPEATS))
    most = max(len(router.route(name).nodes) for name in names)
    return {"uncached_us": uncached, "cached_us": cached, "decode_us": decode, "matches": float(most)}


def _publish(topic: str) -> bytes:
    data = b'{"t":"@ts=0000000000000000000:0000000000","p":"%b"}' % (b"x" * 79)
    return b'{"type":"publish","topic":"%b","data":%b}' % (topic.encode(), data)


def _microseconds(call: Callable[..., object], values: Iterable[object]) -> float:
    held = list(values)
    start = time.perf_counter()
    for value in held:
        call(value)
    return (time.perf_counter() - start) / len(held) * 1e6
