"""Which case runs over which transport, and where one cannot, why."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeVar

import pytest

from .ways import WAYS

__all__ = ["CASES", "TESTS", "Case", "document", "over", "ways_of"]

_Test = TypeVar("_Test", bound=Callable[..., Any])

_IN_THE_PATH = "the version of HTTP's routes stands in their path"
_WITH_EACH = "every request brings its own login, so that none comes before or twice"
_MADE_FROM_MESSAGES = "its requests are made from messages, and what is none cannot be asked"
_NOT_CALLED = "a request cannot be called; over HTTP one calls, and is not called"
_NO_SDK = "the SDK speaks frames where it has the choice; lines are for scripts"
_THE_SERVERS = "what comes before the upgrade belongs to the ASGI server"
_WHOLE_MESSAGES = "the ASGI server hands over whole messages; `oversize` has one"
_SAME_AS_FRAMES = "the first bytes decide between frames and lines; what is neither is a case of frames"


class Case(NamedTuple):
    """What is tested, and where it is not: the reason by transport."""

    sentence: str
    without: Mapping[str, str] = MappingProxyType({})


CASES: Final[dict[str, Case]] = {
    "handshake": Case("a hello is answered by a welcome that says who the client is"),
    "versions": Case("the highest version that both know is chosen", {"http": _IN_THE_PATH}),
    "unknown_version": Case("no version in common is one error and a close", {"http": _IN_THE_PATH}),
    "no_hello": Case("what comes before a hello is refused and has no effect", {"http": _WITH_EACH}),
    "second_hello": Case("a second hello is an error, and the connection goes on", {"http": _WITH_EACH}),
    "subscribe_and_publish": Case("what one publishes another gets, in order, and both learn its place"),
    "echo": Case("a publisher can keep an event from itself"),
    "refused_publish": Case("a bad publish is an error with its request's id and the field"),
    "resume": Case("a lost connection goes on behind its cursor, again and again"),
    "latest": Case("`latest` is the last event of each topic"),
    "gap": Case("what the log has let go of is a gap with exactly that range"),
    "slow_reader": Case("who does not read holds up nobody, is not kept in memory, and misses nothing"),
    "oversize": Case("a message over the limit is one error; of a connection, the last"),
    "no_json": Case("what is no message is one error each, and the connection goes on", {"http": _MADE_FROM_MESSAGES}),
    "call": Case("a method of the broker is called: its answer, its errors, and what does not fit it"),
    "stream": Case("streamed replies come in order, and their end behind them"),
    "call_given_up": Case("a call that is given up, or whose caller vanishes, is cancelled where it runs"),
    "call_timeout": Case("a call ends at its deadline"),
    "handler": Case("a client answers calls of others, with replies, streams and errors", {"http": _NOT_CALLED}),
    "handler_gone": Case("a handler that vanishes fails its calls at once", {"http": _NOT_CALLED}),
    "drain": Case("a stopping broker says bye, with advice when to come back"),
    "reconnect": Case("the SDK comes back after each restart, and misses and doubles nothing", {"lines": _NO_SDK}),
    "apart": Case("two brokers do not meet"),
    "no_memory": Case("connections that came and went leave nothing in memory"),
    "wrong_beginning": Case("who begins as no client does is told once, and cut", {"lines": _SAME_AS_FRAMES}),
    "length_over_the_limit": Case(
        "a length over the limit is one error and a close, before its bytes come", {"asgi": _WHOLE_MESSAGES}
    ),
    "half_a_beginning": Case("half a beginning, then silence, is closed in time", {"asgi": _THE_SERVERS}),
    "half_a_message": Case("half a message, then silence, is closed in time"),
    "glued": Case("two messages in one piece are two messages"),
    "thousand_pieces": Case("a message in a thousand pieces is one message"),
    "junk": Case("binary junk is one error and a close (the close alone where an ASGI server reads it first)"),
}


TESTS: Final[dict[str, list[str]]] = {}
"""The tests of each case, as far as their modules were imported."""


def ways_of(case: str) -> list[str]:
    """The transports that can have this case."""
    return [way for way in WAYS if way not in CASES[case].without]


def over(case: str) -> Callable[[_Test], _Test]:
    """Run a test over every transport that can have this case."""

    def decorate(test: _Test) -> _Test:
        TESTS.setdefault(case, []).append(test.__name__)
        marked: _Test = pytest.mark.parametrize("way", ways_of(case))(test)
        return marked

    return decorate


def document() -> str:
    """The table for people."""
    lines = [f"| case | {' | '.join(WAYS)} |", f"|---|{'---|' * len(WAYS)}"]
    reasons: list[str] = []
    for case in CASES.values():
        cells = []
        for way in WAYS:
            reason = case.without.get(way)
            if reason is not None and reason not in reasons:
                reasons.append(reason)
            cells.append("yes" if reason is None else f"({reasons.index(reason) + 1})")
        lines.append(f"| {case.sentence} | {' | '.join(cells)} |")
    lines += ["", *(f"- `{name}`: {way.sentence}" for name, way in WAYS.items()), ""]
    return "\n".join([*lines, *(f"- ({number}) {reason}" for number, reason in enumerate(reasons, 1))])
