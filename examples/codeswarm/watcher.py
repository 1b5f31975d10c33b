"""The watcher of a run: makes tasks of files, hands them to workers, sees every event, checks the log at the end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec import Struct

from swarmwire import Client, Event, Gap
from swarmwire_channels import (
    AgentChannel,
    AgentStarted,
    TaskChannel,
    TaskCompleted,
    TaskCreated,
    TaskFailed,
    TaskRetrying,
)

from .board import FileTask, task_of
from .crew import Crew, how_it_ended
from .dispatch import Dispatcher
from .files import python_files
from .pipeline import Pipeline
from .screen import Screen
from .witness import Ends, Witness
from .worker import Orders

__all__ = ["Plan", "Stranded", "Watcher"]

AGENTS, TASKS = "agent.#", "task.#"

REFRESH_SECONDS = 0.1
"""How often the screen is brought up to date."""

ROUND_TRIP_SECONDS = 60.0
"""How long an event of the watcher's own may take to come back before something must be wrong."""


class Stranded(Exception):
    """The run cannot be finished; its text says why."""


class Plan(Struct, kw_only=True):
    """What a run is about. With `cursor`, the run goes on that began there."""

    run: str
    root: str
    url: str
    token: str | None
    workers: int
    delay_ms: int
    max_restarts: int
    cursor: str | None = None


