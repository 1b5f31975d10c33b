"""A worker is killed while it holds a task: another does it, once."""

from __future__ import annotations

import shlex
import sys
import time

import pytest

from swarmwire import connect

from .processes import Command, Shell

WORKER = r"""
import asyncio, sys
from swarmwire import connect

async def main():
    url, name, file, hang = sys.argv[1:]
    async with connect(url) as client:
        print("ready", flush=True)
        while True:
            async with client.tasks.claim("jobs", worker=name, wait=None) as task:
                print(f"holds {task.id} {task.attempt} {task.token}", flush=True)
                if hang == "hang":
                    await asyncio.sleep(600)
                with open(file, "a") as done:
                    done.write(f"{task.id} {name}\n")
                task.result = name
            print(f"done {task.id}", flush=True)

asyncio.run(main())
"""

PATIENCE = 30.0

LEASE = 3.0

SOON = 2.0
"""Seconds, less than a lease."""


async def worker(shell: Shell, url: str, name: str, hang: str = "work") -> Command:
    script, file = shell.file(f"{name}.py", WORKER), str(shell.directory / "done")
    command = await shell.script(shlex.join(["exec", sys.executable, script, url, name, file, hang]))
    await command.out.first(lambda line: line == "ready")
    return command


@pytest.mark.parametrize("way", ["ws", "unix"])
@pytest.mark.parametrize("log", ["memory", "disk"])
async def test_the_task_of_a_killed_worker_is_done_exactly_once_by_another(shell: Shell, way: str, log: str) -> None:
    path = shell.directory / "s"
    stored = ["--data", str(shell.directory / "log")] if log == "disk" else []
    broker = await shell.serve("--unix", str(path), *stored)
    url = broker.url if way == "ws" else f"unix://{path}"
    async with connect(broker.url) as client:
        victim = await worker(shell, url, "victim", "hang")
        task = await client.tasks.submit("job", queue="jobs", lease=LEASE)
        held = await victim.out.first(lambda line: line.startswith("holds"))
        other = await worker(shell, url, "other")
        began = time.monotonic()
        await victim.kill()
        ended = await client.tasks.wait(task.id, timeout=PATIENCE)
        took = time.monotonic() - began

        assert (ended.state, ended.result, ended.attempts) == ("completed", "other", 2)
        given = await other.out.first(lambda line: line.startswith("holds"))
        assert int(given.split()[3]) > int(held.split()[3])
        # Over a Unix socket the kernel says that the process is gone; over a network only silence does.
        assert took < SOON if way == "unix" else took >= LEASE / 2
        assert (shell.directory / "done").read_text() == f"{task.id} other\n"
        async with client.subscribe(f"task.{task.id}.*", from_="start") as events:
            story = [(await anext(events)).topic.rpartition(".")[2] for _ in range(7)]
        assert story == ["created", "assigned", "started", "retrying", "assigned", "started", "completed"]


async def test_tasks_in_hand_outlive_a_killed_broker(shell: Shell) -> None:
    stored = ["--data", str(shell.directory / "log")]
    broker = await shell.serve(*stored)
    async with connect(broker.url, base_delay=0.05, max_delay=0.2) as client:
        task = await client.tasks.submit("job", lease=30.0)
        async with client.tasks.claim(wait=PATIENCE) as claimed:
            assert claimed is not None
            await broker.kill()
            await shell.serve(*stored, port=broker.port)
            await claimed.progress(50)
            claimed.result = "done"
        ended = await client.tasks.wait(task.id, timeout=PATIENCE)
        assert (ended.result, ended.attempts) == ("done", 1)
