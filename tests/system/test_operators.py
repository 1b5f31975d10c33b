"""Operators at work: a broker as a process, stopped, reloaded and watched by commands and signals."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import signal
import sys
import termios
from pathlib import Path

from swarmwire import connect

from .collected import PATIENCE
from .processes import BrokerProcess, Finished, Shell, clean_environment


def told(finished: Finished) -> dict[str, object]:
    assert (finished.code, finished.err) == (0, []), finished
    answer: dict[str, object] = json.loads(finished.out[0])
    return answer


async def reread(broker: BrokerProcess) -> dict[str, object]:
    """Wait until the log says that the configuration was read again."""
    line = await broker.err.first(lambda line: "was read again" in line)
    record: dict[str, object] = json.loads(line)
    return record


async def test_daemon_stop_answers_and_ends_the_process_with_0(shell: Shell) -> None:
    broker = await shell.serve()
    async with connect(broker.url) as client:
        stopped = await shell.run("daemon", "stop", "--url", broker.url)
        finished = await broker.finish()
        assert (stopped.code, stopped.out) == (0, ["Daemon shutdown initiated"])
        assert finished.code == 0
        assert [line["event"] for line in broker.log()][-1] == "draining"
        await client.disconnect()


async def test_daemon_stop_over_http_is_answered_too(shell: Shell) -> None:
    broker = await shell.serve()
    stopped = await shell.run("call", "daemon.stop", "--url", broker.http)
    assert told(stopped) == {"message": "Daemon shutdown initiated"}
    assert (await broker.finish()).code == 0


async def test_daemon_reload_applies_the_file_as_it_is_now(shell: Shell) -> None:
    shell.file("swarmwire.toml", "[limits]\nmax_subscriptions = 5\n")
    broker = await shell.serve()
    shell.file("swarmwire.toml", "log_level = 'debug'\npath = '/x'\n[limits]\nmax_subscriptions = 6\n")
    answer = told(await shell.run("daemon", "reload", "--json", "--url", broker.url))
    assert answer["applied"] == ["log_level", "limits.max_subscriptions"]
    assert answer["restart"] == ["path"]
    async with connect(broker.url) as client:
        assert client.limits["max_subscriptions"] == 6
    assert any(line["level"] == "debug" for line in broker.log())


async def test_flags_still_win_over_the_file_when_it_is_read_again(shell: Shell) -> None:
    broker = await shell.serve("--set", "limits.max_subscriptions=7")
    shell.file("swarmwire.toml", "[limits]\nmax_subscriptions = 6\nmax_replays = 2\n")
    async with connect(broker.url) as client:
        assert (await client.call("daemon.reload"))["applied"] == ["limits.max_replays"]


async def test_a_broken_file_is_refused_in_one_sentence_and_the_broker_goes_on(shell: Shell) -> None:
    broker = await shell.serve()
    shell.file("swarmwire.toml", "[limits]\nmax_subscriptionz = 6\n")
    refused = await shell.run("daemon", "reload", "--url", broker.url)
    assert (refused.code, refused.out) == (1, [])
    assert len(refused.err) == 1
    assert "limits.max_subscriptionz" in refused.err[0]
    async with connect(broker.url) as client:
        assert (await client.call("health.check"))["status"] == "degraded"


async def test_a_hangup_has_the_configuration_read_again(shell: Shell) -> None:
    broker = await shell.serve()
    shell.file("swarmwire.toml", "[limits]\nmax_subscriptions = 6\n")
    broker.signal(signal.SIGHUP)
    assert (await reread(broker))["applied"] == ["limits.max_subscriptions"]
    shell.file("swarmwire.toml", "nonsense")
    broker.signal(signal.SIGHUP)
    line = await broker.err.first(lambda line: "stays what it was" in line)
    assert json.loads(line)["level"] == "error"
    async with connect(broker.url) as client:
        assert client.limits["max_subscriptions"] == 6
    assert (await broker.stop()).code == 0


async def test_logs_follow_until_ctrl_c(shell: Shell) -> None:
    broker = await shell.serve()
    logs = await shell.start("logs", "-f", "--json", "--level", "info", "--url", broker.url)
    assert json.loads((await logs.out.reach(1))[0])["message"] == "listening"
    broker.signal(signal.SIGHUP)
    assert json.loads((await logs.out.reach(2))[1])["message"] == "the configuration was read again"
    finished = await logs.interrupt()
    assert (finished.code, finished.err) == (0, [])


async def test_following_the_log_of_a_broker_that_ends_is_an_error(shell: Shell) -> None:
    broker = await shell.serve()
    logs = await shell.start("logs", "-f", "--url", broker.url)
    await logs.out.reach(1)
    await broker.stop()
    finished = await logs.finish()
    assert finished.code == 1
    assert len(finished.err) == 1


async def test_call_prints_any_answer_and_every_reply_of_a_stream(shell: Shell) -> None:
    broker = await shell.serve()
    async with connect(broker.url) as client:

        async def count(params: dict[str, int]) -> object:
            for number in range(params["to"]):
                yield number

        client.handler("count", count)
        answers = await shell.run("call", "count", '{"to": 3}', "--stream", "--url", broker.url)
        assert (answers.code, answers.out[:3]) == (0, ["0", "1", "2"])
    unknown = await shell.run("call", "nobody.home", "-", "--url", broker.url, input="{}")
    assert (unknown.code, unknown.out, len(unknown.err)) == (1, [], 1)
    assert "METHOD_NOT_FOUND" in unknown.err[0]


async def test_the_start_of_the_daemon_is_seen_by_who_comes_later(shell: Shell) -> None:
    broker = await shell.serve()
    seen = await shell.run("sub", "$sys.daemon.*", "--from", "latest", "-n", "1", "--json", "--url", broker.url)
    record = told(seen)
    assert record["topic"] == "$sys.daemon.started"
    assert record["data"]["pid"] == broker.pid  # type: ignore[index]


async def test_the_end_of_the_terminal_is_the_end_of_a_broker_that_was_started_in_it(tmp_path: Path) -> None:
    ours, its = os.openpty()
    broker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "swarmwire_broker", "serve", "--port", "0", "--unix", "off"),
        cwd=tmp_path,
        env=clean_environment(),
        stdin=its,
        stdout=its,
        stderr=its,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(its)
    try:
        seen = b""
        while b"Ctrl-C" not in seen:
            seen += await asyncio.to_thread(os.read, ours, 4096)
        os.close(ours)
        async with asyncio.timeout(PATIENCE):
            assert await broker.wait() == 0
    finally:
        if broker.returncode is None:
            broker.kill()
            await broker.wait()
