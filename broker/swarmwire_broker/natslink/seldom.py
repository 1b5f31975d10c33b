"""A warning that comes again and again is logged now and then."""

from __future__ import annotations

import logging
import time

__all__ = ["Seldom"]

_SECONDS = 10.0
_MOST = 64  # sentences remembered


class Seldom:
    """Logs the same sentence once in ten seconds; in between it is for those who debug."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._said: dict[str, float] = {}

    def warn(self, sentence: str) -> None:
        """Log this now, unless it was logged a moment ago."""
        now = time.monotonic()
        if now - self._said.get(sentence, -_SECONDS) < _SECONDS:
            self._log.debug("%s", sentence)
            return
        if len(self._said) >= _MOST:
            self._said.clear()
        self._said[sentence] = now
        self._log.warning("%s", sentence)
