"""Pools of workers as real processes: scaled, restarted, killed, and without a supervisor."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio

from swarmwire import Client, connect
from swarmwire_broker.core.permissions import EVERYTHING
from swarmwire_broker.core.ports import Verified
from swarmwire_broker.server import Server
from swarmwire_broker.testing import BrokerFactory
from swarmwire_protocol.messages import Permissions

from .collected import PATIENCE
from .processes import BrokerProcess, Command, Shell

PROGRAM = """
import asyncio, os, time
from pathlib import Path
from swarmwire import Worker

worker = Worker()

@worker.task("pid")
async def pid(task):
    return os.getpid()

@worker.task("once")
async def once(task):
    # Begun once for each attempt; ends only where the file is there.
    with open(task.payload["log"], "a") as log:
        log.write(f"begun {task.attempt} {os.getpid()}\\n")
    while not Path(task.payload["open"]).exists():
        await asyncio.sleep(0.02)
    with open(task.payload["log"], "a") as log:
        log.write(f"done {task.attempt} {os.getpid()}\\n")
    return os.getpid()

@worker.task("blocking")
async def blocking(task):
    with open(task.payload["log"], "a") as log:
        log.write(f"begun {task.attempt} {os.getpid()}\\n")
    time.sleep(1000)

@worker.task("threaded")
def threaded(task):
    with open(task.payload["log"], "a") as log:
        log.write(f"begun {task.attempt} {os.getpid()}\\n")
    time.sleep(1000)

