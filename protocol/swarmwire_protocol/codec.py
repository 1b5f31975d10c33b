"""Bytes to messages and back, and the checks that JSON's grammar alone does not make.

Every function takes and gives UTF-8 bytes. Whether bytes from a socket are valid UTF-8 is decided by the
transport that read them, because the answer differs by transport (a close code, an error line).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import accumulate
from typing import Any, Final, TypeVar

import msgspec
import orjson
from msgspec import Raw

from .accelerators import encode_event
from .errors import ErrorCode, SwarmwireError
from .messages import BrokerMessage, ClientMessage, Error, Reply, RequestId

__all__ = [
    "MAX_DEPTH",
    "MAX_ID_BYTES",
    "BROKER_ID_PREFIX",
    "InvalidMessage",
    "check_data",
    "conflated",
    "decode_from_broker",
    "decode_from_client",
    "encode",
    "encode_event",
    "event_head",
    "event_origin",
    "explain",
    "quote",
    "with_sub",
]

MAX_DEPTH: Final = 128
"""How deeply arrays and objects may nest in `data`, `params` and the like."""

MAX_ID_BYTES: Final = 64
"""The longest `id` of a request: of a string in UTF-8, of a number as its digits and sign."""

BROKER_ID_PREFIX: Final = "b:"
"""What the ids of the broker's own calls begin with, and the ids that a client makes up may not."""

encode = msgspec.json.Encoder().encode
"""A message as JSON bytes, optional fields left out where they are not set."""

_from_client: Callable[[bytes], ClientMessage] = msgspec.json.Decoder(ClientMessage).decode
_from_broker: Callable[[bytes], BrokerMessage] = msgspec.json.Decoder(BrokerMessage).decode


class _Probe(msgspec.Struct):
    """What is read of a message that is wrong, to answer it by its id."""

    id: RequestId | None = None


_probe = msgspec.json.Decoder(_Probe).decode


class InvalidMessage(SwarmwireError):
    """INVALID_MESSAGE (or a code near it), with the id of the request where one could be read."""

    def __init__(
        self,
        message: str,
        *,
        field: str | None = None,
        request_id: RequestId | None = None,
        code: ErrorCode = ErrorCode.INVALID_MESSAGE,
    ) -> None:
        super().__init__(code, message, field=field)
        self.request_id = request_id


def decode_from_client(raw: bytes) -> ClientMessage:
    """Read one message of a client.

    Raises:
        InvalidMessage: with the field at fault and the request's id where they are known.
    """
    message = _read(_from_client, raw)
    if message.from_ is not None or message.client_id is not None:
        field = "from" if message.from_ is not None else "client_id"
        raise InvalidMessage(
            "Who a message is from is stated by the broker; a client must leave this field out.",
            field=field,
            request_id=getattr(message, "id", None),
        )
    request_id = getattr(message, "id", None)
    if request_id is not None:
        _check_id(request_id, is_answer=isinstance(message, Reply | Error))
    return message


def decode_from_broker(raw: bytes | str) -> BrokerMessage:
    """Read one message of the broker.

    Raises:
        InvalidMessage: when it is none.
    """
    if not isinstance(raw, bytes):
        raw = raw.encode("utf-8", "replace")
    try:
        return _from_broker(raw)
    except _UNREADABLE:
        return _read(_from_broker, raw)


_T = TypeVar("_T")
_UNREADABLE = (msgspec.MsgspecError, RecursionError, UnicodeError)


def _read(decode: Callable[[bytes], _T], raw: bytes) -> _T:
    try:
        try:
            return decode(raw)
        except msgspec.ValidationError as error:
            # Null in an optional field means absent. The records know no null where they have another
            # default, so the rare message that has one is read a second time.
            if "got `null`" not in str(error):
                raise
            return decode(_without_nulls(raw))
    except _UNREADABLE as error:
        raise _explain(raw, error) from None


