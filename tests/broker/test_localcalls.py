"""Calls by the broker's own process, and functions of it that answer calls, over a broker that runs in the test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from swarmwire_broker import Broker, Call, CallError, Config
from swarmwire_broker.core.methods import Asked, Method, Params
from swarmwire_broker.core.settings import Limits
from swarmwire_protocol.errors import ErrorCode, SwarmwireError


@pytest.fixture
async def broker() -> AsyncIterator[Broker]:
    broker = Broker()
    await broker.start()
    yield broker
    await broker.stop()


async def refused(broker: Broker, method: str, **options: Any) -> SwarmwireError:
    with pytest.raises(SwarmwireError) as raised:
        await broker.call(method, **options)
    return raised.value


async def test_the_process_calls_the_broker(broker: Broker) -> None:
    listed = await broker.call("rpc.list", {"method": "rpc.list"})
    assert listed == {"methods": [{"method": "rpc.list", "builtin": True, "handlers": 0}]}


async def test_the_process_may_call_what_is_for_operators(broker: Broker) -> None:
    assert await broker.call("daemon.status")


async def test_a_function_answers_calls(broker: Broker) -> None:
    @broker.handler("greet")
    async def greet(params: Any) -> str:
        return f"Hello {params['name']}"

    assert await broker.call("greet", {"name": "Ada"}) == "Hello Ada"
    greet()
    greet()
    assert (await refused(broker, "greet")).code is ErrorCode.METHOD_NOT_FOUND


async def test_a_function_may_take_nothing_the_parameters_or_the_call_too(broker: Broker) -> None:
    broker.handler("none", lambda: 1)
    broker.handler("one", lambda params: params)
    broker.handler("two", lambda params, call: [params, call.method, call.caller, call.seconds_left > 25])
    assert await broker.call("none", 5) == 1
    assert await broker.call("one", 5) == 5
    assert await broker.call("two") == [None, "two", None, True]


def test_a_function_that_takes_more_is_refused() -> None:
    with pytest.raises(TypeError, match="params, call"):
        Broker().handler("three", lambda params, call, more: None)


async def test_a_generator_streams_and_a_call_gets_the_last_reply(broker: Broker) -> None:
    async def count_down(params: int) -> AsyncIterator[int]:
        for number in range(params, 0, -1):
            yield number

    broker.handler("count", count_down)
    assert await broker.call("count", 3) == 1


async def test_an_error_of_a_function_keeps_its_code_and_details(broker: Broker) -> None:
    def price(params: Any) -> None:
        raise CallError("OUT_OF_STOCK", "None left.", details={"left": 0}, retry_after_ms=5)

    broker.handler("price", price)
    error = await refused(broker, "price")
    assert (error.code, error.handler_code, error.message) == (
        ErrorCode.HANDLER_FAILED,
        "OUT_OF_STOCK",
        "None left.",
    )
    assert (error.details, error.retry_after_ms) == ({"left": 0}, 5)


async def test_the_text_of_an_exception_is_never_told(broker: Broker, caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise RuntimeError("the secret")

    broker.handler("fail", fail)
    error = await refused(broker, "fail")
    assert (error.code, error.handler_code) == (ErrorCode.HANDLER_FAILED, None)
    assert "secret" not in error.message
    assert "the handler of fail failed" in caplog.text


async def test_a_call_that_is_given_up_cancels_the_function(broker: Broker) -> None:
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    broker.handler("wait", wait)
    calling = asyncio.create_task(broker.call("wait"))
    await begun.wait()
    calling.cancel()
    async with asyncio.timeout(5):
        await cancelled.wait()


async def test_a_function_that_is_cancelled_by_something_else_has_failed(broker: Broker) -> None:
    async def give_up() -> None:
        raise asyncio.CancelledError

    broker.handler("give.up", give_up)
    assert (await refused(broker, "give.up")).code is ErrorCode.HANDLER_FAILED


async def test_a_method_of_the_broker_that_is_cancelled_by_something_else_has_failed(broker: Broker) -> None:
    async def give_up(asked: Asked, params: Params) -> None:
        raise asyncio.CancelledError

    broker.hub.calls.add(Method("test.give_up", Params, give_up))
    assert (await refused(broker, "test.give_up")).code is ErrorCode.INTERNAL_ERROR


async def test_a_call_ends_with_timeout(broker: Broker) -> None:
    broker.handler("wait", asyncio.Event().wait)
    assert (await refused(broker, "wait", timeout=0.01)).code is ErrorCode.TIMEOUT
    assert (await refused(broker, "wait", timeout=0)).code is ErrorCode.TIMEOUT


async def test_functions_are_there_from_before_the_start_and_over_restarts() -> None:
    broker = Broker()
    broker.handler("greet", lambda: "Hello")
    for _ in range(2):
        await broker.start()
        assert await broker.call("greet") == "Hello"
        await broker.stop()


async def test_one_method_has_one_function_of_a_process(broker: Broker) -> None:
    broker.handler("greet", lambda: 1)
    with pytest.raises(SwarmwireError) as raised:
        broker.handler("greet", lambda: 2)
    assert raised.value.code is ErrorCode.CONFLICT


@pytest.mark.parametrize(
    ("method", "code"),
    [
        ("lock.mine", ErrorCode.PERMISSION_DENIED),
        ("$sys.x", ErrorCode.PERMISSION_DENIED),
        ("", ErrorCode.INVALID_TOPIC),
    ],
)
def test_names_that_cannot_be_handled_are_refused_before_the_start(method: str, code: ErrorCode) -> None:
    with pytest.raises(SwarmwireError) as raised:
        Broker().handler(method, lambda: None)
    assert raised.value.code is code


async def test_functions_come_back_when_an_operator_has_closed_their_connection(broker: Broker) -> None:
    broker.handler("greet", lambda: "Hello")
    broker.handler("wait", asyncio.Event().wait)
    waiting = asyncio.create_task(broker.call("wait"))
    await asyncio.sleep(0)
    (client_id,) = broker.hub.sessions
    broker.hub.disconnect(client_id)
    with pytest.raises(SwarmwireError) as raised:
        await waiting
    assert raised.value.code is ErrorCode.OUTCOME_UNKNOWN
    assert await broker.call("greet") == "Hello"
    assert client_id not in broker.hub.sessions


async def test_a_stopped_broker_fails_the_calls_that_wait() -> None:
    broker = Broker()
    await broker.start()
    broker.handler("wait", asyncio.Event().wait)
    waiting = asyncio.create_task(broker.call("wait"))
    await asyncio.sleep(0)
    await broker.stop()
    with pytest.raises(SwarmwireError) as raised:
        await waiting
    assert raised.value.code is ErrorCode.OUTCOME_UNKNOWN


async def test_a_full_broker_refuses_its_own_process_too() -> None:
    broker = Broker(Config(limits=Limits(max_connections=0)))
    await broker.start()
    assert (await refused(broker, "rpc.list")).code is ErrorCode.LIMIT_EXCEEDED
    await broker.stop()


async def test_a_function_is_told_of_no_caller_where_the_process_itself_calls(broker: Broker) -> None:
    seen: list[Call] = []
    broker.handler("look", lambda params, call: seen.append(call))
    await broker.call("look")
    assert seen[0].caller is None
