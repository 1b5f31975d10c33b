"""A server is started, is ready when it is handed out, and is gone afterwards."""

from __future__ import annotations

import os
import socket
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks.runner import processes
from benchmarks.runner.peers import FIFOS, PEERS, SOCKET
from benchmarks.runner.processes import ServerFailed, alone, running, words

LISTENER = "import socket,sys,signal; s=socket.create_server(('127.0.0.1',int(sys.argv[1]))); signal.pause()"
BY_SOCKET = "import socket,sys,signal; s=socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(); signal.pause()"
BY_FIFO = """import os,sys,signal; os.mkdir(sys.argv[1]); os.mkfifo(sys.argv[1] + "/ctl"); \
kept=os.open(sys.argv[1] + "/ctl", os.O_RDWR); signal.pause()"""
DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {LISTENER}"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(processes, "RUN", tmp_path)
    monkeypatch.setattr(processes, "DATA", tmp_path / "data")
    monkeypatch.setattr(processes, "BUILD", tmp_path)
    monkeypatch.setattr(processes, "_STOP_TIMEOUT", 1.0)
    return tmp_path


def program(text: str, where: str = "{port}") -> tuple[str, ...]:
    return (sys.executable, "-c", text, where)


@pytest.mark.parametrize("text", [LISTENER, DEAF], ids=["obeys", "ignores SIGTERM"])
def test_a_server_takes_connections_and_is_gone_in_the_end(text: str) -> None:
    with running(replace(PEERS["direct"], command=program(text))) as server:
        socket.create_connection(("127.0.0.1", server.ports[0]), timeout=5).close()
    with pytest.raises(ProcessLookupError):
        os.kill(server.pid, 0)


@pytest.mark.parametrize(("peer", "text", "place"), [("echo", BY_SOCKET, SOCKET), ("swarmwire_pipe", BY_FIFO, FIFOS)])
def test_a_server_without_a_port_is_handed_out_when_its_place_is_there_which_goes_with_it(
    peer: str, text: str, place: str
) -> None:
    with running(replace(PEERS[peer], command=program(text, "{runtime}/" + place))) as server:
        assert (server.runtime / place).exists()
    assert not server.runtime.exists()


def test_a_server_is_told_its_runtime_directory_in_its_environment() -> None:
    tell = f"import os; open(os.environ['SWARMWIRE_RUNTIME_DIR'] + '/seen', 'w').close(); {LISTENER}"
    with running(replace(PEERS["swarmwire"], command=program(tell))) as server:
        assert (server.runtime / "seen").exists()


def test_a_server_is_gone_when_the_run_is_interrupted() -> None:
    with pytest.raises(KeyboardInterrupt), running(replace(PEERS["direct"], command=program(LISTENER))) as server:
        raise KeyboardInterrupt
    with pytest.raises(ProcessLookupError):
        os.kill(server.pid, 0)


def test_a_server_that_does_not_start_says_why() -> None:
    broken = replace(PEERS["direct"], command=program("raise SystemExit('the disk is full')"))
    with pytest.raises(ServerFailed, match="the disk is full"), running(broken):
        pytest.fail("it was handed out")


def test_settings_of_the_users_own_broker_do_not_reach_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWARMWIRE_PORT", "1")
    tell = f"import os; assert 'SWARMWIRE_PORT' not in os.environ; {LISTENER}"
    with running(replace(PEERS["direct"], command=program(tell))) as server:
        assert server.ports[0] != 1


def test_ports_are_filled_into_a_configuration(folder: Path) -> None:
    with running(replace(PEERS["nats"], command=program(LISTENER))) as server:
        text = (folder / "nats.conf").read_text(encoding="utf-8")
    assert f"127.0.0.1:{server.ports[0]}" in text
    assert "@" not in text.split("\n", 1)[1]


def test_what_a_server_stored_is_gone_before_it_starts_and_when_it_has_ended(folder: Path) -> None:
    left = folder / "data" / "left"
    left.parent.mkdir()
    left.touch()
    with running(replace(PEERS["direct"], command=program(LISTENER))):
        assert not left.exists()
        left.parent.mkdir()
        left.touch()
    assert not left.parent.exists()


def test_two_benches_do_not_run_at_once_and_one_may_follow_another() -> None:
    with alone(), pytest.raises(ValueError, match="another bench is running"), alone():
        pytest.fail("it ran")
    with alone():
        pass


def test_words_are_filled_in_and_other_braces_stay() -> None:
    assert words(("{port}", "{port2}", "{extra}", "{unknown}"), ports=(1, 3), extra=2) == ["1", "3", "2", "{unknown}"]


def is_over(pid: int) -> bool:
    """Whether a process has ended, though perhaps nobody has asked yet how."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


COMPANION = "import socket, sys; s = socket.create_server(('127.0.0.1', int(sys.argv[1])));\nwhile True: s.accept()"


def test_a_server_of_several_processes_is_open_when_all_are_and_all_are_measured() -> None:
    beside = program(COMPANION)
    command = ("{python}", "{servers}/beside.py", "{extra}", *beside, "{extra}", "--", *beside, "{port}")
    with running(replace(PEERS["direct"], command=command)) as server:
        main, companion = server.pids
        assert main == server.pid
        os.kill(companion, 0)
    assert all(is_over(pid) for pid in (main, companion))


def test_a_companion_that_does_not_listen_ends_its_server() -> None:
    command = ("{python}", "{servers}/beside.py", "{extra}", *program("pass"), "--", *program(LISTENER))
    with pytest.raises(ServerFailed, match="nothing listens at"), running(replace(PEERS["direct"], command=command)):
        pytest.fail("it was handed out")
