"""What is published about a swarm, one record an event."""

from __future__ import annotations

from types import MappingProxyType
from typing import Annotated, Any, Literal, TypeAlias

from msgspec import Meta

from .record import Count, Milliseconds, Number, Part, Percent, Record

__all__ = [
    "SWARM_EVENTS",
    "Ballot",
    "Choice",
    "Consensus",
    "ConsensusStage",
    "CoordinationType",
    "Decision",
    "DecisionChoice",
    "DecisionResult",
    "DecisionStage",
    "EndReason",
    "Quorum",
    "SwarmAgentJoined",
    "SwarmAgentLeft",
    "SwarmCondition",
    "SwarmCoordination",
    "SwarmRecord",
    "SwarmState",
    "SwarmTopology",
    "Tally",
    "Threshold",
    "Topology",
    "Vote",
    "VoteValue",
]

Topology: TypeAlias = Literal["hierarchical", "mesh", "hierarchical-mesh", "adaptive"]
CoordinationType: TypeAlias = Literal["task-assignment", "resource-allocation", "priority-change", "workload-balance"]
ConsensusStage: TypeAlias = Literal["proposed", "voting", "accepted", "rejected"]
DecisionStage: TypeAlias = Literal["asked", "decided", "undecided"]
VoteValue: TypeAlias = Literal["yes", "no", "abstain"]
EndReason: TypeAlias = Literal["votes", "deadline", "withdrawn"]
"""What ended it: votes that no later vote could have outweighed, the deadline, or who had asked for it."""


class _OfSwarm(Record, frozen=True, kw_only=True):
    swarm_id: str


class SwarmTopology(_OfSwarm, frozen=True, kw_only=True):
    """The swarm is wired anew; `old_topology` is None for its first."""

    new_topology: Topology
    old_topology: Topology | None = None
    reason: str | None = None


class SwarmAgentJoined(_OfSwarm, frozen=True, kw_only=True):
    """An agent has become a member."""

    agent_id: str
    role: str | None = None


class SwarmAgentLeft(_OfSwarm, frozen=True, kw_only=True):
    """An agent is a member no longer."""

    agent_id: str
    reason: str | None = None


class SwarmCondition(Part, frozen=True, kw_only=True):
    """The swarm in figures; `health_score` is from 0 to 100."""

    topology: Topology
    agent_count: Count
    active_agents: Count
    queue_size: Count
    health_score: Percent


class SwarmState(_OfSwarm, frozen=True, kw_only=True):
    """How the swarm is now."""

    state: SwarmCondition


class SwarmCoordination(_OfSwarm, frozen=True, kw_only=True):
    """A step in how the swarm shares its work; `data` is the application's."""

    type: CoordinationType
    data: Any = None


# ---- Votes, and what the broker's services make of them: they alone publish these


class Threshold(Part, frozen=True, kw_only=True):
    """How much agreement a proposal needs, as one of the two: so many yes votes, or such a share (above 0, up to 1)."""

    votes: Annotated[int, Meta(ge=1)] | None = None
    share: Annotated[float, Meta(gt=0, le=1)] | None = None


Quorum: TypeAlias = Literal["majority", "two-thirds", "unanimous"] | Threshold
"""How much agreement a proposal needs."""


class Vote(_OfSwarm, frozen=True, kw_only=True):
    """One vote on a proposal, as it was counted. Which identity cast it, the event's `sender` says."""

    proposal_id: str
    voter: str
    vote: VoteValue


class Ballot(Part, frozen=True, kw_only=True):
    """A vote as it was counted."""

    voter: str
    vote: VoteValue


class Tally(Part, frozen=True, kw_only=True):
    """The count of a consensus."""

    accepted: bool
    votes_for: Count
    votes_against: Count
    abstentions: Count


class Consensus(_OfSwarm, frozen=True, kw_only=True):
    """Where a proposal stands. `accepted` and `rejected` are final, and have `votes`, a `result` and a `reason`.

    `voters` None lets everyone vote; `deadline_at` is in milliseconds since 1970, by the broker's clock.
    """

    proposal_id: str
    type: ConsensusStage
    proposal: Any = None
    proposer: str | None = None
    quorum: Quorum | None = None
    voters: list[str] | None = None
    deadline_at: Milliseconds | None = None
    votes: list[Ballot] | None = None
    result: Tally | None = None
    reason: EndReason | None = None


class DecisionChoice(_OfSwarm, frozen=True, kw_only=True):
    """One voter's choice of an option, as it was counted. Which identity made it, the event's `sender` says."""

    decision_id: str
    voter: str
    option: str
    confidence: Number | None = None


class Choice(Part, frozen=True, kw_only=True):
    """A vote for one of a decision's options; `confidence` is on the application's own scale."""

    voter: str
    option: str
    confidence: Number | None = None


class DecisionResult(Part, frozen=True, kw_only=True):
    """What was decided; `confidence` is the mean of what those who chose it gave."""

    selected_option: str
    confidence: Number | None = None


class Decision(_OfSwarm, frozen=True, kw_only=True):
    """A question to the swarm. `decided` and `undecided` are final; `decided` has a `result`.

    `voters` None lets everyone choose; `deadline_at` is in milliseconds since 1970, by the broker's clock.
    """

    decision_id: str
    question: str
    options: list[str]
    type: DecisionStage = "asked"
    asker: str | None = None
    voters: list[str] | None = None
    deadline_at: Milliseconds | None = None
    votes: list[Choice] | None = None
    result: DecisionResult | None = None
    reason: EndReason | None = None


SwarmRecord: TypeAlias = (
    SwarmTopology
    | SwarmAgentJoined
    | SwarmAgentLeft
    | SwarmState
    | SwarmCoordination
    | Consensus
    | Vote
    | Decision
    | DecisionChoice
)

SWARM_EVENTS: MappingProxyType[str, type[SwarmRecord]] = MappingProxyType(
    {
        "topology": SwarmTopology,
        "agent-joined": SwarmAgentJoined,
        "agent-left": SwarmAgentLeft,
        "state": SwarmState,
        "coordination": SwarmCoordination,
        "consensus": Consensus,
        "vote": Vote,
        "decision": Decision,
        "choice": DecisionChoice,
    }
)
"""The events of a swarm, by the third segment of their topic."""
