"""The topics of the channels: made of ids and events, and taken apart again.

One topic an event, `agent.<id>.status`. An id may be any text: what a segment cannot hold is percent-encoded, so
`gpt-4.1` is `agent.gpt-4%2E1.status`. Every function raises INVALID_TOPIC for an empty id, an unknown event, or a
topic that would be longer than the protocol allows.
"""

from __future__ import annotations

from typing import NamedTuple, NoReturn, TypeAlias

from swarmwire_protocol.errors import ErrorCode, SwarmwireError
from swarmwire_protocol.topics import check_pattern, check_topic, decode_segment, encode_segment

from .kinds import AGENT, KINDS, SWARM, TASK, Kind

__all__ = [
    "AgentTopic",
    "ChannelTopic",
    "SwarmTopic",
    "TaskTopic",
    "agent_pattern",
    "agent_topic",
    "build_pattern",
    "build_topic",
    "parse_topic",
    "swarm_pattern",
    "swarm_topic",
    "task_pattern",
    "task_topic",
]


class AgentTopic(NamedTuple):
    """`agent.<agent_id>.<event>`"""

    agent_id: str
    event: str


class TaskTopic(NamedTuple):
    """`task.<task_id>.<event>`"""

    task_id: str
    event: str


class SwarmTopic(NamedTuple):
    """`swarm.<swarm_id>.<event>`, with the proposal or decision as `item_id` where the event has one."""

    swarm_id: str
    event: str
    item_id: str | None = None


ChannelTopic: TypeAlias = AgentTopic | TaskTopic | SwarmTopic


# ---- Topics


def agent_topic(agent_id: str, event: str) -> str:
    """The topic of one event of an agent."""
    return build_topic(AGENT, agent_id, event)


def task_topic(task_id: str, event: str) -> str:
    """The topic of one event of a task."""
    return build_topic(TASK, task_id, event)


def swarm_topic(swarm_id: str, event: str, item_id: str | None = None) -> str:
    """The topic of one event of a swarm; `item_id` is the proposal or the decision, where the event has one."""
    return build_topic(SWARM, swarm_id, event, item_id)


def build_topic(kind: Kind, id: str, event: str, item_id: str | None = None) -> str:
    """The topic of an event of any channel."""
    _check_event(kind, event, item_id)
    if event in kind.items and item_id is None:
        _refuse(f"The topic of {kind.name} event {event} needs its {kind.items[event]}.")
    segments = [kind.name, encode_segment(id), event]
    if item_id is not None:
        segments.append(encode_segment(item_id))
    topic = ".".join(segments)
    check_topic(topic)
    return topic


def parse_topic(topic: str) -> ChannelTopic | None:
    """The ids and the event of a topic, or None if no channel publishes there.

    Only what the builders make is parsed, so two different topics are never the same event of the same id.
    """
    name, *rest = topic.split(".")
    kind = KINDS.get(name)
    if kind is None or len(rest) < 2 or rest[1] not in kind.events:
        return None
    if len(rest) != (3 if rest[1] in kind.items else 2):
        return None
    try:
        id, event, *items = decode_segment(rest[0]), rest[1], *map(decode_segment, rest[2:])
    except SwarmwireError:
        return None
    match kind.name:
        case "agent":
            return AgentTopic(id, event)
        case "task":
            return TaskTopic(id, event)
        case _:
            return SwarmTopic(id, event, *items)


# ---- Patterns


def agent_pattern(agent_id: str | None = None, event: str | None = None) -> str:
    """The pattern of one agent's events or, without `agent_id`, everyone's; of one event or all."""
    return build_pattern(AGENT, agent_id, event)


def task_pattern(task_id: str | None = None, event: str | None = None) -> str:
    """The pattern of one task's events or, without `task_id`, every task's; of one event or all."""
    return build_pattern(TASK, task_id, event)


def swarm_pattern(swarm_id: str | None = None, event: str | None = None, item_id: str | None = None) -> str:
    """The pattern of one swarm's events or, without `swarm_id`, every swarm's; of one event, one item, or all."""
    return build_pattern(SWARM, swarm_id, event, item_id)


def build_pattern(kind: Kind, id: str | None = None, event: str | None = None, item_id: str | None = None) -> str:
    """The pattern of events of any channel; None stands for all."""
    segments = [kind.name, _segment(id)]
    if event is not None:
        _check_event(kind, event, item_id)
        segments.append(event)
    elif item_id is None:
        segments.append("#" if kind.items else "*")
    elif kind.items:
        segments.append("*")
    else:
        _refuse(f"The topics of {kind.name} end with the event; they have no item.")
    if item_id is not None or event in kind.items:
        segments.append(_segment(item_id))
    pattern = ".".join(segments)
    check_pattern(pattern)
    return pattern


def _segment(id: str | None) -> str:
    return "*" if id is None else encode_segment(id)


def _check_event(kind: Kind, event: str, item_id: str | None) -> None:
    if event not in kind.events:
        _refuse(f"Expected an event of {kind.name}, one of {', '.join(kind.events)}; got {event!a:.60}.")
    if item_id is not None and event not in kind.items:
        _refuse(f"The topic of {kind.name} event {event} ends with the event; it has no item.")


def _refuse(sentence: str) -> NoReturn:
    raise SwarmwireError(ErrorCode.INVALID_TOPIC, sentence)
