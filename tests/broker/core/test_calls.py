"""Calls of methods that the broker itself answers: one answer each, in time, or an error that says why not."""

from __future__ import annotations

from typing import Any

import pytest

from swarmwire_broker.core.methods import Asked, Method, Params
from swarmwire_broker.core.settings import Limits
from swarmwire_protocol.errors import ErrorCode, SwarmwireError
from swarmwire_protocol.messages import Permissions

from .fakes import Client, Gate, Message, World


class Greeting(Params):
    name: str
    times: int = 1


def greet(asked: Asked, params: Greeting) -> dict[str, Any]:
    return {"text": f"Hello {params.name}" * params.times, "to": asked.author.sender}


def nothing(asked: Asked, params: Params) -> None:
    return None


class Slow:
    """A method that answers when the test lets it, and remembers how it ended."""

    def __init__(self) -> None:
        self.gate = Gate()
        self.ends: list[str] = []

    async def run(self, asked: Asked, params: Params) -> str:
        end = "cancelled"
        try:
            await self.gate
            end = "done"
        finally:
            self.ends.append(end)
        return "late"


def call(client: Client, method: str, **fields: Any) -> list[Message]:
    return client.say({"type": "call", "id": 1, "method": method, **fields})


def refused(client: Client, method: str, **fields: Any) -> tuple[str, str | None]:
    (error,) = call(client, method, **fields)
    assert (error["type"], error["id"]) == ("error", 1)
    return error["code"], error.get("field")


@pytest.fixture
def greeted(world: World) -> Client:
    world.hub.calls.add(Method("test.greet", Greeting, greet))
    return world.client()


def make_slow(world: World, name: str = "test.slow") -> Slow:
    slow = Slow()
    world.hub.calls.add(Method(name, Params, slow.run))
    return slow


# ---- answers


def test_a_call_is_answered_with_one_reply(greeted: Client) -> None:
    (reply,) = call(greeted, "test.greet", params={"name": "Ada"})
    sender = f"anonymous:{greeted.session.client_id}"
    assert reply == {"type": "reply", "id": 1, "data": {"text": "Hello Ada", "to": sender}}


def test_a_method_may_answer_nothing(world: World) -> None:
    world.hub.calls.add(Method("test.nothing", Params, nothing))
    assert call(world.client(), "test.nothing") == [{"type": "reply", "id": 1, "data": None}]


@pytest.mark.parametrize("params", [{}, {"params": None}, {"params": {}}, {"params": {"more": 1}}])
def test_no_parameters_are_null_or_an_empty_object(world: World, params: Message) -> None:
    world.hub.calls.add(Method("test.nothing", Params, nothing))
    assert call(world.client(), "test.nothing", **params)[0]["type"] == "reply"


def test_a_parameter_that_is_null_is_absent(greeted: Client) -> None:
    (reply,) = call(greeted, "test.greet", params={"name": "Ada", "times": None})
    assert reply["data"]["text"] == "Hello Ada"


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({}, "params.name"),
        ({"name": 1}, "params.name"),
        ({"name": None}, "params.name"),
        ({"name": "Ada", "times": "2"}, "params.times"),
        ([], "params"),
        ("Ada", "params"),
    ],
)
def test_parameters_that_do_not_fit_are_refused_with_their_path(greeted: Client, params: Any, field: str) -> None:
    assert refused(greeted, "test.greet", params=params) == ("INVALID_MESSAGE", field)


def test_a_method_that_nobody_handles_is_not_found(greeted: Client) -> None:
    assert refused(greeted, "test.unknown") == ("METHOD_NOT_FOUND", "method")


def test_two_methods_cannot_have_one_name(world: World) -> None:
    world.hub.calls.add(Method("test.nothing", Params, nothing))
    with pytest.raises(ValueError, match=r"test\.nothing"):
        world.hub.calls.add(Method("test.nothing", Params, nothing))


