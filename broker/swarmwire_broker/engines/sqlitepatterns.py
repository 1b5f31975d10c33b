"""Patterns in SQLite's words: conditions that let through every topic that matches, and perhaps others.

They are to save work; what they let through is asked of a `Matcher`.
"""

from __future__ import annotations

import re
from typing import Final

from .matcher import Matcher

__all__ = ["glob", "like", "topic_range"]

_GLOBS: Final = 8
"""Up to so many patterns are given to SQLite to filter by."""
_WILD: Final = ("*", "#")
_SPECIAL: Final = re.compile(r"[*?\[]")


def glob(pattern: str) -> str:
    """What GLOB takes for a pattern: it lets through all topics that match, and perhaps others."""
    segments = pattern.split(".")
    text = ".".join("*" if one in _WILD else _SPECIAL.sub(r"[\g<0>]", one) for one in segments)
    # `#` may stand for no segment at all, and takes its dot with it.
    return text.replace("*.", "*").replace(".*", "*") if "#" in segments else text


def like(matcher: Matcher) -> tuple[str, list[str]]:
    """A condition on `topic` that is true of all that match, and its values from ?5 on; none if it would not help."""
    globs = [glob(pattern) for pattern in (*matcher.literals, *matcher.wildcards)]
    if len(globs) > _GLOBS or "*" in globs:
        return "1", []
    return " OR ".join(f"topic GLOB ?{number}" for number in range(5, 5 + len(globs))), globs


def topic_range(pattern: str) -> tuple[str, str | bytes]:
    """From where to where in their order the topics lie that a pattern may match."""
    segments = pattern.split(".")
    wild = next(index for index, one in enumerate(segments) if one in _WILD)
    prefix = "".join(one + "." for one in segments[:wild])
    if segments[wild] == "#":
        prefix = prefix[:-1]
    if not prefix or prefix[-1] >= "\ud7ff":
        return prefix, b""  # to SQLite any bytes lie behind any text
    return prefix, prefix[:-1] + chr(ord(prefix[-1]) + 1)
