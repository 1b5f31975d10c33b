"""The shared token: one secret that everybody who may come in knows."""

from __future__ import annotations

import hmac
import secrets
from typing import Final

from swarmwire_protocol.errors import SwarmwireError
from swarmwire_protocol.messages import Permissions

from ..core.permissions import EVERYTHING
from ..core.ports import Verified
from .login import Login, check_subject

__all__ = ["SharedToken", "shared_token_id"]

_KEY: Final = secrets.token_bytes(32)


def shared_token_id(token: str) -> str:
    """The `token_id` of everyone who comes in by this token, while the process lives. It gives nothing away.

    Nobody can have a JSON web token made that has the same.
    """
    return f"shared:{hmac.digest(_KEY, token.encode(), 'sha256').hex()}"


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
        verified = Verified(subject=subject, permissions=permissions, token_id=shared_token_id(token))
        self._login = Login(verified=verified)

    waits = False

    async def verify(self, token: str) -> Login | None:
        """The shared login, if this is the token; the time it takes tells nothing about a wrong one."""
        return self.verify_now(token)

    def verify_now(self, token: str) -> Login | None:
        return self._login if hmac.compare_digest(token.encode(), self._token) else None
