"""Decisions, as those who ask, choose and watch see them."""

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
from swarmwire_protocol.errors import ErrorCode

from .callers import Caller, MovableClock, running
from .votingrig import by_token, refusal, told

ONE, TWO = "1" * 32, "2" * 32
D1: dict[str, Any] = {"swarm_id": "s1", "decision_id": "d1"}
VOTERS, OPTIONS = ["a", "b", "c"], ["x", "y", "z"]


@pytest_asyncio.fixture
async def broker(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Broker]:
    async with running(monkeypatch) as broker:
        yield broker


async def decide(caller: Caller, **params: Any) -> dict[str, Any]:
    asked = {**D1, "question": "Which?", "options": OPTIONS, "voters": VOTERS, **params}
    answer = await caller.call("swarm.decide", **asked)
    assert isinstance(answer, dict)
    return answer


async def choose(caller: Caller, voter: str | None, option: str, **params: Any) -> dict[str, Any]:
    answer = await caller.call("swarm.choose", **{**D1, "voter": voter, "option": option, **params})
    assert isinstance(answer, dict)
    return answer


async def test_a_decision_is_open_until_no_choice_can_change_it(broker: Broker) -> None:
    caller = Caller(broker)
    assert (await decide(caller))["type"] == "asked"
    assert await choose(caller, "a", "y", confidence=0.5) == {
        "voter": "a",
        "option": "y",
        "type": "asked",
        "duplicate": False,
    }
    assert (await choose(caller, "b", "y", confidence=1))["type"] == "decided"
    standing = await caller.call("swarm.decision", **D1)
    assert (standing["selected_option"], standing["confidence"], standing["reason"]) == ("y", 0.75, "votes")
    assert standing["votes"] == [
        {"voter": "a", "option": "y", "confidence": 0.5},
        {"voter": "b", "option": "y", "confidence": 1.0},
    ]


async def test_every_choice_is_told_and_the_broker_alone_says_what_was_decided(broker: Broker) -> None:
    caller = Caller(broker)
    await decide(caller)
    for voter, option in zip(VOTERS, "xyx", strict=True):
        await choose(caller, voter, option)
    events = await told(broker)
    mine = f"anonymous:{caller.id}"
    assert [(event.topic, event.sender) for event in events] == [
        ("swarm.s1.decision.d1", None),
        *[("swarm.s1.choice.d1", mine)] * 3,
        ("swarm.s1.decision.d1", None),
    ]
    assert events[0].data["type"] == "asked"
    assert events[1].data["option"] == "x"
    final = events[-1].data
    assert (final["type"], final["result"], final["question"]) == ("decided", {"selectedOption": "x"}, "Which?")


async def test_the_deadline_decides_by_the_choices_that_are_there(broker: Broker) -> None:
    caller = Caller(broker)
    await decide(caller, voters=None, deadline=5_000)
    await choose(caller, "v1", "z")
    await MovableClock.latest.advance(4.9)
    assert (await caller.call("swarm.decision", **D1))["type"] == "asked"
    await MovableClock.latest.advance(0.2)
    standing = await caller.call("swarm.decision", **D1)
    assert (standing["type"], standing["selected_option"], standing["reason"]) == ("decided", "z", "deadline")


async def test_where_nobody_chose_the_deadline_leaves_it_undecided(broker: Broker) -> None:
    caller = Caller(broker)
    await decide(caller, deadline=0)
    await MovableClock.latest.advance(0.001)
    assert (await caller.call("swarm.decision", **D1))["type"] == "undecided"
    final = (await told(broker))[-1].data
    assert (final["type"], "result" in final) == ("undecided", False)


async def test_the_first_choice_counts_and_another_is_a_conflict(broker: Broker) -> None:
    caller = Caller(broker)
    await decide(caller)
    await choose(caller, "a", "x", confidence=0.5)
    assert (await choose(caller, "a", "x", confidence=0.5))["duplicate"] is True
    for other in ({"option": "y", "confidence": 0.5}, {"option": "x"}):
        assert await refusal(caller, "swarm.choose", **D1, voter="a", **other) == (
            ErrorCode.CONFLICT,
            "params.voter",
        )


async def test_only_listed_voters_choose_and_only_from_the_options(broker: Broker) -> None:
    caller = Caller(broker)
    await decide(caller)
    stranger = await refusal(caller, "swarm.choose", **D1, voter="d", option="x")
    strange = await refusal(caller, "swarm.choose", **D1, voter="a", option="w")
    assert stranger == (ErrorCode.PERMISSION_DENIED, "params.voter")
    assert strange == (ErrorCode.INVALID_MESSAGE, "params.option")


