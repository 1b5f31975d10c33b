"""Medians with their spread, and ratios that are formed inside a round.

A round runs every server once, so the two sides of a ratio saw the machine in the same mood; the median is taken over
the ratios, not over what they were made of.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TypeAlias

__all__ = ["Cell", "Runs", "Spread", "figure", "number", "ratio", "spread"]

Cell: TypeAlias = tuple[str, str]
"""A workload and a server, by name."""

Runs: TypeAlias = Mapping[Cell, Sequence[Mapping[str, float | None] | None]]
"""What each cell measured, round by round; None where a round gave no result."""


@dataclass(frozen=True)
class Spread:
    """The median of some rounds, with the least and the most."""

    median: float
    low: float
    high: float

    def text(self, digits: int = 3) -> str:
        """For people: `1.23 (1.20-1.31)`."""
        return f"{number(self.median, digits)} ({number(self.low, digits)}-{number(self.high, digits)})"


def number(value: float, digits: int = 3) -> str:
    """A figure with so many significant digits, and never in exponents."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{decimals}f}"


def spread(values: Iterable[float]) -> Spread | None:
    """The spread of what there is; None of nothing."""
    known = sorted(values)
    return Spread(median(known), known[0], known[-1]) if known else None


def figure(runs: Runs, cell: Cell, name: str) -> Spread | None:
    """One figure of a cell over all rounds. Rounds that lack it are left out."""
    return spread(value for value in _values(runs, cell, name) if value is not None)


def ratio(runs: Runs, above: Cell, below: Cell, name: str, below_name: str | None = None) -> Spread | None:
    """A figure of one cell divided by that of another, round by round. Rounds that lack one of them are left out.

    `below_name` is the figure to divide by, where that is another.
    """
    pairs = zip(_values(runs, above, name), _values(runs, below, below_name or name), strict=False)
    return spread(one / other for one, other in pairs if one is not None and other)


def _values(runs: Runs, cell: Cell, name: str) -> Iterator[float | None]:
    """The figure in each round, in their order."""
    return (None if run is None else run.get(name) for run in runs.get(cell, ()))
