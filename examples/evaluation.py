"""A harness that evaluates: it starts tasks, watches them, and cancels those that take too long.

    swarmwire serve                                                # in one terminal
    python examples/evaluation.py work                             # in another: does the exercises
    python examples/evaluation.py run 2+3 slow:60 1/0 --timeout 2  # in a third: one passes, one is cancelled, one fails

For each exercise the harness prints what the task tells: that it was started, what it says, how it ended. What has not
ended after `--timeout` seconds is cancelled, whoever works on it; an end is final, so no late answer can change it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys

from swarmwire import ClaimedTask, Client, NoRetry, SwarmwireError, Task, TaskLost, Worker, connect
from swarmwire_channels import TaskChannel

__all__: list[str] = []

QUEUE = "exercises"
GRACE = 5.0
"""Seconds that a cancelled task has to end, before the harness goes on."""


# ---- Who does the exercises

worker = Worker(queues=[QUEUE], concurrency=4)


@worker.task("solve")
async def solve(task: ClaimedTask) -> int:
    """`a+b` and `a/b` are calculated; `slow:seconds` takes its time. It may be cancelled at every `await`."""
    exercise: str = task.payload
    await task.message(f"thinking about {exercise}")
    if exercise.startswith("slow:"):
        seconds = float(exercise.removeprefix("slow:"))
        try:
            for percent in range(0, 100, 10):
                await task.progress(percent)
                await asyncio.sleep(seconds / 10)
        except (asyncio.CancelledError, TaskLost):
            say(f"gave up {exercise}")
            raise
        return 0
    for sign, calculate in (("+", int.__add__), ("/", int.__floordiv__)):
        left, found, right = exercise.partition(sign)
        if found:
            with contextlib.suppress(ZeroDivisionError):
                return calculate(int(left), int(right))
    raise NoRetry(f"there is no answer to {exercise}")


# ---- The harness


async def evaluate(client: Client, exercise: str, timeout: float) -> Task:
    """Have one exercise done, print what becomes of it, and return the task as it ended."""
    task = await client.tasks.submit("solve", exercise, queue=QUEUE)
    telling = asyncio.create_task(tell(client, task.id, exercise))
    try:
        return await client.tasks.wait(task.id, timeout)
    except TimeoutError:
        say(f"{exercise}: takes too long")
        await client.tasks.cancel(task.id, f"it took more than {timeout:g} s")
        return await client.tasks.wait(task.id, GRACE)
    finally:
        await asyncio.wait([telling], timeout=GRACE)
        telling.cancel()


async def tell(client: Client, id: str, exercise: str) -> None:
    """Print the task's events, those before this one is called too, until its end."""
    async with TaskChannel(client).watch(id, from_="start") as changes:
        async for change in changes:
            record = change.record
            say(f"{exercise}: {change.event} {getattr(record, 'message', None) or ''}".rstrip())
            if change.event in ("completed", "failed", "cancelled"):
                return


async def run(client: Client, options: argparse.Namespace) -> int:
    """Evaluate all exercises at once; returns how many were not solved."""
    tasks = await asyncio.gather(*(evaluate(client, each, options.timeout) for each in options.exercises))
    for exercise, task in zip(options.exercises, tasks, strict=True):
        why = task.reason or (task.error.message if task.error else "")
        say(f"{exercise} {task.state}: {task.result if task.state == 'completed' else why}")
    return sum(task.state != "completed" for task in tasks)


def say(line: str) -> None:
    print(line, flush=True)


async def main(options: argparse.Namespace) -> int:
    async with connect(options.url) as client:
        if options.command == "run":
            return await run(client, options)
        await worker.run(client, ready=lambda: say("ready to work; ctrl-c ends it"))
        return 0


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="the broker; by default it is looked for on this machine")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("work", help="do exercises")
    running = commands.add_parser("run", help="have exercises done")
    running.add_argument("exercises", nargs="+", help="such as 2+3, 6/2, slow:60")
    running.add_argument("--timeout", type=float, default=300.0, help="seconds that each may take")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(main(read_arguments())))
    except SwarmwireError as error:
        sys.exit(f"{error.code}: {error.message}")
    except KeyboardInterrupt:
        print()
