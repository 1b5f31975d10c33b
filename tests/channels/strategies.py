"""Ids of all sorts, and records of every kind with what their types allow and JSON carries."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from swarmwire_channels import agent_records as agent
from swarmwire_channels import swarm_records as swarm
from swarmwire_channels import task_records as task
from swarmwire_channels.record import Fault, Record

ids = st.one_of(
    st.sampled_from(["a1", "gpt-4.1", "two words", "*", "#", "$sys", "100%", "%2E", "ü.日本", "a\nb", "."]),
    st.text(min_size=1, max_size=20),
)

_text = st.text(max_size=20)
_words = st.none() | _text
_count = st.integers(0, 2**53 - 1)
_finite = st.floats(allow_nan=False, allow_infinity=False)
_number = st.floats(min_value=0, allow_infinity=False) | st.integers(0, 1000)
_percent = st.floats(0, 100) | st.integers(0, 100)
_maybe_number = st.none() | _number
_maybe_count = st.none() | _count

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | _finite | _text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=3),
    max_leaves=5,
)
_facts = st.none() | st.dictionaries(_text, json_values, max_size=3)
_fault = st.builds(Fault, message=_text, code=_words, stack=_words, recoverable=st.none() | st.booleans())
_maybe_fault = st.none() | _fault
_vote = st.sampled_from(["yes", "no", "abstain"])
_topology = st.sampled_from(["hierarchical", "mesh", "hierarchical-mesh", "adaptive"])

_health = st.builds(
    agent.HealthMetrics,
    cpu=_maybe_number,
    memory=_maybe_number,
    uptime=_maybe_number,
    tasks_completed=_maybe_count,
    error_count=_maybe_count,
)
_work = st.builds(
    agent.WorkMetrics,
    response_time=_maybe_number,
    throughput=_maybe_number,
    error_rate=_maybe_number,
    queue_size=_maybe_count,
    active_connections=_maybe_count,
)
_condition = st.builds(
    swarm.SwarmCondition,
    topology=_topology,
    agent_count=_count,
    active_agents=_count,
    queue_size=_count,
    health_score=_percent,
)
_ended = st.sampled_from([None, "votes", "deadline", "withdrawn"])
_quorum = st.sampled_from([None, "majority", "two-thirds", "unanimous"]) | st.one_of(
    st.integers(1, 9).map(lambda votes: swarm.Threshold(votes=votes)),
    st.floats(0.1, 1).map(lambda share: swarm.Threshold(share=share)),
)
_voters = st.none() | st.lists(ids, max_size=3)
_ballots = st.lists(st.builds(swarm.Ballot, voter=ids, vote=_vote), max_size=3)
_tally = st.builds(swarm.Tally, accepted=st.booleans(), votes_for=_count, votes_against=_count, abstentions=_count)
_choices = st.lists(st.builds(swarm.Choice, voter=ids, option=_text, confidence=_maybe_number), max_size=3)
_decided = st.builds(swarm.DecisionResult, selected_option=_text, confidence=_maybe_number)

FIELDS: dict[type[Record], dict[str, st.SearchStrategy[Any]]] = {
    agent.AgentStatus: {
        "status": st.sampled_from(["idle", "busy", "error", "offline"]),
        "message": _words,
        "metadata": _facts,
    },
    agent.AgentHealth: {"healthy": st.booleans(), "metrics": _health},
    agent.AgentMetrics: {"metrics": _work},
    agent.AgentLog: {
        "level": st.sampled_from(["debug", "info", "warn", "error"]),
        "message": _text,
        "context": _facts,
    },
    agent.AgentStarted: {"metadata": _facts},
    agent.AgentStopped: {"reason": _words},
    agent.AgentError: {"error": _fault, "context": _facts},
    task.TaskCreated: {
        "type": _text,
        "priority": st.none() | _finite,
        "agent_id": _words,
        "metadata": _facts,
        "queue": _words,
        "retried_from": _words,
    },
    task.TaskAssigned: {"agent_id": _text, "token": _maybe_count, "attempt": _maybe_count},
    task.TaskStarted: {"agent_id": _words},
    task.TaskProgress: {
        "progress": _percent,
        "status": st.sampled_from(["pending", "in-progress", "completed", "failed", "cancelled"]),
        "message": _words,
    },
    task.TaskMessage: {"message": _text, "sender": _words, "data": json_values},
    task.TaskError: {"error": _fault},
    task.TaskRetrying: {"attempt": _count, "delay": _maybe_number, "error": _maybe_fault},
    task.TaskCompleted: {"result": json_values, "duration": _maybe_number, "error": _maybe_fault},
    task.TaskFailed: {
        "result": json_values,
        "duration": _maybe_number,
        "error": _fault,
        "dead": st.none() | st.booleans(),
    },
    task.TaskCancelled: {"result": json_values, "duration": _maybe_number, "reason": _words},
    task.TaskClosed: {"reason": _words},
    task.TaskResumed: {"agent_id": _words},
    swarm.SwarmTopology: {
        "new_topology": _topology,
        "old_topology": st.none() | _topology,
        "reason": _words,
    },
    swarm.SwarmAgentJoined: {"agent_id": _text, "role": _words},
    swarm.SwarmAgentLeft: {"agent_id": _text, "reason": _words},
    swarm.SwarmState: {"state": _condition},
    swarm.SwarmCoordination: {
        "type": st.sampled_from(["task-assignment", "resource-allocation", "priority-change", "workload-balance"]),
        "data": json_values,
    },
    swarm.Consensus: {
        "proposal_id": ids,
        "type": st.sampled_from(["proposed", "voting", "accepted", "rejected"]),
        "proposal": json_values,
        "proposer": _words,
        "quorum": _quorum,
        "voters": _voters,
        "deadline_at": _maybe_count,
        "votes": st.none() | _ballots,
        "result": st.none() | _tally,
        "reason": _ended,
    },
    swarm.Vote: {"proposal_id": ids, "voter": ids, "vote": _vote},
    swarm.Decision: {
        "decision_id": ids,
        "question": _text,
        "options": st.lists(_text, max_size=3),
        "type": st.sampled_from(["asked", "decided", "undecided"]),
        "asker": _words,
        "voters": _voters,
        "deadline_at": _maybe_count,
        "votes": st.none() | _choices,
        "result": st.none() | _decided,
        "reason": _ended,
    },
    swarm.DecisionChoice: {"decision_id": ids, "voter": ids, "option": _text, "confidence": _maybe_number},
}
"""What each record is made of, beside its id and its timestamp."""

_ID_FIELDS = {"Agent": "agent_id", "Task": "task_id"}


def _built(record: type[Record]) -> st.SearchStrategy[Record]:
    owner = next((field for prefix, field in _ID_FIELDS.items() if record.__name__.startswith(prefix)), "swarm_id")
    return st.builds(record, timestamp=_count, **{owner: ids}, **FIELDS[record])


records = st.sampled_from(sorted(FIELDS, key=lambda record: record.__name__)).flatmap(_built)
