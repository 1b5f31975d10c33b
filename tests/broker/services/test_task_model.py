"""Any sequence of commands, by a boss and three workers, over time: the service does what a small model says."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from swarmwire_broker.broker import Broker
from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from .callers import a_moment
from .taskrig import Worker, advance, running

LEASE = 10
ENDS = ("completed", "failed", "cancelled")


class Step(NamedTuple):
    name: str
    task: int = 0
    worker: int = 0
    seconds: int = 0


_who = {"task": st.integers(0, 2), "worker": st.integers(0, 2)}
_steps = st.lists(
    st.one_of(
        st.builds(Step, st.sampled_from(["submit", "cancel", "close", "resume", "retry"]), **_who),
        st.builds(
            Step, st.sampled_from(["claim", "claim", "renew", "progress", "complete", "fail", "release"]), **_who
        ),
        st.builds(Step, st.just("wait"), st.just(0), st.just(0), st.integers(1, 12)),
    ),
    min_size=5,
    max_size=30,
)


class ModelTask:
    """What a task should be."""

    def __init__(self, order: int) -> None:
        self.order = order
        self.state = "pending"
        self.attempts = 0
        self.holder: int | None = None
        self.until = 0
        self.ends = 0

    def end(self, state: str) -> None:
        assert self.state not in ENDS
        self.state, self.holder = state, None
        self.ends += 1

    def lose(self) -> None:
        """The attempt has ended badly."""
        self.holder = None
        if self.attempts < 3:
            self.state = "pending"
        else:
            self.end("failed")


class Model:
    """The tasks t0 to t2, no backoff, three attempts, and the commands of everybody."""

    def __init__(self) -> None:
        self.now = 0
        self.orders = 0
        self.tasks: dict[int, ModelTask] = {}

    def expected(self, step: Step, token_of: dict[tuple[int, int], int]) -> str:
        """Do a step; `ok` or the code of the error, and for a claim the task."""
        task = self.tasks.get(step.task)
        match step.name:
            case "wait":
                return self._wait(step.seconds)
            case "submit":
                if task is None:
                    self.orders += 1
                    self.tasks[step.task] = ModelTask(self.orders)
                return "ok"
            case "claim":
                return self._claim(step.worker)
        if task is None:
            return "NOT_FOUND"
        if step.name in ("renew", "progress", "complete", "fail", "release"):
            return self._by_worker(step, task, token_of)
        return self._by_boss(step.name, task)

    def _wait(self, seconds: int) -> str:
        self.now += seconds
        for task in self.tasks.values():
            if task.holder is not None and task.until <= self.now:
                task.lose()
        return "ok"

    def _claim(self, worker: int) -> str:
        ready = [(task.order, number) for number, task in self.tasks.items() if task.state == "pending"]
        if not ready:
            return "none"
        number = min(ready)[1]
        task = self.tasks[number]
        task.state, task.holder, task.until = "in-progress", worker, self.now + LEASE
        task.attempts += 1
        return f"t{number}"

    def _by_worker(self, step: Step, task: ModelTask, token_of: dict[tuple[int, int], int]) -> str:
        token = token_of.get((step.worker, step.task), 0)
        last = max((each for (_, number), each in token_of.items() if number == step.task), default=0)
        if token != last or not token:
            return "FENCED"
        if task.state == "completed" and step.name == "complete" and token:
            return "ok"
        if task.state != "in-progress":
            return "CANCELLED" if task.state in ("cancelled", "closed") else "FENCED"
        match step.name:
            case "complete":
                task.end("completed")
            case "fail":
                task.lose()
            case "release":
                task.attempts -= 1
                task.state, task.holder = "pending", None
            case _:
                task.until = self.now + LEASE
        return "ok"

    def _by_boss(self, name: str, task: ModelTask) -> str:
        ended = task.state in ENDS
        match name:
            case "retry" if ended:
                return "skip"
            case "cancel" if not ended:
                task.end("cancelled")
            case "close" if task.state in ("pending", "in-progress"):
                task.state, task.holder = "closed", None
            case "resume" if task.state == "closed":
                task.state = "pending"
            case _:
                return "CONFLICT"
        return "ok"


async def act(boss: Worker, worker: Worker, step: Step, token: int) -> Any:
    """Do the step for real; the answer."""
    id = f"t{step.task}"
    match step.name:
        case "wait":
            return await advance(step.seconds)
        case "submit":
            return await boss.submit(id=id, lease=LEASE * 1000, backoff=0)
        case "claim":
            return await worker.claim()
        case "renew" | "complete" | "release":
            return await worker.call(f"task.{step.name}", id=id, token=token)
        case "progress":
            return await worker.call("task.progress", id=id, token=token, progress=5)
        case "fail":
            return await worker.call("task.fail", id=id, token=token, error={"message": "x"})
        case _:
            return await boss.call(f"task.{step.name}", id=id)


async def found(boss: Worker, worker: Worker, step: Step, tokens: dict[tuple[int, int], int]) -> str:
    try:
        answer = await act(boss, worker, step, tokens.get((step.worker, step.task), 0))
    except SwarmwireError as error:
        return str(error.code)
    if step.name != "claim":
        return "ok"
    if answer is None:
        return "none"
    number = int(answer["id"][1:])
    assert answer["token"] > max(tokens.values(), default=0)
    tokens[step.worker, number] = answer["token"]
    return str(answer["id"])


async def check(broker: Broker, steps: list[Step]) -> None:
    model, tokens = Model(), dict[tuple[int, int], int]()
    boss, workers = Worker(broker), [Worker(broker) for _ in range(3)]
    ends: dict[str, int] = {}
    event: Any
    async with broker.subscribe("task.*.*") as events:
        for step in steps:
            expected = model.expected(step, tokens)
            if expected == "skip":  # a retry makes a task that the model does not know
                continue
            assert await found(boss, workers[step.worker], step, tokens) == expected, step
            await a_moment()
            for number, task in model.tasks.items():
                status = await boss.status(f"t{number}")
                assert (status["state"], status["attempts"]) == (task.state, task.attempts), (step, number)
        await broker.publish("task.x.end", None)
        async for event in events:
            name, id = event.topic.rpartition(".")[2], event.topic.split(".")[1]
            if name == "end":
                break
            ends[id] = ends.get(id, 0) + (name in ENDS)
    assert ends == {f"t{number}": task.ends for number, task in model.tasks.items()}
    assert all(task.ends == (task.state in ENDS) for task in model.tasks.values())
    row = (await boss.call("queue.status", queue="default"))["queues"][0]
    assert row["total"] == len(model.tasks)
    assert row["running"] == sum(task.state == "in-progress" for task in model.tasks.values())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=_steps)
def test_the_service_does_what_the_model_says(monkeypatch: pytest.MonkeyPatch, steps: list[Step]) -> None:
    async def run() -> None:
        async with running(monkeypatch) as broker:
            await check(broker, steps)

    asyncio.run(run())


def test_the_model_knows_what_is_wrong() -> None:
    model = Model()
    model.expected(Step("submit"), {})
    assert model.expected(Step("claim"), {}) == "t0"
    assert model.expected(Step("complete"), {(0, 0): 1, (1, 0): 2}) == ErrorCode.FENCED
    assert model.expected(Step("complete", worker=1), {(0, 0): 1, (1, 0): 2}) == "ok"
