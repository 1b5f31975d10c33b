"""Proposals, as those who propose, vote and watch see them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmwire_broker.broker import Broker
from swarmwire_broker.config import Config
from swarmwire_broker.core.settings import Limits
from swarmwire_broker.local import LocalEvent
from swarmwire_channels import SwarmChannel
from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from .callers import Caller, MovableClock, OpenEngine, a_moment, running
from .votingrig import by_token, refusal, told

ONE, TWO = "1" * 32, "2" * 32
P1: dict[str, Any] = {"swarm_id": "s1", "proposal_id": "p1"}
VOTERS = ["a", "b", "c"]


@pytest_asyncio.fixture
async def broker(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Broker]:
    async with running(monkeypatch) as broker:
        yield broker


async def propose(caller: Caller, **params: Any) -> dict[str, Any]:
    answer = await caller.call("swarm.propose", **{**P1, "voters": VOTERS, **params})
    assert isinstance(answer, dict)
    return answer


async def vote(caller: Caller, voter: str | None, value: str = "yes", **params: Any) -> dict[str, Any]:
    answer = await caller.call("swarm.vote", **{**P1, "voter": voter, "vote": value, **params})
    assert isinstance(answer, dict)
    return answer


async def stage(caller: Caller) -> str:
    standing = await caller.call("swarm.proposal", **P1)
    return str(standing["type"])


async def ended(broker: Broker, proposal_id: str) -> str:
    """What a proposal comes to."""
    async with asyncio.timeout(10), broker.subscribe(f"swarm.s1.consensus.{proposal_id}", from_="latest") as events:
        async for event in events:
            if isinstance(event, LocalEvent) and event.data["type"] in ("accepted", "rejected"):
                return str(event.data["type"])
    raise AssertionError("the log ended first")


# ---- The way of a proposal


async def test_a_proposal_is_open_until_votes_decide_it(broker: Broker) -> None:
    caller = Caller(broker)
    proposed = await propose(caller, proposal={"deploy": [1, None]})
    assert (proposed["type"], proposed["proposal"], proposed["voters"]) == ("proposed", {"deploy": [1, None]}, VOTERS)
    assert await vote(caller, "a") == {"voter": "a", "vote": "yes", "type": "voting", "duplicate": False}
    assert await vote(caller, "b") == {"voter": "b", "vote": "yes", "type": "accepted", "duplicate": False}
    standing = await caller.call("swarm.proposal", **P1)
    assert (standing["votes_for"], standing["votes_against"], standing["abstentions"]) == (2, 0, 0)
    assert standing["votes"] == [{"voter": "a", "vote": "yes"}, {"voter": "b", "vote": "yes"}]
    assert (standing["type"], standing["reason"]) == ("accepted", "votes")


async def test_every_step_is_told_and_the_broker_alone_says_what_it_came_to(broker: Broker) -> None:
    caller = Caller(broker)
    await propose(caller, proposal="more")
    await vote(caller, "a", "yes")
    await vote(caller, "c", "abstain")
    await vote(caller, "b", "no")
    events = await told(broker)
    mine = f"anonymous:{caller.id}"
    assert [(event.topic, event.sender, event.data.get("type")) for event in events] == [
        ("swarm.s1.consensus.p1", None, "proposed"),
        ("swarm.s1.vote.p1", mine, None),
        ("swarm.s1.consensus.p1", None, "voting"),
        ("swarm.s1.vote.p1", mine, None),
        ("swarm.s1.vote.p1", mine, None),
        ("swarm.s1.consensus.p1", None, "rejected"),
    ]
    final = events[-1].data
    assert final["proposal"] == "more"
    assert final["result"] == {"accepted": False, "votesFor": 1, "votesAgainst": 1, "abstentions": 1}
    assert final["votes"][1] == {"voter": "c", "vote": "abstain"}


async def test_a_proposal_without_an_id_gets_one(broker: Broker) -> None:
    caller = Caller(broker)
    made = [await caller.call("swarm.propose", swarm_id="s1", voters=["a"]) for _ in range(2)]
    assert made[0]["proposal_id"] != made[1]["proposal_id"]
    assert made[0]["proposal"] is None


async def test_ids_may_be_any_text(broker: Broker) -> None:
    caller = Caller(broker)
    ids: dict[str, Any] = {"swarm_id": "my swarm/1.2", "proposal_id": "ü.*"}
    await caller.call("swarm.propose", **ids, voters=["gpt-4.1"])
    await caller.call("swarm.vote", **ids, voter="gpt-4.1", vote="yes")
    assert (await caller.call("swarm.proposal", **ids))["type"] == "accepted"
    assert (await told(broker))[-1].topic == "swarm.my%20swarm/1%2E2.consensus.ü%2E*"


async def test_a_proposal_is_told_as_it_was_written(broker: Broker) -> None:
    caller = Caller(broker)
    large = 10**30
    await propose(caller, proposal={"n": large, "f": 1.5})
    assert (await caller.call("swarm.proposal", **P1))["proposal"] == {"n": large, "f": 1.5}


async def test_the_same_proposal_again_is_the_same_one(broker: Broker) -> None:
    caller = Caller(broker, ONE)
    first = await propose(caller, proposal=1)
    await vote(caller, "a")
    again = await propose(caller, proposal=1)
    assert (first.get("duplicate", False), again["duplicate"]) == (False, True)
    assert again["votes_for"] == 1
    assert len([event for event in await told(broker) if event.data.get("type") == "proposed"]) == 1


@pytest.mark.parametrize("other", [{"proposal": 2}, {"voters": ["a"]}, {"quorum": "unanimous"}, {"deadline": 5_000}])
async def test_another_proposal_of_the_same_id_is_a_conflict(broker: Broker, other: dict[str, Any]) -> None:
    caller = Caller(broker)
    await propose(caller, proposal=1)
    refused = await refusal(caller, "swarm.propose", **{**P1, "voters": VOTERS, "proposal": 1, **other})
    assert refused == (ErrorCode.CONFLICT, "params.proposal_id")


async def test_a_proposal_nobody_made_is_not_found(broker: Broker) -> None:
    caller = Caller(broker)
    for method, params in [("swarm.proposal", {}), ("swarm.vote", {"vote": "yes"}), ("swarm.withdraw", {})]:
        assert await refusal(caller, method, **P1, **params) == (ErrorCode.NOT_FOUND, "params.proposal_id")


# ---- One vote a voter


async def test_the_first_vote_counts_and_another_is_a_conflict(broker: Broker) -> None:
    caller = Caller(broker)
    await propose(caller)
    await vote(caller, "a", "yes")
    assert await refusal(caller, "swarm.vote", **P1, voter="a", vote="no") == (ErrorCode.CONFLICT, "params.voter")
    assert (await caller.call("swarm.proposal", **P1))["votes"] == [{"voter": "a", "vote": "yes"}]


async def test_the_same_vote_again_is_acknowledged_and_counted_once(broker: Broker) -> None:
    caller = Caller(broker)
    await propose(caller)
    await vote(caller, "a", "yes")
    assert (await vote(caller, "a", "yes"))["duplicate"] is True
    await vote(caller, "b", "yes")
    again = await vote(caller, "b", "yes")  # also after it is decided
    assert (again["duplicate"], again["type"]) == (True, "accepted")
    assert len([event for event in await told(broker) if event.topic == "swarm.s1.vote.p1"]) == 2


async def test_only_listed_voters_vote(broker: Broker) -> None:
    caller = Caller(broker)
    await propose(caller)
    assert await refusal(caller, "swarm.vote", **P1, voter="d", vote="yes") == (
        ErrorCode.PERMISSION_DENIED,
        "params.voter",
    )


@pytest.mark.parametrize("voter", ["", "a\x00", "x" * 129])
async def test_what_is_no_name_does_not_vote(broker: Broker, voter: str) -> None:
    caller = Caller(broker)
    await propose(caller, voters=None, deadline=1_000)
    refused = await refusal(caller, "swarm.vote", **P1, voter=voter, vote="yes")
    assert refused == (ErrorCode.INVALID_MESSAGE, "params.voter")


async def test_votes_at_once_are_counted_once_each(broker: Broker) -> None:
    caller = Caller(broker)
    await propose(caller, voters=[str(number) for number in range(50)], quorum="unanimous")
    answers = [
        caller.begin("swarm.vote", **P1, voter=str(number), vote="yes") for number in range(50) for _ in range(2)
    ]
    found = await asyncio.gather(*answers)
    assert [answer["duplicate"] for answer in found] == [False, True] * 50
    standing = await caller.call("swarm.proposal", **P1)
    assert (standing["type"], standing["votes_for"]) == ("accepted", 50)


async def test_after_the_end_no_vote_is_taken_and_the_result_stays(broker: Broker) -> None:
    caller = Caller(broker)
    await propose(caller)
    for voter in ("a", "b"):
        await vote(caller, voter, "no")
    before = await caller.call("swarm.proposal", **P1)
    assert before["type"] == "rejected"
    assert await refusal(caller, "swarm.vote", **P1, voter="c", vote="yes") == (
        ErrorCode.CONFLICT,
        "params.proposal_id",
    )
    assert await caller.call("swarm.proposal", **P1) == before


# ---- Quorum and deadline


@pytest.mark.parametrize(
    ("quorum", "cast", "result"),
    [
        ("majority", "yy", "accepted"),
        ("majority", "yn", "voting"),
        ("majority", "nn", "rejected"),
        ("majority", "aay", "accepted"),
        ("two-thirds", "yny", "accepted"),
        ("two-thirds", "nn", "rejected"),
        ("unanimous", "yy", "voting"),
        ("unanimous", "n", "rejected"),
        ("unanimous", "yya", "accepted"),
        ({"votes": 1}, "y", "accepted"),
        ({"votes": 3}, "yn", "rejected"),
        ({"share": 0.3}, "y", "accepted"),
        ("majority", "aaa", "rejected"),
    ],
)
async def test_a_proposal_is_decided_as_soon_as_no_vote_can_change_it(
    broker: Broker, quorum: Any, cast: str, result: str
) -> None:
    caller = Caller(broker)
    await propose(caller, quorum=quorum)
    stages = [
        (await vote(caller, voter, {"y": "yes", "n": "no", "a": "abstain"}[value]))["type"]
        for voter, value in zip(VOTERS, cast, strict=False)
    ]
    assert stages == ["voting"] * (len(cast) - 1) + [result]


@pytest.mark.parametrize(
    ("quorum", "yes", "no", "result"),
    [("majority", 2, 1, "accepted"), ("majority", 1, 1, "rejected"), ("majority", 0, 0, "rejected")],
)
async def test_without_a_list_the_deadline_decides_by_the_votes_that_are_there(
    broker: Broker, quorum: str, yes: int, no: int, result: str
) -> None:
    caller = Caller(broker)
    await propose(caller, voters=None, quorum=quorum, deadline=5_000)
    for number in range(yes + no):
        await vote(caller, f"v{number}", "yes" if number < yes else "no")
    await MovableClock.latest.advance(4.9)
    assert await stage(caller) in ("proposed", "voting")
    await MovableClock.latest.advance(0.2)
    standing = await caller.call("swarm.proposal", **P1)
    assert (standing["type"], standing["reason"]) == (result, "deadline")


async def test_at_the_deadline_the_silent_among_listed_voters_count_as_no(broker: Broker) -> None:
    caller = Caller(broker)
    await propose(caller, deadline=1_000)
    await vote(caller, "a", "yes")
    await MovableClock.latest.advance(2)
    assert await stage(caller) == "rejected"


async def test_a_deadline_of_zero_decides_at_once(broker: Broker) -> None:
    caller = Caller(broker)
    await propose(caller, deadline=0)
    await MovableClock.latest.advance(0.001)
    assert await stage(caller) == "rejected"


async def test_a_vote_that_comes_behind_the_deadline_is_not_counted(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = Caller(broker)
    await propose(caller, deadline=1_000)
    later = MovableClock.latest.now_ms() + 1_001
    monkeypatch.setattr(MovableClock.latest, "now_ms", lambda: later)  # the timer is late
    refused = await refusal(caller, "swarm.vote", **P1, voter="a", vote="yes")
    assert refused == (ErrorCode.CONFLICT, "params.proposal_id")


async def test_what_could_never_end_is_refused(broker: Broker) -> None:
    caller = Caller(broker)
    assert await refusal(caller, "swarm.propose", swarm_id="s1") == (ErrorCode.INVALID_MESSAGE, "params.deadline")
    assert (await caller.call("swarm.propose", swarm_id="s1", quorum={"votes": 2}))["type"] == "proposed"


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"voters": []}, "params.voters"),
        ({"voters": ["a", "a"]}, "params.voters"),
        ({"voters": ["a", ""]}, "params.voters[1]"),
        ({"voters": ["a\n"]}, "params.voters[0]"),
        ({"swarm_id": ""}, "params.swarm_id"),
        ({"proposal_id": "x" * 129}, "params.proposal_id"),
        ({"quorum": "most"}, "params.quorum"),
        ({"quorum": {}}, "params.quorum"),
        ({"quorum": {"votes": 1, "share": 0.5}}, "params.quorum"),
        ({"quorum": {"votes": 4}}, "params.quorum"),
        ({"quorum": {"votes": 0}}, "params.quorum.votes"),
        ({"quorum": {"share": 1.1}}, "params.quorum.share"),
        ({"deadline": -1}, "params.deadline"),
        ({"deadline": 2_592_000_001}, "params.deadline"),
    ],
)
async def test_what_does_not_fit_is_refused_with_its_field(broker: Broker, params: dict[str, Any], field: str) -> None:
    refused = await refusal(Caller(broker), "swarm.propose", **{**P1, "voters": VOTERS, **params})
    assert refused == (ErrorCode.INVALID_MESSAGE, field)
    assert await told(broker) == []


async def test_ids_too_long_for_a_topic_together_are_refused(broker: Broker) -> None:
    long = "." * 100
    refused = await refusal(Caller(broker), "swarm.propose", swarm_id=long, proposal_id=long, voters=VOTERS)
    assert refused[0] is ErrorCode.INVALID_TOPIC


# ---- Taking it back


async def test_the_proposer_may_withdraw_and_nobody_else(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch, by_token) as secure:
        alice = Caller(secure, token="alice publish:swarm.#")
        bob = Caller(secure, token="bob publish:swarm.#")
        await propose(alice)
        assert await refusal(bob, "swarm.withdraw", **P1) == (ErrorCode.PERMISSION_DENIED, "params.proposal_id")
        withdrawn = await alice.call("swarm.withdraw", **P1)
        assert (withdrawn["type"], withdrawn["reason"]) == ("rejected", "withdrawn")
        assert (await alice.call("swarm.withdraw", **P1))["type"] == "rejected"  # harmless twice
        assert (await told(secure))[-1].data["reason"] == "withdrawn"


async def test_an_operator_may_withdraw(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch, by_token) as broker:
        await propose(Caller(broker, token="alice publish:swarm.#"))
        operator = Caller(broker, token="root admin")
        assert (await operator.call("swarm.withdraw", **P1))["reason"] == "withdrawn"


async def test_what_has_ended_is_not_withdrawn(broker: Broker) -> None:
    caller = Caller(broker)
    await propose(caller, voters=["a"])
    await vote(caller, "a")
    assert await refusal(caller, "swarm.withdraw", **P1) == (ErrorCode.CONFLICT, "params.proposal_id")
    assert await stage(caller) == "accepted"


async def test_one_thing_is_withdrawn_at_a_time(broker: Broker) -> None:
    caller = Caller(broker)
    both = {**P1, "decision_id": "d1"}
    for params in (both, {"swarm_id": "s1"}):
        assert (await refusal(caller, "swarm.withdraw", **params))[0] is ErrorCode.INVALID_MESSAGE


# ---- Who votes as whom


async def test_without_a_name_a_caller_votes_as_its_subject(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch, by_token) as broker:
        alice = Caller(broker, token="alice publish:swarm.#")
        await propose(alice, voters=["alice", "bob"])
        assert (await vote(alice, None))["voter"] == "alice"
        assert (await vote(Caller(broker, token="alice publish:swarm.#"), "alice"))["duplicate"] is True


async def test_an_agent_is_voted_for_by_who_may_publish_its_status(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch, by_token) as broker:
        worker = Caller(broker, token="w publish:swarm.# publish:agent.a.#")
        await propose(worker)
        assert (await vote(worker, "a"))["voter"] == "a"
        assert await refusal(worker, "swarm.vote", **P1, voter="b", vote="yes") == (
            ErrorCode.PERMISSION_DENIED,
            "params.voter",
        )


async def test_for_a_registered_agent_nobody_but_its_holder_votes(broker: Broker) -> None:
    holder, other = Caller(broker, ONE), Caller(broker, TWO)
    await holder.call("registry.register", id="a", name="a", kind="agent")
    await propose(other)
    assert await refusal(other, "swarm.vote", **P1, voter="a", vote="no") == (
        ErrorCode.PERMISSION_DENIED,
        "params.voter",
    )
    assert (await vote(holder, "a"))["voter"] == "a"


async def test_a_voter_without_a_login_is_the_same_after_a_reconnect_and_shows_no_instance(broker: Broker) -> None:
    first = Caller(broker, ONE)
    await propose(first, voters=None, deadline=5_000)
    name = (await vote(first, None))["voter"]
    first.vanish()
    again = Caller(broker, ONE)
    assert await vote(again, None) == {"voter": name, "vote": "yes", "type": "voting", "duplicate": True}
    assert (await vote(Caller(broker, TWO), None))["voter"] != name
    assert all(ONE not in repr(event) for event in await told(broker))


async def test_the_brokers_own_process_votes_for_whom_it_names(broker: Broker) -> None:
    local: Any = broker.local
    swarm = SwarmChannel(local)
    proposal = await swarm.propose("s1", "?", voters=["a"])
    assert proposal.proposer is None
    with pytest.raises(SwarmwireError) as refused:
        await swarm.vote("s1", proposal.proposal_id, "yes")
    assert (refused.value.code, refused.value.field) == (ErrorCode.INVALID_MESSAGE, "params.voter")
    await swarm.vote("s1", proposal.proposal_id, "yes", "a")
    assert (await swarm.wait_for_consensus("s1", proposal.proposal_id, 10)).type == "accepted"


@pytest.mark.parametrize(
    ("method", "params", "needed"),
    [
        ("swarm.propose", {"voters": VOTERS}, "swarm.s1.consensus.p1"),
        ("swarm.vote", {"vote": "yes", "voter": "a"}, "swarm.s1.vote.p1"),
        ("swarm.withdraw", {}, "swarm.s1.consensus.p1"),
    ],
)
async def test_what_the_broker_publishes_for_a_caller_it_must_be_granted(
    monkeypatch: pytest.MonkeyPatch, method: str, params: dict[str, Any], needed: str
) -> None:
    async with running(monkeypatch, by_token) as broker:
        if method != "swarm.propose":
            await propose(Caller(broker, token="eve publish:swarm.#"))
        stranger = Caller(broker, token="eve publish:swarm.s2.# publish:agent.#")
        assert await refusal(stranger, method, **P1, **params) == (ErrorCode.PERMISSION_DENIED, "params.swarm_id")
        granted = Caller(broker, token=f"eve publish:{needed} publish:agent.#")
        assert (await granted.call(method, **P1, **params))["type"] in ("proposed", "voting", "rejected")


async def test_who_may_not_watch_a_swarm_may_not_look_at_its_proposals(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch, by_token) as broker:
        await propose(Caller(broker, token="alice publish:swarm.#"))
        blind = Caller(broker, token="bob blind")
        assert await refusal(blind, "swarm.proposal", **P1) == (ErrorCode.PERMISSION_DENIED, "params.swarm_id")


@pytest.mark.parametrize(
    "topic", ["swarm.s1.consensus.p1", "swarm.s1.vote.p1", "swarm.s1.decision.d1", "swarm.s1.choice.d1"]
)
async def test_nobody_forges_what_the_broker_alone_says(broker: Broker, topic: str) -> None:
    caller = Caller(broker)  # who holds every permission
    caller.session.receive(b'{"type":"publish","id":7,"topic":"%s","data":{"type":"accepted"}}' % topic.encode())
    await a_moment()
    assert [message["code"] for message in caller.sink.received if message.get("id") == 7] == ["PERMISSION_DENIED"]
    with pytest.raises(SwarmwireError, match="PERMISSION_DENIED"):
        await broker.publish(topic, {"type": "accepted"})
    assert await told(broker) == []


# ---- Limits


async def test_more_open_proposals_than_the_limit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch, limits=Limits(max_proposals=2)) as broker:
        caller = Caller(broker)
        for name in ("p1", "p2"):
            await propose(caller, proposal_id=name)
        again = {**P1, "voters": VOTERS, "proposal_id": "p3"}
        assert (await refusal(caller, "swarm.propose", **again))[0] is ErrorCode.LIMIT_EXCEEDED
        await caller.call("swarm.withdraw", **P1)
        await propose(caller, proposal_id="p3")


async def test_more_votes_than_the_limit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch, limits=Limits(max_votes=2)) as broker:
        caller = Caller(broker)
        assert await refusal(caller, "swarm.propose", **P1, voters=VOTERS) == (
            ErrorCode.INVALID_MESSAGE,
            "params.voters",
        )
        await propose(caller, voters=None, deadline=1_000)
        await vote(caller, "a")
        await vote(caller, "b")
        assert (await refusal(caller, "swarm.vote", **P1, voter="c", vote="no"))[0] is ErrorCode.LIMIT_EXCEEDED
        await MovableClock.latest.advance(2)
        assert await stage(caller) == "accepted"


async def test_a_proposal_over_its_bytes_is_refused_and_exactly_so_many_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch, limits=Limits(max_proposal_bytes=10)) as broker:
        caller = Caller(broker)
        assert await refusal(caller, "swarm.propose", **P1, voters=VOTERS, proposal="x" * 9) == (
            ErrorCode.MESSAGE_TOO_LARGE,
            "params.proposal",
        )
        await propose(caller, proposal="x" * 8)


@pytest.mark.parametrize("kept", [0, 1, 2])
async def test_the_oldest_ended_proposals_make_room(monkeypatch: pytest.MonkeyPatch, kept: int) -> None:
    async with running(monkeypatch, limits=Limits(max_ended_proposals=kept)) as broker:
        caller = Caller(broker)
        names = ["p1", "p2", "p3"]
        for name in names:
            await propose(caller, proposal_id=name, voters=["a"])
            assert (await vote(caller, "a", proposal_id=name))["type"] == "accepted"
        for name in names[: 3 - kept]:
            refused = await refusal(caller, "swarm.proposal", swarm_id="s1", proposal_id=name)
            assert refused[0] is ErrorCode.NOT_FOUND
        for name in names[3 - kept :]:
            assert (await caller.call("swarm.proposal", swarm_id="s1", proposal_id=name))["type"] == "accepted"
        assert len(await broker.hub.engine.scan("consensus")) == kept
        # What it came to is told all the same.
        assert [event.data["type"] for event in await told(broker) if "consensus" in event.topic].count("accepted") == 3


# ---- Restarts and stores that fail


async def test_an_open_proposal_goes_on_after_a_restart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async with running(monkeypatch, data=str(tmp_path)) as broker:
        caller = Caller(broker)
        await propose(caller, voters=["c", "b", "a"], deadline=60_000, proposal={"n": 1})
        await vote(caller, "c", "no")
        await vote(caller, "a", "yes")
        await propose(caller, proposal_id="p2", deadline=60_000)
    async with running(monkeypatch, data=str(tmp_path)) as broker:
        caller = Caller(broker)
        standing = await caller.call("swarm.proposal", **P1)
        assert (standing["type"], standing["proposal"]) == ("voting", {"n": 1})
        assert [ballot["voter"] for ballot in standing["votes"]] == ["c", "a"]
        assert (await refusal(caller, "swarm.vote", **P1, voter="c", vote="yes"))[0] is ErrorCode.CONFLICT
        assert (await vote(caller, "b", "yes"))["type"] == "accepted"
        await MovableClock.latest.advance(61)
        other = {**P1, "proposal_id": "p2"}
        await ended(broker, "p2")
        assert (await Caller(broker).call("swarm.proposal", **other))["reason"] == "deadline"
    async with running(monkeypatch, data=str(tmp_path)) as broker:
        final = await Caller(broker).call("swarm.proposal", **P1)
        assert (final["type"], final["votes_for"], final["votes_against"]) == ("accepted", 2, 1)
        assert [key for key, _ in await broker.hub.engine.scan("consensus-vote/")] == []


async def test_a_deadline_that_passed_while_the_broker_was_down_is_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with running(monkeypatch, data=str(tmp_path)) as broker:
        await propose(Caller(broker), voters=None, deadline=60_000)
        later = MovableClock.latest.now_ms() + 60_001
    monkeypatch.setattr(MovableClock, "now_ms", lambda clock: later)
    async with running(monkeypatch, data=str(tmp_path)) as broker:
        await MovableClock.latest.advance(0.001)
        assert await ended(broker, "p1") == "rejected"


async def test_a_vote_whose_voter_vanishes_meanwhile_is_whole_or_not_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with running(monkeypatch, data=str(tmp_path)) as broker:
        watcher = Caller(broker)
        await propose(watcher)
        for voter in ("a", "b"):
            hasty = Caller(broker)
            hasty.begin("swarm.vote", **P1, voter=voter, vote="yes")
            await asyncio.sleep(0)
            hasty.vanish()
        votes = [await vote(watcher, voter, "yes") for voter in ("a", "b")]
        assert votes[1]["type"] == "accepted"
        assert [event.data["voter"] for event in await told(broker) if ".vote." in event.topic] == ["a", "b"]
        assert [key for key, _ in await broker.hub.engine.scan("consensus-vote/")] == []


async def test_an_end_that_cannot_be_stored_is_tried_again(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    caller = Caller(broker)
    await propose(caller, deadline=1_000)
    transact = OpenEngine.transact

    async def failing(*args: Any, **kwargs: Any) -> int:
        raise SwarmwireError(ErrorCode.UNAVAILABLE)

    monkeypatch.setattr(OpenEngine, "transact", failing)
    await MovableClock.latest.advance(1.5)
    assert await stage(caller) == "proposed"
    monkeypatch.setattr(OpenEngine, "transact", transact)
    await MovableClock.latest.advance(1)
    assert await stage(caller) == "rejected"


async def test_a_vote_that_cannot_be_stored_is_not_counted(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    caller = Caller(broker)
    await propose(caller)
    transact = OpenEngine.transact

    async def failing(*args: Any, **kwargs: Any) -> int:
        raise SwarmwireError(ErrorCode.UNAVAILABLE)

    monkeypatch.setattr(OpenEngine, "transact", failing)
    assert (await refusal(caller, "swarm.vote", **P1, voter="a", vote="no"))[0] is ErrorCode.UNAVAILABLE
    monkeypatch.setattr(OpenEngine, "transact", transact)
    assert (await vote(caller, "a", "yes"))["duplicate"] is False


# ---- Whatever is voted, in whatever order

ballots = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(["yes", "no", "abstain"])), max_size=10)
quorums = st.sampled_from(["majority", "two-thirds", "unanimous", {"votes": 2}, {"share": 0.4}])


@settings(max_examples=30, deadline=None)
@given(ballots, quorums)
def test_nobody_votes_twice_and_a_result_never_changes(cast: list[tuple[str, str]], quorum: Any) -> None:
    asyncio.run(voted(cast, quorum))


async def voted(cast: list[tuple[str, str]], quorum: Any) -> None:
    broker = Broker(Config())
    await broker.start()
    try:
        caller = Caller(broker)
        await propose(caller, quorum=quorum)
        first: dict[str, str] = {}
        result: dict[str, Any] | None = None
        for voter, value in cast:
            repeated = first.get(voter) == value
            if not repeated and (result is not None or voter in first or voter not in VOTERS):
                refused = await refusal(caller, "swarm.vote", **P1, voter=voter, vote=value)
                assert refused[0] in (ErrorCode.CONFLICT, ErrorCode.PERMISSION_DENIED)
            else:
                assert (await vote(caller, voter, value))["duplicate"] is repeated
                first[voter] = value
            standing = await caller.call("swarm.proposal", **P1)
            assert {ballot["voter"]: ballot["vote"] for ballot in standing["votes"]} == first
            assert result is None or standing == result
            result = standing if standing["type"] in ("accepted", "rejected") else None
        finals = [event for event in await told(broker) if event.data.get("type") in ("accepted", "rejected")]
        assert len(finals) == (result is not None)
    finally:
        await broker.stop()
