"""The lines of standard input, read beside the event loop."""

from __future__ import annotations

import asyncio
import io
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable

__all__ = ["read_lines", "stdin_reader"]

_CHUNK = 64 * 1024
_WAITING = 16

Reader = Callable[[int], bytes]


def stdin_reader() -> Reader:
    """A function that reads up to so many bytes of standard input, and nothing at its end.

    It goes past Python's own buffer: a thread that waits in that one would hold up the end of the process.
    """
    try:
        descriptor = sys.stdin.fileno()
    except io.UnsupportedOperation:
        buffer: io.BufferedReader = sys.stdin.buffer  # type: ignore[assignment]
        return buffer.read1
    return lambda size: os.read(descriptor, size)


async def read_lines(read: Reader) -> AsyncIterator[bytes]:
    """Yield each line without its end. Reads ahead a bounded number of chunks; can be left at any time."""
    rest = b""
    async for chunk in _chunks(read):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line.removesuffix(b"\r")
    if rest:
        yield rest


async def _chunks(read: Reader) -> AsyncIterator[bytes]:
    """What a thread of its own reads. It is a daemon: nothing can wake it, so nothing may wait for it."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[bytes | OSError] = asyncio.Queue()
    room = threading.Semaphore(_WAITING)

    def pump() -> None:
        while True:
            room.acquire()
            try:
                found: bytes | OSError = read(_CHUNK)
            except OSError as error:
                found = error
            except ValueError:  # its owner has closed the file
                found = b""
            try:
                loop.call_soon_threadsafe(queue.put_nowait, found)
            except RuntimeError:
                return  # the loop is closed: nobody reads any more
            if not found or isinstance(found, OSError):
                return

    threading.Thread(target=pump, name="swarmwire-stdin", daemon=True).start()
    while chunk := await queue.get():
        if isinstance(chunk, OSError):
            raise chunk
        room.release()
        yield chunk
