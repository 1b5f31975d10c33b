from __future__ import annotations

from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmwire_channels import (
    AgentHealth,
    AgentStatus,
    Consensus,
    Fault,
    HealthMetrics,
    TaskCompleted,
    TaskCreated,
    TaskFailed,
    TaskProgress,
    from_data,
    to_data,
)
from swarmwire_channels.kinds import KINDS
from swarmwire_channels.record import Record
from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from .strategies import records

TS = 1_700_000_000_000


def over_the_wire(record: Record) -> Any:
    return orjson.loads(orjson.dumps(to_data(record)))


@given(records)
def test_a_record_is_the_same_after_a_trip_over_the_wire(record: Record) -> None:
    assert from_data(over_the_wire(record), type(record), TS) == record


@given(records)
def test_names_are_camel_case_on_the_wire_and_none_is_left_out(record: Record) -> None:
    data = to_data(record)
    assert all("_" not in name for name in data)
    assert None not in data.values()


@given(records, st.text(min_size=1, max_size=9))
def test_what_a_newer_peer_adds_is_ignored(record: Record, addition: str) -> None:
    data = {f"new{addition}": [1, {"deep": None}], **over_the_wire(record)}
    assert from_data(data, type(record), TS) == record


def test_the_names_are_those_of_the_documents() -> None:
    metrics = HealthMetrics(cpu=0.5, memory=0, uptime=12, tasks_completed=0, error_count=3)
    assert to_data(AgentHealth(agent_id="a1", healthy=True, metrics=metrics, timestamp=7)) == {
        "agentId": "a1",
        "healthy": True,
        "metrics": {"cpu": 0.5, "memory": 0, "uptime": 12, "tasksCompleted": 0, "errorCount": 3},
        "timestamp": 7,
    }


def test_a_status_that_is_fixed_is_written_all_the_same() -> None:
    assert to_data(TaskCompleted(task_id="t1", timestamp=7)) == {
        "taskId": "t1",
        "status": "completed",
        "timestamp": 7,
    }


def test_the_timestamp_is_now_unless_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time_ns", lambda: 1_234_567_890)
    assert AgentStatus(agent_id="a1", status="idle").timestamp == 1234
    assert AgentStatus(agent_id="a1", status="idle", timestamp=0).timestamp == 0


def test_a_missing_timestamp_is_when_the_broker_took_the_event() -> None:
    assert from_data({"agentId": "a1", "status": "idle"}, AgentStatus, TS).timestamp == TS


def test_a_timestamp_of_zero_is_a_timestamp() -> None:
    assert from_data({"agentId": "a1", "status": "idle", "timestamp": 0}, AgentStatus, TS).timestamp == 0


@pytest.mark.parametrize(
    ("data", "field", "said"),
    [
        (None, "data", "Expected object, got null"),
        ([1], "data", "Expected object, got array"),
        ({"taskId": "t1"}, "data.progress", "missing required field progress"),
        ({"taskId": "t1", "progress": "40"}, "data.progress", "Expected float, got str"),
        ({"taskId": "t1", "progress": 101}, "data.progress", "<= 100"),
        ({"taskId": "t1", "progress": -1}, "data.progress", ">= 0"),
        ({"taskId": 1, "progress": 4}, "data.taskId", "Expected str, got int"),
        ({"taskId": "t1", "progress": 4, "status": "a\nb"}, "data.status", r"'a\\nb'"),
        ({"taskId": "t1", "progress": 4, "timestamp": -1}, "data.timestamp", ">= 0"),
        ({"taskId": "t1", "progress": 4, "timestamp": 10**30}, "data.timestamp", "<="),
    ],
)
def test_data_that_does_not_fit_is_an_error_that_names_the_field(data: Any, field: str, said: str) -> None:
    with pytest.raises(SwarmwireError) as caught:
        from_data(data, TaskProgress, TS)
    assert caught.value.code is ErrorCode.INVALID_MESSAGE
    assert caught.value.field == field
    assert said in caught.value.message
    assert "\n" not in caught.value.message


