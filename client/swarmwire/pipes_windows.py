"""Named pipes of Windows, on asyncio's Proactor event loop."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from typing import Any, Final, cast

from swarmwire_protocol.places import windows_pipe
from swarmwire_protocol.takesbytes import taking_bytes

from .errors import ErrorCode, SwarmwireError
from .pipeowner import is_own

__all__ = ["OPEN_TIMEOUT", "open_pipe"]

OPEN_TIMEOUT: Final = 10.0
"""Seconds a broker gets to accept us."""


async def open_pipe(name: str, factory: Callable[[], asyncio.Protocol]) -> asyncio.Transport:
    """Connect to the broker of this name; the protocol that `factory` makes gets the transport, which is returned.

    Raises:
        SwarmwireError: UNAVAILABLE if no broker of that name lives, if it does not accept us in ten seconds, if the
            pipe belongs to another user, or if the event loop knows no named pipes; INVALID_MESSAGE for what is no
            name.
    """
    address = windows_pipe(name)
    connect: Any = getattr(asyncio.get_running_loop(), "create_pipe_connection", None)
    if connect is None:
        raise _unavailable(name, "the event loop is not asyncio's Proactor loop")
    try:
        async with asyncio.timeout(OPEN_TIMEOUT):  # while all instances are busy it tries again and again
            transport, door = await connect(lambda: _Door(factory), address)
            await door.passed
    except TimeoutError:
        raise _unavailable(name, f"it did not answer within {OPEN_TIMEOUT:g} seconds") from None
    except FileNotFoundError as error:
        raise _unavailable(name, "no broker of this name is running") from error
    except OSError as error:
        raise _unavailable(name, error.strerror or str(error)) from error
    return cast(asyncio.Transport, transport)


class _Door(asyncio.Protocol):
    """What the pipe speaks to until it is known to be our user's; then it has its protocol.

    Before that nothing is written, so nobody else learns our token, or can act as us.
    """

    def __init__(self, factory: Callable[[], asyncio.Protocol]) -> None:
        self._factory = factory
        self.passed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self.passed.cancelled():
            transport.close()
            return
        try:
            if not is_own(transport.get_extra_info("pipe").handle):
                raise PermissionError(errno.EPERM, "the pipe of this name belongs to another user")
        except OSError as error:
            transport.close()
            self.passed.set_exception(error)
            return
        self.passed.set_result(None)
        protocol = taking_bytes(self._factory())
        cast(asyncio.Transport, transport).set_protocol(protocol)
        protocol.connection_made(transport)


def _unavailable(name: str, reason: str) -> SwarmwireError:
    return SwarmwireError(ErrorCode.UNAVAILABLE, f"Nobody answers at pipe://{name}: {reason}.")
