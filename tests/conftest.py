"""What every test finds: a runtime directory of its own, so that no broker of a test is met by anybody else."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .promises import ROWS, Watch


def pytest_configure(config: pytest.Config) -> None:
    """Let no test be skipped unnoticed that docs/seeds.md names."""
    config.pluginmanager.register(Watch(frozenset(test for row in ROWS for test in row.tests)), "promises")


@pytest.fixture(scope="session", autouse=True)
def runtime_directory() -> Iterator[Path]:
    """Where sockets and pipes are: a short path, and the same for processes that lose all variables of Swarmwire."""
    with tempfile.TemporaryDirectory(prefix="sw-") as session, pytest.MonkeyPatch.context() as patch:
        directory = Path(session) / "swarmwire"
        patch.setenv("XDG_RUNTIME_DIR", session)
        patch.setenv("SWARMWIRE_RUNTIME_DIR", str(directory))
        yield directory
