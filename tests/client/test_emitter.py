from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import pytest

from swarmwire.emitter import Emitter


def test_listeners_are_called_in_the_order_they_came() -> None:
    emitter, told = Emitter(), []
    emitter.listen("resumed", lambda: told.append(1))
    emitter.listen("resumed", lambda: told.append(2))
    emitter.emit("resumed")
    assert told == [1, 2]


def test_a_remover_ends_its_own_listener_and_is_harmless_twice() -> None:
    emitter = Emitter()
    told: list[float] = []
    first = emitter.listen("pong", told.append)
    emitter.listen("pong", told.append)
    first()
    first()
    emitter.emit("pong", 1.0)
    assert told == [1.0]


def test_a_failing_listener_stops_no_other_and_is_reported_as_an_error() -> None:
    emitter = Emitter()
    told: list[object] = []
    fault = RuntimeError("oops")

    def fail() -> None:
        raise fault

    emitter.listen("resumed", fail)
    emitter.listen("resumed", lambda: told.append("second"))
    emitter.listen("error", told.append)
    emitter.emit("resumed")
    assert told == [fault, "second"]


def test_a_failing_listener_of_errors_is_logged_and_goes_no_further(caplog: pytest.LogCaptureFixture) -> None:
    emitter = Emitter()
    emitter.listen("error", lambda error: 1 / 0)
    with caplog.at_level(logging.ERROR, "swarmwire.client"):
        emitter.report("something", RuntimeError())
    assert any("listener of the error event" in record.getMessage() for record in caplog.records)


async def test_coroutines_are_run_and_their_failures_reported() -> None:
    emitter = Emitter()
    reported: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()

    async def fail() -> None:
        raise KeyError("late")

    emitter.listen("resumed", fail)
    emitter.listen("error", reported.set_result)
    emitter.emit("resumed")
    assert isinstance(await reported, KeyError)


def test_a_listener_removed_meanwhile_is_still_told_of_this_event_only() -> None:
    emitter = Emitter()
    told: list[str] = []
    removers: list[Callable[[], None]] = []
    emitter.listen("resumed", lambda: removers[0]())
    removers.append(emitter.listen("resumed", lambda: told.append("told")))
    emitter.emit("resumed")
    emitter.emit("resumed")
    assert told == ["told"]
