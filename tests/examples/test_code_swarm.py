"""The example as a user runs it: real processes, a real broker, real files, and what can go wrong half way."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from examples.codeswarm.board import Totals
from examples.codeswarm.files import Unreadable, python_files, read_source
from examples.codeswarm.survey import Survey

from swarmwire import Client, connect
from swarmwire_broker.core.settings import Limits
from swarmwire_broker.credentials import Auth
from swarmwire_broker.server import Server
from swarmwire_broker.testing import BrokerFactory

from .proxy import Proxy

SCRIPT = Path(__file__).parents[2] / "examples" / "code_swarm.py"
FILES = 40
TOKEN = "a-token-of-the-tests-that-is-long-enough"


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A directory of files with functions of all lengths, one of which is no Python and one of which is no text."""
    root = tmp_path / "code"
    for number in range(FILES):
        path = root / f"package{number % 3}" / f"module{number}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"def f{n}():\n" + "    pass\n" * (n + number) for n in range(1, 5)))
    (root / "broken.py").write_text("def broken(:\n")
    (root / "binary.py").write_bytes(b"x = '\xff\xfe'\n")
    return root


def survey_alone(root: Path) -> tuple[dict[str, int], Totals]:
    """The lines of every file, and the sums, found by one process without any broker."""
    lines: dict[str, int] = {}
    failed = functions = classes = 0
    for file in python_files(root):
        try:
            survey = Survey(read_source(root, file))
        except Unreadable:
            failed += 1
            continue
        for _ in survey.steps():
            pass
        found = survey.findings()
        lines[file] = found.lines
        functions += found.functions
        classes += found.classes
    total = sum(lines.values())
    return lines, Totals(files=len(lines), failed=failed, lines=total, functions=functions, classes=classes)


def check(result: dict[str, Any], root: Path) -> None:
    """Everything is there, once, as a single process would have found it, and nothing that the log holds was missed."""
    lines, totals = survey_alone(root)
    assert [(it["file"], it["lines"]) for it in result["files"]] == sorted(lines.items())
    assert result["totals"] == {name: getattr(totals, name) for name in totals.__struct_fields__}
    events = result["events"]
    assert events["ok"]
    assert events["lost"] == 0
    assert events["seen"] == events["log"] > 4 * FILES


