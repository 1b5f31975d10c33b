"""The work of the swarm: tasks that are submitted, and what it is like to do them."""

from __future__ import annotations

import asyncio
import random

from msgspec import Struct

from swarmwire import ClaimedTask, Client, ErrorCode, NoRetry, SwarmwireError, connect

from . import workers
from .house import Place

__all__ = ["QUEUES", "Trade", "do", "submit_tasks", "trade_of"]

QUEUES = ("builds", "reviews", "research")
"""Where tasks wait for agents; each agent takes the first of them that has one."""

BACKLOG = 0.15
"""How many tasks wait for each agent before no more are submitted; with less than one, some are idle."""


STEP_SECONDS = (0.3, 2.0)


class Trade(Struct, frozen=True):
    """A type of task: its queue, and the steps it is done in."""

    type: str
    queue: str
    steps: tuple[str, ...]


TRADES = (
    Trade("compile", "builds", ("reading sources", "resolving imports", "compiling", "linking")),
    Trade("run-tests", "builds", ("collecting", "unit tests", "integration tests", "reporting")),
    Trade("review-change", "reviews", ("reading the change", "checking style", "checking tests", "writing")),
    Trade("audit-secrets", "reviews", ("scanning files", "scanning history", "sorting findings")),
    Trade("summarise", "research", ("collecting sources", "reading", "comparing", "writing")),
    Trade(workers.TYPE, workers.QUEUE, ()),
    Trade("embed", "research", ("splitting", "embedding", "indexing")),
)


def trade_of(type: str) -> Trade:
    """The trade of a type of task. Raises StopIteration for a type that nobody here has learnt."""
    return next(trade for trade in TRADES if trade.type == type)


# ---- Submitting


async def submit_tasks(place: Place, agents: int) -> None:
    """Submit tasks as fast as they are done, for ever, and think better of some of them."""
    async with connect(place.websocket, name="planner") as client:
        number = 0
        while True:
            status = await client.call("queue.status")
            for _ in range(max(0, round(BACKLOG * agents) - status["pending"])):
                number += 1
                await _submit(client, number)
            await asyncio.sleep(1)


async def _submit(client: Client, number: int) -> None:
    trade = random.choice(TRADES)
    task = await client.tasks.submit(
        trade.type,
        {"module": f"module{number % 97}", "difficulty": _difficulty(number)},
        id=f"{trade.type}-{number}",
        queue=trade.queue,
        priority=random.choice((0, 0, 0, 5)),
        max_attempts=2,
        backoff=0.5,
    )
    if number % 40 == 0:
        try:
            await client.tasks.cancel(task.id, "the change was withdrawn")
        except SwarmwireError as error:
            if error.code is not ErrorCode.CONFLICT:  # somebody was faster, and it is done
                raise


def _difficulty(number: int) -> str:
    """Some tasks fail at first, a few whenever they are tried, and one at sight."""
    return {3: "flaky", 7: "broken", 11: "hopeless"}.get(number % 16, "plain")


# ---- Doing


async def do(task: ClaimedTask) -> None:
    """Do a task that was claimed, step by step.

    Raises:
        RuntimeError: it failed; it is tried again.
        NoRetry: it failed, and would again.
        TaskLost: it was cancelled.
    """
    trade = trade_of(task.type)
    for number, step in enumerate(trade.steps):
        await task.progress(round(100 * number / len(trade.steps)), step)
        await asyncio.sleep(random.uniform(*STEP_SECONDS))
        if number:
            _stumble(task, step)
    task.result = {"module": task.payload["module"], "steps": len(trade.steps)}


def _stumble(task: ClaimedTask, step: str) -> None:
    match task.payload["difficulty"], task.attempt:
        case ("flaky", 1) | ("broken", _):
            raise RuntimeError(f"{step} took too long")
        case "hopeless", _:
            raise NoRetry(f"there is nothing to do for {step}")
