"""What the broker keeps of proposals and decisions, and of the votes on those that are open."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from swarmwire_channels import Ballot, Choice, EndReason, Quorum

__all__ = ["BallotCast", "ChoiceCast", "Poll", "Proposal", "Question"]


class Poll(Struct, kw_only=True, frozen=True):
    """Something that is voted on. Times are in milliseconds since 1970.

    Attributes:
        asker, scope: who asked, as it is shown (None: the broker's own process) and as it is compared.
        deadline: the time it was given, in milliseconds; None where votes alone decide.
        ended_at, reason: when and why it ended; None while it is open.
    """

    swarm_id: str
    item_id: str
    asker: str | None
    scope: str
    voters: list[str] | None
    asked_at: int
    deadline: int | None
    ended_at: int | None = None
    reason: EndReason | None = None

    @property
    def deadline_at(self) -> int | None:
        """When it ends at the latest."""
        return None if self.deadline is None else self.asked_at + self.deadline

    @property
    def electorate(self) -> int | None:
        """How many may vote; None where anyone may."""
        return None if self.voters is None else len(self.voters)

    @property
    def content(self) -> tuple[Any, ...]:
        """What was asked, and by whom: the same for a repeat."""
        return self.scope, self.voters, self.deadline


class Proposal(Poll, kw_only=True, frozen=True):
    """A proposal: `proposal` is JSON as it came. `accepted` and `votes` are known once it has ended."""

    proposal: bytes
    quorum: Quorum
    accepted: bool | None = None
    votes: list[Ballot] = []

    @property
    def content(self) -> tuple[Any, ...]:
        return *super().content, self.proposal, self.quorum


class Question(Poll, kw_only=True, frozen=True):
    """A decision. `selected` (None: no option was) and `votes` are known once it has ended."""

    question: str
    options: list[str]
    selected: str | None = None
    confidence: float | None = None
    votes: list[Choice] = []

    @property
    def content(self) -> tuple[Any, ...]:
        return *super().content, self.question, self.options


class BallotCast(Struct, frozen=True):
    """A vote on an open proposal, the `place`th of its votes."""

    place: int
    vote: Ballot


class ChoiceCast(Struct, frozen=True):
    """A choice in an open decision, the `place`th of its votes."""

    place: int
    vote: Choice
