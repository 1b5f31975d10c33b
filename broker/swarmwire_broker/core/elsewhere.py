"""The rest of a cluster, as far as calls are concerned: the core knows other brokers by this alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from msgspec import Raw

if TYPE_CHECKING:
    from .builtin import Builtin
    from .methods import Params
    from .pendingcall import PendingCall
    from .session import Session

__all__ = ["Elsewhere"]


class Elsewhere(Protocol):
    """Where calls can go that are not, or not only, answered at this broker."""

    def take(self, session: Session, call: PendingCall, builtin: Builtin, params: Params, raw: Raw) -> bool:
        """Answer a call of a method of the broker; False: it is answered here, as if there were no other broker.

        Raises:
            SwarmwireError: why it cannot even begin.
        """
        ...

    def dispatch(self, call: PendingCall, params: Raw | None) -> None:
        """Hand a call to a client that handles it, here or at another broker.

        Raises:
            SwarmwireError: UNAVAILABLE, when none of them takes it.
        """
        ...

    def may_handle(self, method: str) -> bool:
        """Whether a client of another broker may handle a method; `dispatch` knows."""
        ...

    def handlers(self) -> Mapping[str, int]:
        """How many clients of other brokers handle each method."""
        ...
