from __future__ import annotations

import json
from pathlib import Path

import pytest

from swarmwire_protocol.errors import CLOSES, ERRORS, CloseCode, ErrorCode, Outcome, SwarmwireError

VECTORS = json.loads((Path(__file__).parents[2] / "protocol/spec/vectors/errors.json").read_text())


def test_the_vectors_are_the_table_of_errors() -> None:
    assert VECTORS["errors"] == [
        {
            "code": code.value,
            "sentence": info.sentence,
            "retry": info.retry,
            "outcome": info.outcome.value,
            "close": info.close,
        }
        for code, info in ERRORS.items()
    ]


def test_the_vectors_are_the_table_of_close_codes() -> None:
    assert VECTORS["closes"] == [
        {"code": code.value, "sentence": info.sentence, "reconnect": info.reconnect} for code, info in CLOSES.items()
    ]


def test_every_error_code_has_one_row_in_the_order_of_the_names() -> None:
    assert list(ERRORS) == list(ErrorCode)


def test_every_close_code_has_one_row_in_the_order_of_the_codes() -> None:
    assert list(CLOSES) == list(CloseCode) == sorted(CloseCode)


@pytest.mark.parametrize("code", ErrorCode)
def test_a_code_is_spelled_as_its_name(code: ErrorCode) -> None:
    assert code.value == code.name


@pytest.mark.parametrize("code", CloseCode)
def test_a_close_code_may_be_sent_in_a_close_frame(code: CloseCode) -> None:
    standard = {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014}
    assert code in standard or 4400 <= code <= 4499


@pytest.mark.parametrize("code", ErrorCode)
def test_an_error_that_closes_for_good_is_not_to_be_retried(code: ErrorCode) -> None:
    close = ERRORS[code].close
    if close is not None and not CLOSES[close].reconnect:
        assert not ERRORS[code].retry


@pytest.mark.parametrize(
    "sentence", [info.sentence for info in ERRORS.values()] + [info.sentence for info in CLOSES.values()]
)
def test_a_sentence_is_one(sentence: str) -> None:
    assert sentence[0].isupper()
    assert sentence.endswith(".")


def test_an_error_without_a_message_says_the_sentence_of_the_table() -> None:
    error = SwarmwireError(ErrorCode.NOT_FOUND)
    assert error.message == ERRORS[ErrorCode.NOT_FOUND].sentence
    assert str(error) == "NOT_FOUND: There is no such thing."


def test_an_error_names_its_field() -> None:
    assert str(SwarmwireError(ErrorCode.INVALID_TOPIC, "No.", field="topic")) == ("INVALID_TOPIC: No. (field topic)")


def test_an_empty_message_is_kept() -> None:
    assert SwarmwireError(ErrorCode.NOT_FOUND, "").message == ""


def test_a_retry_after_no_time_is_not_no_retry() -> None:
    assert SwarmwireError(ErrorCode.UNAVAILABLE, retry_after_ms=0).retry_after_ms == 0


@pytest.mark.parametrize(
    ("code", "retry", "outcome"),
    [
        (ErrorCode.UNAVAILABLE, True, Outcome.NOT_DONE),
        (ErrorCode.AUTHENTICATION_FAILED, False, Outcome.NOT_DONE),
        (ErrorCode.HANDLER_GONE, False, Outcome.UNKNOWN),
    ],
)
def test_an_error_knows_its_row(code: ErrorCode, retry: bool, outcome: Outcome) -> None:
    error = SwarmwireError(code)
    assert (error.retry, error.outcome) == (retry, outcome)
