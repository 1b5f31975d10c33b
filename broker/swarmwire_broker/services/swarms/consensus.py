"""Proposals: the votes on them are counted here, and what they came to is said by nobody else."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Raw
from msgspec.structs import replace

from swarmwire_channels import (
    Ballot,
    Consensus,
    ConsensusStage,
    EndReason,
    ProposalStanding,
    Quorum,
    Tally,
    Vote,
    Voted,
    swarm_topic,
    to_data,
)
from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from ...core.identity import Author
from ...core.methods import Asked, Method
from ...engines.base import Draft
from ..shared import Shared
from ..telling import told
from .ballots import Rule, count, is_accepted, outcome, rule_of
from .checks import check_deadline, check_ids, check_reader, check_size, check_speaker, check_voters
from .params import CastVote, OneProposal, Propose
from .polls import Polls, Stand, poll_key
from .records import BallotCast, Proposal
from .voters import Voters, name_of

__all__ = ["Proposals"]


class Proposals:
    """`swarm.propose`, `swarm.vote` and `swarm.proposal`."""

    def __init__(self, shared: Shared, voters: Voters) -> None:
        self._hub = shared.hub
        self._voters = voters
        self._polls = Polls(shared, "consensus", Proposal, BallotCast, _Rules())
        shared.hub.publishing.reserve("swarm.*.consensus.*", "swarm.*.vote.*")

    def methods(self) -> list[Method]:
        return [
            Method("swarm.propose", Propose, self._propose),
            Method("swarm.vote", CastVote, self._vote),
            Method("swarm.proposal", OneProposal, self._proposal),
        ]

    async def start(self) -> None:
        await self._polls.start()

    def close(self) -> None:
        self._polls.close()

    # ---- what is called

    async def _propose(self, asked: Asked, params: Propose) -> ProposalStanding:
        item_id = self._hub.tokens.take(16) if params.proposal_id is None else params.proposal_id
        check_ids(params.swarm_id, item_id, "proposal_id")
        check_speaker(asked.author, _topic(params.swarm_id, item_id))
        proposal = self._checked(params, item_id, asked.author)
        stand = await self._polls.ask(poll_key(params.swarm_id, item_id), proposal)
        return _standing(stand, duplicate=not stand.is_new)

    def _checked(self, params: Propose, item_id: str, author: Author) -> Proposal:
        limits, data = self._hub.limits, bytes(params.proposal)
        check_size(len(data), limits.max_proposal_bytes, "proposal")
        check_voters(params.voters, limits)
        rule = _rule(params.quorum)
        check_deadline(params.deadline, params.voters is not None or rule.votes is not None, limits)
        electorate = limits.max_votes if params.voters is None else len(params.voters)
        if rule.votes is not None and rule.votes > electorate:
            sentence = f"Expected at most {electorate} votes, which is how many there can be; got {rule.votes}."
            raise SwarmwireError(ErrorCode.INVALID_MESSAGE, sentence, field="params.quorum")
        return Proposal(
            swarm_id=params.swarm_id,
            item_id=item_id,
            asker=name_of(author),
            scope=author.scope,
            voters=params.voters,
            asked_at=self._hub.clock.now_ms(),
            deadline=params.deadline,
            proposal=data,
            quorum=params.quorum,
        )

    async def _vote(self, asked: Asked, params: CastVote) -> Voted:
        check_ids(params.swarm_id, params.proposal_id, "proposal_id")
        check_speaker(asked.author, swarm_topic(params.swarm_id, "vote", params.proposal_id))
        voter = self._voters.name(asked.author, params.voter)
        key = poll_key(params.swarm_id, params.proposal_id)
        stand = await self._polls.vote(key, Ballot(voter=voter, vote=params.vote), asked.author)
        stage = _stage(stand.poll, stand.votes)
        return Voted(voter=voter, vote=params.vote, type=stage, duplicate=not stand.is_new)

    def _proposal(self, asked: Asked, params: OneProposal) -> ProposalStanding:
        check_ids(params.swarm_id, params.proposal_id, "proposal_id")
        check_reader(asked.author, _topic(params.swarm_id, params.proposal_id))
        return _standing(self._polls.get(poll_key(params.swarm_id, params.proposal_id)))

    async def withdraw(self, asked: Asked, swarm_id: str, proposal_id: str) -> ProposalStanding:
        """End a proposal without a result, for who made it or an operator."""
        check_ids(swarm_id, proposal_id, "proposal_id")
        if not asked.author.grants.admin:
            check_speaker(asked.author, _topic(swarm_id, proposal_id))
        return _standing(await self._polls.withdraw(poll_key(swarm_id, proposal_id), asked.author))


class _Rules:
    """What votes on a proposal come to, and what is told of it."""

    what = "proposal"
    field = "params.proposal_id"

    def ended(self, poll: Proposal, votes: list[Ballot], why: EndReason, now_ms: int) -> Proposal | None:
        rule, counted = rule_of(poll.quorum), count(ballot.vote for ballot in votes)
        match why:
            case "votes":
                accepted = outcome(rule, counted, poll.electorate)
            case "deadline":
                accepted = is_accepted(rule, counted, poll.electorate)
            case "withdrawn":
                accepted = False
        if accepted is None:
            return None
        return replace(poll, accepted=accepted, votes=votes, reason=why, ended_at=now_ms)

    def vote_events(self, poll: Proposal, votes: Sequence[Ballot], author: Author) -> list[Draft]:
        last = votes[-1]
        record = Vote(swarm_id=poll.swarm_id, proposal_id=poll.item_id, voter=last.voter, vote=last.vote)
        vote = told(swarm_topic(poll.swarm_id, "vote", poll.item_id), record, author)
        return [vote, _event(poll, "voting")] if len(votes) == 1 else [vote]

    def state_event(self, poll: Proposal) -> Draft:
        return _event(poll, _stage(poll, ()))

    def votes_of(self, poll: Proposal) -> list[Ballot]:
        return poll.votes


def _rule(quorum: Quorum) -> Rule:
    try:
        return rule_of(quorum)
    except ValueError as error:
        raise SwarmwireError(ErrorCode.INVALID_MESSAGE, str(error), field="params.quorum") from None


def _topic(swarm_id: str, proposal_id: str) -> str:
    return swarm_topic(swarm_id, "consensus", proposal_id)


def _stage(proposal: Proposal, votes: Sequence[Ballot]) -> ConsensusStage:
    if proposal.accepted is not None:
        return "accepted" if proposal.accepted else "rejected"
    return "voting" if votes else "proposed"


def _standing(stand: Stand[Proposal, Ballot], duplicate: bool = False) -> ProposalStanding:
    proposal = stand.poll
    counted = count(ballot.vote for ballot in stand.votes)
    return ProposalStanding(
        swarm_id=proposal.swarm_id,
        proposal_id=proposal.item_id,
        type=_stage(proposal, stand.votes),
        proposal=Raw(proposal.proposal),
        proposer=proposal.asker,
        quorum=proposal.quorum,
        voters=proposal.voters,
        asked_at=proposal.asked_at,
        deadline_at=proposal.deadline_at,
        ended_at=proposal.ended_at,
        reason=proposal.reason,
        votes_for=counted.yes,
        votes_against=counted.no,
        abstentions=counted.abstain,
        votes=stand.votes,
        duplicate=duplicate,
    )


def _event(proposal: Proposal, stage: ConsensusStage) -> Draft:
    """Where a proposal stands, in the broker's own name."""
    record = Consensus(
        swarm_id=proposal.swarm_id,
        proposal_id=proposal.item_id,
        type=stage,
        proposer=proposal.asker,
        quorum=proposal.quorum,
        voters=proposal.voters,
        deadline_at=proposal.deadline_at,
        votes=proposal.votes if proposal.accepted is not None else None,
        result=_tally(proposal) if proposal.accepted is not None else None,
        reason=proposal.reason,
    )
    data = {**to_data(record), "proposal": Raw(proposal.proposal)}
    return told(_topic(proposal.swarm_id, proposal.item_id), data)


def _tally(proposal: Proposal) -> Tally:
    counted = count(ballot.vote for ballot in proposal.votes)
    return Tally(
        accepted=bool(proposal.accepted),
        votes_for=counted.yes,
        votes_against=counted.no,
        abstentions=counted.abstain,
    )
