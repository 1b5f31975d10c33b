"""A client that is killed: with a resume file the next run misses nothing and repeats its one unfinished event."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from pathlib import Path

from swarmwire import connect

from .processes import Command, Shell

EVENTS = 300

WORKER = """
import asyncio, os, sys
from swarmwire import connect

async def main(url, done, place):
    out = os.open(done, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    async with connect(url, base_delay=0.02, max_delay=0.1, retry_first=True) as client:
        async for event in client.subscribe("work.*", from_="start", resume_file=place, buffer=50):
            os.write(out, b"%d\\n" % event.data)
            os.fsync(out)
            print(event.data, flush=True)
            if event.data == int(sys.argv[4]):
                break

asyncio.run(main(*sys.argv[1:4]))
"""

BLOCKING_WORKER = """
import os, sys
from swarmwire import connect_sync

out = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
with connect_sync(sys.argv[1], base_delay=0.02, max_delay=0.1, retry_first=True) as client:
    for event in client.subscribe("work.*", from_="start", resume_file=sys.argv[3], buffer=50):
        os.write(out, b"%d\\n" % event.data)
        os.fsync(out)
        print(event.data, flush=True)
        if event.data == int(sys.argv[4]):
            break
"""


async def start(shell: Shell, url: str, worker: str = WORKER) -> Command:
    """The program, which ends by itself after the last event."""
    arguments = (sys.executable, shell.file("worker.py", worker), url, "done", "place", str(EVENTS - 1))
    return await Command.start(*arguments, directory=shell.directory, env={})


async def publish_all(url: str) -> None:
    async with connect(url, base_delay=0.02, max_delay=0.1) as client:
        for number in range(EVENTS):
            await client.publish(f"work.{number % 3}", number)


async def work_with_kills(shell: Shell, url: str, kills: int, worker: str = WORKER) -> list[list[str]]:
    """Kill the program again and again in the midst of its work; returns what each run has done."""
    draw = random.Random(4)
    runs: list[list[str]] = []
    before = 0
    for _ in range(kills):
        program = await start(shell, url, worker)
        await program.out.reach(draw.randrange(1, 30))
        await program.kill()
        runs.append(done(shell.directory)[before:])
        before += len(runs[-1])
    last = await start(shell, url, worker)
    finished = await last.finish()
    assert finished.code == 0, finished.err
    runs.append(done(shell.directory)[before:])
    return runs


def done(directory: Path) -> list[str]:
    return (directory / "done").read_text().splitlines()


def check(runs: list[list[str]]) -> None:
    """Each run goes on behind the one before, or with its last event; nothing is left out."""
    reached = -1
    for run in runs:
        numbers = [int(line) for line in run]
        assert numbers[0] in (reached, reached + 1) if reached >= 0 else numbers[0] == 0
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        reached = numbers[-1]
    assert reached == EVENTS - 1


async def test_a_client_that_is_killed_repeats_its_one_unfinished_event_and_misses_none(shell: Shell) -> None:
    broker = await shell.serve()
    publishing = asyncio.create_task(publish_all(broker.url))
    check(await work_with_kills(shell, broker.url, 6))
    await publishing


async def test_the_blocking_twin_does_so_too(shell: Shell) -> None:
    broker = await shell.serve()
    await publish_all(broker.url)
    check(await work_with_kills(shell, broker.url, 3, BLOCKING_WORKER))


async def test_a_second_process_does_not_get_the_file_of_the_first(shell: Shell) -> None:
    broker = await shell.serve()
    first = await start(shell, broker.url)
    async with connect(broker.url) as client:
        await client.publish("work.0", 0)
    await first.out.reach(1)
    second = await start(shell, broker.url)
    refused = await second.finish()
    assert refused.code == 1
    assert "CONFLICT: place is in use by another subscription" in refused.err[-1]
    await first.kill()
    third = await start(shell, broker.url)  # a killed process holds no lock
    async with connect(broker.url) as client:
        await client.publish("work.1", 1)
    await third.out.first(lambda line: line == "1")
    await third.kill()


async def test_the_command_line_goes_on_where_its_last_run_ended(shell: Shell) -> None:
    broker = await shell.serve()
    async with connect(broker.url) as client:
        for number in range(6):
            await client.publish("a", number)
    sub = ("sub", "a", "--url", broker.url, "--json", "--from", "start", "--resume-file", "place", "--count")
    first, second = await shell.run(*sub, "2"), await shell.run(*sub, "3")
    lines = [line.rpartition(":")[2].rstrip("}") for line in (*first.out, *second.out)]
    assert lines == ["0", "1", "2", "3", "4"]
    assert (first.code, second.code) == (0, 0)


async def test_the_command_line_says_why_a_resume_file_cannot_be_used(shell: Shell) -> None:
    broker = await shell.serve()
    several = await shell.run("sub", "a", "b", "--url", broker.url, "--resume-file", "place")
    assert several.code == 2
    assert "--resume-file keeps the place of one pattern" in several.err[0]
    shell.file("place", "")
    damaged = await shell.run("sub", "a", "--url", broker.url, "--resume-file", "place")
    assert damaged.code == 1
    assert "place holds nothing" in damaged.err[0]
    assert os.listdir(shell.directory) == ["place"]
