"""Who calls a method of the broker: a client that is connected here, or one of another broker of the same cluster."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from swarmwire_protocol.messages import ClientInfo

    from .identity import Author
    from .ports import Peer
    from .session import SessionState

__all__ = ["Caller"]


class Caller(Protocol):
    """What methods, and the leases that they give, know of who calls them. A `Session` is one."""

    @property
    def client_id(self) -> str:
        """The name of the connection."""
        ...

    @property
    def author(self) -> Author:
        """Who it is, and what it may do."""
        ...

    @property
    def client(self) -> ClientInfo | None:
        """What the client says of itself."""
        ...

    @property
    def peer(self) -> Peer:
        """What its transport knows of it."""
        ...

    @property
    def state(self) -> SessionState: ...

    @property
    def said_bye(self) -> bool:
        """Whether it has ended because the client said so."""
        ...

    @property
    def is_welcome(self) -> bool:
        """Whether the login is done and the end has not begun."""
        ...

    @property
    def is_silent(self) -> bool:
        """Whether a whole heartbeat has passed without a word of the client, and none has come since."""
        ...

    def tell(self, payload: bytes) -> bool:
        """Have an event written that is for this client alone; False: it is gone, or reads too slowly just now."""
        ...

    def on_end(self, callback: Callable[[Any], None]) -> None:
        """Have a callback called once, with this caller, when the conversation ends."""
        ...
