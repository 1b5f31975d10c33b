"""Questions to the API of JetStream."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from typing import Any

import msgspec

from .errors import ApiError, LinkError, NoAnswer, NoResponders, WireProblem
from .link import Link

__all__ = ["JetStream"]

# No leader just now: incomplete answer, no answer of the cluster, not the leader.
_PASSING = frozenset((10004, 10008, 10009))
_ATTEMPT = 2.0
_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 0.5


class JetStream:
    """The API of JetStream over a link. With a domain, that of this domain."""

    def __init__(self, link: Link, *, domain: str = "") -> None:
        self._link = link
        self._prefix = f"$JS.{domain}.API." if domain else "$JS.API."

    async def ask(self, api: str, body: Mapping[str, Any] | None = None, *, timeout: float = 5.0) -> dict[str, Any]:
        """Ask `api` (as `STREAM.INFO.name`) and return the answer; all must be done in so many seconds.

        Where JetStream has no leader just now or does not answer, it is asked again until the time is up: so whatever
        is asked must bear to be done twice. Raises the last that was said: ApiError (JetStream refused),
        NoResponders (there is no JetStream), NoAnswer where nothing was; LinkDown at once.
        """
        subject = (self._prefix + api).encode()
        payload = b"" if body is None else msgspec.json.encode(body)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        pause = _FIRST_PAUSE
        said: NoResponders | NoAnswer | ApiError | None = None
        while said is None or loop.time() < deadline:
            try:
                return await self._once(api, subject, payload, min(_ATTEMPT, deadline - loop.time()))
            except (NoResponders, NoAnswer, ApiError) as problem:
                if not _passes(problem):
                    raise
                if said is None or not isinstance(problem, NoAnswer):
                    said = problem
            await asyncio.sleep(min(random.uniform(pause / 2, pause), max(deadline - loop.time(), 0)))
            pause = min(pause * 2, _LONGEST_PAUSE)
        raise said

    async def _once(self, api: str, subject: bytes, payload: bytes, timeout: float) -> dict[str, Any]:
        answer = await self._link.request(subject, payload, timeout=timeout)
        try:
            told = msgspec.json.decode(answer.payload, type=dict[str, Any])
        except msgspec.DecodeError:
            raise WireProblem(f"JetStream answered {api} with what is no JSON object") from None
        error = told.get("error")
        if isinstance(error, dict):
            raise ApiError(api, error.get("code", 0), error.get("err_code", 0), error.get("description", ""))
        return told


def _passes(problem: LinkError) -> bool:
    return not isinstance(problem, ApiError) or problem.err_code in _PASSING
