"""Leaving compiled modules aside: with `SWARMWIRE_PURE=1` in the environment everything is loaded from its source.

For debugging and profiling, and so that the tests can run both forms of the same code.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, ModuleSpec, SourceFileLoader
from types import ModuleType
from typing import Final

__all__ = ["SourceFinder", "is_pure", "stay_pure"]

_PACKAGES: Final = frozenset({"swarmwire_protocol", "swarmwire_broker"})


class SourceFinder(MetaPathFinder):
    """Finds modules of ours by their source alone; what has none is not there."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if path is None or name.partition(".")[0] not in _PACKAGES:
            return None
        for place in path:
            spec = FileFinder(place, (SourceFileLoader, SOURCE_SUFFIXES)).find_spec(name)
            if spec is not None:
                return spec
        raise ModuleNotFoundError(f"No module named {name!r} in Python", name=name)


def is_pure() -> bool:
    """Whether the environment asks for it."""
    return os.environ.get("SWARMWIRE_PURE", "") not in ("", "0")


def stay_pure() -> None:
    """Do as the environment asks. Harmless twice."""
    if is_pure() and not any(isinstance(finder, SourceFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, SourceFinder())
