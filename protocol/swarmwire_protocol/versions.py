"""Versions of the protocol, and the choice of the one that both sides speak."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .errors import ErrorCode, SwarmwireError

__all__ = ["VERSIONS", "parse_version", "select_version"]

VERSIONS: tuple[str, ...] = ("1",)
"""The versions that this package speaks."""

_VERSION = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9}){0,7}")


def parse_version(text: str) -> tuple[int, ...]:
    """The numbers of a version without the zeros at its end, so that versions compare as these tuples do.

    `1.10` comes after `1.9`; `1` and `1.0` are the same.

    Raises INVALID_MESSAGE unless the text is 1 to 8 numbers of 1 to 9 digits joined by dots.
    """
    if not _VERSION.fullmatch(text):
        raise SwarmwireError(
            ErrorCode.INVALID_MESSAGE,
            f"A version is 1 to 8 numbers of at most 9 digits joined by dots, as in '1.10'; {text[:100]!a} is none.",
        )
    numbers = [int(part) for part in text.split(".")]
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)


def select_version(offered: Sequence[str], known: Sequence[str] = VERSIONS) -> str | None:
    """The highest version in both lists, spelled as in `known`; None if they share none.

    The order of the lists does not matter. What is offered and is no version is passed over: it may be of a
    scheme that came later. Raises INVALID_MESSAGE for a `known` that is no version.
    """
    spelled = {parse_version(text): text for text in known}
    shared = [numbers for text in offered if (numbers := _numbers(text)) in spelled]
    return spelled[max(shared)] if shared else None


def _numbers(text: str) -> tuple[int, ...] | None:
    return parse_version(text) if _VERSION.fullmatch(text) else None
