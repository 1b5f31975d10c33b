"""The version of this distribution."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Final

__all__ = ["VERSION"]

try:
    VERSION: Final = version("swarmwire")
except PackageNotFoundError:  # run from a folder that was never installed
    VERSION = "0"  # type: ignore[misc]
