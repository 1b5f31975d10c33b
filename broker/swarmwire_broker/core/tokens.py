"""Random names, drawn many at a time: the system is not asked for each."""

from __future__ import annotations

import secrets
from typing import Final

__all__ = ["Tokens"]

_DRAWN: Final = 1024
"""Bytes asked of the system at once."""


class Tokens:
    """Hexadecimal digits that nobody can guess, each handed out once. For one thread."""

    __slots__ = ("_digits", "_used")

    def __init__(self) -> None:
        self._digits = ""
        self._used = 0

    def take(self, digits: int) -> str:
        """So many digits, at most 2048; two of them are a byte of randomness."""
        begin, end = self._used, self._used + digits
        if end > len(self._digits):
            self._digits = secrets.token_hex(_DRAWN)
            begin, end = 0, digits
        self._used = end
        return self._digits[begin:end]
