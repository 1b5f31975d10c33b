"""Keys that are made for each run, and tokens signed with them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeAlias

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

PrivateKey: TypeAlias = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
Sign: TypeAlias = Callable[..., str]


@pytest.fixture(scope="session")
def private_keys() -> dict[str, PrivateKey]:
    """One key for each algorithm with a public key."""
    return {
        "RS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
        "ES256": ec.generate_private_key(ec.SECP256R1()),
        "EdDSA": ed25519.Ed25519PrivateKey.generate(),
    }


@pytest.fixture(scope="session")
def public_keys(private_keys: dict[str, PrivateKey]) -> dict[str, str]:
    """Their public halves in PEM."""
    return {
        name: key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        for name, key in private_keys.items()
    }


@pytest.fixture
def sign() -> Sign:
    """Makes a token of claims; `sub` is `alice` and `exp` in a minute unless said otherwise."""

    def make(key: Any, algorithm: str = "HS256", *, kid: str | None = None, **claims: Any) -> str:
        claims = {"sub": "alice", "exp": int(time.time()) + 60, **claims}
        present = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(present, key, algorithm=algorithm, headers={"kid": kid} if kid else None)

    return make
