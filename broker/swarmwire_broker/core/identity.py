"""Who a session is, as far as publishing and permissions go."""

from __future__ import annotations

from swarmwire_protocol.codec import event_origin
from swarmwire_protocol.messages import Identity, Permissions

from .permissions import EVERYTHING, NOTHING, Grants
from .ports import Verified
from .rates import SessionRates
from .text import exact

__all__ = ["ANONYMOUS", "Author"]

ANONYMOUS = "anonymous:"
"""What the subject of a client that proved nothing begins with; its client id follows."""

_GRANTS_NONE = Grants.of(NOTHING)


class Author:
    """An identity and what follows from it.

    Attributes:
        sender: what `from` says on its events; None for the broker's own process.
        origin: the same as part of an event, encoded once.
        instance: the SDK object (or, where the client named none, the connection) behind the session.
        scope: whom its idempotency keys belong to.
        rates: its rate limits, None where there are none.
    """

    __slots__ = ("expires_at", "grants", "instance", "origin", "permissions", "rates", "scope", "sender", "token_id")

    def __init__(self) -> None:
        self.sender: str | None = None
        self.origin = b""
        self.instance = ""
        self.scope = ""
        self.rates: SessionRates | None = None
        self.permissions = NOTHING
        self.grants = _GRANTS_NONE
        self.expires_at: int | None = None
        self.token_id: str | None = None

    def become(self, verified: Verified) -> None:
        """Be who a login proved. Renewing it keeps the subject."""
        self.sender = self.scope = exact(verified.subject)
        self.origin = event_origin(self.sender)
        self.permit(verified.permissions)
        self.expires_at = verified.expires_at
        self.token_id = verified.token_id

    def become_anonymous(self, client_id: str) -> None:
        """Be nobody in particular, with every permission: where no login is asked for."""
        self.sender = ANONYMOUS + client_id
        self.origin = event_origin(self.sender)
        self.scope = f"{ANONYMOUS}{self.instance}"
        self.permit(EVERYTHING)

    def permit(self, permissions: Permissions) -> None:
        self.permissions = permissions
        self.grants = Grants.of(permissions)

    @property
    def identity(self) -> Identity:
        """The same as the welcome says it."""
        return Identity(subject=self.sender or "", permissions=self.permissions, expires_at=self.expires_at)
