"""Text as the compiled modules take it."""

from __future__ import annotations

__all__ = ["exact"]


def exact(text: str) -> str:
    """The same text as a `str` and nothing more: an embedder may hand over a member of a `StrEnum`."""
    return text if type(text) is str else str.__str__(text)
