"""Functions of a client that answer calls, over a real broker."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any, cast

import pytest
from msgspec import Raw

from swarmwire import Call, CallError, CallHandler, Client, ErrorCode, SwarmwireError, connect, connect_sync
from swarmwire.callhandlers import CallHandlers
from swarmwire.emitter import Emitter
from swarmwire.link import Link
from swarmwire_broker import Config, Server
from swarmwire_broker.core.settings import Limits
from swarmwire_protocol import messages as wire
from swarmwire_protocol.codec import encode

PATIENCE = 5.0


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with Server(Config(port=0, unix="off", limits=Limits(max_message_bytes=100_000))) as server:
        yield server


@pytest.fixture
async def clients(server: Server) -> AsyncIterator[tuple[Client, Client]]:
    async with AsyncExitStack() as stack:
        handler = await stack.enter_async_context(connect(server.url, base_delay=0.01))
        yield handler, await stack.enter_async_context(connect(server.url, base_delay=0.01))


Pair = tuple[Client, Client]


async def refused(caller: Client, method: str, params: Any = None, **options: Any) -> SwarmwireError:
    with pytest.raises(SwarmwireError) as raised:
        await caller.call(method, params, **options)
    return raised.value


# ---- answers


async def test_a_decorated_function_answers_calls(clients: Pair) -> None:
    client, caller = clients

    @client.handler("greet")
    async def greet(params: Any, call: Call) -> list[Any]:
        return [params["name"], call.method, call.caller, 0 < call.seconds_left <= 30]

    await greet
    assert greet.is_registered
    answer = await caller.call("greet", {"name": "Ada"})
    assert answer == ["Ada", "greet", f"anonymous:{caller.id}", True]


async def test_a_plain_function_answers_too_and_may_take_nothing(clients: Pair) -> None:
    client, caller = clients
    await client.handler("none", lambda: 1)
    await client.handler("same", lambda params: params)
    assert await caller.call("none", 5) == 1
    assert await caller.call("same") is None
    assert await caller.call("same", [1]) == [1]


async def test_a_client_can_call_itself(clients: Pair) -> None:
    client, _ = clients
    await client.handler("same", lambda params: params)
    assert await client.call("same", 1) == 1


async def test_a_function_that_takes_more_is_refused(clients: Pair) -> None:
    with pytest.raises(TypeError, match="params, call"):
        clients[0].handler("three", lambda params, call, more: None)


async def test_a_generator_streams_its_replies_as_they_come(clients: Pair) -> None:
    client, caller = clients
    taken = asyncio.Semaphore(0)

    async def count(params: int) -> AsyncIterator[int]:
        for number in range(params):
            yield number
            await taken.acquire()

    await client.handler("count", count)
    seen = []
    async with asyncio.timeout(PATIENCE):
        async for number in caller.stream("count", 3):
            seen.append(number)
            taken.release()
    assert seen == [0, 1, 2]


async def test_a_generator_that_yields_nothing_is_an_empty_stream(clients: Pair) -> None:
    client, caller = clients

    async def nothing() -> AsyncIterator[int]:
        for number in range(0):
            yield number

    await client.handler("nothing", nothing)
    assert [reply async for reply in caller.stream("nothing")] == []
    assert await caller.call("nothing") is None


async def test_a_call_gets_the_last_reply_of_a_stream(clients: Pair) -> None:
    client, caller = clients

    async def count() -> AsyncIterator[int]:
        yield 1
        yield 2

    await client.handler("count", count)
    assert await caller.call("count") == 2


async def test_a_stream_of_many_replies_arrives_whole(clients: Pair) -> None:
    client, caller = clients

    async def pour() -> AsyncIterator[list[int]]:
        for number in range(2_000):
            yield [number] * 100

    await client.handler("pour", pour)
    count = 0
    async for reply in caller.stream("pour"):
        assert reply[0] == count
        count += 1
    assert count == 2_000


# ---- errors


async def test_an_error_of_a_handler_keeps_its_code_and_details(clients: Pair) -> None:
    client, caller = clients

    @client.handler("price")
    def price(params: Any) -> None:
        raise CallError("OUT_OF_STOCK", "None left.", details={"left": 0}, field="item", retry_after_ms=5)

    await price
    error = await refused(caller, "price")
    assert (error.code, error.handler_code, error.message) == (ErrorCode.HANDLER_FAILED, "OUT_OF_STOCK", "None left.")
    assert (error.details, error.field, error.retry_after_ms) == ({"left": 0}, "item", 5)
    assert str(error) == "HANDLER_FAILED OUT_OF_STOCK: None left. (field item)"


async def test_an_error_in_the_middle_of_a_stream_ends_it(clients: Pair) -> None:
    client, caller = clients

    async def fail() -> AsyncIterator[int]:
        yield 1
        raise CallError("ENOUGH")

    await client.handler("fail", fail)
    replies = caller.stream("fail")
    assert await anext(replies) == 1
    with pytest.raises(SwarmwireError) as raised:
        await anext(replies)
    assert raised.value.handler_code == "ENOUGH"


async def test_an_exception_is_told_here_and_not_to_the_caller(clients: Pair) -> None:
    client, caller = clients
    told: list[Exception] = []
    client.listen("error", told.append)

    def fail() -> None:
        raise RuntimeError("the secret")

    await client.handler("fail", fail)
    error = await refused(caller, "fail")
    assert (error.code, error.handler_code, error.message) == (ErrorCode.HANDLER_FAILED, None, "The handler failed.")
    assert [str(each) for each in told] == ["the secret"]


async def test_an_answer_over_the_limit_fails_its_call_and_nothing_else(clients: Pair) -> None:
    client, caller = clients
    await client.handler("large", lambda params: "x" * params)
    assert len(await caller.call("large", 90_000)) == 90_000
    error = await refused(caller, "large", 100_001)
    assert (error.code, error.handler_code) == (ErrorCode.HANDLER_FAILED, "MESSAGE_TOO_LARGE")
    assert await caller.call("large", 1) == "x"


async def test_a_call_over_the_limit_is_not_sent_and_the_connection_stays(clients: Pair) -> None:
    client, caller = clients
    await client.handler("length", len)
    connection = caller.id
    envelope = len(encode(wire.Call(id=10, method="length", params=Raw(b'""'), timeout_ms=30_000)))
    assert await caller.call("length", "x" * (100_000 - envelope - 10)) == 100_000 - envelope - 10
    assert (await refused(caller, "length", "x" * (100_000 - envelope + 10))).code == ErrorCode.MESSAGE_TOO_LARGE
    with pytest.raises(SwarmwireError) as raised:
        await anext(caller.stream("length", "x" * 100_000))
    assert raised.value.code == ErrorCode.MESSAGE_TOO_LARGE
    assert await caller.call("length", "x") == 1
    assert caller.id == connection


async def test_a_stream_that_nobody_reads_is_cancelled_when_its_replies_overflow(server: Server, clients: Pair) -> None:
    client, _ = clients
    ended = asyncio.Event()

    @client.handler("pour")
    async def pour() -> AsyncIterator[int]:
        try:
            while True:
                yield 1
        finally:
            ended.set()

    await pour
    async with connect(server.url, queue_size=10) as caller:
        replies = caller.stream("pour")
        assert await anext(replies) == 1
        await asyncio.wait_for(ended.wait(), PATIENCE)  # though the loop over them stands still
        with pytest.raises(SwarmwireError) as raised:
            async for _ in replies:
                pass
        assert raised.value.code == ErrorCode.SLOW_CONSUMER


class FullLink:
    """A connection that takes nothing more."""

    max_message_bytes = None
    writable = False

    def __init__(self) -> None:
        self.sent: list[Any] = []

    def send(self, payload: bytes) -> None:
        self.sent.append(json.loads(payload))

    def tell(self, message: Any) -> None:
        self.send(encode(message))

    def request(self, make: Any, request: Any) -> None:
        """Nobody answers."""


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_streams_that_wait_for_the_same_socket_are_cancelled_one_by_one() -> None:
    handlers, link = CallHandlers(Emitter()), FullLink()

    async def pour() -> AsyncIterator[int]:
        yield 1
        yield 2

    handlers.add("pour", pour, None)
    handlers.connected(cast(Link, link))
    for number in (1, 2):
        handlers.take(wire.Dispatch(id=f"b:{number}", method="pour", deadline=0))
    await settle()
    handlers.cancel("b:1")
    await settle()
    link.writable = True
    handlers.writable()
    await settle()
    assert [answer["data"] for answer in link.sent if answer["id"] == "b:2"] == [1, 2, None]
    assert [answer.get("data") for answer in link.sent if answer["id"] == "b:1"] == [1]


async def test_a_function_that_ends_the_program_fails_its_call_first() -> None:
    class Fatal(BaseException):
        """Such as KeyboardInterrupt and SystemExit, which would end this loop."""

    async def die() -> None:
        raise Fatal

    handlers, link = CallHandlers(Emitter()), FullLink()
    handlers.add("die", die, None)
    handlers.connected(cast(Link, link))
    raised: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: raised.append(context["exception"]))
    handlers.take(wire.Dispatch(id="b:1", method="die", deadline=0))
    await settle()
    assert [answer["code"] for answer in link.sent] == ["HANDLER_FAILED"]


def test_an_error_needs_a_code() -> None:
    with pytest.raises(ValueError, match="OUT_OF_STOCK"):
        CallError("")


# ---- cancelling, and too much


class Waiting:
    """A handler that waits to be cancelled."""

    def __init__(self) -> None:
        self.begun = asyncio.Semaphore(0)
        self.cancelled = asyncio.Semaphore(0)
        self.go_on = asyncio.Event()

    async def run(self) -> str:
        self.begun.release()
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.cancelled.release()
            raise
        return "done"

    async def was_cancelled(self) -> None:
        async with asyncio.timeout(PATIENCE):
            await self.cancelled.acquire()


async def test_a_caller_that_gives_up_cancels_the_function(clients: Pair) -> None:
    client, caller = clients
    waiting = Waiting()
    await client.handler("wait", waiting.run)
    calling = asyncio.create_task(caller.call("wait"))
    await waiting.begun.acquire()
    calling.cancel()
    await waiting.was_cancelled()


async def test_the_deadline_cancels_the_function(clients: Pair) -> None:
    client, caller = clients
    waiting = Waiting()
    await client.handler("wait", waiting.run)
    assert (await refused(caller, "wait", timeout=0.05)).code is ErrorCode.TIMEOUT
    await waiting.was_cancelled()


async def test_a_caller_that_vanishes_cancels_the_function(clients: Pair) -> None:
    client, caller = clients
    waiting = Waiting()
    await client.handler("wait", waiting.run)
    calling = asyncio.create_task(caller.call("wait"))
    await waiting.begun.acquire()
    await caller.disconnect()
    await waiting.was_cancelled()
    with pytest.raises(SwarmwireError):
        await calling


async def test_a_loop_that_is_left_cancels_the_generator(clients: Pair) -> None:
    client, caller = clients
    closed = asyncio.Event()

    async def forever() -> AsyncIterator[int]:
        try:
            while True:
                yield 1
                await asyncio.sleep(0.001)
        finally:
            closed.set()

    await client.handler("forever", forever)
    replies = caller.stream("forever")
    assert await anext(replies) == 1
    await replies.aclose()
    async with asyncio.timeout(PATIENCE):
        await closed.wait()


async def test_a_function_that_is_cancelled_by_something_else_has_failed(clients: Pair) -> None:
    client, caller = clients

    async def give_up() -> None:
        raise asyncio.CancelledError

    await client.handler("give.up", give_up)
    assert (await refused(caller, "give.up")).code is ErrorCode.HANDLER_FAILED
    await client.handler("after", lambda: 1)
    assert await caller.call("after") == 1


async def test_more_calls_than_a_handler_takes_at_once_are_unavailable(clients: Pair) -> None:
    client, caller = clients
    waiting = Waiting()
    await client.handler("wait", waiting.run, max_calls=1)
    first = asyncio.create_task(caller.call("wait"))
    await waiting.begun.acquire()
    error = await refused(caller, "wait")
    assert (error.code, error.retry) == (ErrorCode.UNAVAILABLE, True)
    waiting.go_on.set()
    assert await first == "done"
    assert await caller.call("wait") == "done"


# ---- registering


async def test_a_handler_that_is_taken_away_gets_no_more_calls(clients: Pair) -> None:
    client, caller = clients
    waiting = Waiting()
    handler = client.handler("wait", waiting.run)
    await handler
    first = asyncio.create_task(caller.call("wait"))
    await waiting.begun.acquire()
    handler()
    handler()
    await client.ping()
    assert (await refused(caller, "wait")).code is ErrorCode.METHOD_NOT_FOUND
    waiting.go_on.set()
    assert await first == "done", "what runs goes on"
    assert not handler.is_registered
    await client.handler("wait", lambda: "again")
    assert await caller.call("wait") == "again"


async def test_one_client_handles_a_method_once(clients: Pair) -> None:
    client, _ = clients
    await client.handler("greet", lambda: 1)
    with pytest.raises(SwarmwireError) as raised:
        client.handler("greet", lambda: 2)
    assert raised.value.code is ErrorCode.CONFLICT


async def test_a_refused_registration_is_raised_and_told(clients: Pair) -> None:
    client, _ = clients
    told: list[Exception] = []
    client.listen("error", told.append)
    handler = client.handler("lock.mine", lambda: 1)
    with pytest.raises(SwarmwireError) as raised:
        await handler
    assert raised.value.code is ErrorCode.PERMISSION_DENIED
    assert len(told) == 1


async def test_handlers_are_registered_again_after_a_reconnect(server: Server, clients: Pair) -> None:
    client, caller = clients
    waiting = Waiting()
    greet, wait = client.handler("greet", lambda: "Hello"), client.handler("wait", waiting.run)
    await greet
    await wait
    lost = asyncio.create_task(caller.call("wait"))
    await waiting.begun.acquire()
    assert client.id is not None
    connected = asyncio.Event()
    client.listen("connected", lambda _: connected.set())
    server.broker.hub.sessions[client.id].outbox.sink.close(1012, "", 0)
    with pytest.raises(SwarmwireError) as raised:
        await lost
    assert raised.value.code is ErrorCode.HANDLER_GONE
    await waiting.was_cancelled()
    async with asyncio.timeout(PATIENCE):
        await connected.wait()
        await greet
    assert await caller.call("greet") == "Hello"


async def test_two_clients_share_the_calls_of_a_method(server: Server, clients: Pair) -> None:
    client, caller = clients
    async with connect(server.url) as other:
        await client.handler("who", lambda: "one")
        await other.handler("who", lambda: "other")
        answers = [await caller.call("who") for _ in range(6)]
    assert sorted(answers) == ["one"] * 3 + ["other"] * 3


async def test_disconnecting_lets_calls_that_run_come_to_their_end(server: Server, clients: Pair) -> None:
    _, caller = clients
    waiting = Waiting()
    async with connect(server.url) as client:
        await client.handler("wait", waiting.run)
        calling = asyncio.create_task(caller.call("wait"))
        await waiting.begun.acquire()
        leaving = asyncio.create_task(client.disconnect())
        while (await caller.call("rpc.list", {"method": "wait"}))["methods"]:
            pass
        waiting.go_on.set()
        assert await calling == "done"
        await leaving


async def test_a_handler_may_disconnect_its_client(server: Server, clients: Pair) -> None:
    _, caller = clients
    async with connect(server.url) as client:
        await client.handler("leave", client.disconnect)
        assert (await refused(caller, "leave")).code is ErrorCode.HANDLER_GONE


async def test_a_handler_of_a_client_that_has_ended_says_so(server: Server) -> None:
    async with connect(server.url) as client:
        handler = client.handler("greet", lambda: 1)
        await handler
    with pytest.raises(SwarmwireError):
        await handler
    with pytest.raises(SwarmwireError):
        client.handler("other", lambda: 1)
    assert isinstance(handler, CallHandler)
    assert not handler.is_registered


async def test_over_http_nobody_can_be_called(server: Server) -> None:
    async with connect(server.url.replace("ws://", "http://").removesuffix("/ws")) as client:
        with pytest.raises(SwarmwireError) as raised:
            client.handler("greet", lambda: 1)
        assert raised.value.code is ErrorCode.UNAVAILABLE
        error = await refused(client, "rpc.register", {"methods": ["greet"]})
        assert error.code is ErrorCode.UNAVAILABLE


# ---- the synchronous twin


async def test_a_script_without_a_loop_answers_calls_too(server: Server, clients: Pair) -> None:
    _, caller = clients

    def script() -> tuple[Any, Any]:
        with connect_sync(server.url) as client:

            @client.handler("greet")
            def greet(params: Any, call: Call) -> str:
                return f"Hello {client.call('same', params)} of {call.method}"

            end = client.handler("same", lambda params: params)
            answer = client.call("greet", "Ada")
            end()
            with pytest.raises(SwarmwireError) as raised:
                client.call("same")
        end()
        return answer, raised.value.code

    assert await asyncio.to_thread(script) == ("Hello Ada of greet", ErrorCode.METHOD_NOT_FOUND)
    assert (await refused(caller, "greet")).code is ErrorCode.METHOD_NOT_FOUND


async def test_functions_of_a_script_may_wait_for_each_other(server: Server, clients: Pair) -> None:
    _, caller = clients
    ready, over = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def script() -> None:
        with connect_sync(server.url) as client:
            client.handler("inner", lambda params: params)
            client.handler("outer", lambda params: client.call("inner", params))
            loop.call_soon_threadsafe(ready.set)
            over.wait(PATIENCE)

    running = asyncio.create_task(asyncio.to_thread(script))
    async with asyncio.timeout(PATIENCE):
        await ready.wait()
        answers = await asyncio.gather(*(caller.call("outer", number) for number in range(60)))
    over.set()
    await running
    assert answers == list(range(60))


async def test_a_refusal_is_raised_in_the_script(server: Server) -> None:
    def script() -> None:
        with connect_sync(server.url) as client:
            client.handler("lock.mine", lambda: 1)

    with pytest.raises(SwarmwireError) as raised:
        await asyncio.to_thread(script)
    assert raised.value.code is ErrorCode.PERMISSION_DENIED
