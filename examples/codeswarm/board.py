"""The state of a run, made of its events and nothing else: the same events give the same results."""

from __future__ import annotations

import hashlib
from typing import Any, Literal

import msgspec
from msgspec import Struct

from swarmwire_channels import (
    AgentError,
    AgentHealth,
    AgentStarted,
    AgentStatus,
    AgentStopped,
    HealthMetrics,
    TaskAssigned,
    TaskCompleted,
    TaskCreated,
    TaskFailed,
    TaskProgress,
    TaskStarted,
)

from .survey import Findings, Function

__all__ = ["Board", "FileTask", "TaskState", "Totals", "Worker", "task_of"]

TaskState = Literal["created", "assigned", "started", "completed", "failed"]


def task_of(run: str, file: str) -> str:
    """The id of the task of a file: always the same one, so that a task is never made twice."""
    return f"{run}-{hashlib.blake2s(file.encode(), digest_size=6).hexdigest()}"


class FileTask(Struct, kw_only=True):
    """A file, which agent has it, and what came of it."""

    id: str
    file: str
    state: TaskState = "created"
    agent: str | None = None
    findings: Findings | None = None
    error: str | None = None

    @property
    def ended(self) -> bool:
        """Whether the file needs no more work."""
        return self.state in ("completed", "failed")


class Worker(Struct, kw_only=True):
    """A worker process as its events tell of it; `progress` is that of its file, in percent."""

    name: str
    state: str = "starting"
    pid: int | None = None
    file: str = ""
    progress: float = 0
    done: int = 0
    health: HealthMetrics | None = None


class Totals(Struct, frozen=True, kw_only=True):
    """The sums over all files that could be read, and how many could not."""

    files: int
    failed: int
    lines: int
    functions: int
    classes: int


class Board:
    """All files and workers of one run.

    A file counts once, however often it was done: a later result replaces the earlier one.

    Attributes:
        run: the id of the run, which is the id of its task too; ids of its files and agents begin with `<run>-`.
        tasks: the files by the id of their task, in the order of their creation.
        workers: the workers by the id of their agent.
        finished: how many files need no more work.
        planned: whether every file has its task.
    """

    def __init__(self, run: str) -> None:
        self.run = run
        self.tasks: dict[str, FileTask] = {}
        self.workers: dict[str, Worker] = {}
        self.finished = 0
        self.planned = False

    def concerns(self, name: str) -> bool:
        """Whether an agent or task of this id belongs to the run."""
        return name == self.run or name.startswith(f"{self.run}-")

    def apply(self, record: Any) -> None:
        """Take in what an event of the run tells. What comes too late to matter changes nothing."""
        match record:
            case TaskStarted(task_id=self.run):
                self.planned = True
            case TaskCreated(task_id=name, metadata={"file": str(file)}):
                self.tasks.setdefault(name, FileTask(id=name, file=file))
            case TaskAssigned() | TaskStarted() | TaskProgress() | TaskCompleted() | TaskFailed():
                if task := self.tasks.get(record.task_id):
                    self._advance(task, record)
            case AgentStarted() | AgentStatus() | AgentHealth() | AgentStopped() | AgentError():
                if record.agent_id.startswith(f"{self.run}-w"):
                    self._update(self._worker(record.agent_id), record)

    def _worker(self, name: str) -> Worker:
        if name not in self.workers:
            self.workers[name] = Worker(name=name.removeprefix(f"{self.run}-"))
        return self.workers[name]

    def _advance(self, task: FileTask, record: Any) -> None:
        match record:
            case TaskCompleted(result=result):
                self._end(task, "completed", msgspec.convert(result, Findings), None)
            case TaskFailed(error=error):
                self._end(task, "failed", None, error.message)
            case _ if task.ended:  # from a worker that was thought dead, or one that does it once more
                return
            case TaskAssigned(agent_id=agent):
                task.state, task.agent = "assigned", agent
            case TaskStarted(agent_id=str(agent)):
                task.state, task.agent = "started", agent
                self._worker(agent).progress = 0
            case TaskProgress(progress=progress) if task.agent:
                self._worker(task.agent).progress = progress

    def _end(self, task: FileTask, state: TaskState, findings: Findings | None, error: str | None) -> None:
        if not task.ended:
            self.finished += 1
            if task.agent:
                worker = self._worker(task.agent)
                worker.done, worker.progress = worker.done + 1, 100
        task.state, task.findings, task.error = state, findings, error

    def _update(self, worker: Worker, record: Any) -> None:
        match record:
            case AgentStarted(metadata={"pid": int(pid)}):
                worker.state, worker.pid = "started", pid
            case AgentStatus(status=status, message=message):
                worker.state, worker.file = status, message or ""
            case AgentHealth(metrics=metrics):
                worker.health = metrics
            case AgentStopped():
                worker.state, worker.file = "stopped", ""
            case AgentError(error=error):
                worker.state, worker.file = error.message, ""

    # ---- Results

    def unfinished(self) -> list[FileTask]:
        """The files that need more work, in the order of their creation."""
        return [task for task in self.tasks.values() if not task.ended]

    def surveyed(self) -> list[FileTask]:
        """The files with findings, by name."""
        return sorted((task for task in self.tasks.values() if task.findings), key=lambda task: task.file)

    def failures(self) -> list[FileTask]:
        """The files that could not be read, by name."""
        return sorted((task for task in self.tasks.values() if task.error), key=lambda task: task.file)

    def totals(self) -> Totals:
        """The sums over all files."""
        found = [task.findings for task in self.tasks.values() if task.findings]
        return Totals(
            files=len(found),
            failed=len(self.failures()),
            lines=sum(findings.lines for findings in found),
            functions=sum(findings.functions for findings in found),
            classes=sum(findings.classes for findings in found),
        )

    def longest_functions(self, count: int) -> list[tuple[str, Function]]:
        """The longest functions of all files with the file each is in; exact up to `survey.LONGEST` of them."""
        found = [
            (task.file, function) for task in self.tasks.values() if task.findings for function in task.findings.longest
        ]
        return sorted(found, key=lambda it: (-it[1].lines, it[0], it[1].line))[:count]
