"""The shared token: one secret that everybody who may come in knows."""

from __future__ import annotations

import hmac

from swarmwire_protocol.errors import SwarmwireError
from swarmwire_protocol.messages import Permissions

from ..core.permissions import EVERYTHING
from ..core.ports import Verified
from .login import Login, check_subject

__all__ = ["SharedToken"]


class SharedToken:
    """Lets in who knows the token, all as one subject. Raises ValueError for an empty one."""

    def __init__(self, token: str, *, subject: str = "token", permissions: Permissions = EVERYTHING) -> None:
        if not token:
            raise ValueError("the shared token must not be empty")
        self._token = token.encode()
        try:
            check_subject(subject)
        except SwarmwireError as error:
            raise ValueError(f"the subject of the shared token: {error.message}") from None
        self._login = Login(verified=Verified(subject=subject, permissions=permissions))

    waits = False

    async def verify(self, token: str) -> Login | None:
        """The shared login, if this is the token; the time it takes tells nothing about a wrong one."""
        return self.verify_now(token)

    def verify_now(self, token: str) -> Login | None:
        return self._login if hmac.compare_digest(token.encode(), self._token) else None
