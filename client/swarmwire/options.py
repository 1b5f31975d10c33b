"""What can be asked of a connection and of a subscription, checked before anything is sent."""

from __future__ import annotations

import enum
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeAlias

import msgspec

from swarmwire_protocol.cursor import Cursor
from swarmwire_protocol.messages import Conflate, StartAt
from swarmwire_protocol.places import DEFAULT_NAME
from swarmwire_protocol.topics import check_pattern
from swarmwire_protocol.versions import VERSIONS

from .errors import ErrorCode, SwarmwireError
from .sealing import Encryption

__all__ = ["UNSET", "Ask", "From", "Settings", "Token", "Unset", "ask_for"]

Token: TypeAlias = str | Callable[[], str | Awaitable[str]]
"""A token, or a function that fetches one; it is called anew for every connection."""

From: TypeAlias = str | Mapping[str, Any] | StartAt
"""Where a subscription begins: "now", "start", "latest", {"cursor": c}, {"last": n} or {"since_ms": t}."""


class Unset(enum.Enum):
    """The type of `UNSET`."""

    UNSET = "unset"


UNSET: Final = Unset.UNSET
"""Stands for an argument that was not given, where None means "no limit"."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How a client connects. Times are in seconds; None means no limit, 0 means zero."""

    url: str | None = None
    """Where the broker is; None looks for it on this machine."""
    broker: str | None = None
    """The name that the broker must have; without a URL, None is the default name."""
    autostart: tuple[str, ...] | None = None
    """The arguments of a broker that is started where none is found; None starts none."""
    token: Token | None = None
    name: str = ""
    metadata: dict[str, Any] | None = None
    reconnect: bool = True
    max_attempts: int | None = None
    retry_first: bool = False
    base_delay: float = 0.5
    max_delay: float = 20.0
    connect_timeout: float | None = 10.0
    request_timeout: float | None = 30.0
    queue_size: int = 1000
    offline_queue: int | None = 1000
    drain_timeout: float | None = 5.0
    versions: tuple[str, ...] = VERSIONS
    ssl: ssl.SSLContext | None = None
    encryption: Encryption | None = None

    def __repr__(self) -> str:
        """Without the token, and without what a URL may carry in its query."""
        return f"Settings(url={self.shown_url!r}, name={self.name!r})"

    @property
    def shown_url(self) -> str:
        """The URL for messages and logs: without user information and query, which may be secret."""
        if self.url is None:
            return f"the broker {self.broker or DEFAULT_NAME!r} of this machine"
        scheme, separator, rest = self.url.partition("://")
        address = rest.partition("?")[0].partition("#")[0]
        host, slash, path = address.partition("/")
        return f"{scheme}{separator}{host.rpartition('@')[2]}{slash}{path}"


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """What a subscription asks of the broker."""

    pattern: str
    start: str | StartAt
    mode: str | Conflate
    queue_size: int | None = None
    had: str | None = None
    """The cursor up to which a snapshot that is asked for again was had before."""

    def going_on(self, cursor: str, *, snapshot: bool) -> Ask:
        """The same behind this cursor; with `snapshot` it lies in a snapshot, which is asked for as a whole."""
        if snapshot:
            return msgspec.structs.replace(self, start="latest", had=cursor)
        return msgspec.structs.replace(self, start=StartAt(cursor=cursor))

    @property
    def shared(self) -> bool:
        """Whether the subscription, once live, shares the position of the connection."""
        return self.mode in ("all", "disconnect")


def ask_for(pattern: str, from_: From, mode: str | Conflate, conflate_ms: int | None, queue_size: int | None) -> Ask:
    """The arguments of a subscribe, checked.

    Raises:
        SwarmwireError: INVALID_TOPIC or INVALID_MESSAGE, with the field at fault.
    """
    check_pattern(pattern)
    return Ask(pattern=pattern, start=_start(from_), mode=_mode(mode, conflate_ms), queue_size=queue_size)


_WORDS = ("now", "start", "latest")
_MODES = ("all", "drop_oldest", "disconnect")


def _start(from_: From) -> str | StartAt:
    if isinstance(from_, str):
        if from_ not in _WORDS:
            raise _wrong("from", f'one of {", ".join(_WORDS)} or {{"cursor": ...}}', from_)
        return from_
    start = from_ if isinstance(from_, StartAt) else _start_at(from_)
    if sum(value is not None for value in (start.cursor, start.last, start.since_ms)) != 1:
        raise _wrong("from", "exactly one of cursor, last and since_ms", from_)
    if start.cursor is not None:
        Cursor.parse(start.cursor)
    return start


def _start_at(from_: Mapping[str, Any]) -> StartAt:
    if set(from_) - {"cursor", "last", "since_ms"}:
        raise _wrong("from", "one of cursor, last and since_ms", from_)
    try:
        return msgspec.convert(dict(from_), StartAt)
    except msgspec.ValidationError as error:
        raise SwarmwireError(ErrorCode.INVALID_MESSAGE, f"{error}.", field="from") from None


def _mode(mode: str | Conflate, conflate_ms: int | None) -> str | Conflate:
    if conflate_ms is not None:
        if mode != "all":
            raise _wrong("mode", "conflate_ms without another mode", mode)
        return Conflate(conflate_ms=conflate_ms)
    if isinstance(mode, str) and mode not in _MODES:
        raise _wrong("mode", f"one of {', '.join(_MODES)}", mode)
    return mode


def _wrong(field: str, expected: str, got: object) -> SwarmwireError:
    return SwarmwireError(ErrorCode.INVALID_MESSAGE, f"Expected {expected}, got {got!r}.", field=field)
