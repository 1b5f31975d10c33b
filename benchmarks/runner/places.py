"""Where things lie. All that the bench makes is below one folder, which is not committed."""

from __future__ import annotations

from pathlib import Path
from typing import Final

__all__ = ["BENCHMARKS", "BUILD", "CHART", "DOCUMENT", "RESULTS", "ROOT", "RUN", "SERVERS"]

BENCHMARKS: Final = Path(__file__).resolve().parents[1]
ROOT: Final = BENCHMARKS.parent
SERVERS: Final = BENCHMARKS / "servers"

BUILD: Final = BENCHMARKS / ".build"
RUN: Final = BUILD / "run"
"""Configurations, tokens and logs of the run."""

DOCUMENT: Final = ROOT / "docs" / "performance.md"
CHART: Final = ROOT / "docs" / "performance.svg"
RESULTS: Final = ROOT / "docs" / "performance.json"
