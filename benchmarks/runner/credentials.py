"""A secret for the run, and a token of its own for every connection."""

from __future__ import annotations

import secrets
import time

import jwt

from .places import RUN

__all__ = ["TOKENS", "write_credentials"]

TOKENS = RUN / "tokens.txt"
"""One token a line; connection i of the load generator uses line i."""

_COUNT = 6_000
_LIFETIME = 7 * 24 * 3600
_METHODS = ["bench.#", "rpc.#", "task.#", "queue.status", "worker.status", "registry.#"]
_PERMISSIONS = {"publish": ["bench.#"], "subscribe": ["bench.#"], "call": _METHODS}


def write_credentials() -> None:
    """Write the broker's secret and the tokens of all who connect."""
    RUN.mkdir(parents=True, exist_ok=True)
    secret = secrets.token_urlsafe(48)
    file = RUN / "jwt.secret"
    file.touch(mode=0o600)
    file.write_text(secret, encoding="utf-8")
    expires = int(time.time()) + _LIFETIME
    claims = ({"sub": f"bench-{n:06d}", "exp": expires, "permissions": _PERMISSIONS} for n in range(_COUNT))
    TOKENS.touch(mode=0o600)
    TOKENS.write_text("\n".join(jwt.encode(claim, secret, algorithm="HS256") for claim in claims), encoding="utf-8")
