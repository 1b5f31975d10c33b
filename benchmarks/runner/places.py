"""Where things lie. All that the bench makes is below one folder, which is not committed."""

from __future__ import annotations

from pathlib import Path
from typing import Final

__all__ = ["BENCHMARKS", "BUILD", "CHART", "DATA", "DOCUMENT", "KEPT", "RESULTS", "ROOT", "RUN", "SERVERS"]

BENCHMARKS: Final = Path(__file__).resolve().parents[1]
ROOT: Final = BENCHMARKS.parent
SERVERS: Final = BENCHMARKS / "servers"

BUILD: Final = BENCHMARKS / ".build"
KEPT: Final = BUILD / "last.json"
"""The figures of the last run, written after each of its rounds."""

RUN: Final = BUILD / "run"
"""Configurations, tokens and logs of the run."""

DATA: Final = RUN / "data"
"""What a server that stores writes to; empty before each start."""

DOCUMENT: Final = ROOT / "docs" / "performance.md"
CHART: Final = ROOT / "docs" / "performance.svg"
RESULTS: Final = ROOT / "docs" / "performance.json"
