"""The channel of swarms: who belongs to them, how they are wired, what they vote on."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Unpack

from msgspec import to_builtins

from .calling import ask
from .change import Change, Changes, OnError
from .channel import Channel
from .kinds import SWARM
from .pubsub import CallOptions, PublishOptions, Start, SubscribeOptions
from .registration import Handler, Registration
from .swarm_answers import Chosen, DecisionStanding, ProposalStanding, Voted
from .swarm_records import (
    Consensus,
    CoordinationType,
    Decision,
    Quorum,
    SwarmAgentJoined,
    SwarmAgentLeft,
    SwarmCondition,
    SwarmCoordination,
    SwarmRecord,
    SwarmState,
    SwarmTopology,
    Threshold,
    Topology,
    VoteValue,
)
from .topics import build_pattern

__all__ = ["SwarmChannel"]


class SwarmChannel(Channel[SwarmRecord]):
    """Publishes and watches the events of swarms, has them vote, and waits for what was voted.

    Every publishing method takes the options of a publish and returns what it returns; see `Channel.publish` for
    what it raises. Votes, and what they came to, can be watched but not published: the broker counts them, and is
    asked by calls. These take the `timeout` of a call, and raise SwarmwireError with what the broker answers.
    """

    kind = SWARM

    async def topology(
        self,
        swarm_id: str,
        new: Topology,
        old: Topology | None = None,
        reason: str | None = None,
        **options: Unpack[PublishOptions],
    ) -> Any:
        """Say that the swarm is wired anew."""
        record = SwarmTopology(swarm_id=swarm_id, new_topology=new, old_topology=old, reason=reason)
        return await self.publish(record, **options)

    async def initialized(self, swarm_id: str, topology: Topology, **options: Unpack[PublishOptions]) -> Any:
        """Say that there is a new swarm: its state, with nobody in it yet and nothing wrong."""
        new = SwarmCondition(topology=topology, agent_count=0, active_agents=0, queue_size=0, health_score=100)
        return await self.state(swarm_id, new, **options)

    async def joined(
        self, swarm_id: str, agent_id: str, role: str | None = None, **options: Unpack[PublishOptions]
    ) -> Any:
        """Say that an agent has become a member."""
        return await self.publish(SwarmAgentJoined(swarm_id=swarm_id, agent_id=agent_id, role=role), **options)

    async def left(
        self, swarm_id: str, agent_id: str, reason: str | None = None, **options: Unpack[PublishOptions]
    ) -> Any:
        """Say that an agent is a member no longer."""
        return await self.publish(SwarmAgentLeft(swarm_id=swarm_id, agent_id=agent_id, reason=reason), **options)

    async def state(self, swarm_id: str, state: SwarmCondition, **options: Unpack[PublishOptions]) -> Any:
        """Say how the swarm is now."""
        return await self.publish(SwarmState(swarm_id=swarm_id, state=state), **options)

    async def coordination(
        self, swarm_id: str, type: CoordinationType, data: Any = None, **options: Unpack[PublishOptions]
    ) -> Any:
        """Say how the swarm shares its work from here."""
        return await self.publish(SwarmCoordination(swarm_id=swarm_id, type=type, data=data), **options)

    # ---- Proposals

    async def propose(
        self,
        swarm_id: str,
        proposal: Any = None,
        *,
        proposal_id: str | None = None,
        voters: Collection[str] | None = None,
        quorum: Quorum = "majority",
        deadline: float | None = None,
        **options: Unpack[CallOptions],
    ) -> ProposalStanding:
        """Have the swarm vote on a proposal, any JSON; without an id the broker makes one.

        `voters` None lets everyone vote. `quorum` says how much agreement it needs: "majority", "two-thirds",
        "unanimous", or a `Threshold`. `deadline` is in seconds from now; None leaves it open until votes decide. The
        same proposal by the same proposer again is harmless.

        Raises:
            SwarmwireError: CONFLICT if there is another of this id; INVALID_MESSAGE for what could never end.
        """
        params = {
            "swarm_id": swarm_id,
            "proposal_id": proposal_id,
            "proposal": proposal,
            "voters": _listed(voters),
            "quorum": _rule(quorum),
            "deadline": _milliseconds(deadline),
        }
        return await ask(self._pubsub, "swarm.propose", params, ProposalStanding, **options)

    async def vote(
        self,
        swarm_id: str,
        proposal_id: str,
        vote: VoteValue,
        voter: str | None = None,
        **options: Unpack[CallOptions],
    ) -> Voted:
        """Vote on a proposal, under one's own name, or for the agent `voter`. The first vote counts.

        Raises:
            SwarmwireError: CONFLICT if the voter has voted otherwise or the proposal has ended, PERMISSION_DENIED for
                who is no voter or may not speak for this one, NOT_FOUND.
        """
        params = {"swarm_id": swarm_id, "proposal_id": proposal_id, "vote": vote, "voter": voter}
        return await ask(self._pubsub, "swarm.vote", params, Voted, **options)

    submit_vote = vote

    async def proposal(self, swarm_id: str, proposal_id: str, **options: Unpack[CallOptions]) -> ProposalStanding:
        """Where a proposal stands. Raises NOT_FOUND."""
        params = {"swarm_id": swarm_id, "proposal_id": proposal_id}
        return await ask(self._pubsub, "swarm.proposal", params, ProposalStanding, **options)

    async def withdraw(self, swarm_id: str, proposal_id: str, **options: Unpack[CallOptions]) -> ProposalStanding:
        """End one's own proposal: it is rejected, with the reason `withdrawn`. Harmless twice.

        Raises:
            SwarmwireError: PERMISSION_DENIED for others than the proposer and operators, CONFLICT if it has ended.
        """
        params = {"swarm_id": swarm_id, "proposal_id": proposal_id}
        return await ask(self._pubsub, "swarm.withdraw", params, ProposalStanding, **options)

    # ---- Decisions

    async def decide(
        self,
        swarm_id: str,
        question: str,
        options: Sequence[str],
        *,
        decision_id: str | None = None,
        voters: Collection[str] | None = None,
        deadline: float | None = None,
        timeout: float | None = None,
    ) -> DecisionStanding:
        """Have the swarm choose one of several options, the one with most votes; see `propose` for the rest."""
        params = {
            "swarm_id": swarm_id,
            "decision_id": decision_id,
            "question": question,
            "options": list(options),
            "voters": _listed(voters),
            "deadline": _milliseconds(deadline),
        }
        return await ask(self._pubsub, "swarm.decide", params, DecisionStanding, **_timeout(timeout))

    async def choose(
        self,
        swarm_id: str,
        decision_id: str,
        option: str,
        confidence: float | None = None,
        voter: str | None = None,
        **options: Unpack[CallOptions],
    ) -> Chosen:
        """Choose one of the options of a decision; see `vote` for the rest."""
        params = {
            "swarm_id": swarm_id,
            "decision_id": decision_id,
            "option": option,
            "confidence": confidence,
            "voter": voter,
        }
        return await ask(self._pubsub, "swarm.choose", params, Chosen, **options)

    async def decision(self, swarm_id: str, decision_id: str, **options: Unpack[CallOptions]) -> DecisionStanding:
        """Where a decision stands. Raises NOT_FOUND."""
        params = {"swarm_id": swarm_id, "decision_id": decision_id}
        return await ask(self._pubsub, "swarm.decision", params, DecisionStanding, **options)

    async def withdraw_decision(
        self, swarm_id: str, decision_id: str, **options: Unpack[CallOptions]
    ) -> DecisionStanding:
        """End one's own decision: it is undecided, with the reason `withdrawn`. See `withdraw`."""
        params = {"swarm_id": swarm_id, "decision_id": decision_id}
        return await ask(self._pubsub, "swarm.withdraw", params, DecisionStanding, **options)

    # ---- Watching and waiting

    def watch(
        self,
        swarm_id: str | None = None,
        *,
        events: Collection[str] | None = None,
        item_id: str | None = None,
        on_error: OnError | None = None,
        **options: Unpack[SubscribeOptions],
    ) -> Changes[SwarmRecord]:
        """The changes of one swarm, or of all; of some events, or of all; of one proposal or decision, or of all.

        Raises INVALID_TOPIC for an unknown event. What cannot be read goes to `on_error`, see `Changes`.
        """
        return self._watch(swarm_id, events, item_id, on_error, options)

    def on(
        self,
        event: str | None,
        handler: Handler,
        *,
        swarm_id: str | None = None,
        item_id: str | None = None,
        on_error: OnError | None = None,
        **options: Unpack[SubscribeOptions],
    ) -> Registration:
        """Call a handler with every change of an event (None: of all), of one swarm or of all.

        Calling what is returned ends it; awaiting it returns once it is subscribed. Needs a running event loop.
        """
        return self._on(event, handler, swarm_id, item_id, on_error, options)

    async def wait_for_consensus(
        self, swarm_id: str, proposal_id: str, timeout: float | None = None, *, from_: Start = "latest"
    ) -> Consensus:
        """What was voted on a proposal, whether it is decided already or still to be: accepted or rejected.

        `timeout` is in seconds and includes the way to the broker; None waits for ever, and 0 fails at once unless
        the answer is at hand without waiting, which over a network it never is.

        Raises:
            TimeoutError: naming the proposal, if it was not decided in time.
            SwarmwireError: if the client was disconnected first, or INVALID_MESSAGE if the answer cannot be read.
        """
        pattern = build_pattern(SWARM, swarm_id, "consensus", proposal_id)
        what = f"the consensus on proposal {proposal_id!r} of swarm {swarm_id!r}"
        change = await self._wait_for(pattern, _is_final, ("consensus",), what, timeout, from_)
        consensus: Consensus = change.record
        return consensus

    async def wait_for_decision(
        self, swarm_id: str, decision_id: str, timeout: float | None = None, *, from_: Start = "latest"
    ) -> Decision:
        """What was chosen in a decision, whether it has ended already or is still to: decided or undecided.

        See `wait_for_consensus` for the rest.
        """
        pattern = build_pattern(SWARM, swarm_id, "decision", decision_id)
        what = f"the end of decision {decision_id!r} of swarm {swarm_id!r}"
        change = await self._wait_for(pattern, _is_final, ("decision",), what, timeout, from_)
        decision: Decision = change.record
        return decision


def _is_final(change: Change[Any]) -> bool:
    match change.record:
        case Consensus(type="accepted" | "rejected") | Decision(type="decided" | "undecided"):
            return True
        case _:
            return False


def _listed(voters: Collection[str] | None) -> list[str] | None:
    return None if voters is None else list(voters)


def _rule(quorum: Quorum) -> str | dict[str, float]:
    if isinstance(quorum, Threshold):
        rule: dict[str, float] = to_builtins(quorum)
        return rule
    return quorum


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)


def _timeout(seconds: float | None) -> CallOptions:
    return {} if seconds is None else {"timeout": seconds}
