"""A world with the default limits, for tests that need no others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .fakes import World


@pytest.fixture
def world() -> Iterator[World]:
    """A world whose spawned work must not fail."""
    world = World()
    yield world
    assert world.clock.failures == []
