"""The file of a Unix socket: who gets it, what is replaced, and what is left alone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import stat
import sys
from asyncio.subprocess import PIPE
from collections.abc import Iterator
from pathlib import Path

import pytest

from swarmwire_broker.transports.socketfile import MAX_PATH, SocketFile, private_directory

from .wire import PATIENCE


@pytest.fixture
def directory(runtime_directory: Path) -> Iterator[Path]:
    """A directory with a short path that is nobody else's."""
    directory = runtime_directory / "files"
    directory.mkdir(mode=0o700, parents=True)
    yield directory
    for left in directory.iterdir():
        left.unlink()
    directory.rmdir()


@pytest.fixture
def path(directory: Path) -> Path:
    return directory / "b.sock"


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@contextlib.contextmanager
def held(file: SocketFile) -> Iterator[socket.socket]:
    with file.bind() as bound:
        yield bound
    file.remove()


def leave_a_dead_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))


# ---- who may use it


def test_the_file_is_its_owners_alone_from_the_first_instant(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "chmod")  # whoever needs it comes too late
    before = os.umask(0)
    try:
        with held(SocketFile(path)):
            assert mode_of(path) == 0o600
            assert mode_of(path.with_name("b.sock.lock")) == 0o600
    finally:
        assert os.umask(before) == 0, "the umask is what it was"


def test_a_socket_for_others_may_be_used_by_everybody(path: Path) -> None:
    with held(SocketFile(path, shared=True)):
        assert mode_of(path) == 0o666


def test_a_missing_directory_is_made_for_its_owner_alone(directory: Path) -> None:
    inner = directory / "inner"
    with held(SocketFile(inner / "b.sock")):
        assert mode_of(inner) == 0o700
    inner.rmdir()


def test_a_missing_directory_of_a_socket_for_others_may_be_entered_whatever_the_umask(directory: Path) -> None:
    inner = directory / "inner"
    before = os.umask(0o077)
    try:
        with held(SocketFile(inner / "b.sock", shared=True)):
            assert mode_of(inner) == 0o711
        inner.rmdir()
    finally:
        os.umask(before)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("mode", [0o775, 0o722, 0o1777])
def test_a_directory_that_others_can_write_to_is_refused(directory: Path, mode: int, shared: bool) -> None:
    directory.chmod(mode)
    with pytest.raises(OSError, match=f"{directory} is not only this user's: its mode is {mode:04o}, expected [01]7"):
        SocketFile(directory / "b.sock", shared=shared).bind()
    directory.chmod(0o700)
    assert not list(directory.iterdir())


@pytest.mark.parametrize("shared", [False, True])
def test_a_directory_that_others_may_only_look_into_is_right(directory: Path, shared: bool) -> None:
    directory.chmod(0o755)
    with held(SocketFile(directory / "b.sock", shared=shared)):
        assert mode_of(directory / "b.sock") == (0o666 if shared else 0o600)


@pytest.mark.parametrize("mode", [0o755, 0o710, 0o701])
def test_a_directory_is_private_if_others_can_do_nothing_there(directory: Path, mode: int) -> None:
    directory.chmod(mode)
    with pytest.raises(OSError, match=f"is not only this user's: its mode is {mode:04o}, expected 0700"):
        private_directory(directory)


def test_a_directory_behind_a_symbolic_link_is_refused(directory: Path) -> None:
    link = directory / "link"
    link.symlink_to(directory)
    with pytest.raises(OSError, match="it is a symbolic link"):
        private_directory(link)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_a_directory_of_somebody_else_is_refused(directory: Path) -> None:
    os.chown(directory, 61_234, -1)
    with pytest.raises(OSError, match="it belongs to the user 61234"):
        private_directory(directory)
    os.chown(directory, 0, -1)


def test_a_directory_that_cannot_be_made_is_named(directory: Path) -> None:
    (directory / "file").touch()
    with pytest.raises(OSError, match=f"cannot use the directory {directory}/file/d"):
        private_directory(directory / "file" / "d")


def test_a_path_that_the_kernel_has_no_room_for_is_named_with_its_length(directory: Path) -> None:
    fits = directory / ("x" * (MAX_PATH - len(str(directory)) - 1))
    with held(SocketFile(fits)):
        pass
    with pytest.raises(OSError, match=rf"at most {MAX_PATH} bytes, this one has {MAX_PATH + 1}: .*xx"):
        SocketFile(fits.with_name(fits.name + "x")).bind()


