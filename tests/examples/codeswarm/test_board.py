"""The state of a run, made of its events."""

from typing import Any

import msgspec
from examples.codeswarm.board import Board, Totals, task_of
from examples.codeswarm.survey import Findings, Function

from swarmwire_channels import (
    AgentError,
    AgentHealth,
    AgentStarted,
    AgentStatus,
    AgentStopped,
    Fault,
    HealthMetrics,
    TaskAssigned,
    TaskCompleted,
    TaskCreated,
    TaskFailed,
    TaskProgress,
    TaskStarted,
)

A, B = "r1-a", "r1-b"


def found(lines: int, *functions: Function) -> Any:
    return msgspec.to_builtins(Findings(lines, len(functions), 1, functions))


def board_of(*records: Any) -> Board:
    board = Board("r1")
    for task, file in ((A, "a.py"), (B, "b.py")):
        board.apply(TaskCreated(task_id=task, type="survey-file", metadata={"file": file}))
    for record in records:
        board.apply(record)
    return board


def completed(task: str, lines: int) -> TaskCompleted:
    return TaskCompleted(task_id=task, result=found(lines))


def test_a_file_goes_from_created_to_completed() -> None:
    board = board_of()
    states = []
    for record in (
        TaskAssigned(task_id=A, agent_id="r1-w1"),
        TaskStarted(task_id=A, agent_id="r1-w1"),
        TaskProgress(task_id=A, progress=50),
        completed(A, 7),
    ):
        states.append(board.tasks[A].state)
        board.apply(record)
    assert [*states, board.tasks[A].state] == ["created", "assigned", "started", "started", "completed"]
    assert board.tasks[A].findings == Findings(7, 0, 1)
    assert (board.finished, board.workers["r1-w1"].done, board.workers["r1-w1"].progress) == (1, 1, 100)


def test_a_file_that_is_done_twice_counts_once_and_the_later_result_stands() -> None:
    board = board_of(completed(A, 7), completed(A, 8))
    assert board.finished == 1
    assert board.totals() == Totals(files=1, failed=0, lines=8, functions=0, classes=1)


def test_a_finished_file_is_not_begun_again_by_what_comes_late() -> None:
    board = board_of(completed(A, 7), TaskAssigned(task_id=A, agent_id="r1-w2"), TaskStarted(task_id=A))
    assert board.tasks[A].state == "completed"


def test_a_file_that_was_created_twice_keeps_its_state() -> None:
    board = board_of(completed(A, 7), TaskCreated(task_id=A, type="survey-file", metadata={"file": "a.py"}))
    assert board.tasks[A].state == "completed"
    assert len(board.tasks) == 2


def test_failures_are_named_with_their_reason() -> None:
    board = board_of(TaskFailed(task_id=A, error=Fault(message="line 1: invalid syntax")), completed(B, 3))
    assert [(task.file, task.error) for task in board.failures()] == [("a.py", "line 1: invalid syntax")]
    assert board.totals().failed == 1
    assert board.unfinished() == []


def test_the_run_is_planned_when_its_own_task_starts() -> None:
    assert not board_of(TaskStarted(task_id=A)).planned
    assert board_of(TaskStarted(task_id="r1")).planned


def test_the_longest_functions_of_all_files_are_in_order() -> None:
    board = board_of(
        TaskCompleted(task_id=A, result=found(50, Function("a1", 1, 30), Function("a2", 40, 10))),
        TaskCompleted(task_id=B, result=found(50, Function("b1", 1, 20), Function("b2", 30, 10))),
    )
    assert [(file, it.name) for file, it in board.longest_functions(3)] == [
        ("a.py", "a1"),
        ("b.py", "b1"),
        ("a.py", "a2"),
    ]


def test_a_worker_is_what_its_events_say() -> None:
    board = board_of(
        AgentStarted(agent_id="r1-w1", metadata={"pid": 42}),
        AgentStatus(agent_id="r1-w1", status="busy", message="a.py"),
        AgentHealth(agent_id="r1-w1", healthy=True, metrics=HealthMetrics(cpu=5.0)),
    )
    worker = board.workers["r1-w1"]
    assert (worker.name, worker.pid, worker.state, worker.file) == ("w1", 42, "busy", "a.py")
    board.apply(AgentError(agent_id="r1-w1", error=Fault(message="killed by SIGKILL")))
    assert (worker.state, worker.file) == ("killed by SIGKILL", "")
    board.apply(AgentStopped(agent_id="r1-w1"))
    assert worker.state == "stopped"


def test_the_watcher_is_no_worker() -> None:
    assert board_of(AgentStarted(agent_id="r1-by-1", metadata={"pid": 1})).workers == {}


def test_ids_of_other_runs_do_not_concern_the_board() -> None:
    board = Board("r1")
    assert [board.concerns(name) for name in ("r1", "r1-w1", "r11-w1", "r2")] == [True, True, False, False]


def test_events_of_unknown_tasks_change_nothing() -> None:
    board = board_of(completed("r1-unknown", 5))
    assert (board.finished, len(board.tasks)) == (0, 2)


def test_a_file_has_one_task_a_run() -> None:
    assert task_of("r1", "a.py") == task_of("r1", "a.py")
    assert len({task_of("r1", "a.py"), task_of("r1", "b.py"), task_of("r2", "a.py")}) == 3
