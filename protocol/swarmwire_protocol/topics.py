"""Topics and patterns: their grammar, which topics a pattern matches, and which patterns contain which.

A topic is segments joined by `.`: `agent.a1.status`. In a pattern the segment `*` stands for exactly one
segment and `#` for any number of them, none included. Topics whose first segment begins with `$` are the
broker's own: no pattern with a wildcard in first place matches them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple, NoReturn
from urllib.parse import unquote

from .errors import ErrorCode, SwarmwireError

__all__ = [
    "MAX_CONTAINMENT_STATES",
    "MAX_SEGMENTS",
    "MAX_TOPIC_BYTES",
    "check_pattern",
    "check_topic",
    "contains",
    "decode_segment",
    "encode_segment",
    "is_literal",
    "is_reserved",
    "matches",
]

MAX_TOPIC_BYTES = 512
"""The longest topic or pattern, in bytes of UTF-8."""

MAX_SEGMENTS = 32
"""The most segments of a topic or pattern."""

MAX_CONTAINMENT_STATES = 20_000
"""How much `contains` looks at before it gives up and says no."""

_ONE, _MANY = "*", "#"
_WILDCARDS = (_ONE, _MANY)

# What nearly every topic looks like: no wildcards, and nothing that could be wrong but the length.
_PLAIN_SEGMENT = r"[0-9A-Za-z_$:/@%+~=-]+"
_PLAIN = re.compile(rf"{_PLAIN_SEGMENT}(?:\.{_PLAIN_SEGMENT}){{0,{MAX_SEGMENTS - 1}}}")

# White space as str.isspace() has it, and the category Cc.
_FORBIDDEN = re.compile(r"[\s\x00-\x1f\x7f-\x9f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_TO_ENCODE = re.compile(r"[.%\s\x00-\x1f\x7f-\x9f]|\A\$|\A[*#]\Z")


# ---- Grammar


def check_topic(topic: str) -> None:
    """Raise INVALID_TOPIC unless this is a topic that can be published on, reserved ones included."""
    if len(topic) <= MAX_TOPIC_BYTES and _PLAIN.fullmatch(topic):
        return
    for segment in _checked_segments(topic, "topic"):
        if segment in _WILDCARDS:
            _refuse(f"A topic has no wildcards; this one has the segment {segment}.")


def check_pattern(pattern: str) -> None:
    """Raise INVALID_TOPIC unless this is a pattern that can be subscribed to; every topic is one."""
    if len(pattern) <= MAX_TOPIC_BYTES and _PLAIN.fullmatch(pattern):
        return
    _checked_segments(pattern, "pattern")


def is_reserved(topic_or_pattern: str) -> bool:
    """Whether the first segment begins with `$`, so that only the broker publishes there."""
    return topic_or_pattern.startswith("$")


def is_literal(pattern: str) -> bool:
    """Whether the pattern has no wildcards, so that the one topic it matches is itself."""
    return not any(segment in _WILDCARDS for segment in pattern.split("."))


def _checked_segments(text: str, kind: str) -> list[str]:
    _check_size(text, kind)
    segments = text.split(".")
    if len(segments) > MAX_SEGMENTS:
        _refuse(f"A {kind} has at most {MAX_SEGMENTS} segments; this one has {len(segments)}.")
    if "" in segments:
        place = segments.index("") + 1
        _refuse(f"A {kind} has no empty segments; segment {place} of {len(segments)} is empty.")
    if bad := _FORBIDDEN.search(text):
        _refuse(f"A {kind} has no white space and no control characters; this one has {_name(bad)}.")
    return segments


def _check_size(text: str, kind: str) -> None:
    if not text:
        _refuse(f"A {kind} has 1 to {MAX_SEGMENTS} segments; this one is empty.")
    if len(text) > MAX_TOPIC_BYTES:  # before encoding, so that a huge one costs nothing
        _refuse(f"A {kind} has at most {MAX_TOPIC_BYTES} bytes; this one has {len(text)} characters.")
    if bad := _SURROGATE.search(text):
        _refuse(f"A {kind} is valid Unicode; this one has the lone surrogate {_name(bad)}.")
    if (size := len(text.encode())) > MAX_TOPIC_BYTES:
        _refuse(f"A {kind} has at most {MAX_TOPIC_BYTES} bytes; this one has {size}.")


def _name(found: re.Match[str]) -> str:
    return f"U+{ord(found[0]):04X} at character {found.start() + 1}"


def _refuse(sentence: str) -> NoReturn:
    raise SwarmwireError(ErrorCode.INVALID_TOPIC, sentence)


# ---- Matching


def matches(pattern: str, topic: str) -> bool:
    """Whether the pattern matches the topic; both are taken to be valid.

    Takes at worst as many steps as the pattern has segments times those of the topic.
    """
    wanted, got = pattern.split("."), topic.split(".")
    if wanted[0] in _WILDCARDS and is_reserved(topic):
        return False
    at, many, resume, place = 0, -1, 0, 0
    while place < len(got):
        segment = wanted[at] if at < len(wanted) else None
        if segment == _MANY:
            many, resume = at, place
            at += 1
        elif segment == _ONE or segment == got[place]:
            at, place = at + 1, place + 1
        elif many >= 0:  # let the latest `#` take one segment more; an earlier one could do nothing better
            resume += 1
            at, place = many + 1, resume
        else:
            return False
    return all(segment == _MANY for segment in wanted[at:])


# ---- Containment


def contains(outer: str, inner: str) -> bool:
    """Whether every topic that `inner` matches is matched by `outer` too; both are taken to be valid.

    The answer is exact, with one exception: a pair of patterns so entangled that more than
    `MAX_CONTAINMENT_STATES` states would have to be looked at is answered with False, the safe side where
    this decides what is allowed. The limits on the length of topics play no part: `*.#` contains `#`.
    """
    first = inner.split(".", 1)[0]
    if is_reserved(first) and outer.split(".", 1)[0] in _WILDCARDS:
        return False
    search = _Search(_Automaton(_collapsed(outer)), _collapsed(inner), first in _WILDCARDS)
    spot = _Spot(0, search.outer.settle(1), False)
    seen, todo = {spot}, [spot]
    while todo:
        spot = todo.pop()
        if search.is_counterexample(spot) or len(seen) > MAX_CONTAINMENT_STATES:
            return False
        fresh = [after for after in search.moves(spot) if after not in seen]
        seen.update(fresh)
        todo.extend(fresh)
    return True


def _collapsed(pattern: str) -> list[str]:
    """The segments, with each run of `#` made one."""
    segments = pattern.split(".")
    return [
        segment
        for place, segment in enumerate(segments)
        if segment != _MANY or place == 0 or segments[place - 1] != _MANY
    ]


class _Automaton:
    """A pattern read segment by segment, in all possible ways at once.

    State n is: the first n segments of the pattern are used up. A set of states is an int, state n its bit n.
    """

    def __init__(self, segments: list[str]) -> None:
        self.end = 1 << len(segments)
        self._many = 0
        self._takes: dict[str, int] = {_ONE: 0}
        for place, segment in enumerate(segments):
            if segment == _MANY:
                self._many |= 1 << place
            else:
                self._takes[segment] = self._takes.get(segment, 0) | 1 << place

    def step(self, states: int, segment: str | None) -> int:
        """The states after one more segment of a topic; None is one that the pattern does not name."""
        taken = self._takes[_ONE]
        if segment is not None:
            taken |= self._takes.get(segment, 0)
        return self.settle((states & taken) << 1 | states & self._many)

    def settle(self, states: int) -> int:
        """Add what can be reached without a segment, and leave out what makes no difference.

        What stands before a `#` makes none: whatever it could lead to, the `#` leads to as well.
        """
        states |= (states & self._many) << 1
        latest = 1 << (states & self._many).bit_length() >> 1
        return states & -latest if latest else states


class _Spot(NamedTuple):
    """A place in the search: the next segment of inner, outer's states, whether the topic has begun."""

    place: int
    states: int
    begun: bool


