"""The ordinary upgrade request, read in one step.

What is read here is what every WebSocket library and every browser sends. Anything else, right or wrong, is not for
this module to judge: who reads HTTP in full does that.
"""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha1
from typing import Final, NamedTuple

__all__ = [
    "MAX_HEAD",
    "SUBPROTOCOL",
    "Asked",
    "Upgrade",
    "UpgradeReader",
    "bearer_token",
    "request_line",
    "switching_protocols",
]

SUBPROTOCOL: Final = "swarmwire.v1"

MAX_HEAD: Final = 8 * 1024
"""Bytes of a head that counts as ordinary."""

_MAX_FIELDS: Final = 64
_MAX_SHAPES: Final = 256
_MAX_SHAPE: Final = 1024
_END: Final = b"\r\n\r\n"
_KEY_LINE: Final = b"\r\nSec-WebSocket-Key: "
_KEY_BYTES: Final = 24
_ACCEPTED: Final = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
)
_SPOKEN: Final = b"Sec-WebSocket-Protocol: %b\r\n" % SUBPROTOCOL.encode()
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

_TOKEN: Final = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_FIELDS: Final = re.compile(rf"(?:{_TOKEN}:[\t\x20-\x7e]*\r\n)+")
_TOKENS: Final = re.compile(rf"{_TOKEN}(?:[ \t]*,[ \t]*{_TOKEN})*")
_KEY: Final = re.compile(rb"[A-Za-z0-9+/]{22}==")
_PLAIN_PATH: Final = re.compile(r"(?:/[A-Za-z0-9._~-]+)+")

_CONNECTION: Final = frozenset({"upgrade", "keep-alive"})
_NOT_ORDINARY: Final = ("content-length", "transfer-encoding", "expect", "trailer")


class Upgrade(NamedTuple):
    """What an ordinary request for a WebSocket asks for.

    Attributes:
        host, origin, authorization: the headers of these names, None where there is none.
        subprotocols: what the client offers to speak.
    """

    host: str | None
    origin: str | None
    authorization: str | None
    subprotocols: tuple[str, ...]


class Asked(NamedTuple):
    """A request that was read: what it asks for, the key that its answer hashes, and where its head ends."""

    upgrade: Upgrade
    key: bytes
    end: int


class UpgradeReader:
    """Reads ordinary requests with one request line.

    Heads that differ in nothing but their key are read once: those of one kind of client mostly do. Those with an
    Authorization header or cookies are not remembered.
    """

    def __init__(self, line: bytes) -> None:
        self._line = line
        self._known: dict[bytes, Upgrade] = {}

    def read(self, data: bytes) -> Asked | None:
        """The request that these bytes begin with, if its head is whole and ordinary and has this request line."""
        end = data.find(_END, 0, MAX_HEAD)
        if end < 0 or not data.startswith(self._line):
            return None
        end += len(_END)
        start = data.find(_KEY_LINE, 0, end) + len(_KEY_LINE)
        key = data[start : start + _KEY_BYTES]
        if start < len(_KEY_LINE) or data[start + _KEY_BYTES : start + _KEY_BYTES + 2] != b"\r\n":
            return None
        if not _KEY.fullmatch(key):
            return None
        shape = data[:start] + data[start + _KEY_BYTES : end]
        upgrade = self._known.get(shape)
        if upgrade is None:
            upgrade = self._read(shape)
        return None if upgrade is None else Asked(upgrade, key, end)

    def _read(self, shape: bytes) -> Upgrade | None:
        fields = _fields(shape[len(self._line) : -2])
        if fields is None or not _is_upgrade(fields):
            return None
        offered = fields.get("sec-websocket-protocol")
        names = () if offered is None else tuple(name.strip() for name in offered.split(","))
        upgrade = Upgrade(fields.get("host"), fields.get("origin"), fields.get("authorization"), names)
        if upgrade.authorization is None and "cookie" not in fields and len(shape) <= _MAX_SHAPE:
            self._remember(shape, upgrade)
        return upgrade

    def _remember(self, shape: bytes, upgrade: Upgrade) -> None:
        if len(self._known) >= _MAX_SHAPES:
            del self._known[next(iter(self._known))]
        self._known[shape] = upgrade


def request_line(path: str) -> bytes | None:
    """How a request for this path begins; None for a path that may be written in more than one way."""
    return f"GET {path} HTTP/1.1\r\n".encode() if _PLAIN_PATH.fullmatch(path) else None


def _fields(block: bytes) -> dict[str, str] | None:
    """Headers by their names in lower case; None where one is there twice, or is not as most are."""
    text = block.decode("latin-1")
    if not _FIELDS.fullmatch(text):
        return None
    lines = text.split("\r\n")
    lines.pop()
    if len(lines) > _MAX_FIELDS:
        return None
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        fields[name.lower()] = value.strip(" \t")
    return fields if len(fields) == len(lines) else None


def _is_upgrade(fields: dict[str, str]) -> bool:
    offered = fields.get("sec-websocket-protocol")
    connection = {token.strip(" \t") for token in fields.get("connection", "").lower().split(",")}
    return (
        fields.get("upgrade", "").lower() == "websocket"
        and "upgrade" in connection
        and connection <= _CONNECTION
        and fields.get("sec-websocket-version") == "13"
        and fields.get("sec-websocket-key") == ""  # it was taken out
        and (offered is None or _TOKENS.fullmatch(offered) is not None)
        and not any(name in fields for name in _NOT_ORDINARY)
    )


def switching_protocols(asked: Asked, headers: bytes) -> bytes:
    """The answer that accepts: with these headers, each ended, and the subprotocol if it was offered."""
    accept = b64encode(sha1(asked.key + _GUID, usedforsecurity=False).digest())
    spoken = _SPOKEN if SUBPROTOCOL in asked.upgrade.subprotocols else b""
    return b"%b%b\r\n%b%b\r\n" % (_ACCEPTED, accept, headers, spoken)


def bearer_token(authorization: str | None) -> str | None:
    """The token of an Authorization header."""
    scheme, _, token = (authorization or "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None
