"""How long the log keeps what: rules by pattern, and what they have let go so far.

The first rule whose pattern matches a topic decides for it; topics that none matches fall under the default. Of each
rule the oldest events go first, so what a rule has let go is everything up to one place, its floor.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

from swarmwire_protocol.topics import contains, is_reserved, matches

from .base import Evicted
from .entry import Entry
from .matcher import Matcher

__all__ = ["DEFAULT_RULE", "Floors", "Keep", "Kept", "overlap", "rule_of"]

DEFAULT_RULE: Final = ""
"""What stands for the pattern of the rule that is left when no other matches."""

_REMEMBERED: Final = 1_024
_Names: TypeAlias = tuple[tuple[str, ...], tuple[str, ...]]


class Keep(NamedTuple):
    """What a rule holds at most; None where there is no limit."""

    events: int | None = None
    bytes: int | None = None
    age_ms: int | None = None


class Kept(NamedTuple):
    """Where a rule stands: nothing of it is held up to `floor`, and after it so many events and bytes."""

    pattern: str
    floor: int
    events: int
    bytes: int


class _Meeting(NamedTuple):
    """The rules that may have kept events of some patterns: at any time, and since the rules are what they are."""

    ever: tuple[int, ...]
    now: tuple[int, ...]


class Floors:
    """What each rule has let go, as readers must know it.

    Arguments:
        rules: where each rule stands, by its number; 0 is the default.
        patterns: the rules in force with their numbers, in order.
        since: the place from which on events were stored by these rules.
    """

    def __init__(self, rules: Mapping[int, Kept], patterns: Sequence[tuple[str, int]] = (), since: int = 0) -> None:
        self._rules = dict(rules)
        self._patterns = patterns
        self._since = since
        self._met: dict[_Names, _Meeting] = {}

    @property
    def events(self) -> int:
        """Events held under all rules."""
        return sum(rule.events for rule in self._rules.values())

    @property
    def bytes(self) -> int:
        """What these take, with their bookkeeping."""
        return sum(rule.bytes for rule in self._rules.values())

    @property
    def is_single(self) -> bool:
        """Whether the default is the only rule there is."""
        return len(self._rules) == 1

    def holds(self, entry: Entry) -> bool:
        """Whether an entry's rule has not let it go."""
        return entry.seq > self._rules[rule_of(self._patterns, entry.topic)].floor

    def told(self, rules: Mapping[int, Kept]) -> None:
        """Take over where rules stand now. A floor never falls."""
        for number, kept in rules.items():
            floor = max(kept.floor, self._rules[number].floor)
            self._rules[number] = kept._replace(floor=floor)

    def raise_to(self, floors: Mapping[int, int]) -> None:
        """Take over floors alone."""
        for number, floor in floors.items():
            known = self._rules.get(number)
            if known is not None and floor > known.floor:
                self._rules[number] = known._replace(floor=floor)

    def lowest(self, head: int) -> int:
        """The place up to which nothing at all is held."""
        return min((rule.floor for rule in self._rules.values() if rule.events), default=head)

    def evicted(self, matcher: Matcher) -> Evicted:
        """What these patterns may have lost."""
        if len(self._rules) == 1:
            (rule,) = self._rules.values()
            return Evicted(rule.floor, rule.floor)
        meeting = self._meeting(matcher)
        ever = max(self._rules[number].floor for number in meeting.ever)
        partly = max(min(ever, self._since), *(self._rules[number].floor for number in meeting.now))
        held = [self._rules[number] for number in meeting.ever if self._rules[number].events]
        return Evicted(min((rule.floor for rule in held if rule.floor < partly), default=partly), partly)

    def _meeting(self, matcher: Matcher) -> _Meeting:
        names = (matcher.literals, matcher.wildcards)
        known = self._met.get(names)
        if known is None:
            if len(self._met) >= _REMEMBERED:
                self._met.clear()
            known = self._met[names] = self._meet([*matcher.literals, *matcher.wildcards])
        return known

    def _meet(self, wanted: list[str]) -> _Meeting:
        ever = [
            number
            for number, rule in self._rules.items()
            if rule.pattern == DEFAULT_RULE or any(overlap(rule.pattern, pattern) for pattern in wanted)
        ]
        return _Meeting(
            tuple(ever), tuple({number for pattern in wanted for number in self._deciding(pattern)}) or (0,)
        )

    def _deciding(self, wanted: str) -> Iterator[int]:
        """The rules in force that decide for topics of a pattern."""
        for pattern, number in self._patterns:
            if overlap(pattern, wanted):
                yield number
            if contains(pattern, wanted):
                return
        yield 0


def rule_of(patterns: Iterable[tuple[str, int]], topic: str) -> int:
    """The number of the first rule that matches a topic; 0, the default, if none does."""
    for pattern, number in patterns:
        if matches(pattern, topic):
            return number
    return 0


def overlap(one: str, other: str) -> bool:
    """Whether there may be a topic that both patterns match."""
    first, second = one.split("."), other.split(".")
    for pattern, wild in ((one, second), (other, first)):
        if is_reserved(pattern) and wild[0] in ("*", "#"):
            return False
    seen: set[tuple[int, int]] = set()
    work = [(0, 0)]
    while work:
        place = work.pop()
        if place in seen:
            continue
        seen.add(place)
        if place == (len(first), len(second)):
            return True
        work += _onwards(first, second, *place)
    return False


def _onwards(first: list[str], second: list[str], i: int, j: int) -> list[tuple[int, int]]:
    """The places that two patterns, read up to `i` and `j`, can go on to together."""
    left = first[i] if i < len(first) else None
    right = second[j] if j < len(second) else None
    ways = []
    if left == "#":
        ways.append((i + 1, j))
        if right is not None:
            ways.append((i, j + 1))
    if right == "#":
        ways.append((i, j + 1))
        if left is not None:
            ways.append((i + 1, j))
    if None not in (left, right) and "#" not in (left, right) and (left == right or "*" in (left, right)):
        ways.append((i + 1, j + 1))
    return ways
