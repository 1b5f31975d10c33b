"""Topics as NATS subjects, and patterns as the filters that a JetStream consumer understands.

A topic is its subject behind a prefix, which ends with a dot. NATS knows `*` as Swarmwire does, and `>` for one or
more segments at the end. Within a longer token both are ordinary characters by its rules, and yet servers take a part
of such tokens for wildcards (2.9 gives too much then, 2.15 too little); so no subject has them: they are escaped.
"""

from __future__ import annotations

import re
from typing import Final, TypeAlias

from swarmwire_protocol.errors import SwarmwireError
from swarmwire_protocol.topics import check_topic

__all__ = ["Filter", "Subjects", "filters_of", "tokens_of"]

Filter: TypeAlias = "tuple[str, ...]"
"""A filter as its tokens, without the prefix: `*` stands for one token, a `>` at the end for one or more."""

_MANY: Final = "#"
_REST: Final = ">"
_WILDCARDS: Final = frozenset("*#")

_SPECIAL: Final = re.compile(r"[\^*>]")
_ESCAPED: Final = re.compile(r"\^[012]")
_ESCAPES: Final = {"^": "^0", "*": "^1", ">": "^2"}
_MEANINGS: Final = {escape: character for character, escape in _ESCAPES.items()}


class Subjects:
    """The subjects of one log: those that begin with a prefix, which ends with a dot.

    Attributes:
        everything: the filter that all of them match.
        nothing: a filter that none ever matches, for who must name one.
    """

    def __init__(self, prefix: bytes) -> None:
        self.prefix = prefix
        self.everything = prefix + b">"
        self.nothing = prefix + b"#"  # an ordinary token to NATS, and no segment of any topic

    def subject(self, topic: str) -> bytes:
        """Where the events of a topic are published."""
        return self.prefix + _escaped(topic).encode()

    def topic(self, subject: bytes) -> str | None:
        """The topic that has this subject; None if none has."""
        try:
            topic = _unescaped(subject.removeprefix(self.prefix).decode())
            check_topic(topic)
        except (UnicodeDecodeError, SwarmwireError):
            return None
        return topic if self.subject(topic) == subject else None

    def filter(self, tokens: Filter) -> bytes:
        """A filter as the server wants it."""
        return self.prefix + ".".join(tokens).encode()


def tokens_of(topic: str) -> Filter:
    """The tokens of a topic's subject: the filter that matches this topic alone."""
    return tuple(_escaped(topic).split("."))


def filters_of(pattern: str) -> tuple[Filter, ...]:
    """The filters that together match every topic that a pattern matches, and others only for a `#` inside it."""
    segments = pattern.split(".")
    tokens = tuple(one if one in _WILDCARDS else _escaped(one) for one in segments)
    if _MANY not in tokens:
        return (tokens,)
    place = tokens.index(_MANY)
    before = tokens[:place]
    everything_below = (*before, _REST)
    is_trailing = all(token == _MANY for token in tokens[place:])
    return (before, everything_below) if before and is_trailing else (everything_below,)


def _escaped(text: str) -> str:
    return _SPECIAL.sub(lambda found: _ESCAPES[found[0]], text)


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda found: _MEANINGS[found[0]], text)