# ---- who else is there


def test_a_live_socket_is_not_stolen(path: Path) -> None:
    with held(SocketFile(path)):
        inode = path.stat().st_ino
        with pytest.raises(OSError, match=f"somebody listens at {path} already"):
            SocketFile(path).bind()
        assert path.stat().st_ino == inode


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET])
def test_a_live_socket_of_a_stranger_is_not_stolen(path: Path, kind: socket.SocketKind) -> None:
    with socket.socket(socket.AF_UNIX, kind) as stranger:
        stranger.bind(str(path))
        if kind != socket.SOCK_DGRAM:
            stranger.listen()
        with pytest.raises(OSError, match="somebody listens"):
            SocketFile(path).bind()
        assert path.is_socket()
    assert not path.with_name("b.sock.lock").exists()


def test_a_live_socket_whose_queue_is_full_is_not_stolen(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as busy, contextlib.ExitStack() as waiting:
        busy.bind(str(path))
        busy.listen(0)
        with contextlib.suppress(BlockingIOError):
            while True:
                client = waiting.enter_context(socket.socket(socket.AF_UNIX))
                client.setblocking(False)
                client.connect(str(path))
        with pytest.raises(OSError, match="somebody listens"):
            SocketFile(path).bind()


def test_a_dead_socket_is_replaced(path: Path) -> None:
    leave_a_dead_socket(path)
    with held(SocketFile(path)) as bound, socket.socket(socket.AF_UNIX) as client:
        bound.listen()
        client.connect(str(path))


@pytest.mark.parametrize("kind", ["file", "directory", "link to nowhere"])
def test_what_is_no_socket_is_left_as_it_is(path: Path, kind: str) -> None:
    match kind:
        case "file":
            path.write_text("mine")
        case "directory":
            path.mkdir()
        case _:
            path.symlink_to("nowhere")
    before = path.lstat()
    with pytest.raises(OSError, match=f"{path} is there and is no socket"):
        SocketFile(path).bind()
    assert path.lstat().st_ino == before.st_ino
    if kind == "directory":
        path.rmdir()


def test_a_lock_that_is_a_symbolic_link_is_refused(path: Path) -> None:
    path.with_name("b.sock.lock").symlink_to(path.with_name("target"))
    with pytest.raises(OSError, match="cannot lock"):
        SocketFile(path).bind()
    assert not path.with_name("target").exists()


# ---- the end


def test_nothing_is_left_behind(path: Path) -> None:
    file = SocketFile(path)
    file.bind().close()
    file.remove()
    file.remove()
    assert not list(path.parent.iterdir())


def test_the_file_of_a_successor_is_not_taken_away(path: Path) -> None:
    with held(SocketFile(path)):
        path.unlink()
        leave_a_dead_socket(path)
    assert path.is_socket()


def test_a_lock_that_was_taken_away_is_not_the_one_that_counts(path: Path) -> None:
    first = SocketFile(path)
    with held(first):
        path.with_name("b.sock.lock").unlink()
        path.unlink()
        with held(SocketFile(path)):
            first.remove()
            assert path.is_socket(), "it is the second one's"


RACER = """
import sys
from pathlib import Path
from swarmwire_broker.transports.socketfile import SocketFile
file = SocketFile(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
try:
    bound = file.bind()
except OSError as error:
    print("lost", error, flush=True)
else:
    bound.listen()
    print("won", flush=True)
    sys.stdin.readline()
    file.remove()
"""


@pytest.mark.parametrize("is_there", [True, False])
async def test_of_several_that_start_at_once_one_wins(path: Path, is_there: bool) -> None:
    if is_there:
        leave_a_dead_socket(path)
    racers = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", RACER, str(path), stdin=PIPE, stdout=PIPE)
        for _ in range(4)
    ]

    async def heard() -> list[str]:
        lines = []
        for racer in racers:
            assert racer.stdout is not None
            lines.append((await racer.stdout.readline()).decode())
        return lines

    async with asyncio.timeout(PATIENCE):
        assert set(await heard()) == {"ready\n"}
        for racer in racers:
            assert racer.stdin is not None
            racer.stdin.write(b"go\n")
        results = sorted(await heard())
        assert [result.split()[0] for result in results] == ["lost", "lost", "lost", "won"]
        assert all("somebody listens" in result for result in results[:3])
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
        for racer in racers:
            assert racer.stdin is not None
            racer.stdin.close()
            await racer.wait()
    assert not list(path.parent.iterdir())