async def test_after_the_end_no_choice_is_taken(broker: Broker) -> None:
    caller = Caller(broker)
    await decide(caller, voters=["a", "b"], options=["x"])
    await choose(caller, "a", "x")
    refused = await refusal(caller, "swarm.choose", **D1, voter="b", option="x")
    assert refused == (ErrorCode.CONFLICT, "params.decision_id")


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"options": []}, "params.options"),
        ({"options": ["x", "x"]}, "params.options"),
        ({"voters": []}, "params.voters"),
        ({"voters": None}, "params.deadline"),
        ({"decision_id": "\x00"}, "params.decision_id"),
        ({"deadline": 2_592_000_001}, "params.deadline"),
    ],
)
async def test_what_does_not_fit_is_refused_with_its_field(broker: Broker, params: dict[str, Any], field: str) -> None:
    asked = {**D1, "question": "Which?", "options": OPTIONS, "voters": VOTERS, **params}
    assert await refusal(Caller(broker), "swarm.decide", **asked) == (ErrorCode.INVALID_MESSAGE, field)


async def test_the_same_question_again_is_the_same_one_and_another_is_a_conflict(broker: Broker) -> None:
    caller = Caller(broker, ONE)
    await decide(caller)
    assert (await decide(caller))["duplicate"] is True
    asked = {**D1, "question": "What?", "options": OPTIONS, "voters": VOTERS}
    assert await refusal(caller, "swarm.decide", **asked) == (ErrorCode.CONFLICT, "params.decision_id")


async def test_a_decision_is_withdrawn_by_who_asked(broker: Broker) -> None:
    asker = Caller(broker, ONE)
    await decide(asker)
    await choose(asker, "a", "x")
    withdrawn = await asker.call("swarm.withdraw", **D1)
    assert (withdrawn["type"], withdrawn["reason"]) == ("undecided", "withdrawn")
    assert "selected_option" not in withdrawn


async def test_a_question_over_its_bytes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch, limits=Limits(max_proposal_bytes=8)) as broker:
        asked = {**D1, "question": "Which?", "options": OPTIONS, "voters": VOTERS}
        assert await refusal(Caller(broker), "swarm.decide", **asked) == (
            ErrorCode.MESSAGE_TOO_LARGE,
            "params.question",
        )


async def test_more_open_decisions_than_the_limit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch, limits=Limits(max_proposals=1)) as broker:
        caller = Caller(broker)
        await decide(caller)
        again = {"swarm_id": "s1", "question": "?", "options": OPTIONS, "voters": VOTERS}
        assert (await refusal(caller, "swarm.decide", **again))[0] is ErrorCode.LIMIT_EXCEEDED
        await caller.call("swarm.propose", swarm_id="s1", voters=VOTERS)  # proposals are counted by themselves


async def test_an_agent_chooses_by_who_may_publish_its_status(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch, by_token) as broker:
        await decide(Caller(broker, token="root publish:swarm.#"))
        worker = Caller(broker, token="w publish:swarm.s1.choice.* publish:agent.a.status")
        assert (await choose(worker, "a", "x"))["voter"] == "a"
        refused = await refusal(worker, "swarm.choose", **D1, voter="b", option="x")
        assert refused == (ErrorCode.PERMISSION_DENIED, "params.voter")
        asked = {"swarm_id": "s1", "question": "?", "options": OPTIONS, "voters": VOTERS, "decision_id": "d2"}
        assert (await refusal(worker, "swarm.decide", **asked))[0] is ErrorCode.PERMISSION_DENIED
        blind = Caller(broker, token="b blind")
        assert (await refusal(blind, "swarm.decision", **D1))[0] is ErrorCode.PERMISSION_DENIED


async def test_an_open_decision_goes_on_after_a_restart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async with running(monkeypatch, data=str(tmp_path)) as broker:
        caller = Caller(broker)
        await decide(caller)
        await choose(caller, "c", "z", confidence=0.25)
        await choose(caller, "a", "x")
    async with running(monkeypatch, data=str(tmp_path)) as broker:
        caller = Caller(broker)
        assert [vote["voter"] for vote in (await caller.call("swarm.decision", **D1))["votes"]] == ["c", "a"]
        assert (await choose(caller, "b", "z"))["type"] == "decided"
    async with running(monkeypatch, data=str(tmp_path)) as broker:
        final = await Caller(broker).call("swarm.decision", **D1)
        assert (final["selected_option"], final["confidence"]) == ("z", 0.25)


choices = st.permutations([("a", "x", 0.1), ("b", "y", 0.7), ("c", "x", 0.2), ("d", "z", None), ("e", "y", 0.3)])


@settings(max_examples=20, deadline=None)
@given(choices)
def test_what_is_decided_does_not_depend_on_the_order_of_choices(cast: list[tuple[str, str, float | None]]) -> None:
    asyncio.run(chosen(cast))


async def chosen(cast: list[tuple[str, str, float | None]]) -> None:
    broker = Broker(Config())
    await broker.start()
    try:
        caller = Caller(broker)
        await decide(caller, voters=list("abcde"))
        for voter, option, confidence in cast:
            assert (await choose(caller, voter, option, confidence=confidence))["duplicate"] is False
        final = await caller.call("swarm.decision", **D1)
        assert (final["type"], final["selected_option"], final["confidence"]) == ("decided", "y", 0.5)
    finally:
        await broker.stop()
