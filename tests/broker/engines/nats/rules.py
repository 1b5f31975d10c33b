"""What NATS says of subjects and filters, written down naively, and topics with all that is special to it."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from swarmwire_broker.engines.nats.subjects import Filter

__all__ = ["SEGMENTS", "matches_filter", "overlap", "patterns", "topics"]

SEGMENTS = ["a", "b", "a*", "*a", ">", ">>", ">a", "^", "^1", "é"]

topics = st.lists(st.sampled_from([*SEGMENTS, "$sys"]), min_size=1, max_size=4).map(".".join)
patterns = st.lists(st.sampled_from(["*", "#", "*", "#", *SEGMENTS]), min_size=1, max_size=4).map(".".join)


def matches_filter(filter: Sequence[str], subject: Sequence[str]) -> bool:
    """The rule of the server: `*` is one token, `>` at the end one or more, and both only as a whole token."""
    for place, token in enumerate(filter):
        if token == ">" and place == len(filter) - 1:
            return len(subject) > place
        if place >= len(subject) or token not in ("*", subject[place]):
            return False
    return len(filter) == len(subject)


def overlap(one: Filter, other: Filter) -> bool:
    """Whether some subject is matched by both."""
    if not one or not other:
        return one == other
    if one[0] == ">" or other[0] == ">":
        return True
    return (one[0] == other[0] or "*" in (one[0], other[0])) and overlap(one[1:], other[1:])
