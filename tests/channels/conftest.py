from __future__ import annotations

import pytest

from .memory import MemoryPubSub


@pytest.fixture
def pubsub() -> MemoryPubSub:
    return MemoryPubSub()
