"""The messages of the protocol, version 1: one typed record each, one tagged union a direction.

What may live here: the shape of messages and nothing of what they mean. `PROTOCOL.md` beside this package
explains each of them. An absent optional field has its default, mostly None, and is left out
when written.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field

__all__ = [
    "Ack",
    "Auth",
    "BrokerMessage",
    "Bye",
    "Call",
    "Cancel",
    "ClientInfo",
    "ClientMessage",
    "Conflate",
    "Dispatch",
    "Error",
    "Event",
    "Gap",
    "Hello",
    "Identity",
    "Live",
    "MAX_SEQ",
    "Permissions",
    "Ping",
    "Pong",
    "Position",
    "Publish",
    "Reply",
    "RequestId",
    "ServerInfo",
    "StartAt",
    "Subscribe",
    "SubscribeResult",
    "Subscription",
    "Unsubscribe",
    "Welcome",
]

MAX_SEQ = 2**53 - 1
"""The highest sequence number: every JSON parser, JavaScript's too, reads it exactly."""

RequestId: TypeAlias = str | int
"""Chosen by who asks, echoed with its type; at most 64 bytes."""

_Count = Annotated[int, Meta(ge=0, le=MAX_SEQ)]
_Word = Annotated[str, Meta(max_length=256)]
"""What is kept with all that a client has, and so is short."""


class _Record(Struct, omit_defaults=True, kw_only=True):
    """A part of a message."""


class _Message(Struct, tag_field="type", tag=str.lower, omit_defaults=True, kw_only=True):
    """A message from the broker, or to it."""


class _Told(_Message, kw_only=True):
    """A message that a client may send. Who it is from is the broker's to state: both fields are refused."""

    from_: Any = field(name="from", default=None)
    client_id: Any = None


# ---- Opening a connection


class ClientInfo(_Record, kw_only=True):
    """Who speaks, in its own words: shown to operators, never trusted.

    `instance` is 128 random bits, made once per SDK object and kept over reconnects; it is never shown to others.
    """

    name: _Word
    version: _Word = ""
    instance: Annotated[str, Meta(max_length=128)] | None = None
    pid: int | None = None
    kind: _Word | None = None


class Hello(_Told, kw_only=True):
    """The first message of every connection."""

    versions: list[str]
    client: ClientInfo
    token: str | None = None
    metadata: dict[str, Any] | None = None


class ServerInfo(_Record, kw_only=True):
    """The broker, as the welcome names it."""

    id: str
    name: str
    version: str
    pid: int
    ppid: int


class Permissions(_Record, kw_only=True):
    """What an identity may do: patterns of topics to publish and to subscribe, patterns of methods to call.

    Who may `observe` sees what operators see and changes nothing; an `admin` may do that too.
    """

    publish: list[str] = []
    subscribe: list[str] = []
    call: list[str] = []
    admin: bool = False
    observe: bool = False


class Identity(_Record, kw_only=True):
    """Who the broker takes the client for. `expires_at` is in milliseconds since 1970."""

    subject: str
    permissions: Permissions
    expires_at: int | None = None


class Welcome(_Message, kw_only=True):
    """The answer to a hello: the version both will speak, and what the client needs to know of the broker."""

    version: str
    client_id: str
    server: ServerInfo
    cursor: str
    heartbeat_ms: int
    limits: dict[str, int | None]
    identity: Identity
    durability: str
    features: list[str] = []


class Auth(_Told, kw_only=True):
    """A new token on the live connection."""

    id: RequestId
    token: str


# ---- Subscriptions


class StartAt(_Record, kw_only=True):
    """Where a subscription begins, if not at a word: exactly one of the three."""

    cursor: str | None = None
    last: _Count | None = None
    since_ms: _Count | None = None


class Conflate(_Record, kw_only=True):
    """The mode that sends the latest event of every changed topic once a tick of `conflate_ms` milliseconds."""

    conflate_ms: Annotated[int, Meta(ge=0, le=3_600_000)]


class Subscription(_Record, kw_only=True):
    """One subscription of a `subscribe`: `sub` names it (default: the pattern)."""

    pattern: str
    sub: str | None = None
    from_: str | StartAt = field(name="from", default="now")
    mode: str | Conflate = "all"
    queue_size: _Count | None = None


