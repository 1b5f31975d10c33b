"""How many registrations there are, and how many each client has."""

from __future__ import annotations

from collections import Counter

from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from ...core.hub import Hub

__all__ = ["Census"]


class Census:
    """Counts registrations, of all and of each client, against their limits."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._each: Counter[tuple[str, str]] = Counter()
        self._all = 0

    def __len__(self) -> int:
        return self._all

    def check(self, client: tuple[str, str], *, is_new: bool) -> None:
        """See whether one more of this client may be counted; only a new one is one more of all.

        Raises:
            SwarmwireError: LIMIT_EXCEEDED.
        """
        limits = self._hub.limits
        if is_new and self._all >= limits.max_registrations:
            sentence = f"At most {limits.max_registrations} beings may be registered."
            raise SwarmwireError(ErrorCode.LIMIT_EXCEEDED, sentence)
        if self._each[client] >= limits.max_registrations_per_client:
            sentence = f"One client may register {limits.max_registrations_per_client} beings."
            raise SwarmwireError(ErrorCode.LIMIT_EXCEEDED, sentence)

    def enter(self, client: tuple[str, str]) -> None:
        """Count one more."""
        self._each[client] += 1
        self._all += 1

    def leave(self, client: tuple[str, str]) -> None:
        """Count one fewer."""
        self._all -= 1
        self._each[client] -= 1
        if self._each[client] <= 0:
            del self._each[client]
