"""The pytest plugin, in a project of somebody who uses it."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

SETTINGS = """
[tool.pytest.ini_options]
asyncio_mode = "auto"
asyncio_default_fixture_loop_scope = "function"
filterwarnings = ["error"]
"""

PROJECT = """
import pytest
from swarmwire_broker.config import ConfigError


async def test_a_broker_listens(broker):
    assert broker.url == f"ws://127.0.0.1:{broker.port}/ws"
    assert broker.port > 0
    async with broker.broker.subscribe("a") as events:
        assert await broker.broker.publish("a", {"x": 1}) == 1
        assert (await anext(events)).data == {"x": 1}


async def test_every_test_has_its_own(broker):
    assert broker.broker.hub.engine.head == 0


async def test_brokers_with_settings(broker_factory):
    one = await broker_factory(name="one")
    two = await broker_factory(name="two", metrics=False)
    assert (one.config.name, two.config.name, two.config.metrics) == ("one", "two", False)
    assert one.port != two.port


async def test_a_callable_may_decide_logins(broker_factory):
    broker = await broker_factory(authenticate=lambda token, metadata: None)
    assert broker.broker.needs_login


async def test_a_wrong_setting_is_said(broker_factory):
    with pytest.raises((TypeError, ConfigError), match="prot"):
        await broker_factory(prot=0)
    with pytest.raises(ConfigError, match="authentication"):
        await broker_factory(host="0.0.0.0")


STOPPED = []


async def test_one_is_left_running(broker):
    STOPPED.append(broker)


async def test_and_is_stopped_after_its_test():
    (broker,) = STOPPED
    assert not broker.broker.is_running
"""


def test_the_fixtures_work_in_a_project_of_its_own(pytester: pytest.Pytester) -> None:
    pytester.makepyprojecttoml(SETTINGS)
    pytester.makepyfile(PROJECT)
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=7)
    result.stdout.fnmatch_lines(["swarmwire: *"])


def test_the_plugin_is_no_burden_without_pytest_asyncio(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_nothing():\n    pass\n")
    result = pytester.runpytest_subprocess("-p", "no:asyncio", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=1)
