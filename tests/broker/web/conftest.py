"""The loop that a broker usually runs on; what depends on how a loop writes runs on asyncio's own too."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import pytest
import uvloop

_BOTH = {"test_bounds.py", "test_slow_readers.py"}


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    factories: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"uvloop": uvloop.new_event_loop}
    if item.path.name in _BOTH:
        factories["asyncio"] = asyncio.SelectorEventLoop
    return factories
