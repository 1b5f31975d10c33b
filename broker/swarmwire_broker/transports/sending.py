"""Writing past the event loop's transport: one system call for what a socket takes at once."""

from __future__ import annotations

import asyncio
from typing import cast

__all__ = ["descriptor_of", "send_now"]

try:
    from .sendnow import send_now
except ImportError:  # on Windows, or built without a C compiler

    def send_now(fd: int, data: bytes) -> int:
        """Hand bytes to the socket `fd`; returns how many it took, without waiting for room.

        0 says that there is no room, or that this is not possible here: the event loop is to write. -1 says that the
        socket is broken; the event loop will find out how.
        """
        return 0

    _CAN_SEND = False
else:
    _CAN_SEND = True


def descriptor_of(transport: asyncio.Transport) -> int:
    """The socket's number, if bytes may go to it as they are; else -1."""
    socket = transport.get_extra_info("socket")
    if not _CAN_SEND or socket is None or transport.get_extra_info("sslcontext") is not None:
        return -1
    return cast(int, socket.fileno())
