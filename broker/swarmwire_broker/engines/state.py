"""Keys, values and revisions in memory."""

from __future__ import annotations

from collections.abc import ItemsView, Sequence

from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from .base import Put, Stored

__all__ = ["State", "conflict"]


class State:
    """A small key-value store. Every change of any key raises the one revision."""

    def __init__(self) -> None:
        self.revision = 0
        self._values: dict[str, Stored] = {}

    def restore(self, values: dict[str, Stored], revision: int) -> None:
        """Begin with these values, which are its own from now on."""
        self._values = values
        self.revision = revision

    def __len__(self) -> int:
        return len(self._values)

    def items(self) -> ItemsView[str, Stored]:
        """All keys, in no order."""
        return self._values.items()

    def get(self, key: str) -> Stored | None:
        return self._values.get(key)

    def scan(self, prefix: str) -> list[tuple[str, Stored]]:
        """All keys that begin with a prefix, in order."""
        return sorted((key, stored) for key, stored in self._values.items() if key.startswith(prefix))

    def check(self, puts: Sequence[Put]) -> None:
        """Make sure every key has the revision expected.

        Raises:
            SwarmwireError: CONFLICT, naming the first key that has another.
        """
        for put in puts:
            stored = self._values.get(put.key)
            revision = stored.revision if stored else 0
            if put.expected is not None and put.expected != revision:
                raise conflict(put, revision)

    def apply(self, puts: Sequence[Put]) -> int:
        """Change the keys; the new revision, the same for all of them."""
        if puts:
            self.revision += 1
        for put in puts:
            if put.value is None:
                self._values.pop(put.key, None)
            else:
                self._values[put.key] = Stored(put.value, self.revision)
        return self.revision


def conflict(put: Put, revision: int) -> SwarmwireError:
    """The error for a key that has not the revision a change expects."""
    return SwarmwireError(ErrorCode.CONFLICT, f"Expected {put.key} at revision {put.expected}; it is at {revision}.")
