"""What the broker answers to calls about votes: where a proposal or a decision stands, and how a vote was taken.

Names are snake_case here and on the wire, as in all calls. Times are in milliseconds since 1970, by the broker's clock.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from .swarm_records import Ballot, Choice, ConsensusStage, DecisionStage, EndReason, Quorum, VoteValue

__all__ = ["Chosen", "DecisionStanding", "ProposalStanding", "Voted"]


class _Standing(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """What proposals and decisions have in common. `duplicate`: it was there already when it was asked for."""

    swarm_id: str
    asked_at: int
    voters: list[str] | None = None
    deadline_at: int | None = None
    ended_at: int | None = None
    reason: EndReason | None = None
    duplicate: bool = False


class ProposalStanding(_Standing, kw_only=True, frozen=True):
    """Where a proposal stands; `votes` are in the order in which they came."""

    proposal_id: str
    type: ConsensusStage
    proposer: str | None = None
    quorum: Quorum
    votes_for: int
    votes_against: int
    abstentions: int
    votes: list[Ballot]
    proposal: Any = None

    @property
    def accepted(self) -> bool | None:
        """What was decided; None while it is open."""
        return {"accepted": True, "rejected": False}.get(self.type)


class DecisionStanding(_Standing, kw_only=True, frozen=True):
    """Where a decision stands; `votes` are in the order in which they came."""

    decision_id: str
    type: DecisionStage
    asker: str | None = None
    question: str
    options: list[str]
    votes: list[Choice]
    selected_option: str | None = None
    confidence: float | None = None


class Voted(Struct, kw_only=True, frozen=True):
    """A vote was counted, or was the same as the voter's first (`duplicate`); `type` is where the proposal stands."""

    voter: str
    vote: VoteValue
    type: ConsensusStage
    duplicate: bool


class Chosen(Struct, kw_only=True, frozen=True):
    """A choice was counted, or was the same as the voter's first (`duplicate`); `type` is where the decision stands."""

    voter: str
    option: str
    type: DecisionStage
    duplicate: bool
