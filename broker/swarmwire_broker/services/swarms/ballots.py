"""Counting: what votes come to, as plain functions of the votes alone, in whatever order they came.

An abstention takes its voter out of the count: the rules of a quorum are about those who said yes or no, and where the
voters are known, about those too who have not voted, as if they had said no.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from fractions import Fraction
from statistics import mean
from types import MappingProxyType
from typing import Final, NamedTuple

from swarmwire_channels import Choice, DecisionResult, Quorum, Threshold, VoteValue

__all__ = ["Count", "Rule", "count", "is_accepted", "outcome", "rule_of", "selected", "winner"]


class Rule(NamedTuple):
    """What a proposal needs to be accepted: `votes` yes votes, or a `share` of the count, or more than it."""

    votes: int | None = None
    share: Fraction = Fraction(0)
    is_more: bool = False


_NAMED: Final = MappingProxyType(
    {
        "majority": Rule(share=Fraction(1, 2), is_more=True),
        "two-thirds": Rule(share=Fraction(2, 3)),
        "unanimous": Rule(share=Fraction(1)),
    }
)


def rule_of(quorum: Quorum) -> Rule:
    """The rule that a quorum stands for.

    Raises:
        ValueError: a threshold that names neither votes nor a share, or both.
    """
    match quorum:
        case Threshold(votes=int(votes), share=None):
            return Rule(votes=votes)
        case Threshold(votes=None, share=float(share)):
            return Rule(share=Fraction(repr(share)))  # the share as it is written: 0.1 is a tenth
        case Threshold():
            raise ValueError("Expected either votes or a share.")
        case name:
            return _NAMED[name]


# ---- Yes, no, abstain


class Count(NamedTuple):
    """How many votes of each sort there are."""

    yes: int = 0
    no: int = 0
    abstain: int = 0


def count(votes: Iterable[VoteValue]) -> Count:
    """Count votes, one a voter."""
    numbers = Counter(votes)
    return Count(numbers["yes"], numbers["no"], numbers["abstain"])


def is_accepted(rule: Rule, votes: Count, voters: int | None) -> bool:
    """Whether these votes are enough if no other comes; `voters` is how many may vote, None where anyone may.

    Without a single yes nothing is accepted.
    """
    silent = 0 if voters is None else voters - sum(votes)
    return votes.yes > 0 and _meets(rule, votes.yes, votes.yes + votes.no + silent)


def outcome(rule: Rule, votes: Count, voters: int | None) -> bool | None:
    """Whether it is accepted or rejected whatever votes may come still; None while either is possible."""
    if voters is None:
        # Any number of votes may come still, so only a number of yes votes can be final.
        return True if rule.votes is not None and votes.yes >= rule.votes else None
    if is_accepted(rule, votes, voters):
        return True  # the silent count as no, and nothing else they could do is worse
    silent = voters - sum(votes)
    return None if is_accepted(rule, votes._replace(yes=votes.yes + silent), voters) else False


def _meets(rule: Rule, yes: int, of: int) -> bool:
    if rule.votes is not None:
        return yes >= rule.votes
    needed = rule.share * of
    return yes > needed if rule.is_more else yes >= needed


# ---- One of several options


def selected(options: Sequence[str], choices: Collection[Choice]) -> DecisionResult | None:
    """The option with most votes, None where nobody voted.

    Of several with as many, the one whose voters were surer on average; then the one that is named first.
    """
    if not choices:
        return None
    votes = Counter(choice.option for choice in choices)
    most = max(votes.values())
    given = _sureness(choices)
    sureness = {option: _mean(given.get(option)) for option in options if votes[option] == most}
    best = max(sureness, key=lambda option: _or_least(sureness[option]))
    return DecisionResult(selected_option=best, confidence=sureness[best])


def winner(options: Sequence[str], choices: Collection[Choice], voters: int | None) -> str | None:
    """The option that is selected whatever votes may come still; None while another is possible."""
    if voters is None or not choices:
        return None
    votes = Counter(choice.option for choice in choices)
    silent = voters - len(choices)
    if not silent:
        result = selected(options, choices)
        return None if result is None else result.selected_option
    first, *others = votes.most_common(2)
    second = others[0][1] if others else 0
    return first[0] if first[1] - second > silent or len(options) == 1 else None


def _sureness(choices: Iterable[Choice]) -> dict[str, list[float]]:
    """How sure the voters of each option said they were."""
    given: dict[str, list[float]] = {}
    for choice in choices:
        if choice.confidence is not None:
            given.setdefault(choice.option, []).append(choice.confidence)
    return given


def _mean(given: Sequence[float] | None) -> float | None:
    return float(mean(given)) if given else None  # exact inside, so the order of votes does not show


def _or_least(confidence: float | None) -> float:
    return -1.0 if confidence is None else confidence