_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_RECORDS: Final = frozenset({"client", "subscriptions", "results", "identity", "server"})


def _without_nulls(raw: bytes) -> bytes:
    """The message without the fields that are null, in itself and in the records it is made of."""
    kept: dict[str, Any] = {}
    for name, value in _fields(raw).items():
        if name in _RECORDS:
            kept[name] = _pruned(msgspec.json.decode(value))
        elif name == "data" or bytes(value) != b"null":
            kept[name] = value
    return encode(kept)


def _pruned(value: Any) -> Any:
    match value:
        case dict():
            return {name: _pruned(part) for name, part in value.items() if part is not None}
        case list():
            return [_pruned(part) for part in value]
    return value


_LOWEST_ID: Final = -(10 ** (MAX_ID_BYTES - 1))
_HIGHEST_ID: Final = 10**MAX_ID_BYTES


def _check_id(request_id: RequestId, *, is_answer: bool) -> None:
    if not _fits(request_id):
        raise InvalidMessage(f"Expected an id of 1 to {MAX_ID_BYTES} bytes.", field="id")
    if not is_answer and isinstance(request_id, str) and request_id.startswith(BROKER_ID_PREFIX):
        raise InvalidMessage(
            f"Expected an id that does not begin with {BROKER_ID_PREFIX!r}; these are the broker's.",
            field="id",
            request_id=request_id,
        )


def _fits(request_id: RequestId) -> bool:
    if isinstance(request_id, str):
        return 0 < len(request_id.encode()) <= MAX_ID_BYTES
    return _LOWEST_ID < request_id < _HIGHEST_ID


# ---- Saying what is wrong

_PATH = re.compile(r" - at `\$\.?(?P<path>[^`]*)`$")
_MISSING = re.compile(r"missing required field `(?P<name>\w+)`")


def _explain(raw: bytes, error: Exception) -> InvalidMessage:
    if isinstance(error, RecursionError):
        return InvalidMessage(f"Expected at most {MAX_DEPTH} levels of nesting.", request_id=_id_of(raw))
    if not isinstance(error, msgspec.ValidationError):
        return InvalidMessage("Expected one JSON object; this is not valid JSON.")
    sentence, field = _sentence(str(error))
    return InvalidMessage(sentence, field=field, request_id=_id_of(raw))


def explain(error: Exception) -> tuple[str, str | None]:
    """What is wrong with a piece of JSON that did not fit its record: a sentence, and the path of the part at fault.

    The sentence holds nothing of what was read.
    """
    if isinstance(error, RecursionError):
        return f"Expected at most {MAX_DEPTH} levels of nesting.", None
    if not isinstance(error, msgspec.ValidationError):
        return "Expected valid JSON.", None
    return _sentence(str(error))


def _sentence(text: str) -> tuple[str, str | None]:
    """The sentence and the field of a validation error: never more of its text than the types it names."""
    found = _PATH.search(text)
    path = found["path"] if found else ""
    said = text[: found.start()] if found else text
    if missing := _MISSING.search(said):
        name = missing["name"]
        return f"Expected the field {name}, which is missing.", f"{path}.{name}" if path else name
    if path == "type" and said.startswith("Invalid value"):
        return "Expected a type of message that a client may send.", "type"
    if "out of range" in said:
        return "Expected numbers that fit a 64-bit float.", path or None
    if said.startswith("Expected"):
        return f"{said.replace('`', '')}.", path or None
    return "Expected another value.", path or None


def _id_of(raw: bytes) -> RequestId | None:
    try:
        request_id = _probe(raw).id
    except _UNREADABLE:
        return None
    return request_id if request_id is not None and _fits(request_id) else None


# ---- Data that passes through unparsed

