"""Who is at the other end of a Unix socket."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from swarmwire_broker.transports.peercred import Allowed, Credentials, credentials_of, is_own, own_subjects

STRANGER = 61_234
"""A user who is neither root nor runs the tests."""


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        yield ours, theirs


def somebody(uid: int = STRANGER, *groups: int, pid: int = 0) -> Credentials:
    return Credentials(pid, uid, frozenset(groups))


def test_the_kernel_tells_process_user_and_groups(pair: tuple[socket.socket, socket.socket]) -> None:
    who = credentials_of(pair[0])
    assert (who.pid, who.uid, who.subject) == (os.getpid(), os.geteuid(), f"uid:{os.geteuid()}")
    assert who.groups >= {os.getegid(), *os.getgroups()}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc")
def test_the_program_is_found_by_the_process(pair: tuple[socket.socket, socket.socket]) -> None:
    assert credentials_of(pair[0]).executable == str(Path(sys.executable).resolve())


def test_a_process_that_is_gone_has_no_program() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    assert somebody(pid=gone.pid).executable is None


def test_what_is_no_unix_socket_has_no_credentials_worth_anything() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as client:
        accepted, _ = listener.accept()
        with accepted, client:
            try:
                who = credentials_of(accepted)
            except OSError:
                return
            assert not Allowed().permits(who)


@pytest.mark.parametrize(
    ("allowed", "who", "may"),
    [
        (Allowed(), somebody(os.geteuid()), True),
        (Allowed(), somebody(0), True),
        (Allowed(), somebody(), False),
        (Allowed(), somebody(STRANGER, 0, os.getegid()), False),
        (Allowed(uids=[STRANGER]), somebody(), True),
        (Allowed(uids=[STRANGER]), somebody(os.geteuid()), True),
        (Allowed(uids=[STRANGER]), somebody(STRANGER + 1), False),
        (Allowed(gids=[7]), somebody(STRANGER, 5, 7), True),
        (Allowed(gids=[7]), somebody(STRANGER, 5), False),
        (Allowed(gids=[STRANGER]), somebody(STRANGER), False),
    ],
)
def test_the_own_user_root_and_the_lists_may_connect(allowed: Allowed, who: Credentials, may: bool) -> None:
    assert allowed.permits(who) is may


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the program")
def test_a_list_of_programs_is_for_everybody() -> None:
    mine = str(Path(sys.executable).resolve())
    me = somebody(os.geteuid(), pid=os.getpid())
    assert Allowed(executables=[mine]).permits(me)
    assert not Allowed(executables=["/usr/bin/other"]).permits(me)
    assert not Allowed(executables=[mine]).permits(somebody(pid=os.getpid())), "a program does not let a user in"


def test_only_lists_of_users_and_groups_let_others_in() -> None:
    assert Allowed(uids=[1]).has_others
    assert Allowed(gids=[1]).has_others
    assert not Allowed(executables=["/usr/bin/other"]).has_others


def test_the_own_identities_are_those_of_the_broker_and_of_root() -> None:
    assert own_subjects() == {"uid:0", f"uid:{os.geteuid()}"}
    assert is_own(os.geteuid())
    assert not is_own(STRANGER)
