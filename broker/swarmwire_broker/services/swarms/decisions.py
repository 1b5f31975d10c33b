"""Decisions: one of several options is chosen by votes, which are counted here."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from swarmwire_channels import (
    Choice,
    Chosen,
    Decision,
    DecisionChoice,
    DecisionResult,
    DecisionStage,
    DecisionStanding,
    EndReason,
    swarm_topic,
)
from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from ...core.identity import Author
from ...core.methods import Asked, Method
from ...engines.base import Draft
from ..shared import Shared
from ..telling import told
from .ballots import selected, winner
from .checks import check_deadline, check_ids, check_reader, check_size, check_speaker, check_voters
from .params import CastChoice, Decide, OneDecision
from .polls import Polls, Stand, poll_key
from .records import ChoiceCast, Question
from .voters import Voters, name_of

__all__ = ["Decisions"]


class Decisions:
    """`swarm.decide`, `swarm.choose` and `swarm.decision`."""

    def __init__(self, shared: Shared, voters: Voters) -> None:
        self._hub = shared.hub
        self._voters = voters
        self._polls = Polls(shared, "decision", Question, ChoiceCast, _Rules())
        shared.hub.publishing.reserve("swarm.*.decision.*", "swarm.*.choice.*")

    def methods(self) -> list[Method]:
        return [
            Method("swarm.decide", Decide, self._decide),
            Method("swarm.choose", CastChoice, self._choose),
            Method("swarm.decision", OneDecision, self._decision),
        ]

    async def start(self) -> None:
        await self._polls.start()

    def close(self) -> None:
        self._polls.close()

    # ---- what is called

    async def _decide(self, asked: Asked, params: Decide) -> DecisionStanding:
        item_id = self._hub.tokens.take(16) if params.decision_id is None else params.decision_id
        check_ids(params.swarm_id, item_id, "decision_id")
        check_speaker(asked.author, _topic(params.swarm_id, item_id))
        question = self._checked(params, item_id, asked.author)
        stand = await self._polls.ask(poll_key(params.swarm_id, item_id), question)
        return _standing(stand, duplicate=not stand.is_new)

    def _checked(self, params: Decide, item_id: str, author: Author) -> Question:
        limits = self._hub.limits
        if not params.options or len(set(params.options)) != len(params.options):
            sentence = "Expected options, each once."
            raise SwarmwireError(ErrorCode.INVALID_MESSAGE, sentence, field="params.options")
        size = sum(len(text.encode()) for text in (params.question, *params.options))
        check_size(size, limits.max_proposal_bytes, "question")
        check_voters(params.voters, limits)
        check_deadline(params.deadline, params.voters is not None, limits)
        return Question(
            swarm_id=params.swarm_id,
            item_id=item_id,
            asker=name_of(author),
            scope=author.scope,
            voters=params.voters,
            asked_at=self._hub.clock.now_ms(),
            deadline=params.deadline,
            question=params.question,
            options=params.options,
        )

    async def _choose(self, asked: Asked, params: CastChoice) -> Chosen:
        check_ids(params.swarm_id, params.decision_id, "decision_id")
        check_speaker(asked.author, swarm_topic(params.swarm_id, "choice", params.decision_id))
        voter = self._voters.name(asked.author, params.voter)
        key = poll_key(params.swarm_id, params.decision_id)
        if params.option not in self._polls.get(key).poll.options:
            raise SwarmwireError(ErrorCode.INVALID_MESSAGE, "This is none of the options.", field="params.option")
        choice = Choice(voter=voter, option=params.option, confidence=params.confidence)
        stand = await self._polls.vote(key, choice, asked.author)
        return Chosen(voter=voter, option=params.option, type=_stage(stand.poll), duplicate=not stand.is_new)

    def _decision(self, asked: Asked, params: OneDecision) -> DecisionStanding:
        check_ids(params.swarm_id, params.decision_id, "decision_id")
        check_reader(asked.author, _topic(params.swarm_id, params.decision_id))
        return _standing(self._polls.get(poll_key(params.swarm_id, params.decision_id)))

    async def withdraw(self, asked: Asked, swarm_id: str, decision_id: str) -> DecisionStanding:
        """End a decision without a result, for who asked for it or an operator."""
        check_ids(swarm_id, decision_id, "decision_id")
        if not asked.author.grants.admin:
            check_speaker(asked.author, _topic(swarm_id, decision_id))
        return _standing(await self._polls.withdraw(poll_key(swarm_id, decision_id), asked.author))


class _Rules:
    """What choices come to, and what is told of them."""

    what = "decision"
    field = "params.decision_id"

    def ended(self, poll: Question, votes: list[Choice], why: EndReason, now_ms: int) -> Question | None:
        if why == "votes" and winner(poll.options, votes, poll.electorate) is None:
            return None
        result = None if why == "withdrawn" else selected(poll.options, votes)
        return replace(
            poll,
            selected=None if result is None else result.selected_option,
            confidence=None if result is None else result.confidence,
            votes=votes,
            reason=why,
            ended_at=now_ms,
        )

    def vote_events(self, poll: Question, votes: Sequence[Choice], author: Author) -> list[Draft]:
        last = votes[-1]
        record = DecisionChoice(
            swarm_id=poll.swarm_id,
            decision_id=poll.item_id,
            voter=last.voter,
            option=last.option,
            confidence=last.confidence,
        )
        return [told(swarm_topic(poll.swarm_id, "choice", poll.item_id), record, author)]

    def state_event(self, poll: Question) -> Draft:
        is_open = poll.ended_at is None
        record = Decision(
            swarm_id=poll.swarm_id,
            decision_id=poll.item_id,
            type=_stage(poll),
            question=poll.question,
            options=poll.options,
            asker=poll.asker,
            voters=poll.voters,
            deadline_at=poll.deadline_at,
            votes=None if is_open else poll.votes,
            result=_result(poll),
            reason=poll.reason,
        )
        return told(_topic(poll.swarm_id, poll.item_id), record)

    def votes_of(self, poll: Question) -> list[Choice]:
        return poll.votes


def _topic(swarm_id: str, decision_id: str) -> str:
    return swarm_topic(swarm_id, "decision", decision_id)


def _stage(question: Question) -> DecisionStage:
    if question.ended_at is None:
        return "asked"
    return "undecided" if question.selected is None else "decided"


def _standing(stand: Stand[Question, Choice], duplicate: bool = False) -> DecisionStanding:
    question = stand.poll
    return DecisionStanding(
        swarm_id=question.swarm_id,
        decision_id=question.item_id,
        type=_stage(question),
        asker=question.asker,
        question=question.question,
        options=question.options,
        voters=question.voters,
        asked_at=question.asked_at,
        deadline_at=question.deadline_at,
        ended_at=question.ended_at,
        reason=question.reason,
        votes=stand.votes,
        selected_option=question.selected,
        confidence=question.confidence,
        duplicate=duplicate,
    )


def _result(question: Question) -> DecisionResult | None:
    if question.selected is None:
        return None
    return DecisionResult(selected_option=question.selected, confidence=question.confidence)
