"""Whether the other end of a socket only says nothing more, or is gone altogether."""

from __future__ import annotations

import asyncio
import select
import sys

__all__ = ["is_hung_up"]


def is_hung_up(transport: asyncio.Transport) -> bool:
    """Whether nobody reads at the other end any more, as far as this can be known: on Linux, for Unix sockets.

    The end of input alone does not tell: a script may close its half, and wait for the answers.
    """
    sock = transport.get_extra_info("socket")
    if sys.platform != "linux" or sock is None or sock.fileno() < 0:
        return False
    poll = select.poll()
    poll.register(sock.fileno(), 0)  # a hang-up is always told
    return any(events & select.POLLHUP for _, events in poll.poll(0))
