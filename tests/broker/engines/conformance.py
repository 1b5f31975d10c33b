"""The conformance suite: what every engine must do, asked only through the contract in `engines/base.py`.

An engine joins with a class of its own:

    class TestMemory(EngineConformance):
        open_engine = staticmethod(open_memory)
"""

from __future__ import annotations

from .suite_keys import KeySuite
from .suite_latest import LatestSuite
from .suite_log import LogSuite
from .suite_reading import ReadingSuite
from .suite_state import StateSuite

__all__ = ["EngineConformance"]


class EngineConformance(LogSuite, KeySuite, ReadingSuite, LatestSuite, StateSuite):
    """Everything that an engine must do."""
