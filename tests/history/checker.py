"""The judge of histories: every property of the promises, one module each."""

from __future__ import annotations

from collections.abc import Iterable

from . import audit, duplicates, gaps, integrity, missing, order, permission, snapshots, starts, stored, thinning
from .case import Case
from .records import Record
from .violations import Violation

__all__ = ["check"]

_PROPERTIES = (order, missing, duplicates, permission, integrity, stored, snapshots, starts, gaps, thinning, audit)


def check(records: Iterable[Record]) -> list[Violation]:
    """Everything that is wrong with a history; an empty list if all promises were kept."""
    case = Case(records)
    return [violation for module in _PROPERTIES for violation in module.check(case)]
