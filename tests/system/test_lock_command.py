"""Commands that run under a lock, with real processes that end, hang and are killed."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path

import pytest

from swarmwire import connect
from swarmwire_broker.cli import lock as lock_command

from .processes import Command, Shell

ADD_ONE = "from pathlib import Path; n = Path('n'); n.write_text(str(int(n.read_text()) + 1))"


async def holding(shell: Shell, *options: str, **env: str) -> Command:
    """A command that has the lock x until its standard input ends, and has said so."""
    script = "echo held $$; exec cat"
    command = await shell.start("lock", "x", *options, "--", "sh", "-c", script, stdin=asyncio.subprocess.PIPE, **env)
    await command.out.reach(1)
    return command


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    return {"SWARMWIRE_LOCK_DIR": str(tmp_path / "locks")}


async def test_commands_under_one_lock_take_turns_and_see_rising_tokens(shell: Shell) -> None:
    broker = await shell.serve()
    shell.file("n", "0")
    add = ("sh", "-c", f'{sys.executable} -c "{ADD_ONE}"; echo $SWARMWIRE_LOCK_NAME $SWARMWIRE_LOCK_TOKEN')
    finished = await asyncio.gather(*(shell.run("lock", "a b", "--url", broker.url, "--", *add) for _ in range(3)))
    assert [one.code for one in finished] == [0] * 3
    assert (shell.directory / "n").read_text() == "3"
    names, tokens = zip(*(one.out[0].rsplit(" ", 1) for one in finished), strict=True)
    assert set(names) == {"a b"}
    assert len(set(tokens)) == 3


async def test_the_exit_code_is_that_of_the_command_or_75_where_there_was_no_lock(shell: Shell) -> None:
    broker = await shell.serve()
    holder = await holding(shell, "--url", broker.url)
    refused = await shell.run("lock", "x", "--wait", "0s", "--url", broker.url, "--", "echo", "never")
    assert (refused.code, refused.out) == (75, [])
    assert refused.err == ["swarmwire: The lock 'x' did not become free at once."]
    holder.close_input()
    assert (await holder.finish()).code == 0
    ended = await shell.run("lock", "run", "x", "--wait", "0s", "--url", broker.url, "--", "sh", "-c", "exit 7")
    assert (ended.code, ended.err) == (7, [])
    missing = await shell.run("lock", "x", "--url", broker.url, "--", "no-such-command")
    assert (missing.code, missing.err) == (127, ["swarmwire: no-such-command: there is no such command"])


async def test_a_command_whose_lock_is_lost_is_terminated(shell: Shell) -> None:
    broker = await shell.serve()
    holder = await holding(shell, "--ttl", "1s", "--url", broker.url)
    await broker.kill()
    finished = await holder.finish()
    assert finished.code == 1
    assert any("The lock 'x' was lost" in line and "sh is terminated" in line for line in finished.err), finished.err


async def test_a_killed_holder_keeps_the_lock_for_its_ttl_and_no_longer(shell: Shell) -> None:
    broker = await shell.serve()
    holder = await holding(shell, "--ttl", "1s", "--url", broker.url)
    holder.process.kill()  # what it ran goes on
    got = await shell.run("lock", "x", "--wait", "20s", "--url", broker.url, "--", "echo", "mine")
    holder.close_input()
    assert (got.code, got.out) == (0, ["mine"])


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the broker when a process ends")
async def test_a_holder_that_is_killed_on_the_brokers_machine_frees_the_lock_at_once(shell: Shell) -> None:
    path = shell.directory / "b.sock"
    await shell.serve("--unix", str(path))
    holder = await holding(shell, "--ttl", "1h", "--url", f"unix://{path}")
    holder.process.kill()  # what it ran goes on
    async with connect(f"unix://{path}") as client, client.lock("x", wait=20) as lock:
        assert lock.held
    holder.close_input()


async def test_a_signal_goes_to_the_command_and_the_lock_is_free_after_it(shell: Shell) -> None:
    broker = await shell.serve()
    async with connect(broker.url) as client:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
            holder = await holding(shell, "--ttl", "1h", "--url", broker.url)
            holder.signal(number)
            assert (await holder.finish()).code == 128 + number
            async with client.lock("x", wait=0):
                pass


async def test_a_signal_that_is_ignored_stays_so_and_reaches_no_command() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with lock_command._passing_signals_on():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


async def test_without_a_broker_files_do_and_a_killed_holder_frees_them_at_once(
    shell: Shell, files: dict[str, str]
) -> None:
    holder = await holding(shell, "--local", **files)
    refused = await shell.run("lock", "x", "--local", "--wait", "0s", "--", "true", **files)
    assert refused.code == 75
    assert "at once" in refused.err[0]
    holder.process.kill()  # what it ran goes on
    got = await shell.run("lock", "x", "--local", "--wait", "20s", "--", "sh", "-c", "exit 3", **files)
    holder.close_input()
    assert (got.code, got.err) == (3, [])


async def test_the_locks_of_a_broker_can_be_listed(shell: Shell) -> None:
    broker = await shell.serve()
    async with connect(broker.url) as client, client.lock("config-file", ttl=3_600) as lock:
        listed = await shell.run("lock", "list", "--json", "--url", broker.url)
        assert [found["name"] for found in json.loads(listed.out[0])["locks"]] == ["config-file"]
        assert [found["token"] for found in json.loads(listed.out[0])["locks"]] == [lock.token]
        shown = await shell.run("lock", "status", "config-file", "--url", broker.url)
        assert any(str(client.id) in line for line in shown.out)


async def test_what_cannot_be_a_time_is_refused_before_anything_runs(shell: Shell) -> None:
    finished = await shell.run("lock", "x", "--local", "--wait", "soon", "--", "echo", "never")
    assert (finished.code, finished.out) == (2, [])
    assert any("expected a duration" in line for line in finished.err)