class Watcher:
    """Runs one plan. The state of the run is made of its events alone, so another watcher can go on with it.

    Attributes:
        witness: what was seen so far.
        connection: a few words on the watcher's own connection.
        reconnects, restarts: how often the connection came back, and how many workers took the place of dead ones.
    """

    def __init__(self, client: Client, plan: Plan, screen: Screen, began: Callable[[str], None]) -> None:
        self.witness = Witness(plan.run)
        self.board = self.witness.board
        self.connection = "connected"
        self.reconnects = 0
        self.restarts = 0
        self._client = client
        self._plan = plan
        self._screen = screen
        self._began = began
        self._pipeline = Pipeline(client)
        self._agents = AgentChannel(self._pipeline)
        self._tasks = TaskChannel(self._pipeline)
        self._dispatcher = Dispatcher()
        self._crew = Crew()
        self._moved = asyncio.Event()
        self._hired = 0
        self._name = f"{plan.run}-by-{time.time_ns():x}"

    async def run(self) -> tuple[str, Ends]:
        """Do the whole run; returns the cursor it began at and its last events.

        Raises:
            Stranded: files are left and nobody who could read them, or an event does not come back.
            SwarmwireError: the broker refuses something.
        """
        self._listen()
        start, streams = await self._subscribe()
        self._began(start)
        try:
            async with asyncio.TaskGroup() as group:
                chores = [group.create_task(self._watch(pattern, stream)) for pattern, stream in streams.items()]
                chores += [group.create_task(self._show()), group.create_task(self._mind_workers(start))]
                ends = await self._work(start)
                for chore in chores:
                    chore.cancel()
        except ExceptionGroup as group_error:
            raise group_error.exceptions[0] from None
        return start, ends

    async def _work(self, start: str) -> Ends:
        try:
            await self._begin()
            await self._hire(self._plan.workers, start)
            await self._until(lambda: self.board.planned and self.board.finished == len(self.board.tasks))
        finally:
            await self._crew.close()
        return await self._end()

    # ---- The connection

    def _listen(self) -> None:
        self._client.listen("disconnected", lambda code, reason: self._tell_connection("connection lost"))
        self._client.listen("reconnecting", lambda attempt, delay: self._tell_connection(f"reconnecting ({attempt})"))
        self._client.listen("resumed", self._count_reconnect)

    def _tell_connection(self, words: str) -> None:
        self.connection = words

    def _count_reconnect(self) -> None:
        self.reconnects += 1
        self._tell_connection("connected again")

    async def _subscribe(self) -> tuple[str, dict[str, Any]]:
        """Subscribe to both channels, from the same place in the log."""
        start: Any = "now" if self._plan.cursor is None else {"cursor": self._plan.cursor}
        tasks = await self._client.subscribe(TASKS, from_=start, gaps=True)
        cursor = self._plan.cursor or tasks.cursor
        assert cursor is not None
        agents = await self._client.subscribe(AGENTS, from_={"cursor": cursor}, gaps=True)
        return cursor, {TASKS: tasks, AGENTS: agents}

    # ---- Seeing

    async def _watch(self, pattern: str, stream: Any) -> None:
        async for item in stream:
            await self._take(pattern, item)
            self._moved.set()
        raise Stranded("the watcher's subscription has ended")

    async def _take(self, pattern: str, item: Event | Gap) -> None:
        change = self.witness.note(pattern, item)
        if isinstance(item, Gap):
            self._screen.say(f"gap: {self.witness.gaps[-1]}")
            await self._recover()
        elif change is not None:
            self._follow(change.record)
            await self._assign()

    def _follow(self, record: Any) -> None:
        """Draw the consequences of an event."""
        match record:
            case AgentStarted(agent_id=agent) if agent in self._crew.alive:
                self._dispatcher.join(agent)
            case TaskCreated(task_id=task) | TaskRetrying(task_id=task) if self._is_open(task):
                self._dispatcher.add(task)
            case TaskCompleted(task_id=task):
                self._dispatcher.finish(task)
            case TaskFailed(task_id=task, error=error) if task in self.board.tasks:
                self._dispatcher.finish(task)
                self._screen.say(f"failed: {self.board.tasks[task].file}: {error.message}")

    def _is_open(self, task: str) -> bool:
        return task in self.board.tasks and not self.board.tasks[task].ended

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._moved.clear()
            await self._moved.wait()

    async def _show(self) -> None:
        while True:
            self._show_now()
            await asyncio.sleep(REFRESH_SECONDS)

    def _show_now(self) -> None:
        self._screen.show(self.board, len(self.witness.seen), self.connection)

    # ---- Beginning and ending

    async def _begin(self) -> None:
        """Learn what the log already tells of the run, then make a task of every file that has none."""
        agents, tasks = AgentChannel(self._client), TaskChannel(self._client)
        await self._round_trip(AGENTS, (await agents.started(self._name)).seq)
        if self._plan.cursor is None:
            here = await tasks.created(self._plan.run, "survey", metadata={"workers": self._plan.workers})
        else:
            here = await tasks.resumed(self._plan.run)
        await self._round_trip(TASKS, here.seq)
        self._hired = len(self.board.workers)
        await self._create_tasks()
        await self._tasks.started(self._plan.run, self._name)

    async def _create_tasks(self) -> None:
        files = await asyncio.to_thread(lambda: list(python_files(Path(self._plan.root))))
        for file in files:
            task = task_of(self._plan.run, file)
            if task not in self.board.tasks:
                await self._tasks.created(task, "survey-file", metadata={"file": file})

    async def _end(self) -> Ends:
        """Say that the run is over, and see the last of its events."""
        await self._tasks.completed(self._plan.run, self.board.totals())
        await self._pipeline.drain()
        agents = await AgentChannel(self._client).stopped(self._name, "the run is over")
        tasks = await TaskChannel(self._client).closed(self._plan.run)
        await self._round_trip(AGENTS, agents.seq)
        await self._round_trip(TASKS, tasks.seq)
        self._show_now()
        return Ends(agents.seq, tasks.seq)

    async def _round_trip(self, pattern: str, seq: int) -> None:
        try:
            async with asyncio.timeout(ROUND_TRIP_SECONDS):
                await self._until(lambda: self.witness.positions.get(pattern, 0) >= seq)
        except TimeoutError:
            raise Stranded(f"event {seq} on {pattern} did not come back in {ROUND_TRIP_SECONDS:.0f} s") from None

    # ---- Workers

    async def _hire(self, count: int, start: str) -> None:
        for _ in range(count):
            self._hired += 1
            name = f"{self._plan.run}-w{self._hired}"
            await self._crew.start(self._orders(name, start))

    def _orders(self, name: str, start: str) -> Orders:
        plan = self._plan
        return Orders(url=plan.url, token=plan.token, agent=name, root=plan.root, cursor=start, delay_ms=plan.delay_ms)

    async def _mind_workers(self, start: str) -> None:
        while True:
            agent, code = await self._crew.exits.get()
            await self._lay_off(agent, how_it_ended(code))
            if self.restarts < self._plan.max_restarts:
                self.restarts += 1
                await self._hire(1, start)
            elif not self._crew.alive:
                raise Stranded(f"no worker is left, and {self.restarts} were started in place of dead ones")

    async def _lay_off(self, agent: str, how: str) -> None:
        """Announce the death of a worker; what it held is tried again once that announcement has come round.

        By then everything that the worker had published before is seen, so what it had finished stays finished.
        """
        self._screen.say(f"worker {agent.removeprefix(f'{self._plan.run}-')}: {how}")
        await self._agents.error(agent, how)
        for task in self._dispatcher.leave(agent):
            await self._give_back(self.board.tasks[task], agent, how)

    async def _give_back(self, task: FileTask, agent: str, how: str) -> None:
        was_at_it = task.state == "started" and task.agent == agent
        if was_at_it and self._dispatcher.blame(task.id):
            await self._tasks.failed(task.id, f"its workers died of it, the last was {how}")
        else:
            await self._tasks.retrying(task.id, self._dispatcher.attempts(task.id), error=f"its worker was {how}")

    async def _assign(self) -> None:
        for task, agent in self._dispatcher.assignments():
            headers = {"file": self.board.tasks[task].file}
            await self._tasks.assigned(task, agent, headers=headers)

    async def _recover(self) -> None:
        """After a gap: whatever may have been said in it is said again."""
        for agent in self._crew.alive:
            self._dispatcher.join(agent)
        for task in self.board.unfinished():
            await self._tasks.retrying(task.id, self._dispatcher.attempts(task.id), error="events are missing")
        if self.board.planned:
            await self._create_tasks()
