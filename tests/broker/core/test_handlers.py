"""Calls that clients answer: each goes to one handler at most, and its caller always hears how it ended."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

import pytest
from msgspec import Raw

from swarmwire_broker.core import handlers
from swarmwire_broker.core.handlers import RESERVED
from swarmwire_broker.core.settings import Limits
from swarmwire_protocol.codec import encode
from swarmwire_protocol.errors import ErrorCode, SwarmwireError
from swarmwire_protocol.messages import Call, Permissions, Reply

from .fakes import Client, Message, World


def handler(world: World, *methods: str) -> Client:
    client = world.client()
    world.hub.calls.handlers.register(client.session, list(methods or ("greet",)))
    return client


def ask(caller: Client, method: str = "greet", id: str | int = 1, **fields: Any) -> list[Message]:
    return caller.say({"type": "call", "id": id, "method": method, **fields})


def asked(client: Client) -> list[Message]:
    """The calls that a handler was handed since the last look."""
    return [message for message in client.take() if message["type"] == "call"]


def hand(world: World, caller: Client, client: Client, **fields: Any) -> str:
    """Call, and see that this handler was handed it: the id it is to answer by."""
    assert ask(caller, **fields) == []
    (call,) = asked(client)
    return str(call["id"])


def code(messages: list[Message]) -> str:
    (error,) = messages
    assert error["type"] == "error"
    return str(error["code"])


def refused(world: World, client: Client, *methods: str) -> tuple[ErrorCode, str | None]:
    with pytest.raises(SwarmwireError) as raised:
        world.hub.calls.handlers.register(client.session, list(methods))
    return raised.value.code, raised.value.field


# ---- a call and its answer


def test_a_handler_is_handed_the_call_with_its_caller_and_its_deadline(world: World) -> None:
    client, caller = handler(world), world.client()
    ask(caller, params={"name": "Ada"}, timeout_ms=5_000)
    (call,) = client.take()
    assert call == {
        "type": "call",
        "id": call["id"],
        "method": "greet",
        "from": caller.session.author.sender,
        "deadline": world.clock.now_ms() + 5_000,
        "params": {"name": "Ada"},
    }
    assert call["id"].startswith("b:")


def test_the_answer_of_a_handler_is_the_answer_to_the_caller(world: World) -> None:
    client, caller = handler(world), world.client()
    number = hand(world, caller, client, id="x")
    assert client.say(type="reply", id=number, data=[1, None]) == []
    assert caller.take() == [{"type": "reply", "id": "x", "data": [1, None]}]


def test_a_call_without_parameters_is_handed_on_without_any(world: World) -> None:
    client, caller = handler(world), world.client()
    ask(caller)
    assert "params" not in client.take()[0]
    ask(caller, id=2, params=None)
    assert client.take()[0]["params"] is None


def test_parameters_that_no_json_reader_takes_are_not_handed_on(world: World) -> None:
    client, caller = handler(world), world.client()
    (error,) = caller.say(b'{"type":"call","id":1,"method":"greet","params":1e999}')
    assert (error["code"], error["field"]) == ("INVALID_MESSAGE", "params")
    assert client.take() == []


def test_answers_come_in_any_order(world: World) -> None:
    client, caller = handler(world), world.client()
    first, second = hand(world, caller, client, id=1), hand(world, caller, client, id=2)
    client.say(type="reply", id=second, data="second")
    client.say(type="reply", id=first, data="first")
    assert [(reply["id"], reply["data"]) for reply in caller.take()] == [(2, "second"), (1, "first")]


def test_a_client_can_call_itself(world: World) -> None:
    client = handler(world)
    (call,) = ask(client)
    assert client.say(type="reply", id=call["id"], data=1) == [{"type": "reply", "id": 1, "data": 1}]


def test_streamed_replies_come_in_order_and_end_with_the_last(world: World) -> None:
    client, caller = handler(world), world.client()
    number = hand(world, caller, client)
    for data in (1, 2):
        client.say(type="reply", id=number, data=data, more=True)
    client.say(type="reply", id=number, data=3)
    assert caller.take() == [
        {"type": "reply", "id": 1, "data": 1, "more": True},
        {"type": "reply", "id": 1, "data": 2, "more": True},
        {"type": "reply", "id": 1, "data": 3},
    ]
    assert client.say(type="reply", id=number, data=4) == []
    assert caller.take() == []


def test_an_error_of_a_handler_keeps_its_own_code_and_details(world: World) -> None:
    client, caller = handler(world), world.client()
    number = hand(world, caller, client)
    client.say(
        type="error",
        id=number,
        code="OUT_OF_STOCK",
        message="None left.",
        field="item",
        retry_after_ms=50,
        details={"left": 0},
    )
    assert caller.take() == [
        {
            "type": "error",
            "id": 1,
            "code": "HANDLER_FAILED",
            "handler_code": "OUT_OF_STOCK",
            "message": "None left.",
            "field": "item",
            "retry_after_ms": 50,
            "details": {"left": 0},
        }
    ]


@pytest.mark.parametrize("more", [b"", b',"more":true'])
def test_an_answer_that_no_json_reader_takes_fails_the_call(world: World, more: bytes) -> None:
    client, caller = handler(world), world.client()
    number = hand(world, caller, client)
    messages = client.say(b'{"type":"reply","id":"%b","data":1e999%b}' % (number.encode(), more))
    assert "INVALID_MESSAGE" in [message.get("code") for message in messages]
    assert code(caller.take()) == "HANDLER_FAILED"


def test_details_that_no_json_reader_takes_fail_the_call_too(world: World) -> None:
    client, caller = handler(world), world.client()
    number = hand(world, caller, client)
    client.say(b'{"type":"error","id":"%b","code":"X","message":"m","details":1e999}' % number.encode())
    assert code(caller.take()) == "HANDLER_FAILED"


@pytest.mark.parametrize(
    "message", [{"type": "reply", "id": "b:99", "data": 1}, {"type": "error", "code": "X", "message": "m"}]
)
def test_what_answers_nothing_is_ignored(world: World, message: Message) -> None:
    assert handler(world).say(message) == []
    assert world.client().say(message) == []


def test_nobody_can_answer_the_call_of_another_handler(world: World) -> None:
    client, other, caller = handler(world), handler(world, "other"), world.client()
    number = hand(world, caller, client)
    other.say(type="reply", id=number, data="forged")
    assert caller.take() == []
    client.say(type="reply", id=number, data="true")
    assert caller.take()[0]["data"] == "true"


# ---- how a call ends without an answer


def test_a_handler_that_vanishes_fails_its_calls_at_once(world: World) -> None:
    client, caller = handler(world), world.client()
    hand(world, caller, client)
    client.session.lost()
    world.clock.settle()
    assert code(caller.take()) == "HANDLER_GONE"
    assert code(ask(caller, id=2)) == "METHOD_NOT_FOUND"


def test_a_handler_that_says_bye_is_told_nothing_after_it(world: World) -> None:
    client, caller = handler(world), world.client()
    hand(world, caller, client)
    assert client.say(type="bye", code=1000) == []
    assert code(caller.take()) == "HANDLER_GONE"


def test_a_call_is_never_handed_to_a_second_handler(world: World) -> None:
    first, second, caller = handler(world), handler(world), world.client()
    ask(caller)
    busy, idle = (first, second) if asked(first) else (second, first)
    busy.session.lost()
    world.clock.settle()
    assert code(caller.take()) == "HANDLER_GONE"
    assert asked(idle) == []


def test_the_deadline_ends_the_call_and_tells_the_handler(world: World) -> None:
    client, caller = handler(world), world.client()
    number = hand(world, caller, client, timeout_ms=1_000)
    world.clock.advance(1.1)
    assert code(caller.take()) == "TIMEOUT"
    assert client.take() == [{"type": "cancel", "id": number}]
    assert client.say(type="reply", id=number, data="late") == []
    assert caller.take() == []


def test_a_timeout_of_zero_is_not_handed_to_anyone(world: World) -> None:
    client, caller = handler(world), world.client()
    assert code(ask(caller, timeout_ms=0)) == "TIMEOUT"
    assert client.take() == []


def test_a_caller_that_gives_up_cancels_the_call_of_the_handler(world: World) -> None:
    client, caller = handler(world), world.client()
    number = hand(world, caller, client)
    assert code(caller.say(type="cancel", id=1)) == "CANCELLED"
    assert client.take() == [{"type": "cancel", "id": number}]


def test_a_caller_that_vanishes_cancels_the_call_of_the_handler(world: World) -> None:
    client, caller = handler(world), world.client()
    number = hand(world, caller, client)
    caller.session.lost()
    world.clock.settle()
    assert client.take() == [{"type": "cancel", "id": number}]
    assert client.say(type="reply", id=number, data="late") == []


def test_nothing_is_left_when_everyone_is_gone(world: World) -> None:
    client, caller = handler(world), world.client()
    hand(world, caller, client)
    caller.session.lost()
    client.session.lost()
    world.clock.settle()
    world.hub.close()
    assert world.is_clean()
    assert world.hub.calls.handlers.counts() == {}
    assert world.clock.timers == 0


def test_a_stream_whose_caller_does_not_read_is_cancelled_at_its_handler() -> None:
    world = World(limits=Limits(outbox_bytes=1_000, control_bytes=1_000))
    client, caller = handler(world), world.client()
    number = hand(world, caller, client)
    caller.sink.stall()
    told: list[Message] = []
    for _ in range(60):
        told += client.say(type="reply", id=number, data="x" * 100, more=True)
    assert told == [{"type": "cancel", "id": number}]
    caller.sink.drain()
    world.clock.settle()
    messages = caller.take()
    assert messages[-1]["code"] == "SLOW_CONSUMER"
    assert 10 <= len(messages) < 30


def test_answers_that_their_caller_does_not_read_are_bounded_by_bytes() -> None:
    world = World(limits=Limits(outbox_bytes=1_000, control_bytes=1_000, answers_bytes=5_000))
    client, caller = handler(world), world.client()
    numbers = [hand(world, caller, client, id=number) for number in range(10)]
    caller.sink.stall()
    for number in numbers:
        client.say(type="reply", id=number, data="x" * 1_000)
    assert caller.session.outbox.control_size < 6_500
    assert not caller.session.pending, "each has its last answer, and its id is free again"
    caller.sink.drain()
    world.clock.settle()
    answers = {message["id"]: message.get("code", "reply") for message in caller.take()}
    assert [answers[number] for number in range(10)] == ["reply"] * 5 + ["SLOW_CONSUMER"] * 5


def test_an_error_that_has_no_room_is_told_by_its_code() -> None:
    world = World(limits=Limits(outbox_bytes=1_000, control_bytes=1_000, answers_bytes=5_000))
    client, caller = handler(world), world.client()
    numbers = [hand(world, caller, client, id=number) for number in range(10)]
    caller.sink.stall()
    for number in numbers:
        client.say(type="error", id=number, code="FULL", message="", details="x" * 1_000)
    caller.sink.drain()
    world.clock.settle()
    errors = caller.take()
    assert [error["code"] for error in errors] == ["HANDLER_FAILED"] * 10
    assert [error.get("handler_code") for error in errors] == ["FULL"] * 5 + [None] * 5


def test_an_answer_larger_than_all_that_may_wait_reaches_a_caller_that_reads() -> None:
    world = World(limits=Limits(answers_bytes=1_000))
    client, caller = handler(world), world.client()
    numbers = [hand(world, caller, client, id=number) for number in range(3)]
    for number in numbers:
        client.session.receive(encode(Reply(id=number, data=Raw(b'"%s"' % (b"x" * 2_000)))))
    world.clock.settle()
    assert [message["type"] for message in caller.take()] == ["reply"] * 3


# ---- several handlers


def test_calls_are_shared_in_turn_while_all_have_the_same_to_do(world: World) -> None:
    clients, caller = [handler(world) for _ in range(3)], world.client()
    served = []
    for number in range(9):
        ask(caller, id=number)
        for index, client in enumerate(clients):
            for call in asked(client):
                client.say(type="reply", id=call["id"], data=None)
                served.append(index)
        caller.take()
    assert sorted(served) == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_the_handler_with_the_fewest_calls_outstanding_is_next(world: World) -> None:
    slow, quick, caller = handler(world), handler(world), world.client()
    served = 0
    for number in range(10):
        ask(caller, id=number)
        for call in asked(quick):
            quick.say(type="reply", id=call["id"], data=None)
            served += 1
    assert served == 9
    assert len(asked(slow)) == 1


def test_a_handler_with_as_many_calls_as_it_may_have_is_passed_over() -> None:
    world = World(limits=Limits(max_handler_calls=2))
    client, caller = handler(world), world.client()
    for number in (1, 2):
        hand(world, caller, client, id=number)
    assert code(ask(caller, id=3)) == "UNAVAILABLE"
    other = handler(world)
    hand(world, caller, other, id=4)


def test_a_handler_that_does_not_read_is_passed_over() -> None:
    world = World(limits=Limits(outbox_bytes=1_000, control_bytes=1_000))
    stuck, caller = handler(world), world.client()
    stuck.sink.stall()
    answers: list[Message] = []
    for number in range(60):
        answers += ask(caller, id=number, params="x" * 100)
    assert {answer["code"] for answer in answers} == {"UNAVAILABLE"}
    assert 30 < len(answers) < 60
    assert stuck.sink.is_reading
    other = handler(world)
    assert ask(caller, id=100, params="x") == []
    assert len(asked(other)) == 1


def test_a_handler_that_ends_as_it_is_heard_again_is_handed_nothing() -> None:
    world = World(limits=Limits(outbox_bytes=1_000, control_bytes=1_000))
    client, caller = handler(world), world.client()
    for _ in range(2):  # more than may wait for it, in one turn: nothing more is looked at
        client.session.receive(encode(Call(id="x" * 60, method="y" * 2_000)))
        client.session.outbox.send(Reply(id="x", data=Raw(b'"%s"' % (b"x" * 2_000))))
    client.session.receive(b'{"type":"bye","code":1000,"reason":""}')
    assert client.session.is_welcome
    assert code(ask(caller, params="x" * 500)) == "UNAVAILABLE"
    assert not client.session.is_welcome
    assert not world.hub.calls.handlers.outstanding


# ---- registering


def test_registering_again_is_harmless(world: World) -> None:
    client, caller = handler(world), world.client()
    world.hub.calls.handlers.register(client.session, ["greet", "greet"])
    assert world.hub.calls.handlers.counts() == {"greet": 1}
    hand(world, caller, client)


def test_a_handler_that_unregisters_still_answers_what_it_was_handed(world: World) -> None:
    client, caller = handler(world, "greet", "part"), world.client()
    number = hand(world, caller, client)
    assert world.hub.calls.handlers.unregister(client.session, ["greet", "greet", "other"]) == ["greet"]
    assert code(ask(caller, id=2)) == "METHOD_NOT_FOUND"
    client.say(type="reply", id=number, data=1)
    assert caller.take()[0]["data"] == 1
    assert world.hub.calls.handlers.counts() == {"part": 1}


def test_who_handles_nothing_unregisters_nothing(world: World) -> None:
    assert world.hub.calls.handlers.unregister(world.client().session, ["greet"]) == []


@pytest.mark.parametrize("method", ["", "a..b", "a.*", "a.#", "a b"])
def test_a_method_that_is_no_topic_is_refused_with_its_place(world: World, method: str) -> None:
    assert refused(world, world.client(), "fine", method) == (ErrorCode.INVALID_TOPIC, "params.methods[1]")


@pytest.mark.parametrize("first", [*sorted(RESERVED), "$sys"])
def test_names_of_the_broker_cannot_be_taken(world: World, first: str) -> None:
    assert refused(world, world.client(), f"{first}.mine") == (ErrorCode.PERMISSION_DENIED, "params.methods[0]")


def test_handling_a_method_must_be_granted(world: World) -> None:
    client = world.client()
    client.session.author.permit(Permissions(call=["#"]))
    world.hub.calls.handlers.register(client.session, ["greet"])
    client.session.author.permit(Permissions(call=["greet", "rpc.register.orders.#"]))
    assert refused(world, client, "orders.price", "greet") == (ErrorCode.PERMISSION_DENIED, "params.methods[1]")
    assert world.hub.calls.handlers.counts() == {"greet": 1}, "all of a request is registered, or none"
    world.hub.calls.handlers.register(client.session, ["orders.price"])


def test_the_methods_of_one_connection_are_bounded() -> None:
    world = World(limits=Limits(max_handlers=2))
    client = handler(world, "a", "b")
    assert refused(world, client, "b", "c") == (ErrorCode.LIMIT_EXCEEDED, None)
    world.hub.calls.handlers.register(client.session, ["a", "b"])
    world.hub.calls.handlers.unregister(client.session, ["a"])
    world.hub.calls.handlers.register(client.session, ["c"])


def test_methods_are_counted_before_they_are_looked_at(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[str] = []
    monkeypatch.setattr(handlers, "check_method", lambda method, field: looked_at.append(method))
    client = world.client()
    assert refused(world, client, *(f"a.{number}" for number in range(1_001))) == (ErrorCode.LIMIT_EXCEEDED, None)
    assert refused(world, client, *["a"] * 1_001) == (ErrorCode.LIMIT_EXCEEDED, None)
    assert looked_at == []
    world.hub.calls.handlers.register(client.session, ["a"])
    assert looked_at == ["a"]


def test_a_withdrawn_permission_ends_handling_and_the_calls_that_are_out(world: World) -> None:
    client, caller = handler(world, "greet", "part"), world.client()
    greeting, parting = hand(world, caller, client), hand(world, caller, client, id=2, method="part")
    subject = client.session.author.sender
    assert subject is not None
    world.hub.permit(subject, Permissions(call=["rpc.register.part"]))
    world.clock.settle()
    assert code(caller.take()) == "HANDLER_GONE"
    assert client.take() == [{"type": "cancel", "id": greeting}]
    assert world.hub.calls.handlers.counts() == {"part": 1}
    client.say(type="reply", id=parting, data="bye")
    assert caller.take()[0]["data"] == "bye"


# ---- the broker itself asks


class Asking:
    """A call of the broker itself, and what became of it."""

    def __init__(self, world: World, work: Coroutine[Any, Any, bytes]) -> None:
        self.answer: bytes | SwarmwireError | None = None
        self.task = world.clock.spawn(self._run(work))
        world.clock.settle()

    async def _run(self, work: Coroutine[Any, Any, bytes]) -> None:
        try:
            self.answer = await work
        except SwarmwireError as error:
            self.answer = error


def test_the_broker_itself_can_ask_a_handler(world: World) -> None:
    client = handler(world)
    asking = Asking(world, world.hub.calls.ask("greet", b'{"name":"Ada"}', 5.0))
    (call,) = client.take()
    assert "from" not in call
    assert call["params"] == {"name": "Ada"}
    client.say(type="reply", id=call["id"], data="part", more=True)
    client.say(type="reply", id=call["id"], data="whole")
    assert asking.answer == b'"whole"'


def test_the_broker_that_asks_hears_of_the_end_too(world: World) -> None:
    client = handler(world)
    asking = Asking(world, world.hub.calls.ask("greet", None, 5.0))
    world.clock.advance(5.1)
    assert isinstance(asking.answer, SwarmwireError)
    assert asking.answer.code is ErrorCode.TIMEOUT
    nobody = Asking(world, world.hub.calls.ask("other", None, 5.0))
    assert isinstance(nobody.answer, SwarmwireError)
    assert nobody.answer.code is ErrorCode.METHOD_NOT_FOUND
    assert [message["type"] for message in client.take() if message["type"] != "ping"] == ["call", "cancel"]


def test_the_broker_that_asks_no_more_cancels_the_call(world: World) -> None:
    client = handler(world)
    asking = Asking(world, world.hub.calls.ask("greet", None, 5.0))
    asking.task.cancel()
    world.clock.settle()
    assert [message["type"] for message in client.take()] == ["call", "cancel"]
