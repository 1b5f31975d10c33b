"""What a checker can find wrong."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

__all__ = ["Kind", "Violation"]


class Kind(StrEnum):
    """Which promise was broken."""

    ORDER = "order"
    MISSING = "missing"
    DUPLICATE = "duplicate"
    UNPERMITTED = "unpermitted"
    PHANTOM = "phantom"
    ALTERED = "altered"
    UNSTORED = "unstored"
    SNAPSHOT = "snapshot"
    START = "start"
    GAP = "gap"
    THINNING = "thinning"


class Violation(NamedTuple):
    """A broken promise, in a sentence that names client, topic and place."""

    kind: Kind
    sentence: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.sentence}"
