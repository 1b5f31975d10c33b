"""What the methods of proposals and decisions take. Times are in milliseconds."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Raw

from swarmwire_channels import Quorum, VoteValue

from ...core.methods import Params

__all__ = ["CastChoice", "CastVote", "Decide", "OneDecision", "OneProposal", "Propose", "Withdraw"]

_Deadline = Annotated[int, Meta(ge=0)]
_Confidence = Annotated[float, Meta(ge=0, le=1.7976931348623157e308)]


class Propose(Params, kw_only=True):
    """A proposal, any JSON. Without an id the broker makes one; without voters everyone may vote."""

    swarm_id: str
    proposal_id: str | None = None
    proposal: Raw = Raw(b"null")
    voters: list[str] | None = None
    quorum: Quorum = "majority"
    deadline: _Deadline | None = None


class CastVote(Params, kw_only=True):
    """A vote; without a voter under the caller's own name."""

    swarm_id: str
    proposal_id: str
    vote: VoteValue
    voter: str | None = None


class OneProposal(Params, kw_only=True):
    """A proposal."""

    swarm_id: str
    proposal_id: str


class Decide(Params, kw_only=True):
    """A question with the options that can be chosen. Without an id the broker makes one."""

    swarm_id: str
    question: str
    options: list[str]
    decision_id: str | None = None
    voters: list[str] | None = None
    deadline: _Deadline | None = None


class CastChoice(Params, kw_only=True):
    """A choice; without a voter under the caller's own name."""

    swarm_id: str
    decision_id: str
    option: str
    confidence: _Confidence | None = None
    voter: str | None = None


class OneDecision(Params, kw_only=True):
    """A decision."""

    swarm_id: str
    decision_id: str


class Withdraw(Params, kw_only=True):
    """One of the two."""

    swarm_id: str
    proposal_id: str | None = None
    decision_id: str | None = None
