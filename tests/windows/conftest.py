"""These tests are for Windows: `make test-windows` runs them under wine, and elsewhere nobody collects them."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from .children import Children

collect_ignore_glob = [] if sys.platform == "win32" else ["test_*.py"]


@pytest.fixture(autouse=True)
def _no_exception_is_swallowed(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """What a callback of the event loop raises is only logged."""
    yield
    told = [record.getMessage() for record in caplog.records if record.name == "asyncio"]
    assert [line for line in told if "xception" in line] == []


@pytest_asyncio.fixture
async def children() -> AsyncIterator[Children]:
    """Starts processes, which end with the test."""
    children = Children()
    yield children
    await asyncio.to_thread(children.close)