class _Search(NamedTuple):
    """The search for a topic that inner matches and outer does not.

    Where inner has a wildcard, a segment that outer does not name stands for all: if outer takes that one, it
    does so by a wildcard, which takes every other as well.
    """

    outer: _Automaton
    inner: list[str]
    spares_reserved: bool  # inner begins with a wildcard, so it matches no topic that begins with `$`

    def is_counterexample(self, spot: _Spot) -> bool:
        """Whether inner can end here, or somewhere behind, with a topic that outer does not match."""
        if spot.place == len(self.inner):
            return spot.begun and not spot.states & self.outer.end  # there is no topic without segments
        return not spot.states

    def moves(self, spot: _Spot) -> Iterator[_Spot]:
        if spot.place == len(self.inner):
            return
        segment, further = self.inner[spot.place], spot.place + 1
        if segment == _MANY:
            yield spot._replace(place=further)
            yield _Spot(spot.place, self.outer.step(spot.states, None), True)
        elif segment == _ONE:
            yield _Spot(further, self.outer.step(spot.states, None), True)
        elif spot.begun or not (self.spares_reserved and is_reserved(segment)):
            yield _Spot(further, self.outer.step(spot.states, segment), True)


# ---- Segments from any text


def encode_segment(text: str) -> str:
    """Any text as one segment of a topic: `gpt-4.1` becomes `gpt-4%2E1`.

    Each text has exactly one such segment, and a text that needs no encoding is its own. The length is not
    limited here: the topic made of it is to be checked.

    Raises INVALID_TOPIC for the empty text and for one with a lone surrogate.
    """
    if not text:
        _refuse("A segment has at least one character; this text is empty.")
    if bad := _SURROGATE.search(text):
        _refuse(f"A segment is valid Unicode; this text has the lone surrogate {_name(bad)}.")
    return _TO_ENCODE.sub(lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), text)


def decode_segment(segment: str) -> str:
    """The text that `encode_segment` made this segment of.

    Raises INVALID_TOPIC for what `encode_segment` never makes, `100%` or `%61`: were these read too, one id
    could hide behind several topics.
    """
    try:
        text = unquote(segment, errors="strict")
    except UnicodeDecodeError:
        _refuse(f"A segment encodes valid UTF-8; {segment!r} does not.")
    if encode_segment(text) != segment:
        _refuse(f"A segment encodes what needs it and nothing else, as in 'gpt-4%2E1'; {segment!r} does not.")
    return text
