"""What the core asks of the world around it: time, a way to write to a client, a way to log in.

The core does no I/O. Transports bring a `Sink` for every client, the server brings a `Clock`; tests bring their own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, Protocol, TypeVar, runtime_checkable

import msgspec

from swarmwire_protocol.messages import Permissions

__all__ = ["Authenticator", "Clock", "Framer", "Peer", "Promise", "PromptAuthenticator", "Sink", "Timer", "Verified"]

_T = TypeVar("_T")


class Timer(Protocol):
    """Something that will happen, unless it is cancelled first."""

    def cancel(self) -> object: ...


class Promise(Protocol[_T]):
    """An answer that somebody awaits."""

    def __await__(self) -> Generator[Any, Any, _T]: ...

    def done(self) -> bool:
        """Whether it is there, or nobody awaits it any more."""
        ...

    def set_result(self, answer: _T, /) -> None: ...

    def set_exception(self, error: BaseException, /) -> None: ...


class Clock(Protocol):
    """Time and its turns. Seconds are monotonic; `now_ms` is milliseconds since 1970."""

    def time(self) -> float: ...

    def now_ms(self) -> int: ...

    def call_soon(self, callback: Callable[[], object]) -> Timer: ...

    def call_later(self, delay: float, callback: Callable[[], object]) -> Timer: ...

    def spawn(self, work: Coroutine[Any, Any, object]) -> Timer:
        """Run a coroutine beside the core; its failure is reported, never lost."""
        ...

    def promise(self) -> Promise[Any]:
        """An answer that is not there yet."""
        ...


class Framer(Protocol):
    """How one kind of transport writes messages. One object a kind: what it made is shared by all its clients."""

    def join(self, payloads: list[bytes]) -> Any:
        """One block out of encoded messages, in order. Never called without any."""
        ...

    def merge(self, blocks: list[Any]) -> Any:
        """One block out of several, in order."""
        ...


class Sink(Protocol):
    """The way to one client. Nothing here waits; the transport calls the session back when it drains.

    The transport calls `session.paused()` when more than `limits.outbox_bytes` wait for the socket, and
    `session.resumed()` once less than half of it does.
    """

    @property
    def framer(self) -> Framer: ...

    def write(self, block: Any) -> None:
        """Hand one block to the socket. After `close` it does nothing."""
        ...

    def buffered(self) -> int:
        """Bytes that the socket has not taken yet."""
        ...

    def pause_reading(self) -> None:
        """Read nothing more from the client until `resume_reading`. Harmless twice."""
        ...

    def resume_reading(self) -> None: ...

    def close(self, code: int, reason: str, timeout: float) -> None:
        """End the connection once what was written is out, or after `timeout` seconds in any case."""
        ...

    def raise_limit(self, max_message_bytes: int) -> None:
        """From here messages up to this size are accepted (called at the welcome)."""
        ...


class Peer(msgspec.Struct, frozen=True, kw_only=True):
    """What a transport knows of a client by itself, before a word was said.

    `subject` is an identity the kernel vouches for (`uid:1000` on a Unix socket), `token` one that came with the
    request (the Authorization header). A client that comes anew with each request `shares_rates` with all such
    clients of its subject (of its address, if it proves nothing); one that is here for one request alone is `brief`,
    and its coming and going is not announced. `pid` is the process of a client on this machine, where the kernel tells.
    """

    transport: str
    address: str = ""
    subject: str | None = None
    token: str | None = None
    shares_rates: bool = False
    brief: bool = False
    pid: int | None = None


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What a login proves: who it is, what they may do, until when (milliseconds since 1970), by which token."""

    subject: str
    permissions: Permissions
    expires_at: int | None = None
    token_id: str | None = None


Authenticator = Callable[[str | None, dict[str, Any], Peer], Awaitable[Verified]]
"""Checks a token and the metadata of a hello.

Raises SwarmwireError AUTHENTICATION_FAILED or TOKEN_EXPIRED; anything else it raises is a refused login too,
with a neutral sentence.
"""


@runtime_checkable
class PromptAuthenticator(Protocol):
    """An authenticator that can often tell without waiting for anything; it is asked this first."""

    def at_once(self, token: str | None, peer: Peer) -> Verified | None:
        """Who logs in; None where it must be awaited. Raises what an authenticator raises."""
        ...