# Digits become 0, e and E become e, and a plus sign is left out: a number that can overflow a double then
# shows as e000 behind a digit, or as two hundred digits in a row. Strings may show the same, so a hit is only
# a reason to look closely, never a verdict.
_NUMERALS: Final = bytes(0x30 if 0x30 <= c <= 0x39 else 0x65 if c in b"eE" else 0x20 for c in range(256))
_MANY_DIGITS: Final = "0" * 200
_LF: Final = 0x0A
_CR: Final = 0x0D


def check_data(data: Raw, field: str = "data") -> bytes:
    """The bytes of a JSON value that came in a message, checked for what its grammar lets through.

    White space that would break a line is taken out; everything else passes as it was written.

    Raises:
        SwarmwireError: INVALID_MESSAGE for a number that no double holds, or more than `MAX_DEPTH` levels.
    """
    value = bytes(data)
    size = len(value)
    if size > 2 * MAX_DEPTH and value.count(b"[") + value.count(b"{") > MAX_DEPTH:
        _check_depth(value, field)
    # Text is searched several times faster than bytes are.
    numerals = value.translate(_NUMERALS, b"+").decode()
    if "0e000" in numerals or (size > 200 and _MANY_DIGITS in numerals):
        _check_finite(value, field)
    if _LF in value or _CR in value:
        # A string cannot hold them unescaped, so these stand between tokens.
        value = value.translate(None, b"\r\n")
    return value


def _check_finite(value: bytes, field: str) -> None:
    try:
        orjson.loads(value)
    except orjson.JSONDecodeError:
        raise SwarmwireError(
            ErrorCode.INVALID_MESSAGE, "Expected numbers that fit a 64-bit float.", field=field
        ) from None


_ONE_KIND: Final = bytes.maketrans(b"{}", b"[]")
_NOT_SHAPE: Final = bytes(c for c in range(256) if c not in b'"[]{}')
_STRINGS = re.compile(rb'"[^"]*"')
_STEPS: Final = bytes.maketrans(b"[]", b"\x01\xff")  # as signed bytes: one level up, one down
_PASSES: Final = 8


def _check_depth(value: bytes, field: str) -> None:
    # A value may be megabytes, so nothing here looks at single bytes in Python. Without escapes every quote
    # is an end of a string; without strings each pass takes the innermost level away, and few have many.
    quotes = value.replace(b"\\\\", b"").replace(b'\\"', b"").translate(_ONE_KIND, _NOT_SHAPE)
    levels = _STRINGS.sub(b"", quotes.replace(b'""', b""))
    for _ in range(_PASSES):
        levels = levels.replace(b"[]", b"")
    deepest = max(accumulate(memoryview(levels.translate(_STEPS)).cast("b")), default=0)
    if deepest > MAX_DEPTH - _PASSES:
        raise SwarmwireError(
            ErrorCode.INVALID_MESSAGE,
            f"Expected at most {MAX_DEPTH} levels of nesting, got {deepest + _PASSES}.",
            field=field,
        )


# ---- Events, which are written once for everyone

_EVENT: Final = b'{"type":"event",'


def quote(text: str) -> bytes:
    """A string as JSON."""
    return encode(text)


def event_head(topic: str) -> bytes:
    """What all events of a topic begin with."""
    return b'%b"topic":%b,' % (_EVENT, quote(topic))


def event_origin(sender: str | None, headers: dict[str, str] | None = None) -> bytes:
    """The part of an event that says who published it."""
    origin = b'"from":%b,' % quote(sender) if sender is not None else b""
    return origin + b'"headers":%b,' % encode(headers) if headers else origin


def with_sub(payload: bytes, sub: bytes) -> bytes:
    """An encoded event, addressed to one subscription (its name as `quote` gives it)."""
    return b'%b"sub":%b,%b' % (_EVENT, sub, payload[len(_EVENT) :])


def conflated(payload: bytes, sub: bytes, skipped: int) -> bytes:
    """An encoded event, addressed to one subscription, that stands for `skipped` earlier ones too."""
    return b'%b"sub":%b,"skipped":%d,%b' % (_EVENT, sub, skipped, payload[len(_EVENT) :])
