"""Keys that tokens are verified with: a shared secret or a public key, given at the start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

__all__ = [
    "MIN_SECRET_BYTES",
    "Key",
    "Keys",
    "StaticKey",
    "check_algorithms",
    "fetched_algorithms",
    "public_key",
    "secret_key",
]

MIN_SECRET_BYTES = 32
"""The shortest secret for HS256: as long as the hash (RFC 7518, 3.2)."""

_MIN_RSA_BITS = 2048
_WITH_SECRET = ("HS256",)
_WITH_PUBLIC_KEY = ("RS256", "ES256", "EdDSA")
_ALL = (*_WITH_SECRET, *_WITH_PUBLIC_KEY)

PublicKey: TypeAlias = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey


class Key:
    """A key with the algorithms it may be used with; no token can choose another."""

    __slots__ = ("algorithms", "material")

    def __init__(self, material: bytes | PublicKey | jwt.PyJWK, algorithms: Sequence[str]) -> None:
        self.material = material
        self.algorithms = tuple(algorithms)


class Keys(Protocol):
    """Where the key of a token is found."""

    async def find(self, header: Mapping[str, Any]) -> Key | None:
        """The key for a token with this unverified header; None if there is none.

        Raises SwarmwireError UNAVAILABLE if it cannot be told just now.
        """
        ...


class StaticKey:
    """The same key for every token."""

    def __init__(self, key: Key) -> None:
        self._key = key

    async def find(self, header: Mapping[str, Any]) -> Key | None:
        return self._key if header.get("alg") in self._key.algorithms else None


def check_algorithms(algorithms: Sequence[str]) -> None:
    """Raise ValueError for an algorithm that is not one of HS256, RS256, ES256 and EdDSA."""
    for algorithm in algorithms:
        if algorithm not in _ALL:
            raise ValueError(f"algorithms: expected some of {', '.join(_ALL)}, got {algorithm!r}")


def secret_key(secret: str | bytes, algorithms: Sequence[str] = ()) -> Key:
    """A shared secret for HS256, which is the default. Raises ValueError for one that could be guessed."""
    material = secret.encode() if isinstance(secret, str) else secret
    if len(material) < MIN_SECRET_BYTES:
        raise ValueError(f"the JWT secret must have at least {MIN_SECRET_BYTES} bytes, it has {len(material)}")
    if b"-----BEGIN" in material:
        raise ValueError("the JWT secret is a PEM key: give it as the public key, not as the secret")
    return Key(material, _chosen(algorithms or _WITH_SECRET, _WITH_SECRET, "the JWT secret"))


def public_key(pem: str | bytes, algorithms: Sequence[str]) -> Key:
    """A public key in PEM for RS256, ES256 or EdDSA, whichever of the stated ones its kind is for.

    Raises ValueError for what is no such key, is too short, or is for none of the stated algorithms.
    """
    try:
        key = load_pem_public_key(pem.encode() if isinstance(pem, str) else pem)
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("the JWT public key must be in PEM and begin with `-----BEGIN PUBLIC KEY-----`") from None
    match key:
        case RSAPublicKey() if key.key_size < _MIN_RSA_BITS:
            raise ValueError(f"the JWT public key must have at least {_MIN_RSA_BITS} bits, it has {key.key_size}")
        case RSAPublicKey():
            return Key(key, _chosen(algorithms, ("RS256",), "the JWT public key (RSA)"))
        case EllipticCurvePublicKey() if isinstance(key.curve, SECP256R1):
            return Key(key, _chosen(algorithms, ("ES256",), "the JWT public key (P-256)"))
        case Ed25519PublicKey():
            return Key(key, _chosen(algorithms, ("EdDSA",), "the JWT public key (Ed25519)"))
    raise ValueError("the JWT public key must be RSA, P-256 or Ed25519")


def fetched_algorithms(algorithms: Sequence[str]) -> tuple[str, ...]:
    """Of the stated algorithms those that keys behind a JWKS URL may be used with: never a shared secret's."""
    return _chosen(algorithms, _WITH_PUBLIC_KEY, "the JWKS URL")


def _chosen(algorithms: Sequence[str], possible: Sequence[str], what: str) -> tuple[str, ...]:
    """Those of `algorithms` that are possible. Raises ValueError if there are none."""
    found = tuple(algorithm for algorithm in possible if algorithm in algorithms)
    if not found:
        stated = ", ".join(algorithms) or "nothing"
        raise ValueError(f"algorithms: {what} needs {' or '.join(possible)} to be stated, got {stated}")
    return found
