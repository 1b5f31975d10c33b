"""The sealed form of a payload: what stands in `data`, and what it is bound to; `docs/encryption.md` has the words."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from swarmwire_protocol.messages import MAX_SEQ

from .keyring import Key

__all__ = ["NONCE_BYTES", "VERSION", "Envelope", "Unreadable", "bound_to", "open_envelope", "read_envelope", "seal"]

VERSION: Final = 1
"""The version of the envelope."""

NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_BASE64: Final = re.compile(r"[A-Za-z0-9_-]*")
_BEGINNING: Final = b"swarmwire.sealed"
_NO_JSON: Final = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)  # the last for text that is no UTF-8


class Envelope(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """What stands under `sealed`. The field names are short since each event carries them.

    Attributes:
        v: the version of this form.
        kid: the id of the key.
        t: when it was sealed, in milliseconds since 1970 by the publisher's clock.
        n: the nonce, 12 bytes in URL-safe base64 without padding.
        c: the encrypted JSON with its 16 bytes of tag behind it, in the same base64.
        k: the message key: the idempotency key of the publish; absent where it has none.
    """

    v: int
    kid: str
    t: Annotated[int, Meta(ge=0, le=MAX_SEQ)]
    n: str
    c: str
    k: str | None = None


class _Sealed(msgspec.Struct, forbid_unknown_fields=True):
    sealed: msgspec.Raw


class _Versioned(msgspec.Struct):
    v: int


class _Whole(msgspec.Struct):
    sealed: Envelope


class Unreadable(Exception):
    """It has the form of an envelope, but nothing can be read of it; the argument is a sentence."""


def bound_to(topic: str, kid: str, key: str | None, t: int) -> bytes:
    """The associated data: each part behind its length, so that no two lists of parts are the same bytes."""
    parts = [_BEGINNING, str(VERSION).encode(), kid.encode(), topic.encode(), str(t).encode()]
    if key is not None:
        parts.append(key.encode())
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def seal(plain: bytes, key: Key, topic: str, message_key: str | None, t: int, nonce: bytes) -> msgspec.Raw:
    """The JSON of the sealed payload. A nonce must never be used twice with a key."""
    cipher = key.cipher.encrypt(nonce, plain, bound_to(topic, key.id, message_key, t))
    envelope = Envelope(v=VERSION, kid=key.id, t=t, n=_text(nonce), c=_text(cipher), k=message_key)
    return msgspec.Raw(msgspec.json.encode(_Whole(envelope)))


def read_envelope(data: msgspec.Raw) -> Envelope | None:
    """The envelope that `data` is; None if it is something else: plain data.

    Raises:
        Unreadable: when it is an envelope of another version, or a broken one.
    """
    try:
        inner = msgspec.json.decode(data, type=_Sealed).sealed
    except _NO_JSON:
        return None
    try:
        version = msgspec.json.decode(inner, type=_Versioned).v
        if version != VERSION:
            raise Unreadable(f"Expected an envelope of version {VERSION}, got version {version}.")
        return msgspec.json.decode(inner, type=Envelope)
    except _NO_JSON:
        raise Unreadable("Expected an envelope with v, kid, t, n and c; it is not whole.") from None


def open_envelope(envelope: Envelope, key: Key, topic: str) -> tuple[bytes, bytes]:
    """The nonce and the JSON that was sealed.

    Raises:
        Unreadable: when anything of it, or the topic, is not what was sealed.
    """
    from cryptography.exceptions import InvalidTag

    nonce, cipher = _bytes(envelope.n), _bytes(envelope.c)
    if len(nonce) != NONCE_BYTES or len(cipher) < _TAG_BYTES:
        raise Unreadable("Expected a nonce of 12 bytes and at least the 16 of the tag; the envelope is not whole.")
    try:
        plain = key.cipher.decrypt(nonce, cipher, bound_to(topic, envelope.kid, envelope.k, envelope.t))
    except InvalidTag:
        raise Unreadable("The payload, its topic, its message key or its time is not what was sealed.") from None
    return nonce, plain


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    # Strict: the usual decoder passes over what is no base64, so that many texts would be one envelope.
    if not _BASE64.fullmatch(text):
        raise Unreadable("Expected URL-safe base64 in n and c; the envelope is not whole.")
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        raise Unreadable("Expected URL-safe base64 in n and c; the envelope is not whole.") from None
