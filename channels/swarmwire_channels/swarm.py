"""The channel of swarms: who belongs to them, how they are wired, what they vote on."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Unpack

from .change import Change, Changes, OnError
from .channel import Channel
from .kinds import SWARM
from .pubsub import PublishOptions, Start, SubscribeOptions
from .registration import Handler, Registration
from .swarm_records import (
    Consensus,
    CoordinationType,
    SwarmAgentJoined,
    SwarmAgentLeft,
    SwarmCondition,
    SwarmCoordination,
    SwarmRecord,
    SwarmState,
    SwarmTopology,
    Topology,
    Vote,
    VoteValue,
)
from .topics import build_pattern

__all__ = ["SwarmChannel"]


class SwarmChannel(Channel[SwarmRecord]):
    """Publishes and watches the events of swarms, votes, and waits for what was voted.

    Every publishing method takes the options of a publish and returns what it returns; see `Channel.publish` for
    what it raises. `Consensus` and `Decision` can be read but not published: to say what a vote came to is for the
    broker's services.
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

    async def submit_vote(
        self,
        swarm_id: str,
        proposal_id: str,
        vote: VoteValue,
        voter: str,
        **options: Unpack[PublishOptions],
    ) -> Any:
        """Vote on a proposal."""
        record = Vote(swarm_id=swarm_id, proposal_id=proposal_id, voter=voter, vote=vote)
        return await self.publish(record, **options)

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


def _is_final(change: Change[Any]) -> bool:
    return isinstance(change.record, Consensus) and change.record.type in ("accepted", "rejected")
