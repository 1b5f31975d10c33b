"""A broker for your own tests: a pytest plugin that comes with `swarmwire[broker]`.

    async def test_a_worker_reports(broker):
        async with connect(broker.url) as client: ...

The fixtures need pytest-asyncio. `broker` listens on a free port of loopback, lives as long as the test, and lets
everyone in; `broker_factory` makes brokers with settings of your choice. No client meets them by mistake: they have no
Unix socket unless `unix` says so.
"""

from __future__ import annotations

import importlib.util
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .server import Server

__all__ = ["BrokerFactory"]

BrokerFactory = Callable[..., Awaitable["Server"]]
"""`await broker_factory(**settings)`: a started `Server`; the settings are those of `Config`."""

if importlib.util.find_spec("pytest_asyncio") is not None:
    import pytest_asyncio

    __all__ += ["broker", "broker_factory"]

    @pytest_asyncio.fixture
    async def broker_factory() -> AsyncIterator[BrokerFactory]:
        """Makes brokers that stop when the test ends."""
        from .config import Config
        from .server import Server

        async with AsyncExitStack() as stack:

            async def make(*, authenticate: Any = None, **settings: Any) -> Server:
                config = Config(**{"port": 0, "metrics": True, "unix": "off", **settings})
                return await stack.enter_async_context(Server(config, authenticate=authenticate))

            yield make

    @pytest_asyncio.fixture
    async def broker(broker_factory: BrokerFactory) -> Server:
        """A broker on a free port of loopback: `broker.url`, `broker.broker.publish(...)`, `broker.port`."""
        return await broker_factory()


def pytest_report_header(config: pytest.Config) -> str:
    """Say which broker the tests run against."""
    from .version import VERSION

    return f"swarmwire: {VERSION}"
