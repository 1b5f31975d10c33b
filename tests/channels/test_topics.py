from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmwire_channels import (
    AgentTopic,
    SwarmTopic,
    TaskTopic,
    agent_pattern,
    agent_topic,
    parse_topic,
    swarm_pattern,
    swarm_topic,
    task_pattern,
    task_topic,
)
from swarmwire_channels.kinds import KINDS, SWARM, Kind
from swarmwire_channels.topics import build_pattern, build_topic
from swarmwire_protocol.errors import ErrorCode, SwarmwireError
from swarmwire_protocol.topics import check_topic, matches

from .strategies import FIELDS, ids

DESIGNED = {
    "agent": "status health metrics log started stopped error",
    "task": ("created assigned started progress message error retrying completed failed cancelled closed resumed"),
    "swarm": "topology agent-joined agent-left state coordination consensus vote decision choice",
}

places = st.sampled_from([(kind, event) for kind in KINDS.values() for event in kind.events])


def built(kind: Kind, id: str, event: str, item: str) -> str:
    return build_topic(kind, id, event, item if event in kind.items else None)


def test_the_events_are_those_of_the_protocol_and_no_others() -> None:
    assert {name: " ".join(kind.events) for name, kind in KINDS.items()} == DESIGNED


def test_the_strategies_know_every_record() -> None:
    assert set(FIELDS) == {record for kind in KINDS.values() for record in kind.events.values()}


def test_topics_read_as_channel_id_event() -> None:
    assert agent_topic("a1", "status") == "agent.a1.status"
    assert task_topic("t1", "progress") == "task.t1.progress"
    assert swarm_topic("s1", "agent-joined") == "swarm.s1.agent-joined"
    assert swarm_topic("s1", "vote", "p1") == "swarm.s1.vote.p1"


def test_what_a_segment_cannot_hold_is_encoded() -> None:
    assert agent_topic("gpt-4.1", "status") == "agent.gpt-4%2E1.status"
    assert swarm_topic("my swarm", "decision", "*") == "swarm.my%20swarm.decision.%2A"


@given(places, ids, ids)
def test_a_topic_is_valid_and_parsed_back_to_its_ids(place: tuple[Kind, str], id: str, item: str) -> None:
    kind, event = place
    topic = built(kind, id, event, item)
    check_topic(topic)
    parsed = parse_topic(topic)
    assert parsed is not None
    assert parsed[:2] == (id, event)
    assert parsed[2:] == ((item if event in kind.items else None,) if kind is SWARM else ())


@given(places, ids, ids, ids, ids)
def test_different_ids_never_share_a_topic(
    place: tuple[Kind, str], id: str, item: str, other_id: str, other_item: str
) -> None:
    kind, event = place
    same_ids = (id, item) == (other_id, other_item) if event in kind.items else id == other_id
    assert (built(kind, id, event, item) == built(kind, other_id, event, other_item)) is same_ids


@given(places, places, ids, ids, ids)
def test_a_pattern_matches_the_topics_it_stands_for_and_no_others(
    place: tuple[Kind, str], other: tuple[Kind, str], id: str, other_id: str, item: str
) -> None:
    (kind, event), (other_kind, other_event) = place, other
    topic = built(other_kind, other_id, other_event, item)
    same_kind = kind is other_kind
    assert matches(build_pattern(kind), topic) is same_kind
    assert matches(build_pattern(kind, id), topic) is (same_kind and id == other_id)
    assert matches(build_pattern(kind, None, event), topic) is (same_kind and event == other_event)
    assert matches(build_pattern(kind, id, event), topic) is (place == other and id == other_id)


def test_patterns_read_as_topics_do() -> None:
    assert agent_pattern() == "agent.*.*"
    assert agent_pattern("a.1") == "agent.a%2E1.*"
    assert task_pattern(event="completed") == "task.*.completed"
    assert swarm_pattern() == "swarm.*.#"
    assert swarm_pattern("s1", "vote") == "swarm.s1.vote.*"
    assert swarm_pattern("s1", "vote", "p1") == "swarm.s1.vote.p1"
    assert swarm_pattern("s1", None, "p1") == "swarm.s1.*.p1"


def test_parsed_topics_are_told_apart_by_their_type() -> None:
    assert isinstance(parse_topic("agent.x.error"), AgentTopic)
    assert isinstance(parse_topic("task.x.error"), TaskTopic)
    assert isinstance(parse_topic("swarm.x.state"), SwarmTopic)


@pytest.mark.parametrize(
    "topic",
    [
        "agent",
        "agent.a1",
        "agent.a1.later-invention",
        "agent.a1.status.more",
        "agent.a.1.status",
        "agent.100%.status",
        "agent.%61.status",
        "agent.%FF.status",
        "swarm.s1.vote",
        "swarm.s1.vote.p1.more",
        "swarm.s1.state.p1",
        "swarm.s1.vote.%61",
        "project.p1.added",
        "$sys.client.connected",
    ],
)
def test_a_topic_that_no_channel_makes_is_none_of_theirs(topic: str) -> None:
    assert parse_topic(topic) is None


@pytest.mark.parametrize(
    "make",
    [
        lambda: agent_topic("", "status"),
        lambda: agent_topic("a1", "logs"),
        lambda: agent_topic("a1", ""),
        lambda: agent_topic("x" * 600, "status"),
        lambda: agent_topic("\ud800", "status"),
        lambda: task_topic("t1", "status"),
        lambda: swarm_topic("s1", "vote"),
        lambda: swarm_topic("s1", "vote", ""),
        lambda: swarm_topic("s1", "state", "p1"),
        lambda: agent_pattern("", "status"),
        lambda: agent_pattern("a1", "*"),
        lambda: agent_pattern("ü" * 300),
        lambda: swarm_pattern("s1", "state", "p1"),
        lambda: swarm_pattern("s1", None, ""),
        lambda: build_pattern(KINDS["task"], "t1", None, "p1"),
    ],
)
def test_what_makes_no_topic_is_refused(make: object) -> None:
    assert callable(make)
    with pytest.raises(SwarmwireError) as caught:
        make()
    assert caught.value.code is ErrorCode.INVALID_TOPIC


def test_an_unknown_event_is_told_which_there_are() -> None:
    with pytest.raises(SwarmwireError, match=r"one of status, health, .*got 'logs'"):
        agent_topic("a1", "logs")
