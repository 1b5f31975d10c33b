"""Workers in this process, against a real broker."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from swarmwire import Client, ErrorCode, NoRetry, SwarmwireError, Worker, connect
from swarmwire_broker.core.ports import Verified
from swarmwire_broker.testing import BrokerFactory
from swarmwire_protocol.messages import Permissions

PATIENCE = 20.0


@pytest_asyncio.fixture
async def client(broker_factory: BrokerFactory) -> AsyncIterator[Client]:
    server = await broker_factory()
    async with connect(server.url, base_delay=0.02, max_delay=0.05) as client:
        yield client


@contextlib.asynccontextmanager
async def working(worker: Worker, client: Client) -> AsyncIterator[asyncio.Task[None]]:
    """The worker while it takes tasks; it is stopped at the end."""
    ready = asyncio.Event()
    task = asyncio.create_task(worker.run(client, ready=ready.set))
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        task.result()
    try:
        yield task
    finally:
        worker.stop(0)
        await asyncio.wait([task], timeout=PATIENCE)
        waiting.cancel()
    if not task.cancelled():
        task.result()


class Gate:
    """A task that says when it has begun, and ends when it is let."""

    def __init__(self) -> None:
        self.begun, self.open = asyncio.Event(), asyncio.Event()

    async def __call__(self, task: Any) -> str:
        self.begun.set()
        await self.open.wait()
        return "done"


async def ended(client: Client, id: str) -> Any:
    return await client.tasks.wait(id, timeout=PATIENCE)


# ---- what it does


async def test_a_task_ends_with_what_its_function_returns(client: Client) -> None:
    worker = Worker(queues=["images"])

    @worker.task("resize")
    async def resize(task: Any) -> Any:
        await task.progress(50, "half")
        return {"width": task.payload["width"], "attempt": task.attempt}

    async with working(worker, client):
        submitted = await client.tasks.submit("resize", {"width": 7}, queue="images")
        task = await ended(client, submitted.id)
    assert (task.state, task.result, task.worker) == ("completed", {"width": 7, "attempt": 1}, worker.id)


async def test_a_plain_function_runs_in_a_thread_and_may_block(client: Client) -> None:
    worker = Worker()
    variable: ContextVar[str] = ContextVar("variable", default="unset")

    @worker.task()
    def measure(task: Any) -> Any:
        task.progress(10, "begun")
        task.message("here", {"n": 1})
        is_main = threading.current_thread() is threading.main_thread()
        return [is_main, task.payload, task.type, task.queue, task.attempt, task.metadata, task.gone, variable.get()]

    variable.set("of the program")
    async with working(worker, client):
        submitted = await client.tasks.submit("measure", 5, metadata={"a": 1})
        task = await ended(client, submitted.id)
        assert task.result == [False, 5, "measure", "default", 1, {"a": 1}, False, "of the program"]


async def test_what_a_function_raises_fails_the_attempt_and_the_task_is_tried_again(client: Client) -> None:
    worker = Worker()

    @worker.task("flaky")
    async def flaky(task: Any) -> int:
        if task.attempt < 3:
            raise OSError("not yet")
        return int(task.attempt)

    async with working(worker, client):
        submitted = await client.tasks.submit("flaky", backoff=0)
        task = await ended(client, submitted.id)
        assert (task.state, task.result, task.attempts) == ("completed", 3, 3)


@pytest.mark.parametrize("threaded", [False, True], ids=["async", "in a thread"])
async def test_no_retry_fails_it_for_good(client: Client, threaded: bool) -> None:
    worker = Worker()

    async def hopeless(task: Any) -> None:
        raise NoRetry("there is no such image")

    def hopeless_too(task: Any) -> None:
        raise NoRetry("there is no such image")

    worker.task("hopeless")(hopeless_too if threaded else hopeless)
    async with working(worker, client):
        submitted = await client.tasks.submit("hopeless", max_attempts=5)
        task = await ended(client, submitted.id)
        assert (task.state, task.attempts, task.dead) == ("failed", 1, False)
        assert task.error is not None
        assert (task.error.code, task.error.message) == ("NoRetry", "there is no such image")


async def test_a_result_that_is_no_json_fails_it_for_good_and_the_worker_goes_on(client: Client) -> None:
    worker = Worker()

    @worker.task("odd")
    async def odd(task: Any) -> object:
        return object() if task.payload else 1

    async with working(worker, client):
        first, second = await client.tasks.submit("odd", True), await client.tasks.submit("odd", False)
        assert (await ended(client, first.id)).state == "failed"
        assert (await ended(client, second.id)).result == 1


async def test_tasks_of_other_types_and_queues_are_left_to_others(client: Client) -> None:
    worker = Worker(queues=["mine"])

    @worker.task("known")
    async def known(task: Any) -> None: ...

    async with working(worker, client):
        elsewhere = await client.tasks.submit("known", queue="other")
        unknown = await client.tasks.submit("unknown", queue="mine")
        taken = await client.tasks.submit("known", queue="mine")
        assert (await ended(client, taken.id)).state == "completed"
        for left in (elsewhere, unknown):
            assert (await client.tasks.get(left.id)).state == "pending"


async def test_as_many_tasks_run_at_once_as_its_concurrency_says(client: Client) -> None:
    worker = Worker(concurrency=2)
    gates = [Gate(), Gate(), Gate()]

    @worker.task("gated")
    async def gated(task: Any) -> Any:
        return await gates[task.payload](task)

    async with working(worker, client):
        ids = [(await client.tasks.submit("gated", number)).id for number in range(3)]
        await asyncio.gather(gates[0].begun.wait(), gates[1].begun.wait())
        assert worker.active == 2
        assert (await client.tasks.get(ids[2])).state == "pending"
        gates[0].open.set()
        await gates[2].begun.wait()
        for gate in gates:
            gate.open.set()
        assert [(await ended(client, id)).result for id in ids] == ["done"] * 3


async def test_a_cancelled_task_cancels_its_function_and_the_worker_goes_on(client: Client) -> None:
    worker, gate, told = Worker(), Gate(), asyncio.Event()

    @worker.task("long")
    async def long(task: Any) -> None:
        try:
            await gate(task)
        except asyncio.CancelledError:
            told.set()
            raise

    @worker.task("short")
    async def short(task: Any) -> str:
        return "next"

    async with working(worker, client):
        submitted = await client.tasks.submit("long")
        await gate.begun.wait()
        await client.tasks.cancel(submitted.id)
        async with asyncio.timeout(5):  # the lease is renewed after ten seconds
            await told.wait()
        following = await client.tasks.submit("short")
        assert (await ended(client, following.id)).result == "next"
        assert (await client.tasks.get(submitted.id)).state == "cancelled"


async def test_a_function_in_a_thread_sees_that_its_task_is_gone_and_holds_its_place_until_it_returns(
    client: Client,
) -> None:
    worker, begun, seen = Worker(lease=1.0), threading.Event(), threading.Event()

    @worker.task("long")
    def long(task: Any) -> None:
        begun.set()
        while not task.gone:
            seen.wait(0.01)
        seen.set()

    @worker.task("short")
    def short(task: Any) -> bool:
        return seen.is_set()

    async with working(worker, client):
        submitted = await client.tasks.submit("long")
        following = await client.tasks.submit("short")
        await asyncio.to_thread(begun.wait, PATIENCE)
        await client.tasks.cancel(submitted.id)
        assert (await ended(client, following.id)).result is True


async def test_a_type_has_one_function() -> None:
    worker = Worker()
    worker.task("one")(lambda task: None)
    with pytest.raises(ValueError, match="'one' have their function already"):
        worker.task("two", "one")(lambda task: None)


async def test_the_worker_of_its_page_does_what_the_page_says(client: Client) -> None:
    page = (Path(__file__).parents[2] / "docs" / "workers.md").read_text(encoding="utf-8")
    program: dict[str, Any] = {"__name__": "images"}
    exec(page.partition("```python\n")[2].partition("```")[0], program)
    async with working(program["worker"], client):
        resized = await client.tasks.submit("resize", {"width": 7}, queue="images")
        hopeless = await client.tasks.submit("resize", {"width": 0}, queue="images")
        described = await client.tasks.submit("describe", {"of": "a cat"}, queue="images")
        assert (await ended(client, resized.id)).result == {"width": 7}
        assert (await ended(client, described.id)).result == "a picture of a cat"
        task = await ended(client, hopeless.id)
        assert task.error is not None
        assert (task.state, task.attempts, task.error.message) == ("failed", 1, "a picture has a width")


@pytest.mark.parametrize("options", [{"queues": []}, {"queues": "images"}, {"concurrency": 0}])
async def test_what_makes_no_worker_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected"):
        Worker(**options)


async def test_a_worker_without_functions_does_not_run(client: Client) -> None:
    with pytest.raises(RuntimeError, match="no functions"):
        await Worker().run(client)


# ---- being there


async def test_a_worker_is_in_the_registry_while_it_runs(client: Client) -> None:
    worker = Worker(queues=["images"], id="w1", project="shop", concurrency=3)
    worker.task("resize")(lambda task: None)
    async with working(worker, client):
        being = await client.registry.get("w1")
        assert being.kind == "worker"
        assert being.metadata["queues"] == ["images"]
        assert (being.metadata["project"], being.metadata["concurrency"]) == ("shop", 3)
        status = await client.call("worker.status")
        assert (status["total"], status["active"], status["idle"]) == (1, 0, 1)
    assert (await client.call("worker.status"))["total"] == 0


async def test_a_worker_at_work_is_active(client: Client) -> None:
    worker, gate = Worker(id="w1"), Gate()
    worker.task("long")(gate)
    async with working(worker, client):
        submitted = await client.tasks.submit("long")
        await gate.begun.wait()
        status = await client.call("worker.status")
        assert (status["active"], status["workers"][0]["tasks"]) == (1, 1)
        gate.open.set()
        await ended(client, submitted.id)


# ---- its end


async def test_stop_lets_tasks_in_hand_finish_and_takes_no_other(client: Client) -> None:
    worker, gate = Worker(), Gate()
    worker.task("long")(gate)
    async with working(worker, client) as running:
        first, second = await client.tasks.submit("long"), await client.tasks.submit("long")
        await gate.begun.wait()
        worker.stop(PATIENCE)
        gate.open.set()
        async with asyncio.timeout(PATIENCE):
            await running
        assert (await client.tasks.get(first.id)).state == "completed"
        assert (await client.tasks.get(second.id)).state == "pending"


@pytest.mark.parametrize("cancelled", [False, True], ids=["stopped", "cancelled"])
async def test_what_is_not_finished_in_time_is_given_back_and_does_not_count_as_an_attempt(
    client: Client, cancelled: bool
) -> None:
    worker, gate = Worker(), Gate()
    worker.task("long")(gate)
    async with working(worker, client) as running:
        submitted = await client.tasks.submit("long", max_attempts=1)
        await gate.begun.wait()
        if cancelled:
            running.cancel()
        else:
            worker.stop(0.05)
        await asyncio.wait([running], timeout=PATIENCE)
        task = await client.tasks.get(submitted.id)
        assert (task.state, task.attempts) == ("pending", 0)


async def test_a_function_in_a_thread_does_not_keep_a_stopped_worker(client: Client) -> None:
    worker, begun, release = Worker(), threading.Event(), threading.Event()

    @worker.task("stuck")
    def stuck(task: Any) -> None:
        begun.set()
        release.wait()

    try:
        async with working(worker, client) as running:
            submitted = await client.tasks.submit("stuck")
            await asyncio.to_thread(begun.wait, PATIENCE)
            worker.stop(0)
            await asyncio.wait([running], timeout=PATIENCE)
            assert worker.abandoned
            assert (await client.tasks.get(submitted.id)).state == "pending"
    finally:
        release.set()


async def test_a_stopped_worker_leaves_no_claim_behind(client: Client) -> None:
    worker = Worker(concurrency=4)
    worker.task("work")(lambda task: None)
    async with working(worker, client):
        pass
    submitted = await client.tasks.submit("work")
    assert (await client.tasks.get(submitted.id)).state == "pending"


async def test_a_worker_runs_again_after_its_end(client: Client) -> None:
    worker = Worker()
    worker.task("work")(lambda task: 1)
    for _ in range(2):
        async with working(worker, client):
            submitted = await client.tasks.submit("work")
            assert (await ended(client, submitted.id)).result == 1


async def test_the_end_of_the_client_is_the_end_of_the_worker(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    worker, gate = Worker(), Gate()
    worker.task("long")(gate)
    client = await connect(server.url)
    async with working(worker, client) as running:
        await client.tasks.submit("long")
        await gate.begun.wait()
        await client.disconnect()
        await asyncio.wait([running], timeout=PATIENCE)
        assert running.done()


async def test_a_worker_that_may_not_claim_says_so(broker_factory: BrokerFactory) -> None:
    server = await broker_factory(authenticate=only_registering)
    worker = Worker()
    worker.task("work")(lambda task: None)
    async with connect(server.url, token="t") as client:
        with pytest.raises(SwarmwireError) as refused:
            async with asyncio.timeout(PATIENCE):
                await worker.run(client)
    assert refused.value.code is ErrorCode.PERMISSION_DENIED


async def test_a_worker_goes_on_after_a_lost_connection(client: Client) -> None:
    worker, gate = Worker(id="w1"), Gate()
    worker.task("long")(gate)
    async with working(worker, client):
        first = await client.tasks.submit("long")
        await gate.begun.wait()
        session = client._supervisor._session
        assert session is not None
        lost = asyncio.Event()
        client.listen("disconnected", lambda *_: lost.set())
        session._connection.abort()
        await lost.wait()
        gate.open.set()
        task = await ended(client, first.id)
        assert (task.state, task.attempts) == ("completed", 1)
        second = await client.tasks.submit("long")
        assert (await ended(client, second.id)).state == "completed"


def only_registering(token: str | None, metadata: dict[str, Any]) -> Verified:
    return Verified(subject="w", permissions=Permissions(call=["registry.#"]))
