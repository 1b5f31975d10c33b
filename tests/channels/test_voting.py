"""What the channel of swarms calls, and what it makes of the answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from swarmwire_channels import Ballot, Choice, Chosen, SwarmChannel, Threshold, Voted
from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from .memory import MemoryPubSub

PROPOSAL = {
    "swarm_id": "s1",
    "proposal_id": "p1",
    "type": "accepted",
    "proposal": {"n": 1},
    "proposer": "alice",
    "quorum": {"votes": 1},
    "asked_at": 5,
    "ended_at": 9,
    "reason": "votes",
    "votes_for": 1,
    "votes_against": 0,
    "abstentions": 0,
    "votes": [{"voter": "a", "vote": "yes"}],
}
DECISION = {
    "swarm_id": "s1",
    "decision_id": "d1",
    "type": "asked",
    "question": "Which?",
    "options": ["x", "y"],
    "asked_at": 5,
    "votes": [{"voter": "a", "option": "y", "confidence": 1}],
}
VOTED: dict[str, Any] = {"voter": "a", "vote": "no", "type": "voting", "duplicate": False}
CHOSEN: dict[str, Any] = {"voter": "a", "option": "x", "type": "asked", "duplicate": True}


@dataclass
class Caller(MemoryPubSub):
    """A connected client whose broker always gives the same answer."""

    answer: Any = None
    calls: list[tuple[str, Any, dict[str, Any]]] = field(default_factory=list)

    async def call(self, method: str, params: Any = None, **options: Any) -> Any:
        self.calls.append((method, params, options))
        return self.answer


Ask = Callable[[SwarmChannel], Awaitable[Any]]

# What is called, the method and its parameters, and the answer.
CALLS: list[tuple[Ask, str, dict[str, Any], dict[str, Any]]] = [
    (
        lambda s: s.propose("s1", {"n": 1}, voters=("a",), quorum="unanimous", deadline=1.5),
        "swarm.propose",
        {"swarm_id": "s1", "proposal": {"n": 1}, "voters": ["a"], "quorum": "unanimous", "deadline": 1500},
        PROPOSAL,
    ),
    (
        lambda s: s.propose("s1", 0, proposal_id="p1", quorum=Threshold(share=0.5), deadline=0),
        "swarm.propose",
        {"swarm_id": "s1", "proposal": 0, "proposal_id": "p1", "quorum": {"share": 0.5}, "deadline": 0},
        PROPOSAL,
    ),
    (
        lambda s: s.vote("s1", "p1", "no"),
        "swarm.vote",
        {"swarm_id": "s1", "proposal_id": "p1", "vote": "no"},
        VOTED,
    ),
    (
        lambda s: s.submit_vote("s1", "p1", "no", "a"),
        "swarm.vote",
        {"swarm_id": "s1", "proposal_id": "p1", "vote": "no", "voter": "a"},
        VOTED,
    ),
    (lambda s: s.proposal("s1", "p1"), "swarm.proposal", {"swarm_id": "s1", "proposal_id": "p1"}, PROPOSAL),
    (lambda s: s.withdraw("s1", "p1"), "swarm.withdraw", {"swarm_id": "s1", "proposal_id": "p1"}, PROPOSAL),
    (
        lambda s: s.decide("s1", "Which?", ("x", "y"), decision_id="d1", voters=["a"], deadline=2),
        "swarm.decide",
        {
            "swarm_id": "s1",
            "decision_id": "d1",
            "question": "Which?",
            "options": ["x", "y"],
            "voters": ["a"],
            "deadline": 2000,
        },
        DECISION,
    ),
    (
        lambda s: s.choose("s1", "d1", "x", 0.0, "a"),
        "swarm.choose",
        {"swarm_id": "s1", "decision_id": "d1", "option": "x", "confidence": 0.0, "voter": "a"},
        CHOSEN,
    ),
    (lambda s: s.decision("s1", "d1"), "swarm.decision", {"swarm_id": "s1", "decision_id": "d1"}, DECISION),
    (lambda s: s.withdraw_decision("s1", "d1"), "swarm.withdraw", {"swarm_id": "s1", "decision_id": "d1"}, DECISION),
]


@pytest.mark.parametrize(("ask", "method", "params", "answer"), CALLS)
async def test_a_helper_is_one_call(ask: Ask, method: str, params: dict[str, Any], answer: dict[str, Any]) -> None:
    caller = Caller(answer=answer)
    found = await ask(SwarmChannel(caller))
    assert caller.calls == [(method, params, {})]
    assert all(getattr(found, name) == value for name, value in answer.items() if name not in ("votes", "quorum"))


async def test_answers_are_records() -> None:
    standing = await SwarmChannel(Caller(answer=PROPOSAL)).proposal("s1", "p1")
    assert (standing.accepted, standing.quorum) == (True, Threshold(votes=1))
    assert standing.votes == [Ballot(voter="a", vote="yes")]
    decision = await SwarmChannel(Caller(answer=DECISION)).decision("s1", "d1")
    assert decision.votes == [Choice(voter="a", option="y", confidence=1.0)]
    assert await SwarmChannel(Caller(answer=VOTED)).vote("s1", "p1", "no") == Voted(**VOTED)
    assert await SwarmChannel(Caller(answer=CHOSEN)).choose("s1", "d1", "x") == Chosen(**CHOSEN)


async def test_an_open_proposal_is_neither_accepted_nor_rejected() -> None:
    for stage, accepted in [("proposed", None), ("voting", None), ("rejected", False)]:
        standing = await SwarmChannel(Caller(answer={**PROPOSAL, "type": stage})).proposal("s1", "p1")
        assert standing.accepted is accepted


async def test_the_timeout_is_that_of_the_call() -> None:
    caller = Caller(answer=VOTED)
    await SwarmChannel(caller).vote("s1", "p1", "no", timeout=0)
    caller.answer = DECISION
    await SwarmChannel(caller).decide("s1", "Which?", ["x"], timeout=3)
    assert [options for _, _, options in caller.calls] == [{"timeout": 0}, {"timeout": 3}]


async def test_an_answer_that_is_no_record_is_an_error() -> None:
    with pytest.raises(SwarmwireError, match=r"The answer to swarm\.vote is no Voted") as caught:
        await SwarmChannel(Caller(answer={"voter": "a"})).vote("s1", "p1", "no")
    assert caught.value.code is ErrorCode.INVALID_MESSAGE


async def test_what_cannot_call_cannot_vote(pubsub: MemoryPubSub) -> None:
    with pytest.raises(SwarmwireError, match=r"swarm\.vote is a call to the broker") as caught:
        await SwarmChannel(pubsub).vote("s1", "p1", "yes")
    assert caught.value.code is ErrorCode.UNAVAILABLE
