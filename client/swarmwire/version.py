"""The version of the installed SDK."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Final

__all__ = ["VERSION"]


def _installed() -> str:
    try:
        return version("swarmwire")
    except PackageNotFoundError:  # run from a bare source tree
        return ""


VERSION: Final = _installed()