def test_an_error_of_a_method_is_the_answer(world: World) -> None:
    def fail(asked: Asked, params: Params) -> None:
        raise SwarmwireError(ErrorCode.FENCED, "A newer one.", field="params.token", retry_after_ms=5)

    world.hub.calls.add(Method("test.fail", Params, fail))
    (error,) = call(world.client(), "test.fail")
    assert error == {
        "type": "error",
        "id": 1,
        "code": "FENCED",
        "message": "A newer one.",
        "field": "params.token",
        "retry_after_ms": 5,
    }


@pytest.mark.parametrize("later", [False, True])
def test_the_text_of_an_exception_is_never_told(world: World, later: bool, caplog: pytest.LogCaptureFixture) -> None:
    def fail(asked: Asked, params: Params) -> None:
        raise RuntimeError("the secret")

    async def fail_later(asked: Asked, params: Params) -> None:
        raise RuntimeError("the secret")

    world.hub.calls.add(Method("test.fail", Params, fail_later if later else fail))
    (error,) = call(world.client(), "test.fail")
    assert error["code"] == "INTERNAL_ERROR"
    assert "secret" not in error["message"]
    assert "the method test.fail failed" in caplog.text


def test_an_answer_that_json_cannot_hold_is_an_internal_error(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.hub.calls.add(Method("test.odd", Params, lambda asked, params: object()))
    assert refused(world.client(), "test.odd") == ("INTERNAL_ERROR", None)
    assert "test.odd" in caplog.text


# ---- answers that take their time


def test_other_requests_are_decided_while_a_call_waits(world: World) -> None:
    slow, client = make_slow(world), world.client()
    assert call(client, "test.slow") == []
    assert client.say(type="ping", ts=7) == [{"type": "pong", "ts": 7}]
    slow.gate.open()
    world.clock.settle()
    assert client.take() == [{"type": "reply", "id": 1, "data": "late"}]
    assert slow.ends == ["done"]


def test_the_id_of_a_call_is_in_use_until_its_last_answer(world: World) -> None:
    slow, client = make_slow(world), world.client()
    call(client, "test.slow")
    assert refused(client, "test.slow") == ("CONFLICT", "id")
    slow.gate.open()
    world.clock.settle()
    client.take()
    assert call(client, "test.slow")[0]["data"] == "late"


def test_a_call_ends_with_timeout_at_its_deadline(world: World) -> None:
    slow, client = make_slow(world), world.client()
    call(client, "test.slow", timeout_ms=2_000)
    world.clock.advance(1.9)
    assert client.take() == []
    world.clock.advance(0.2)
    (error,) = client.take()
    assert (error["id"], error["code"]) == (1, "TIMEOUT")
    assert slow.ends == ["cancelled"]


def test_a_call_without_a_timeout_has_the_default(world: World) -> None:
    make_slow(world)
    client = world.client()
    call(client, "test.slow")
    world.clock.advance(29.9)
    assert "error" not in [message["type"] for message in client.take()]
    world.clock.advance(0.2)
    assert client.take()[-1]["code"] == "TIMEOUT"


def test_the_default_timeout_may_be_over_the_largest_that_can_be_asked_for() -> None:
    world = World(limits=Limits(call_timeout_ms=5_000, max_call_timeout_ms=1_000))
    make_slow(world)
    client = world.client()
    assert refused(client, "test.slow", timeout_ms=1_001) == ("INVALID_MESSAGE", "timeout_ms")
    call(client, "test.slow")
    world.clock.advance(4.9)
    assert "error" not in [message["type"] for message in client.take()]
    world.clock.advance(0.2)
    assert client.take()[-1]["code"] == "TIMEOUT"


def test_a_timeout_of_zero_is_over_at_once_and_does_nothing(world: World) -> None:
    calls: list[Asked] = []
    world.hub.calls.add(Method("test.count", Params, lambda asked, params: calls.append(asked)))
    assert refused(world.client(), "test.count", timeout_ms=0) == ("TIMEOUT", "timeout_ms")
    assert calls == []


def test_a_timeout_over_the_largest_is_refused(greeted: Client) -> None:
    assert refused(greeted, "test.greet", params={"name": "a"}, timeout_ms=86_400_001) == (
        "INVALID_MESSAGE",
        "timeout_ms",
    )
    assert call(greeted, "test.greet", params={"name": "a"}, timeout_ms=86_400_000)[0]["type"] == "reply"


def test_a_method_knows_its_caller_and_its_deadline(world: World) -> None:
    seen: list[Asked] = []
    world.hub.calls.add(Method("test.look", Params, lambda asked, params: seen.append(asked)))
    client = world.client()
    call(client, "test.look", timeout_ms=5_000)
    (asked,) = seen
    assert (asked.session, asked.method, asked.deadline) == (client.session, "test.look", world.clock.now + 5)


def test_a_caller_that_gives_up_is_told_and_the_work_is_cancelled(world: World) -> None:
    slow, client = make_slow(world), world.client()
    call(client, "test.slow")
    (error,) = client.say(type="cancel", id=1)
    assert (error["id"], error["code"]) == (1, "CANCELLED")
    assert slow.ends == ["cancelled"]
    slow.gate.open()
    world.clock.settle()
    assert client.take() == []


def test_work_that_has_not_begun_is_cancelled_too(world: World) -> None:
    slow, client = make_slow(world), world.client()
    client.post({"type": "call", "id": 1, "method": "test.slow"})
    client.post({"type": "cancel", "id": 1})
    world.clock.settle()
    assert [message["code"] for message in client.take()] == ["CANCELLED"]
    assert slow.ends == []


def test_a_cancel_of_an_unknown_call_is_ignored(world: World) -> None:
    make_slow(world)
    client = world.client()
    assert client.say(type="cancel", id=9) == []
    call(client, "test.slow")
    assert client.say(type="cancel", id="1") == []


@pytest.mark.parametrize("meant", [False, True])
def test_a_caller_that_vanishes_cancels_its_calls(world: World, meant: bool) -> None:
    slow, client = make_slow(world), world.client()
    call(client, "test.slow")
    if meant:
        client.say(type="bye", code=1000)
    client.session.lost()
    world.clock.settle()
    assert slow.ends == ["cancelled"]
    assert client.take() == []
    world.hub.close()
    assert world.clock.timers == 0


def test_a_caller_that_reads_no_more_gives_its_calls_up_without_a_word(world: World) -> None:
    slow, client = make_slow(world), world.client()
    call(client, "test.slow")
    assert not client.session.is_settled
    client.session.hang_up()
    world.clock.settle()
    assert slow.ends == ["cancelled"]
    assert client.take() == []
    assert client.session.is_settled
    client.session.hang_up()


def test_a_method_that_ends_its_caller_is_not_begun(world: World) -> None:
    slow, client = Slow(), world.client()

    def leave(asked: Asked, params: Params) -> Any:
        client.session.lost()
        return slow.run(asked, params)

    world.hub.calls.add(Method("test.leave", Params, leave))
    assert call(client, "test.leave") == []
    assert slow.ends == []


def test_pending_calls_of_one_connection_are_bounded() -> None:
    world = World(limits=Limits(max_pending_calls=2))
    slow, client = make_slow(world), world.client()
    for number in (10, 11):
        client.say(type="call", id=number, method="test.slow")
    assert refused(client, "test.slow") == ("LIMIT_EXCEEDED", None)
    slow.gate.open()
    world.clock.settle()
    client.take()
    assert call(client, "test.slow")[0]["type"] == "reply"


# ---- streamed answers


def test_a_streamed_answer_ends_with_the_reply_that_has_no_more(world: World) -> None:
    async def count(asked: Asked, params: Params) -> int:
        asked.more(1)
        asked.more(2)
        return 3

    world.hub.calls.add(Method("test.count", Params, count))
    replies = call(world.client(), "test.count")
    assert [(reply["data"], reply.get("more", False)) for reply in replies] == [(1, True), (2, True), (3, False)]
    assert "end" not in replies[-1]


def test_a_streamed_answer_that_has_nothing_more_to_say_ends_with_an_end(world: World) -> None:
    async def count(asked: Asked, params: Params) -> None:
        asked.more(None)

    world.hub.calls.add(Method("test.count", Params, count))
    assert call(world.client(), "test.count") == [
        {"type": "reply", "id": 1, "data": None, "more": True},
        {"type": "reply", "id": 1, "data": None, "end": True},
    ]


def test_a_caller_that_does_not_read_ends_the_stream() -> None:
    world = World(limits=Limits(outbox_bytes=1_000, control_bytes=1_000))
    gate, ends = Gate(), list[str]()

    async def pour(asked: Asked, params: Params) -> None:
        await gate
        try:
            while True:
                asked.more("x" * 100)
        except SwarmwireError as error:
            ends.append(error.code)
            raise

    world.hub.calls.add(Method("test.pour", Params, pour))
    client = world.client()
    call(client, "test.pour")
    client.sink.stall()
    gate.open()
    world.clock.settle()
    assert ends == ["SLOW_CONSUMER"]
    assert client.sink.is_reading, "what others say must not keep the client from being heard"
    client.sink.drain()
    world.clock.settle()
    messages = client.take()
    assert messages[-1]["code"] == "SLOW_CONSUMER"
    assert [message["type"] for message in messages[:-1]] == ["reply"] * (len(messages) - 1)


def test_a_long_stream_in_one_turn_reaches_a_caller_that_reads(world: World) -> None:
    async def burst(asked: Asked, params: Params) -> None:
        for number in range(10_000):
            asked.more(number)

    world.hub.calls.add(Method("test.burst", Params, burst))
    replies = call(world.client(), "test.burst")
    assert [reply["data"] for reply in replies] == [*range(10_000), None]


def test_a_stream_that_is_over_takes_no_more(world: World) -> None:
    seen: list[Asked] = []

    async def keep(asked: Asked, params: Params) -> None:
        seen.append(asked)

    world.hub.calls.add(Method("test.keep", Params, keep))
    client = world.client()
    call(client, "test.keep")
    with pytest.raises(SwarmwireError) as raised:
        seen[0].more(1)
    assert raised.value.code is ErrorCode.CANCELLED
    assert client.take() == []


# ---- permissions


def test_a_method_must_be_granted(greeted: Client) -> None:
    greeted.session.author.permit(Permissions(call=["other.#"]))
    assert refused(greeted, "test.greet", params={"name": "a"}) == ("PERMISSION_DENIED", "method")
    assert refused(greeted, "test.unknown") == ("PERMISSION_DENIED", "method")


def test_methods_of_operators_ask_for_admin_and_nothing_else(world: World) -> None:
    world.hub.calls.add(Method("test.stop", Params, nothing, admin=True))
    client = world.client()
    client.session.author.permit(Permissions(call=["#"]))
    assert refused(client, "test.stop") == ("PERMISSION_DENIED", "method")
    client.session.author.permit(Permissions(admin=True))
    assert call(client, "test.stop")[0]["type"] == "reply"


@pytest.mark.parametrize("admin", [True, False])
def test_who_may_observe_calls_what_only_looks_and_nothing_else(world: World, admin: bool) -> None:
    world.hub.calls.add(Method("test.look", Params, nothing, admin=admin, looks=True))
    world.hub.calls.add(Method("test.change", Params, nothing, admin=admin))
    client = world.client()
    client.session.author.permit(Permissions(observe=True))
    assert call(client, "test.look")[0]["type"] == "reply"
    assert refused(client, "test.change") == ("PERMISSION_DENIED", "method")
    assert refused(client, "test.greet") == ("PERMISSION_DENIED", "method")
    client.session.author.permit(Permissions())
    assert refused(client, "test.look") == ("PERMISSION_DENIED", "method")


def test_narrowed_permissions_end_the_calls_they_do_not_allow(world: World) -> None:
    denied, allowed = make_slow(world, "denied.slow"), make_slow(world, "allowed.slow")
    client = world.client()
    client.say(type="call", id=1, method="denied.slow")
    client.say(type="call", id=2, method="allowed.slow")
    subject = client.session.author.sender
    assert subject is not None
    world.hub.permit(subject, Permissions(call=["allowed.#"]))
    world.clock.settle()
    (error,) = client.take()
    assert (error["id"], error["code"]) == (1, "PERMISSION_DENIED")
    assert (denied.ends, allowed.ends) == (["cancelled"], [])