class Subscribe(_Told, kw_only=True):
    """Asks for subscriptions; the ack says of each whether it was accepted."""

    id: RequestId
    subscriptions: list[Subscription]


class Unsubscribe(_Told, kw_only=True):
    """Ends subscriptions by name."""

    id: RequestId
    subs: list[str]


class SubscribeResult(_Record, kw_only=True):
    """What became of one subscription: the cursor it stands at, or the error that refused it."""

    sub: str
    cursor: str | None = None
    error: Error | None = None


# ---- Events


class Publish(_Told, kw_only=True):
    """Puts one event on a topic. Without an `id` nothing is answered but errors."""

    topic: str
    data: Raw
    id: RequestId | None = None
    key: str | None = None
    headers: dict[str, str] | None = None
    echo: bool = True
    ephemeral: bool = False
    clear: bool = False


class Event(_Message, kw_only=True):
    """One event. `seq` is its place in the log (absent: ephemeral); `ts` is in milliseconds since 1970.

    With `direct` it was sent to this client itself, whatever it subscribes to.
    """

    topic: str
    ts: int
    data: Raw
    seq: int | None = None
    from_: str | None = field(name="from", default=None)
    headers: dict[str, str] | None = None
    sub: str | None = None
    skipped: int | None = None
    clear: bool = False
    direct: bool = False


class Live(_Message, kw_only=True):
    """The replay of this subscription is complete; from here it is live."""

    sub: str
    cursor: str


class Position(_Message, kw_only=True):
    """The client has everything up to here: of one subscription, or of all live ones."""

    cursor: str
    sub: str | None = None


class Gap(_Message, kw_only=True):
    """Events after `from`, up to and with `to`, may be missing here."""

    from_: str = field(name="from")
    to: str
    reason: str
    sub: str | None = None
    dropped: int | None = None


# ---- Calls and answers


class Call(_Told, kw_only=True):
    """Asks whoever handles a method."""

    id: RequestId
    method: str
    params: Raw | UnsetType = UNSET  # a `Raw | None` would take nothing but null
    timeout_ms: _Count | None = None


class Dispatch(_Message, kw_only=True, tag="call"):
    """A call as its handler gets it: with the caller's identity (absent: the broker's own process) and the deadline,
    in milliseconds since 1970.
    """

    id: RequestId
    method: str
    from_: str | None = field(name="from", default=None)
    deadline: int
    params: Raw | UnsetType = UNSET


class Cancel(_Told, kw_only=True):
    """Gives a call up."""

    id: RequestId


class Reply(_Told, kw_only=True):
    """An answer to a call; with `more` further replies follow, and `end` ends them without being one itself."""

    id: RequestId
    data: Raw
    more: bool = False
    end: bool = False


class Ack(_Message, kw_only=True):
    """The request is decided and done."""

    id: RequestId
    results: list[SubscribeResult] | None = None
    seq: int | None = None
    duplicate: bool = False


class Error(_Told, kw_only=True):
    """The request with this id failed; without an id, the connection did. `handler_code` is the handler's own."""

    code: str
    message: str
    id: RequestId | None = None
    field: str | None = None
    retry_after_ms: int | None = None
    results: list[SubscribeResult] | None = None
    versions: list[str] | None = None
    handler_code: str | None = None
    details: Raw | UnsetType = UNSET


# ---- Keeping and ending a connection


class Ping(_Told, kw_only=True):
    """Asks for a pong with the same `ts`."""

    ts: int | None = None


class Pong(_Told, kw_only=True):
    """The answer to a ping."""

    ts: int | None = None


class Bye(_Told, kw_only=True):
    """The last message before a close that is meant; an end without it is a crash."""

    code: int
    reason: str = ""
    reconnect_after_ms: int | None = None


ClientMessage: TypeAlias = (
    Hello | Auth | Subscribe | Unsubscribe | Publish | Call | Cancel | Reply | Error | Ping | Pong | Bye
)
"""What a client may send."""

BrokerMessage: TypeAlias = (
    Welcome | Event | Live | Position | Gap | Dispatch | Cancel | Reply | Ack | Error | Ping | Pong | Bye
)
"""What the broker may send."""