other = Worker(queues=["elsewhere"])
other.task("pid")(pid)
"""


@pytest_asyncio.fixture
async def broker(shell: Shell, broker_factory: BrokerFactory) -> Server:
    """A broker in this process, and the program in the directory of the shell."""
    shell.file("program.py", PROGRAM)
    return await broker_factory()


@pytest_asyncio.fixture
async def client(broker: Server) -> AsyncIterator[Client]:
    async with connect(broker.url) as client:
        yield client


async def started(shell: Shell, broker: Server | BrokerProcess, *arguments: str, target: str = "program") -> Command:
    """A pool whose first workers are there."""
    count = arguments[arguments.index("--count") + 1] if "--count" in arguments else "1"
    pool = await shell.start("worker", target, "--url", broker.url, *arguments)
    async with connect(broker.url) as client:
        await until(lambda: _is_running(client, pool, int(count)))
    return pool


async def _is_running(client: Client, pool: Command, count: int) -> bool:
    assert pool.process.returncode is None, pool.err.items
    status = await client.call("worker.status")
    return bool(status["pools"]) and status["pools"][-1]["running"] == count == status["total"]


async def until(is_so: Callable[[], Any]) -> None:
    """Ask again and again, since nothing tells."""
    async with asyncio.timeout(PATIENCE):
        while not await is_so():  # noqa: ASYNC110 - it may be another process that makes it so
            await asyncio.sleep(0.02)


async def pids(client: Client) -> list[int]:
    status = await client.call("worker.status")
    return sorted(worker["pid"] for worker in status["workers"] if worker["state"] != "suspect")


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def told_when_started(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()


async def gone(*processes: int) -> None:
    async def are_gone() -> bool:
        return not any(is_alive(pid) for pid in processes)

    await until(are_gone)


async def submit(shell: Shell, client: Client, type: str = "once", **options: Any) -> tuple[str, Path, Path]:
    """A task that waits for a file; its id, its log, and the file."""
    log, door = shell.directory / "log.txt", shell.directory / "open"
    task = await client.tasks.submit(type, {"log": str(log), "open": str(door)}, **options)
    return task.id, log, door


def lines(log: Path) -> list[list[str]]:
    return [line.split() for line in log.read_text().splitlines()] if log.exists() else []


async def begun(log: Path, times: int = 1) -> list[list[str]]:
    """Wait until a task was begun so often; returns what was logged."""

    async def is_begun() -> bool:
        return sum(line[0] == "begun" for line in lines(log)) == times

    await until(is_begun)
    return lines(log)


# ---- scale and restart


async def test_a_pool_is_scaled_up_and_down_while_it_works(shell: Shell, broker: Server, client: Client) -> None:
    await started(shell, broker)
    first = await pids(client)
    answer = await client.call("worker.scale", {"count": 3})
    assert (answer["pool"], answer["running"], len(answer["workers"])) == ("program", 3, 3)
    three = await pids(client)
    assert len(three) == 3
    assert first[0] in three
    results = {(await client.tasks.wait((await client.tasks.submit("pid")).id, PATIENCE)).result for _ in range(9)}
    assert results <= set(three)
    assert (await client.call("worker.scale", {"count": 1}))["running"] == 1
    assert await pids(client) == first
    await gone(*(set(three) - set(first)))


async def test_scaled_to_zero_a_pool_waits_and_works_again_when_it_is_scaled_up(
    shell: Shell, broker: Server, client: Client
) -> None:
    pool = await started(shell, broker)
    await client.call("worker.scale", {"count": 0})
    assert await pids(client) == []
    task = await client.tasks.submit("pid")
    assert (await client.tasks.get(task.id)).state == "pending"
    await client.call("worker.scale", {"count": 1})
    assert [(await client.tasks.wait(task.id, PATIENCE)).result] == await pids(client)
    assert pool.process.returncode is None


async def test_scale_waits_for_what_a_worker_has_in_hand(shell: Shell, broker: Server, client: Client) -> None:
    await started(shell, broker)
    id, log, door = await submit(shell, client)
    await begun(log)
    scaled = asyncio.create_task(client.call("worker.scale", {"count": 0}, timeout=PATIENCE))
    door.touch()
    await scaled
    task = await client.tasks.get(id)
    assert (task.state, task.attempts) == ("completed", 1)


async def test_restart_replaces_every_worker_and_the_queue_is_never_without(
    shell: Shell, broker: Server, client: Client
) -> None:
    await started(shell, broker, "--count", "2")
    before = await pids(client)
    totals: list[int] = []
    restart = asyncio.create_task(client.call("worker.restart", timeout=PATIENCE))
    while not restart.done():
        totals.append((await client.call("worker.status"))["total"])
    assert (await restart)["restarted"] == 2
    after = await pids(client)
    assert len(after) == 2
    assert not set(before) & set(after)
    assert min(totals) >= 2
    await gone(*before)


async def test_one_worker_is_restarted(shell: Shell, broker: Server, client: Client) -> None:
    await started(shell, broker, "--count", "2")
    first, second = (await client.call("worker.status"))["workers"]
    assert (await client.call("worker.restart", {"worker": first["id"]}, timeout=PATIENCE))["restarted"] == 1
    after = await pids(client)
    assert second["pid"] in after
    assert first["pid"] not in after


async def test_a_restart_picks_up_a_changed_program_and_keeps_the_old_workers_where_it_is_broken(
    shell: Shell, broker: Server, client: Client
) -> None:
    pool = await started(shell, broker)
    before = await pids(client)
    shell.file("program.py", "this is no program")
    with pytest.raises(Exception, match="did not come up"):
        await client.call("worker.restart", timeout=PATIENCE)
    assert await pids(client) == before
    assert any("SyntaxError" in line for line in pool.err.items)
    shell.file("program.py", PROGRAM.replace("return os.getpid()", "return 'changed'", 1))
    await client.call("worker.restart", timeout=PATIENCE)
    task = await client.tasks.submit("pid")
    assert (await client.tasks.wait(task.id, PATIENCE)).result == "changed"


async def test_the_commands_scale_restart_and_show_a_pool(shell: Shell, broker: Server, client: Client) -> None:
    await started(shell, broker, "--pool", "shop")
    assert (await shell.run("worker", "scale", "2", "--pool", "shop", "--url", broker.url)).code == 0
    shown = await shell.run("worker", "status", "--json", "--url", broker.url)
    status = orjson.loads(shown.out[0])
    assert (status["total"], status["idle"]) == (2, 2)
    assert (await shell.run("worker", "restart", "--url", broker.url)).code == 0
    assert await pids(client) != sorted(worker["pid"] for worker in status["workers"])
    refused = await shell.run("worker", "scale", "1", "--pool", "nothing", "--url", broker.url)
    assert refused.code == 1
    assert "swarmwire worker MODULE" in refused.err[0]


async def test_stopping_a_project_stops_its_workers_and_starting_it_brings_them_back(
    shell: Shell, broker: Server, client: Client
) -> None:
    await client.call("project.add", {"id": "shop", "path": "."})
    pool = await shell.start(
        "worker", "program", "--url", broker.url, "--project", "shop", "--queue", "shop", "--count", "2"
    )

    async def is_known() -> bool:
        assert pool.process.returncode is None, pool.err.items
        return bool((await client.call("worker.status", {"project": "shop"}))["pools"])

    await until(is_known)  # a new project is stopped
    assert await pids(client) == []
    await client.call("project.start", {"id": "shop"}, timeout=PATIENCE)
    assert len(await pids(client)) == 2
    task = await client.tasks.submit("pid", project="shop")
    assert (await client.tasks.wait(task.id, PATIENCE)).result in await pids(client)
    await client.call("project.stop", {"id": "shop"}, timeout=PATIENCE)
    assert await pids(client) == []
    scaled = await client.call("worker.scale", {"count": 1})
    assert (scaled["held"], scaled["running"]) == (True, 0)
    await client.call("project.start", {"id": "shop"}, timeout=PATIENCE)
    assert len(await pids(client)) == 1


# ---- deaths


@pytest.mark.parametrize(
    ("way", "lease"),
    [("ws", 1.0), ("unix", 600.0)],
    ids=["when its lease has lapsed", "at once where the broker sees its process end"],
)
async def test_a_worker_killed_by_kill_9_is_replaced_and_its_task_is_done_again_exactly_once(
    shell: Shell, broker_factory: BrokerFactory, way: str, lease: float
) -> None:
    shell.file("program.py", PROGRAM)
    broker = await broker_factory(unix=str(shell.directory / "broker.sock"))
    url = broker.url if way == "ws" else f"unix://{shell.directory}/broker.sock"
    async with connect(broker.url) as client:
        pool = await started(shell, broker, "--count", "2", "--url", url)
        id, log, door = await submit(shell, client, lease=lease, backoff=0)
        ((_, _, victim),) = await begun(log)
        os.kill(int(victim), signal.SIGKILL)
        attempts = await begun(log, 2)
        door.touch()
        task = await client.tasks.wait(id, PATIENCE)
        assert (task.state, task.attempts) == ("completed", 2)
        assert [line for line in lines(log) if line[0] == "done"] == [["done", "2", str(task.result)]]
        assert attempts[1][2] != victim
        await pool.err.first(lambda line: "was ended by SIGKILL" in line)
        await until(lambda: _is_full(client, 2))
        assert int(victim) not in await pids(client)


async def _is_full(client: Client, count: int) -> bool:
    status = await client.call("worker.status")
    pool = status["pools"][0]
    return bool(status["total"] == count == pool["running"] and pool["restarts"] == 1)


@pytest.mark.parametrize("type", ["once", "blocking"])
async def test_a_supervisor_killed_by_kill_9_leaves_no_workers(
    shell: Shell, broker: Server, client: Client, type: str
) -> None:
    pool = await started(shell, broker, "--count", "2")
    workers = await pids(client)
    id, log, _ = await submit(shell, client, type, lease=1.0)
    await begun(log)
    os.kill(pool.pid, signal.SIGKILL)
    await gone(*workers)
    task = await client.tasks.get(id)
    if type == "once":
        assert (task.state, task.attempts) == ("pending", 0)


async def test_workers_that_go_on_dying_are_given_up_after_as_many_restarts_as_were_allowed(
    shell: Shell, broker: Server
) -> None:
    shell.file("dying.py", "from program import *\nimport os, threading\nthreading.Timer(0.3, os._exit, (3,)).start()")
    pool = await shell.start("worker", "dying", "--url", broker.url, "--max-restarts", "1")
    finished = await pool.finish()
    assert finished.code == 1
    assert sum("has ended with exit code 3" in line for line in finished.err) == 2
    assert "more often than it may be replaced" in finished.err[-1]


async def test_with_max_restarts_zero_nothing_is_replaced(shell: Shell, broker: Server, client: Client) -> None:
    pool = await started(shell, broker, "--max-restarts", "0")
    os.kill((await pids(client))[0], signal.SIGKILL)
    finished = await pool.finish()
    assert finished.code == 1
    assert not any("another is started" in line for line in finished.err)


# ---- the beginning and the end


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("import nothing_of_this_name", "ModuleNotFoundError: No module named 'nothing_of_this_name'"),
        ("x = 1", "Expected one Worker in the module broken, found none"),
    ],
    ids=["a failed import", "no worker"],
)
async def test_a_program_that_cannot_be_used_is_told_at_once_and_only_once(
    shell: Shell, broker: Server, program: str, said: str
) -> None:
    shell.file("broken.py", program)
    pool = await shell.start("worker", "broken", "--count", "3", "--url", broker.url)
    finished = await pool.finish()
    assert finished.code == 1
    assert sum(said in line for line in finished.err) == 1
    assert not any("workerprocess.py" in line or "importlib" in line for line in finished.err)


async def test_ctrl_c_ends_at_once_and_gives_back_what_was_not_finished(
    shell: Shell, broker: Server, client: Client
) -> None:
    pool = await started(shell, broker, "--count", "2")
    workers = await pids(client)
    id, log, _ = await submit(shell, client)
    await begun(log)
    before = time.monotonic()
    finished = await pool.interrupt()
    assert time.monotonic() - before < 15.0  # it was given 30
    assert finished.code == 0
    task = await client.tasks.get(id)
    assert (task.state, task.attempts) == ("pending", 0)
    await gone(*workers)
    assert (await client.call("worker.status"))["total"] == 0


async def test_ctrl_c_does_not_wait_for_a_function_in_a_thread(shell: Shell, broker: Server, client: Client) -> None:
    pool = await started(shell, broker)
    id, log, _ = await submit(shell, client, "threaded")
    await begun(log)
    before = time.monotonic()
    assert (await pool.interrupt()).code == 0
    assert time.monotonic() - before < 15.0  # it was given 30
    assert (await client.tasks.get(id)).state == "pending"


async def test_sigterm_lets_workers_finish_what_they_have_in_hand(shell: Shell, broker: Server, client: Client) -> None:
    pool = await started(shell, broker)
    id, log, door = await submit(shell, client)
    await begun(log)
    pool.signal(signal.SIGTERM)
    door.touch()
    assert (await pool.finish()).code == 0
    task = await client.tasks.get(id)
    assert (task.state, task.attempts) == ("completed", 1)


async def test_a_worker_that_blocks_its_loop_is_ended_all_the_same(
    shell: Shell, broker: Server, client: Client
) -> None:
    pool = await started(shell, broker)
    (worker,) = await pids(client)
    _, log, _ = await submit(shell, client, "blocking", lease=1.0)
    await begun(log)
    assert (await pool.interrupt()).code == 0
    assert not is_alive(worker)


async def test_the_same_signal_once_more_kills_the_workers(shell: Shell, broker: Server, client: Client) -> None:
    pool = await started(shell, broker)
    (worker,) = await pids(client)
    _, log, _ = await submit(shell, client, lease=1.0)
    await begun(log)
    pool.signal(signal.SIGTERM)
    await pool.err.first(lambda line: "stopping" in line)
    pool.signal(signal.SIGTERM)
    assert (await pool.finish()).code == 1
    assert not is_alive(worker)


async def test_a_worker_that_gets_sigterm_itself_finishes_and_is_replaced(
    shell: Shell, broker: Server, client: Client
) -> None:
    pool = await started(shell, broker)
    (worker,) = await pids(client)
    os.kill(worker, signal.SIGTERM)
    await pool.err.first(lambda line: "has ended with exit code 0; another is started" in line)
    await until(lambda: _is_full(client, 1))
    assert await pids(client) != [worker]


async def test_a_pool_outlives_its_broker(shell: Shell) -> None:
    shell.file("program.py", PROGRAM)
    broker = await shell.serve("--unix", "off")
    await started(shell, broker, "--count", "2")
    await broker.kill()
    again = await shell.serve("--unix", "off", port=broker.port)
    async with connect(again.url) as client:

        async def are_back() -> bool:
            status = await client.call("worker.status")
            return status["total"] == 2 and bool(status["pools"])

        await until(are_back)
        assert (await client.call("worker.scale", {"count": 1}))["running"] == 1
        task = await client.tasks.submit("pid")
        assert [(await client.tasks.wait(task.id, PATIENCE)).result] == await pids(client)


async def test_workers_take_what_the_command_line_says(shell: Shell, broker: Server, client: Client) -> None:
    await started(
        shell, broker, "--queue", "a", "--queue", "b", "--concurrency", "3", "--pool", "p.q", target="program:other"
    )
    (worker,) = (await client.call("worker.status", {"pool": "p.q"}))["workers"]
    assert (worker["queues"], worker["concurrency"], worker["types"]) == (["a", "b"], 3, ["pid"])
    task = await client.tasks.submit("pid", queue="b")
    assert (await client.tasks.wait(task.id, PATIENCE)).result == worker["pid"]


def who_works(token: str | None, metadata: dict[str, Any]) -> Verified | None:
    """What `docs/workers.md` says that workers and their pool need, for one token; everything for another."""
    if token == "the-secret":
        calls = ["registry.*", "task.*", "rpc.register", "rpc.register.pool.program.*"]
        return Verified(subject="workers", permissions=Permissions(call=calls))
    return Verified(subject="operator", permissions=EVERYTHING) if token == "operator" else None


async def test_workers_need_few_permissions_and_nobody_else_sees_their_token(
    shell: Shell, broker_factory: BrokerFactory
) -> None:
    shell.file("program.py", PROGRAM)
    broker = await broker_factory(authenticate=who_works)
    pool = await shell.start("worker", "program", "--url", broker.url, SWARMWIRE_TOKEN="the-secret")
    async with connect(broker.url, token="operator") as client:
        await until(lambda: _is_running(client, pool, 1))
        (worker,) = await pids(client)
        assert "the-secret" not in told_when_started(worker)
        task = await client.tasks.submit("pid")
        assert (await client.tasks.wait(task.id, PATIENCE)).result == worker
        assert (await client.call("worker.scale", {"count": 0}))["running"] == 0
    assert not any("the-secret" in line for line in pool.err.items)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--count", "-1"], "--count"),
        (["--count", "1001"], "Invalid worker count"),
        (["--drain", "soon"], "--drain"),
        (["--pool", "x" * 100], "Expected a name"),
    ],
)
async def test_wrong_arguments_are_refused(shell: Shell, arguments: list[str], said: str) -> None:
    finished = await shell.run("worker", "program", "--url", "ws://127.0.0.1:1/ws", *arguments)
    assert finished.code in (1, 2)
    assert any(said in line for line in finished.err)
