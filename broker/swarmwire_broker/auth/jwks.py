"""Keys behind a JWKS URL: fetched in a thread, kept, and fetched again when a token names one that is not there."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import jwt

from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from .keys import Key, fetched_algorithms

__all__ = ["JwksKeys"]

log = logging.getLogger("swarmwire.broker.auth")


class JwksKeys:
    """The public keys that a URL lists, found by the `kid` of a token.

    Keys are fetched when the first token comes, again when they are `lifespan` seconds old, and when a token
    names an unknown one; never more often than each `cooldown` seconds, and never twice at once. While the URL
    cannot be read the known keys stay good for `max_stale` seconds since they were fetched; after that, and where
    there are none, logins are UNAVAILABLE. A login waits at most `timeout` seconds. Shared secrets in the list
    are ignored.

    Raises ValueError for a URL that is not http(s), or without algorithms that are for public keys.
    """

    only: Key | None = None

    def __init__(
        self,
        url: str,
        algorithms: Sequence[str],
        *,
        timeout: float = 5.0,
        lifespan: float = 300.0,
        cooldown: float = 10.0,
        max_stale: float = 3600.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if urlsplit(url).scheme.lower() not in ("http", "https"):
            raise ValueError("jwks_url: expected a URL that begins with https:// or http://")
        self._algorithms = fetched_algorithms(algorithms)
        self._client = jwt.PyJWKClient(url, cache_jwk_set=False, timeout=timeout)
        self._timeout = timeout
        self._lifespan = lifespan
        self._cooldown = cooldown
        self._max_stale = max_stale
        self._clock = clock
        self._keys: dict[str, Key] = {}
        self._fetched_at = self._tried_at = float("-inf")
        self._fetching: asyncio.Task[None] | None = None

    async def find(self, header: Mapping[str, Any]) -> Key | None:
        """The key that the header's `kid` names, if its algorithm is a stated one."""
        kid = header.get("kid")
        if not isinstance(kid, str) or header.get("alg") not in self._algorithms:
            return None
        if kid not in self._keys or self._age() > self._lifespan:
            await self._refresh()
        key = self._keys.get(kid) if self._age() <= self._max_stale else None
        if key is None and self._fetched_at != self._tried_at:
            # The latest attempt has failed, or is not through: what the list holds now is not known.
            raise self._unavailable()
        return key

    def _age(self) -> float:
        return self._clock() - self._fetched_at

    async def _refresh(self) -> None:
        if self._fetching is None:
            if self._clock() - self._tried_at < self._cooldown:
                return
            self._tried_at = self._clock()
            self._fetching = asyncio.create_task(self._fetch())
            self._fetching.add_done_callback(self._fetched)
        # The fetch is everybody's: a login that gives up, or is cancelled, leaves it to the others.
        await asyncio.wait([self._fetching], timeout=self._timeout)

    def _fetched(self, task: asyncio.Task[None]) -> None:
        self._fetching = None

    async def _fetch(self) -> None:
        try:
            listed = await asyncio.to_thread(self._client.get_signing_keys)
        except Exception as error:  # whatever a foreign server and its network can do to us
            log.warning("the JWKS URL cannot be read: %s", error)
            return
        usable = [key for key in listed if key.algorithm_name in self._algorithms]
        self._keys = {str(key.key_id): Key(key, (key.algorithm_name,)) for key in usable}
        self._fetched_at = self._tried_at

    def _unavailable(self) -> SwarmwireError:
        wait = max(1.0, self._cooldown - (self._clock() - self._tried_at))
        return SwarmwireError(
            ErrorCode.UNAVAILABLE, "Logins cannot be checked just now.", retry_after_ms=int(wait * 1000)
        )
