"""Keys that tokens are verified with: a shared secret or a public key, given at the start."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt.algorithms import HMACAlgorithm

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
    """A key with the algorithms it may be used with; no token can choose another.

    `secret` is what a shared secret is made of.
    """

    __slots__ = ("algorithms", "material", "secret")

    def __init__(
        self, material: PublicKey | jwt.PyJWK, algorithms: Sequence[str], *, secret: bytes | None = None
    ) -> None:
        self.material = material
        self.secret = secret
        self.algorithms = tuple(algorithms)


class Keys(Protocol):
    """Where the key of a token is found.

    Attributes:
        only: the key of every token, where there is but one; then nobody need be asked.
    """

    @property
    def only(self) -> Key | None: ...

    async def find(self, header: Mapping[str, Any]) -> Key | None:
        """The key for a token with this unverified header; None if there is none.

        Raises SwarmwireError UNAVAILABLE if it cannot be told just now.
        """
        ...


class StaticKey:
    """The same key for every token."""

    def __init__(self, key: Key) -> None:
        self.only = key

    async def find(self, header: Mapping[str, Any]) -> Key | None:
        return self.only if header.get("alg") in self.only.algorithms else None


class _CheckedHmac(HMACAlgorithm):
    """HMAC with a secret that was looked at once, when the key was made, and not again for each token."""

    def prepare_key(self, key: str | bytes) -> bytes:
        return key if isinstance(key, bytes) else super().prepare_key(key)


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
    chosen = _chosen(algorithms or _WITH_SECRET, _WITH_SECRET, "the JWT secret")
    algorithm = _CheckedHmac(HMACAlgorithm.SHA256)
    try:
        HMACAlgorithm.prepare_key(algorithm, material)
    except jwt.InvalidKeyError:
        raise ValueError(
            "the JWT secret is a key of another kind: give a secret that only you and the broker know"
        ) from None
    key = jwt.PyJWK({"kty": "oct", "k": urlsafe_b64encode(material).decode().rstrip("="), "alg": "HS256"})
    key.Algorithm = algorithm
    return Key(key, chosen, secret=material)


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
