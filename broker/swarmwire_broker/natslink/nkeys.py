"""Keys of NATS: Ed25519 keys in base32 with a checksum, and the files that hold them."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from .errors import LinkError

__all__ = ["KeyFile", "read_key_file", "sign", "public_of"]

_MOST = 64 * 1024  # bytes of a file
_SEED_MARK = 18  # the first five bits of every seed
_TOKEN = re.compile(rb"-----BEGIN NATS USER JWT-----\s+([\w.-]+)\s+")
_SEED = re.compile(rb"^\s*(S[A-Z2-7]{57})\s*$", re.MULTILINE)


@dataclass(frozen=True)
class KeyFile:
    """What a file holds: a seed, and where it is a `.creds` file the token of the user too."""

    seed: bytes = field(repr=False)
    token: str | None = field(repr=False)


def read_key_file(path: Path) -> KeyFile:
    """Read a `.creds` file, or one with a seed alone. LinkError, without a word of what is in it, where it is none."""
    try:
        with path.open("rb") as file:
            text = file.read(_MOST)
    except OSError as problem:
        raise LinkError(f"the credentials file of NATS cannot be read: {problem.strerror}") from None
    seed = _SEED.search(text)
    token = _TOKEN.search(text)
    if seed is None or (token is None and b"JWT" in text):
        raise LinkError("the credentials file of NATS must hold a user's JWT and its seed, or a seed alone")
    return KeyFile(seed[1], token and token[1].decode())


def sign(seed: bytes, nonce: str) -> str:
    """The signature of what a server wants to be signed, as it goes into CONNECT."""
    _, raw = _opened(seed)
    signature = Ed25519PrivateKey.from_private_bytes(raw).sign(nonce.encode())
    return base64.urlsafe_b64encode(signature).rstrip(b"=").decode()


def public_of(seed: bytes) -> str:
    """The public key that belongs to a seed, as servers are told of it."""
    kind, raw = _opened(seed)
    public = Ed25519PrivateKey.from_private_bytes(raw).public_key().public_bytes_raw()
    data = bytes((kind,)) + public
    return base64.b32encode(data + _checksum(data)).rstrip(b"=").decode()


def _opened(seed: bytes) -> tuple[int, bytes]:
    """The kind of key (the first byte of its public form) and the 32 bytes of the secret."""
    data = base64.b32decode(seed + b"=" * (-len(seed) % 8))
    if len(data) != 36 or data[0] >> 3 != _SEED_MARK or _checksum(data[:-2]) != data[-2:]:
        raise LinkError("the seed in the credentials file of NATS is damaged: its checksum is wrong")
    return (data[0] & 7) << 5 | data[1] >> 3, data[2:34]


def _checksum(data: bytes) -> bytes:
    return binascii.crc_hqx(data, 0).to_bytes(2, "little")
