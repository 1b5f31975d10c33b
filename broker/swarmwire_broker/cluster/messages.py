"""What brokers of a cluster tell each other.

Two versions of the broker may stand side by side: fields that are unknown are ignored, and so are messages of an
unknown type. Times are durations in seconds; nobody compares the clocks of two brokers.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from swarmwire_protocol.messages import ClientInfo, Permissions

__all__ = [
    "VERSION",
    "AllRevoked",
    "Anew",
    "Ask",
    "Beat",
    "CallerFacts",
    "Callers",
    "Died",
    "Direct",
    "Ended",
    "Envelope",
    "Ephemeral",
    "Failed",
    "GiveUp",
    "Leave",
    "Revoked",
    "Silent",
    "Message",
    "Names",
    "Spent",
    "Stranger",
    "Told",
    "WantNames",
    "decode",
    "encode",
]

VERSION: Final = 1
"""The version of these messages that this broker speaks."""


class _Message(Struct, tag_field="type", tag=str.lower, omit_defaults=True, kw_only=True):
    """What one broker tells another."""


# ---- who is there


class Beat(_Message, kw_only=True):
    """A broker is there. `revision` is that of its names, `loads` how busy the handlers of methods are."""

    name: str
    version: str
    uptime: float
    revision: int
    clients: int = 0
    loads: dict[str, int] = {}


class Leave(_Message, kw_only=True):
    """A broker goes."""


class Stranger(_Message, kw_only=True):
    """The receiver was taken for gone: what was between it and the sender is void."""


class Anew(_Message, kw_only=True):
    """The sender may have missed messages: what was between it and the receiver is void, but for who is connected."""


# ---- what clients of a broker handle, and what they want to hear


class Names(_Message, kw_only=True):
    """How many handle a method, and how many patterns begin with a segment; 0 is none any more.

    It makes of the revision before it, or with `whole` of nothing, this revision.
    """

    revision: int
    handled: dict[str, int] = {}
    wanted: dict[str, int] = {}
    whole: bool = False


class WantNames(_Message, kw_only=True):
    """The receiver's names are not known: tell all."""


# ---- calls


class CallerFacts(Struct, omit_defaults=True, kw_only=True):
    """A client that is connected to the sender."""

    client_id: str
    sender: str | None
    scope: str
    instance: str
    permissions: Permissions
    transport: str
    address: str = ""
    brief: bool = False
    token_id: str | None = None
    client: ClientInfo | None = None


class Ask(_Message, kw_only=True):
    """A call. `number` is unique among those of the sender; `caller` is there for methods of brokers, else `sender`."""

    number: int
    method: str
    seconds: float
    params: Raw | UnsetType = UNSET
    caller: CallerFacts | None = None
    sender: str | None = None
    coordinated: bool = False


class Told(_Message, kw_only=True):
    """A reply; `more` and `end` as in a reply to a client."""

    number: int
    data: Raw
    more: bool = False
    end: bool = False


class Failed(_Message, kw_only=True):
    """An error instead of a reply; `untaken`: nobody was handed the call."""

    number: int
    code: str
    message: str
    field: str | None = None
    retry_after_ms: int | None = None
    handler_code: str | None = None
    details: Raw | UnsetType = UNSET
    untaken: bool = False


class GiveUp(_Message, kw_only=True):
    """Nobody waits for the answer any more."""

    number: int


# ---- clients that call the coordinator


class Callers(_Message, kw_only=True):
    """All clients of the sender that may hold something at the receiver."""

    callers: list[CallerFacts]
    silent: list[str] = []


class Silent(_Message, kw_only=True):
    """Of these clients that are known to the receiver nothing was heard for a while; all others are alive."""

    silent: list[str]


class Ended(_Message, kw_only=True):
    """A client is gone. `watched`: its process is watched, and its end will be told."""

    client_id: str
    said_bye: bool = False
    watched: bool = False


class Died(_Message, kw_only=True):
    """The process of a client that is gone has ended."""

    client_id: str


# ---- events and rates


class Direct(_Message, kw_only=True):
    """An event for one client alone."""

    client_id: str
    event: Raw


class Ephemeral(_Message, kw_only=True):
    """An event for whoever is live just now; `hidden` is an instance that does not get it."""

    topic: str
    event: Raw
    hidden: str | None = None


class Spent(_Message, kw_only=True):
    """What was spent since the last time: messages and bytes of subjects, and of clients that share their limits by
    subject; messages by pattern of topics.
    """

    subjects: dict[str, tuple[float, float]] = {}
    clients: dict[str, tuple[float, float]] = {}
    topics: dict[str, float] = {}


class Revoked(_Message, kw_only=True):
    """The logins of a subject up to now, or those by a token, are not good any more."""

    subject: str | None = None
    token_id: str | None = None


class AllRevoked(_Message, kw_only=True):
    """All that the sender knows to be revoked: since how long by subject, for how long yet by token (None: ever)."""

    subjects: dict[str, float] = {}
    tokens: dict[str, float | None] = {}


Message: TypeAlias = (
    Beat
    | Leave
    | Stranger
    | Anew
    | Names
    | WantNames
    | Ask
    | Told
    | Failed
    | GiveUp
    | Callers
    | Silent
    | Ended
    | Died
    | Direct
    | Ephemeral
    | Spent
    | Revoked
    | AllRevoked
)


class Envelope(Struct, kw_only=True):
    """A message with who sent it, and in which version of these messages."""

    v: int
    sender: str = msgspec.field(name="from")
    m: Message


_DECODER: Final = msgspec.json.Decoder(Envelope)
_ENCODER: Final = msgspec.json.Encoder()


def encode(sender: str, message: Message) -> bytes:
    """A message as bytes."""
    return _ENCODER.encode(Envelope(v=VERSION, sender=sender, m=message))


def decode(payload: bytes) -> Envelope:
    """A message out of bytes.

    Raises:
        ValueError: it is none that this version knows.
    """
    try:
        return _DECODER.decode(payload)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise ValueError(str(error)) from None
