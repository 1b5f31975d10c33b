"""What every test finds: a runtime directory of its own, so that no broker of a test is met by anybody else.

And what it may ask for: a nats-server of each version.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .nats.pool import close_shared, shared
from .nats.servers import VERSIONS, NatsServer
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


@pytest.fixture(params=VERSIONS)
def nats_server(request: pytest.FixtureRequest) -> NatsServer:
    """The nats-server of a version that all tests share; a test in each version. Streams are named by `new_space`."""
    return shared(request.param)


@pytest.fixture(scope="session", autouse=True)
def _shared_servers() -> Iterator[None]:
    yield
    close_shared()
