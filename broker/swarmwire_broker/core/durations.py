"""Durations as people write them: `90s`, `1h30m`, `7d`."""

from __future__ import annotations

import re

__all__ = ["parse_duration"]

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_PART = re.compile(r"(\d{1,12})(ms|[smhdw])", re.ASCII)
_WHOLE = re.compile(r"(?:\d{1,12}(?:ms|[smhdw]))+", re.ASCII)


def parse_duration(text: str) -> float:
    """Seconds. Raises ValueError for anything but whole numbers with their units ms, s, m, h, d, w."""
    if not _WHOLE.fullmatch(text):
        raise ValueError(f"expected a duration such as 90s, 1h30m or 7d, got {text!r}")
    return sum(int(number) * _UNITS[unit] for number, unit in _PART.findall(text))