@asynccontextmanager
async def swarm(*arguments: object) -> AsyncIterator[Process]:
    """The example, running."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(SCRIPT), *map(str, arguments)), stdout=PIPE, stderr=PIPE
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


async def finish(process: Process) -> tuple[int, bytes, str]:
    """The exit code and what was written; no run of these tests may take longer than a minute."""
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out, err.decode()


async def result_of(process: Process) -> dict[str, Any]:
    code, out, err = await finish(process)
    assert code == 0, err
    result: dict[str, Any] = orjson.loads(out)
    return result


async def completions(client: Client, count: int) -> None:
    """Return when so many files are done."""
    async with asyncio.timeout(30):
        async for _ in client.subscribe("task.*.completed", from_="start"):
            if (count := count - 1) == 0:
                return


async def worker_pids(client: Client, count: int) -> list[int]:
    """The process ids of the first workers."""
    pids: list[int] = []
    async with asyncio.timeout(30):
        async for event in client.subscribe("agent.*.started", from_="start"):
            if pid := (event.data.get("metadata") or {}).get("pid"):
                pids.append(pid)
            if len(pids) == count:
                break
    return pids


async def test_a_run_finds_what_a_single_process_finds(broker: Server, code: Path) -> None:
    async with swarm(code, "--url", broker.url, "--json") as process:
        result = await result_of(process)
    check(result, code)
    assert {it["file"] for it in result["failed"]} == {"broken.py", "binary.py"}
    assert "line 1: " in next(it["error"] for it in result["failed"] if it["file"] == "broken.py")
    assert result["longest"][0] == {"file": "package0/module39.py", "name": "f4", "line": 127, "lines": 44}
    # A worker that is slow to start may find that the others have left nothing.
    assert {it["agent"] for it in result["files"]} <= {f"{result['run']}-w{n}" for n in (1, 2, 3)}
    assert len(result["workers"]) == 3
    assert sum(worker["done"] for worker in result["workers"]) == FILES + 2
    assert {worker["state"] for worker in result["workers"]} == {"stopped"}
    assert all(worker["health"]["cpu"] > 0 for worker in result["workers"])
    assert (result["reconnects"], result["restarts"], result["gaps"]) == (0, 0, [])


async def test_the_tables_name_files_totals_and_the_verdict(broker: Server, code: Path) -> None:
    async with swarm(code, "--url", broker.url, "--rows", 2) as process:
        exit_code, out, err = await finish(process)
    text = out.decode()
    assert exit_code == 0, err
    assert "The 2 longest of 40 files" in text
    assert "package0/module39.py" in text
    assert "failed: broken.py: line 1: " in text
    assert "lost 0" in text
    assert "42 of 42 files" in err


async def test_killing_a_worker_half_way_loses_nothing(broker: Server, code: Path) -> None:
    arguments = (code, "--url", broker.url, "--json", "--delay-ms", 30)
    async with connect(broker.url) as client, swarm(*arguments) as process:
        victim, *_ = await worker_pids(client, 3)
        await completions(client, FILES // 4)
        os.kill(victim, signal.SIGKILL)
        result = await result_of(process)
    check(result, code)
    assert result["restarts"] == 1


async def test_killing_every_worker_half_way_loses_nothing(broker: Server, code: Path) -> None:
    arguments = (code, "--url", broker.url, "--json", "--delay-ms", 30)
    async with connect(broker.url) as client, swarm(*arguments) as process:
        victims = await worker_pids(client, 3)
        await completions(client, FILES // 4)
        for victim in victims:
            os.kill(victim, signal.SIGKILL)
        result = await result_of(process)
    check(result, code)
    assert result["restarts"] == 3


async def test_cutting_the_watchers_connection_half_way_loses_nothing(broker: Server, code: Path) -> None:
    async with (
        Proxy(broker.url) as proxy,
        connect(broker.url) as client,
        swarm(code, "--url", proxy.url, "--json", "--delay-ms", 50) as process,
    ):
        await completions(client, FILES // 4)
        proxy.cut(1)  # the watcher connects before it starts any worker
        result = await result_of(process)
    check(result, code)
    assert (result["reconnects"], result["restarts"], result["gaps"]) == (1, 0, [])


async def test_cutting_every_connection_half_way_loses_nothing(broker: Server, code: Path) -> None:
    async with (
        Proxy(broker.url) as proxy,
        connect(broker.url) as client,
        swarm(code, "--url", proxy.url, "--json", "--delay-ms", 50) as process,
    ):
        await completions(client, FILES // 4)
        proxy.cut(4)
        result = await result_of(process)
    check(result, code)
    assert (result["reconnects"], result["restarts"]) == (1, 0)


async def test_a_broker_that_forgets_everything_half_way_costs_no_results(
    broker_factory: BrokerFactory, unused_tcp_port: int, code: Path
) -> None:
    at_once = Limits(reconnect_window_ms=0)
    first = await broker_factory(port=unused_tcp_port, limits=at_once)
    async with swarm(code, "--url", first.url, "--json", "--delay-ms", 50) as process:
        async with connect(first.url) as client:
            await completions(client, FILES // 4)
        await first.stop()
        await broker_factory(port=unused_tcp_port, limits=at_once)
        result = await result_of(process)
    lines, _ = survey_alone(code)
    assert [(it["file"], it["lines"]) for it in result["files"]] == sorted(lines.items())
    assert len(result["failed"]) == 2
    assert {gap.rpartition(": ")[2] for gap in result["gaps"]} == {"epoch"}
    assert result["events"]["lost"] == 0
    assert result["events"]["seen"] > result["events"]["log"]


async def test_another_watcher_goes_on_with_the_run_of_a_killed_one(broker: Server, code: Path, tmp_path: Path) -> None:
    memory = tmp_path / "run.json"
    arguments = (code, "--url", broker.url, "--json", "--resume-file", memory)
    async with connect(broker.url) as client:
        async with swarm(*arguments, "--delay-ms", 30) as process:
            await completions(client, FILES // 4)
            process.kill()
            await process.communicate()
        run = orjson.loads(memory.read_bytes())["run"]
        async with swarm(*arguments) as process:
            result = await result_of(process)
    check(result, code)
    assert result["run"] == run
    assert {it["agent"] for it in result["files"]} & {f"{run}-w{n}" for n in (1, 2, 3)}
    assert not memory.exists()


async def test_without_workers_to_come_a_run_ends_with_an_error(broker: Server, code: Path) -> None:
    arguments = (code, "--url", broker.url, "--delay-ms", 30, "--workers", 1, "--max-restarts", 0)
    async with connect(broker.url) as client, swarm(*arguments) as process:
        (victim,) = await worker_pids(client, 1)
        os.kill(victim, signal.SIGKILL)
        exit_code, _, err = await finish(process)
    assert exit_code == 1
    assert "killed by SIGKILL" in err
    assert "no worker is left" in err


async def test_an_interrupt_ends_the_workers_too(broker: Server, code: Path) -> None:
    async with connect(broker.url) as client, swarm(code, "--url", broker.url, "--delay-ms", 200) as process:
        pids = await worker_pids(client, 3)
        await completions(client, 1)
        process.send_signal(signal.SIGINT)
        exit_code, _, err = await finish(process)
    assert exit_code == 130
    assert "Traceback" not in err
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


async def test_without_a_broker_one_sentence_says_what_to_start(code: Path, unused_tcp_port: int) -> None:
    async with swarm(code, "--url", f"ws://127.0.0.1:{unused_tcp_port}/ws") as process:
        exit_code, out, err = await finish(process)
    assert (exit_code, out) == (2, b"")
    assert err.count("\n") == 1
    assert "`make run`" in err


async def test_workers_log_in_with_the_token_of_the_watcher(
    broker_factory: BrokerFactory, code: Path, tmp_path: Path
) -> None:
    broker = await broker_factory(auth=Auth(token=TOKEN))
    (tmp_path / "token").write_text(TOKEN)
    async with swarm(code, "--url", broker.url, "--json", "--token-file", tmp_path / "token") as process:
        check(await result_of(process), code)


async def test_a_wrong_token_is_a_refusal_and_no_missing_broker(broker_factory: BrokerFactory, code: Path) -> None:
    broker = await broker_factory(auth=Auth(token=TOKEN))
    async with swarm(code, "--url", broker.url, "--token", "wrong") as process:
        exit_code, out, err = await finish(process)
    assert (exit_code, out) == (2, b"")
    assert "AUTHENTICATION_FAILED" in err
    assert "wrong" not in err


async def test_an_empty_directory_has_an_empty_table(broker: Server, tmp_path: Path) -> None:
    async with swarm(tmp_path, "--url", broker.url, "--json") as process:
        result = await result_of(process)
    assert result["files"] == []
    assert result["events"]["ok"]
