from __future__ import annotations

import socket
from contextlib import suppress
from pathlib import Path

from swarmwire_broker.transports.sending import send_now

SENDS = hasattr(send_now, "__self__") or not hasattr(send_now, "__code__")
"""Whether it is the compiled one; the other leaves everything to the event loop."""


def test_bytes_that_a_socket_took_arrive() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        taken = send_now(ours.fileno(), b"hello")
        assert taken == (5 if SENDS else 0)
        ours.sendall(b"hello"[taken:])
        assert theirs.recv(5, socket.MSG_WAITALL) == b"hello"


def test_a_full_socket_takes_nothing_and_is_not_waited_for() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        with suppress(BlockingIOError):
            while ours.send(bytes(65_536)):
                pass
        ours.setblocking(True)
        assert send_now(ours.fileno(), bytes(65_536)) == 0


def test_a_socket_that_nobody_reads_any_more_is_broken() -> None:
    ours, theirs = socket.socketpair()
    theirs.close()
    with ours:
        assert send_now(ours.fileno(), b"x") == (-1 if SENDS else 0)


def test_a_descriptor_that_is_no_socket_is_broken(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file:
        assert send_now(file.fileno(), b"x") == (-1 if SENDS else 0)
