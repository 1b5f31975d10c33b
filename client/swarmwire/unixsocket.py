"""The way to a broker's Unix socket."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from typing import Final

from .errors import ErrorCode, SwarmwireError

__all__ = ["open_socket"]

_MAX_PATH: Final = 107  # bytes that `sun_path` holds beside its end
_BUSY_DELAY: Final = 0.005  # seconds; doubles up to the next
_MAX_BUSY_DELAY: Final = 0.1


async def open_socket(path: str, factory: Callable[[], asyncio.Protocol]) -> asyncio.Transport:
    """Connect to the Unix socket at this path. While its queue of connections is full it is tried again.

    Raises:
        SwarmwireError: UNAVAILABLE, with a sentence that says what is wrong with the path.
    """
    if not hasattr(socket, "AF_UNIX"):
        raise SwarmwireError(ErrorCode.UNAVAILABLE, "This system has no Unix sockets; use ws:// or pipe://.")
    if len(os.fsencode(path)) > _MAX_PATH:
        raise SwarmwireError(
            ErrorCode.UNAVAILABLE, f"The path of a Unix socket has at most {_MAX_PATH} bytes; {path} has more."
        )
    end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        end.setblocking(False)
        await _connect(end, path)
        transport, _ = await asyncio.get_running_loop().create_unix_connection(factory, sock=end)
    except BaseException:
        end.close()
        raise
    return transport


async def _connect(end: socket.socket, path: str) -> None:
    # Not by the loop: a full queue is an error there that asyncio takes for a connection under way.
    delay = _BUSY_DELAY
    while True:
        try:
            end.connect(path)
            return
        except BlockingIOError:
            await asyncio.sleep(delay)
            delay = min(2 * delay, _MAX_BUSY_DELAY)
        except (OSError, ValueError) as error:
            raise SwarmwireError(ErrorCode.UNAVAILABLE, _why(path, error)) from error


def _why(path: str, error: OSError | ValueError) -> str:
    match error:
        case FileNotFoundError() | NotADirectoryError():
            return f"No broker listens at {path}: there is no such file."
        case ConnectionRefusedError():
            return f"No broker listens at {path}: the one that did has ended, or it is no socket."
        case PermissionError():
            return f"This user may not connect to {path}."
    return f"Nobody answers at {path}: {error}."
