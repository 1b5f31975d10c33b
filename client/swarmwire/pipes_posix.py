"""Named pipes of POSIX: a pair of FIFOs that we make, and announce to the broker (`swarmwire_protocol.fifo`)."""

from __future__ import annotations

import asyncio
import errno
import os
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple, cast

from swarmwire_protocol.fifo import (
    ACCEPTED,
    CONTROL,
    FifoNames,
    announcement,
    fault_of_directory,
    fault_of_fifo,
    fifo_names,
)
from swarmwire_protocol.pipepair import PipePair
from swarmwire_protocol.places import fifo_directory

from .errors import ErrorCode, SwarmwireError

__all__ = ["OPEN_TIMEOUT", "open_pipe"]

OPEN_TIMEOUT: Final = 10.0
"""Seconds a broker gets to accept us."""

_FLAGS: Final = os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
_ID_BYTES: Final = 16
_AGAIN: Final = 0.005
"""Seconds between two tries to announce ourselves while the control FIFO is full."""


class _Ends(NamedTuple):
    """Our ends of the FIFOs, as open descriptors."""

    reading: int
    writing: int


async def open_pipe(name: str, factory: Callable[[], asyncio.Protocol]) -> asyncio.Transport:
    """Connect to the broker of this name; the protocol that `factory` makes gets the transport, which is returned.

    Nothing is left behind where it fails, nor when the connection has ended.

    Raises:
        SwarmwireError: UNAVAILABLE if no broker of that name lives, if it does not accept us in ten seconds, or if
            its directory is not one of this user alone; INVALID_MESSAGE for what is no name.
    """
    directory = fifo_directory(name)
    try:
        _check_directory(directory)
        async with asyncio.timeout(OPEN_TIMEOUT):
            ends = await _meet(directory)
    except TimeoutError:
        raise _unavailable(name, f"it did not answer within {OPEN_TIMEOUT:g} seconds") from None
    except OSError as error:
        raise _unavailable(name, _reason(error)) from error
    return await _connect(ends, factory)


# ---- two FIFOs and their announcement


async def _meet(directory: Path) -> _Ends:
    """Make the FIFOs, announce them, and wait until the broker has opened both."""
    with ExitStack() as held, ExitStack() as ends:
        # Before anything is made: without a living broker nobody reads here, and nothing need be cleaned up.
        control = _open_fifo(held, directory / CONTROL, os.O_WRONLY)
        names = held.enter_context(_made(fifo_names(directory, secrets.token_hex(_ID_BYTES))))
        reading = _open_fifo(ends, names.down, os.O_RDONLY)
        # Until the broker reads, we do: else we could not open the writing end, nor keep it.
        _open_fifo(held, names.up, os.O_RDWR)
        writing = _open_fifo(ends, names.up, os.O_WRONLY)
        await _announce(control, names.up.stem)
        await _accepted(reading, control)
        ends.pop_all()
        return _Ends(reading, writing)


@contextmanager
def _made(names: FifoNames) -> Iterator[FifoNames]:
    """The two FIFOs; their names are gone afterwards."""
    try:
        for name in names:
            os.mkfifo(name, 0o600)
        yield names
    finally:
        for name in names:
            with suppress(OSError):  # the broker removes them when it has opened both
                name.unlink()


def _open_fifo(opened: ExitStack, path: Path, flags: int) -> int:
    """Open what must be a FIFO of ours alone, until the stack is unwound."""
    descriptor = os.open(path, flags | _FLAGS)
    opened.callback(os.close, descriptor)
    fault = fault_of_fifo(os.fstat(descriptor), os.geteuid())
    if fault is not None:
        raise PermissionError(errno.EPERM, f"{path.name} is not to be trusted: {fault}")
    return descriptor


async def _announce(control: int, client: str) -> None:
    record = announcement(client)
    while True:
        try:
            os.write(control, record)  # so little is written as a whole or not at all
        except BlockingIOError:
            await asyncio.sleep(_AGAIN)
        else:
            return


async def _accepted(reading: int, control: int) -> None:
    """Wait for the broker's answer, or its end: then the control FIFO has no reader any more."""
    async with _watched(reading, control) as happened:
        await happened.wait()
    try:
        answer = os.read(reading, len(ACCEPTED))
    except BlockingIOError:
        raise BrokenPipeError(errno.EPIPE, "the broker ended") from None
    if answer != ACCEPTED:
        raise ConnectionRefusedError(errno.ECONNREFUSED, "the broker is full, or ends")


@asynccontextmanager
async def _watched(*descriptors: int) -> AsyncIterator[asyncio.Event]:
    """An event that is set when one of them can be read from, or has lost its other end."""
    loop = asyncio.get_running_loop()
    happened = asyncio.Event()
    try:
        for descriptor in descriptors:
            loop.add_reader(descriptor, happened.set)
        yield happened
    finally:
        for descriptor in descriptors:
            loop.remove_reader(descriptor)


# ---- the connection


async def _connect(ends: _Ends, factory: Callable[[], asyncio.Protocol]) -> asyncio.Transport:
    loop = asyncio.get_running_loop()
    reading, writing = os.fdopen(ends.reading, "rb", 0), os.fdopen(ends.writing, "wb", 0)
    pair = PipePair(loop.call_later)
    transport = cast(asyncio.Transport, pair)
    try:
        await loop.connect_write_pipe(lambda: cast(asyncio.BaseProtocol, pair.writing), writing)
        protocol = factory()
        pair.set_protocol(protocol)
        protocol.connection_made(transport)
        await loop.connect_read_pipe(lambda: cast(asyncio.Protocol, pair.reading), reading)
    except BaseException:
        pair.abort()
        reading.close()
        raise
    return transport


# ---- what is told where it fails


def _check_directory(directory: Path) -> None:
    fault = fault_of_directory(directory.lstat(), os.geteuid())
    if fault is not None:
        raise PermissionError(errno.EPERM, f"{directory} is not to be trusted: {fault}")


def _reason(error: OSError) -> str:
    match error.errno:
        case errno.ENOENT | errno.ENXIO:
            return "no broker of this name is running"
        case _:
            return error.strerror or str(error)


def _unavailable(name: str, reason: str) -> SwarmwireError:
    return SwarmwireError(ErrorCode.UNAVAILABLE, f"Nobody answers at pipe://{name}: {reason}.")
