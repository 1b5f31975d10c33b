"""What the workers of every queue do: nothing, so that what is measured is the queue."""

from __future__ import annotations

__all__ = ["nothing"]


def nothing(number: int) -> int:
    """Give back what was given."""
    return number
