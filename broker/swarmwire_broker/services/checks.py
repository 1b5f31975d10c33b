"""What is asked of names and of sizes in what clients submit."""

from __future__ import annotations

import re
from typing import Final

from swarmwire_protocol.errors import ErrorCode, SwarmwireError

__all__ = ["check_name", "check_size", "missing"]

_MOST: Final = 128
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def missing(what: str, field: str) -> SwarmwireError:
    """The error for something that was not named."""
    return SwarmwireError(ErrorCode.INVALID_MESSAGE, f"{what} required.", field=f"params.{field}")


def check_name(name: str, what: str, field: str) -> None:
    """Make sure that this can name something.

    Raises:
        SwarmwireError: INVALID_MESSAGE for the empty text, over 128 bytes, and control characters.
    """
    if not name:
        raise missing(what, field)
    if len(name.encode(errors="replace")) > _MOST or _CONTROL.search(name):
        sentence = f"{what}: expected at most {_MOST} bytes without control characters, got {name!a:.60}."
        raise SwarmwireError(ErrorCode.INVALID_MESSAGE, sentence, field=f"params.{field}")


def check_size(size: int, most: int, field: str) -> None:
    """Make sure that a value is not too large.

    Raises:
        SwarmwireError: MESSAGE_TOO_LARGE.
    """
    if size > most:
        sentence = f"Expected at most {most} bytes of {field}, got {size}."
        raise SwarmwireError(ErrorCode.MESSAGE_TOO_LARGE, sentence, field=f"params.{field}")
