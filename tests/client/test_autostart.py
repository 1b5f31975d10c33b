"""The steps of starting a broker, without one: what is run is a Python that says and does what the test wants."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from swarmwire import ErrorCode, SwarmwireError, connect
from swarmwire.autostart import Starter


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path / "run"
    monkeypatch.setenv("SWARMWIRE_RUNTIME_DIR", str(directory))
    return directory


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """The processes that are started in place of brokers; each writes its arguments and ends with code 3."""
    processes: list[subprocess.Popen[bytes]] = []

    def detached(command: list[str], log: int) -> subprocess.Popen[bytes]:
        script = f"print({' '.join(command[1:])!r}); raise SystemExit(3)"
        process = subprocess.Popen([sys.executable, "-c", script], stdout=log, stderr=log)
        processes.append(process)
        return process

    monkeypatch.setattr("swarmwire.autostart._detached", detached)
    return processes


def test_one_of_several_has_the_start_and_looks_once_more_before_it_starts(
    started: list[subprocess.Popen[bytes]],
) -> None:
    with Starter("b", ()) as first, Starter("b", ()) as second, Starter("other", ()) as other:
        assert first.advance()
        assert not second.advance()
        assert other.advance()
        assert not started
        assert not first.advance()
        assert not second.advance()
        assert len(started) == 1
        assert not first.advance()
        assert len(started) == 1


def test_who_waited_gets_the_start_when_the_first_has_given_up(started: list[subprocess.Popen[bytes]]) -> None:
    with Starter("b", ()) as second:
        with Starter("b", ()) as first:
            assert first.advance()
            assert not second.advance()
        assert second.advance()
    assert not started


def test_the_command_names_the_broker_its_socket_and_what_else_was_asked_for(
    runtime: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    with Starter("b", ("--data", "log")) as starter:
        starter.advance()
        starter.advance()
        started[0].wait()
    command = starter.log.read_text()
    assert command.startswith("-P -m swarmwire_broker serve --name b ")
    assert f"--unix {runtime}/b.sock" in command
    assert command.endswith(" --data log\n")


def test_an_early_end_is_told_with_the_last_words(started: list[subprocess.Popen[bytes]]) -> None:
    with Starter("b", ("last words",)) as starter:
        starter.advance()
        starter.check()
        starter.advance()
        started[0].wait()
        with pytest.raises(SwarmwireError, match=r"exit code 3: .* last words \(its log is .*b\.log\)") as raised:
            starter.check()
    assert raised.value.code is ErrorCode.UNAVAILABLE


def test_the_log_of_the_start_before_is_kept_and_none_is_for_others(
    runtime: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    for number in range(3):
        with Starter("b", (f"start-{number}",)) as starter:
            starter.advance()
            starter.advance()
            started[number].wait()
    assert "start-2" in (runtime / "b.log").read_text()
    assert "start-1" in (runtime / "b.log.old").read_text()
    assert sorted(each.name for each in runtime.iterdir()) == ["b.log", "b.log.old", "b.start"]
    assert {os.stat(each).st_mode & 0o077 for each in (runtime, *runtime.iterdir())} == {0}


def test_a_log_without_a_word_says_so(runtime: Path, started: list[subprocess.Popen[bytes]]) -> None:
    with Starter("b", ()) as starter:
        starter.advance()
        starter.advance()
        started[0].wait()
        starter.log.write_text("\n \n")
        with pytest.raises(SwarmwireError, match="it said nothing"):
            starter.check()
        starter.log.unlink()
        with pytest.raises(SwarmwireError, match="it left no log"):
            starter.check()


def test_nothing_is_started_where_others_can_write(runtime: Path) -> None:
    runtime.mkdir(mode=0o700)
    runtime.chmod(0o777)
    with pytest.raises(SwarmwireError, match="others can write"), Starter("b", ()):
        pass


def test_a_directory_that_cannot_be_made_is_a_named_error(runtime: Path) -> None:
    runtime.touch()
    with pytest.raises(SwarmwireError, match="No broker can be started") as raised, Starter("b", ()):
        pass
    assert raised.value.code is ErrorCode.UNAVAILABLE


async def test_what_takes_too_long_is_an_error_that_tells_the_log(
    runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def detached(command: list[str], log: int) -> subprocess.Popen[bytes]:
        sleeping.append(subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stderr=log))
        return sleeping[0]

    sleeping: list[subprocess.Popen[bytes]] = []
    monkeypatch.setattr("swarmwire.autostart._detached", detached)
    monkeypatch.setattr("swarmwire.finding.DEFAULT_URL", "ws://127.0.0.1:1/ws")
    with pytest.raises(SwarmwireError, match=r"within 0\.3 s\. A broker was started; its log is .*b\.log") as raised:
        await connect(broker="b", autostart=True, connect_timeout=0.3)
    assert raised.value.code is ErrorCode.UNAVAILABLE
    with Starter("b", ()) as next_one:  # the start is free again
        assert next_one.advance()
    sleeping[0].communicate()


def test_without_a_python_nothing_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "")
    with Starter("b", ()) as starter:
        starter.advance()
        with pytest.raises(SwarmwireError, match="where Python is"):
            starter.advance()
