"""An embedder's own login function as an authenticator."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from ..core.identity import ANONYMOUS
from ..core.ports import Authenticator, Peer, Verified

__all__ = ["Authenticate", "custom_authenticator"]

Authenticate: TypeAlias = Callable[[str | None, dict[str, Any]], Verified | Awaitable[Verified | None] | None]
"""Gets the token and the metadata of a hello; answers who that is, or None to refuse."""


def custom_authenticator(authenticate: Authenticate) -> Authenticator:
    """Ask `authenticate(token, metadata)`, sync or async. None, and whatever it raises, is a refused login.

    So is a subject that is empty or begins with `anonymous:`: the broker's own process has the one, and who proved
    nothing has the other, with less to protect what it holds.
    """

    async def check(token: str | None, metadata: dict[str, Any], peer: Peer) -> Verified:
        answer = authenticate(token, metadata)
        verified = await answer if inspect.isawaitable(answer) else answer
        if verified is None or not verified.subject or verified.subject.startswith(ANONYMOUS):
            raise SwarmwireError(ErrorCode.AUTHENTICATION_FAILED)
        return verified

    return check
