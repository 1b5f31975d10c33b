"""A harness that starts tasks, watches them, and cancels those that take too long."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from swarmwire_broker.server import Server

from .program import Program, finished, program


@pytest_asyncio.fixture
async def worker(broker: Server) -> AsyncIterator[Program]:
    async with program("evaluation", "--url", broker.url, "work") as running:
        await running.line("ready to work.*")
        yield running


async def test_a_task_tells_that_it_was_started_what_it_says_and_how_it_ended(broker: Server, worker: Program) -> None:
    code, lines = await finished("evaluation", "--url", broker.url, "run", "2+3")
    assert (code, lines[-1]) == (0, "2+3 completed: 5")
    told = [line.removeprefix("2+3: ") for line in lines if line.startswith("2+3: ")]
    wanted = ["created", "started", "message thinking about 2+3", "completed"]
    assert [line for line in told if line in wanted] == wanted


async def test_what_takes_too_long_is_cancelled_where_it_is_worked_on(broker: Server, worker: Program) -> None:
    arguments = ("--url", broker.url, "run", "slow:60", "--timeout", 1)
    code, lines = await finished("evaluation", *arguments)
    assert (code, lines[-1]) == (1, "slow:60 cancelled: it took more than 1 s")
    assert "slow:60: takes too long" in lines
    await worker.line("gave up slow:60")


async def test_what_fails_is_told_with_its_reason(broker: Server, worker: Program) -> None:
    code, lines = await finished("evaluation", "--url", broker.url, "run", "1/0", "6/2")
    assert code == 1
    assert lines[-2:] == ["1/0 failed: there is no answer to 1/0", "6/2 completed: 3"]


async def test_a_harness_that_was_there_first_gets_its_answers_when_a_worker_comes(broker: Server) -> None:
    async with program("evaluation", "--url", broker.url, "run", "2+3") as harness:
        await harness.line("2[+]3: created")
        async with program("evaluation", "--url", broker.url, "work"):
            assert await harness.end() == 0
    assert harness.lines[-1] == "2+3 completed: 5"