def test_a_field_at_fault_deep_inside_is_named_by_its_path() -> None:
    with pytest.raises(SwarmwireError) as caught:
        from_data({"taskId": "t1", "status": "failed", "error": {"code": "E"}}, TaskFailed, TS)
    assert caught.value.field == "data.error.message"


def test_an_error_stays_short_whatever_came() -> None:
    with pytest.raises(SwarmwireError) as caught:
        from_data({"agentId": "a1", "status": "x" * 100_000}, AgentStatus, TS)
    assert len(caught.value.message) < 500


@pytest.mark.parametrize("progress", [101, -0.5, float("nan"), float("inf")])
def test_a_progress_that_is_none_is_never_published(progress: float) -> None:
    with pytest.raises(SwarmwireError) as caught:
        to_data(TaskProgress(task_id="t1", progress=progress))
    assert caught.value.field == "data.progress"


def test_a_result_that_json_cannot_hold_is_a_named_error() -> None:
    with pytest.raises(SwarmwireError) as caught:
        to_data(TaskCompleted(task_id="t1", result=object()))
    assert caught.value.code is ErrorCode.INVALID_MESSAGE


def test_a_result_that_contains_itself_is_a_named_error() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(SwarmwireError) as caught:
        to_data(TaskCompleted(task_id="t1", result=endless))
    assert caught.value.code is ErrorCode.INVALID_MESSAGE


def test_the_end_of_a_task_cannot_contradict_its_topic() -> None:
    with pytest.raises(SwarmwireError) as caught:
        from_data({"taskId": "t1", "status": "failed"}, TaskCompleted, TS)
    assert caught.value.field == "data.status"


def test_a_priority_may_be_negative() -> None:
    assert to_data(TaskCreated(task_id="t1", type="build", priority=-1))["priority"] == -1


def test_a_consensus_is_read_with_its_votes_and_tally() -> None:
    data = {
        "swarmId": "s1",
        "proposalId": "p1",
        "type": "accepted",
        "votes": [{"voter": "a1", "vote": "yes"}, {"voter": "a2", "vote": "abstain"}],
        "result": {"accepted": True, "votesFor": 1, "votesAgainst": 0, "abstentions": 1},
    }
    consensus = from_data(data, Consensus, TS)
    assert consensus.votes is not None
    assert [ballot.vote for ballot in consensus.votes] == ["yes", "abstain"]
    assert consensus.result is not None
    assert consensus.result.votes_for == 1


def test_a_fault_of_an_exception_has_its_text_and_name_but_not_its_stack() -> None:
    try:
        raise LookupError("no such part")
    except LookupError as error:
        fault = Fault.of(error)
    assert (fault.message, fault.code, fault.stack) == ("no such part", "LookupError", None)


def test_a_fault_of_a_named_error_has_its_code() -> None:
    fault = Fault.of(SwarmwireError(ErrorCode.CONFLICT, "Already there."))
    assert (fault.message, fault.code) == ("Already there.", "CONFLICT")


def test_a_fault_of_an_exception_without_text_still_says_something() -> None:
    assert Fault.of(KeyError()).message == "KeyError"


def test_a_fault_stays_itself() -> None:
    fault = Fault(message="late", recoverable=False)
    assert Fault.of(fault) is fault


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_event_has_a_record_of_its_own(kind: Any) -> None:
    assert len(set(kind.events.values())) == len(kind.events)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_the_table_names_only_fields_that_the_records_have(kind: Any) -> None:
    for event, record in kind.events.items():
        names = {field.name for field in msgspec.structs.fields(record)}
        assert kind.id_field in names
        assert kind.items.get(event, kind.id_field) in names
    assert kind.reserved <= set(kind.events)
    assert set(kind.items) <= set(kind.events)
