"""Functions that answer calls: what they are given, and the messages that what they give becomes."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from functools import partial
from typing import Any

import pytest
from msgspec import Raw

from swarmwire_protocol.codec import encode
from swarmwire_protocol.errors import ErrorCode, SwarmwireError
from swarmwire_protocol.handling import Call, CallError, Handling, too_large
from swarmwire_protocol.messages import Dispatch, Error, Reply

CALL = Dispatch(id="b:1", method="m", from_="alice", deadline=1_790_000_000_500, params=Raw(b'{"x":1}'))
SEEN = Call("m", "alice", 1_790_000_000.5)


async def answers(function: Callable[..., Any], call: Dispatch = CALL) -> tuple[list[dict[str, Any]], list[Exception]]:
    """What is answered, as it is written, and what is told of failures."""
    told: list[Exception] = []
    handling = Handling("m", function, lambda method, error: told.append(error))
    async with aclosing(handling.answers(call)) as messages:
        written = [encode(message) async for message in messages]
    return [json.loads(each) for each in written], told


class Takes:
    def method(self, params: Any) -> Any:
        return [params]

    def __call__(self, params: Any, call: Call) -> Any:
        return [params, call.caller]


@pytest.mark.parametrize(
    ("function", "answer"),
    [
        (lambda: 1, 1),
        (lambda params: params, {"x": 1}),
        (lambda params, call: [params, call == SEEN], [{"x": 1}, True]),
        (lambda *both: len(both), 2),
        (lambda params=5: params, {"x": 1}),
        (lambda params, call=None, more=7: [call is None, more], [False, 7]),
        (lambda params, *, option=3: option, 3),
        (partial(lambda first, params: [first, params], "given"), ["given", {"x": 1}]),
        (Takes().method, [{"x": 1}]),
        (Takes(), [{"x": 1}, "alice"]),
    ],
)
async def test_a_function_is_given_what_it_takes(function: Callable[..., Any], answer: Any) -> None:
    assert await answers(function) == ([{"type": "reply", "id": "b:1", "data": answer}], [])


@pytest.mark.parametrize("function", [lambda a, b, c: None, lambda *, must: None])
def test_a_function_that_needs_more_is_refused(function: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match=r"\(params, call\)"):
        Handling("m", function, lambda method, error: None)


async def test_no_parameters_are_none() -> None:
    replies, _ = await answers(lambda params: params is None, Dispatch(id="b:1", method="m", deadline=0))
    assert replies[0]["data"] is True


async def test_what_is_yielded_are_replies_and_an_end() -> None:
    async def count(params: Any) -> AsyncIterator[int]:
        yield 1
        yield 2

    assert await answers(count) == (
        [
            {"type": "reply", "id": "b:1", "data": 1, "more": True},
            {"type": "reply", "id": "b:1", "data": 2, "more": True},
            {"type": "reply", "id": "b:1", "data": None, "end": True},
        ],
        [],
    )


async def test_closing_the_answers_closes_the_generator() -> None:
    closed: list[bool] = []

    async def forever() -> AsyncIterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.append(True)

    stream = Handling("m", forever, lambda method, error: None).answers(CALL)
    assert isinstance(await anext(stream), Reply)
    await stream.aclose()
    assert closed == [True]


async def test_an_error_of_its_own_is_written_as_it_was_raised() -> None:
    def fail() -> None:
        raise CallError("NO", "Not now.", details=[1], field="x", retry_after_ms=7)

    (error,), told = await answers(fail)
    assert told == []
    assert error == {
        "type": "error",
        "id": "b:1",
        "code": "NO",
        "message": "Not now.",
        "details": [1],
        "field": "x",
        "retry_after_ms": 7,
    }


async def test_an_error_without_a_sentence_gets_one() -> None:
    def fail() -> None:
        raise CallError("NO")

    (error,), _ = await answers(fail)
    assert "NO" in error["message"]


@pytest.mark.parametrize("answer", [object(), float("nan"), {1, 2}.__iter__()])
async def test_an_answer_that_json_cannot_hold_is_a_failure(answer: Any) -> None:
    (error,), told = await answers(lambda: answer)
    assert (error["code"], error["message"]) == ("HANDLER_FAILED", "The handler failed.")
    assert len(told) == 1


def test_details_that_json_cannot_hold_are_refused_where_they_are_given() -> None:
    with pytest.raises(SwarmwireError) as raised:
        CallError("NO", details=object())
    assert raised.value.code is ErrorCode.INVALID_MESSAGE


def test_the_time_that_is_left_is_never_less_than_none() -> None:
    assert Call("m", None, time.time() - 5).seconds_left == 0
    assert 4 < Call("m", None, time.time() + 5).seconds_left <= 5


def test_an_answer_over_the_limit_is_an_error_of_its_own() -> None:
    error = too_large(CALL, 100)
    assert isinstance(error, Error)
    assert (error.id, error.code) == ("b:1", "MESSAGE_TOO_LARGE")
