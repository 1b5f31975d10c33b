"""What is said to whoever wanted the state changed, or to know it, where that cannot be done."""

from __future__ import annotations

from typing import Final

from swarmwire_protocol.errors import ErrorCode, SwarmwireError

__all__ = ["away", "closed", "deposed", "too_large", "unknown"]

_RETRY_MS: Final = 1_000


def deposed() -> SwarmwireError:
    """The error for whoever changes the state where it is not at home any more."""
    return away("Another broker has taken over the state.")


def away(why: str) -> SwarmwireError:
    """The error for what was certainly not done, and may be tried again."""
    return SwarmwireError(ErrorCode.UNAVAILABLE, why, retry_after_ms=_RETRY_MS)


def too_large(size: int, most: int) -> SwarmwireError:
    """The error for a change that no message takes."""
    return SwarmwireError(
        ErrorCode.MESSAGE_TOO_LARGE, f"Expected a change of at most {most} bytes with its events, got one of {size}."
    )


def closed() -> SwarmwireError:
    """The error for whoever comes when it has ended."""
    return away("The broker is closing.")


def unknown() -> SwarmwireError:
    """The error for what may have been done."""
    return SwarmwireError(ErrorCode.OUTCOME_UNKNOWN, "The state cannot be reached; the change may have been made.")
