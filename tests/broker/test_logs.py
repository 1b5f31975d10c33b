"""Logs: one line an event, the same for both kinds of loggers, without secrets."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from swarmwire_broker.logs import MASK, configure_logging

NAMES = ("", "swarmwire", "uvicorn", "uvicorn.error", "uvicorn.access")


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    """Logging is of the whole process: what a test set up is taken back."""
    loggers = {name: logging.getLogger(name) for name in NAMES}
    before = {name: (logger.level, list(logger.handlers), logger.propagate) for name, logger in loggers.items()}
    yield
    structlog.reset_defaults()
    for name, (level, handlers, propagate) in before.items():
        loggers[name].setLevel(level)
        loggers[name].handlers[:] = handlers
        loggers[name].propagate = propagate


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def json_lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


def test_both_kinds_of_loggers_give_the_same_line(stream: io.StringIO) -> None:
    configure_logging("info", "json", stream)
    logging.getLogger("swarmwire.broker").info("client %s", "connected", extra={"client_id": "a1"})
    structlog.get_logger("swarmwire.broker").info("client %s", "connected", client_id="a1")

    first, second = json_lines(stream)

    assert first.pop("timestamp").endswith("Z")
    assert second.pop("timestamp").endswith("Z")
    expected = {"event": "client connected", "level": "info", "logger": "swarmwire.broker", "client_id": "a1"}
    assert first == second == expected


def test_what_is_below_the_level_is_not_logged(stream: io.StringIO) -> None:
    configure_logging("warning", "json", stream)
    for logger in (logging.getLogger("swarmwire.broker"), structlog.get_logger("swarmwire.broker")):
        logger.info("quiet")
        logger.warning("loud")
    assert [line["event"] for line in json_lines(stream)] == ["loud", "loud"]


def test_other_libraries_are_heard_from_warnings_up(stream: io.StringIO) -> None:
    configure_logging("debug", "json", stream)
    logging.getLogger("asyncio").info("quiet")
    logging.getLogger("asyncio").warning("loud")
    assert [line["event"] for line in json_lines(stream)] == ["loud"]


def test_uvicorn_writes_into_the_same_stream_and_only_there(stream: io.StringIO) -> None:
    own = io.StringIO()
    logging.getLogger("uvicorn").addHandler(logging.StreamHandler(own))
    configure_logging("info", "json", stream)
    logging.getLogger("uvicorn.error").warning("a warning")
    logging.getLogger("uvicorn.error").info("chatter")
    assert [line["event"] for line in json_lines(stream)] == ["a warning"]
    assert own.getvalue() == ""


@pytest.mark.parametrize("name", ["token", "Authorization", "access_token", "jwt_secret", "password"])
def test_values_that_are_named_like_a_secret_are_masked_wherever_they_are(name: str, stream: io.StringIO) -> None:
    configure_logging("info", "json", stream)
    value = {"deep": [{name: "hunter2"}], "kept": 1}
    logging.getLogger("swarmwire").info("x", extra={name: "hunter2", "value": value})
    structlog.get_logger("swarmwire").info("x", value=value, **{name: "hunter2"})
    for line in json_lines(stream):
        assert line[name] == MASK
        assert line["value"] == {"deep": [{name: MASK}], "kept": 1}
    assert "hunter2" not in stream.getvalue()


@pytest.mark.parametrize("format", ["text", "json"])
def test_an_exception_is_logged_without_local_variables(format: Any, stream: io.StringIO) -> None:
    configure_logging("info", format, stream)

    def fail() -> None:
        held = "hunter" + str(2)
        raise RuntimeError(f"failed with {len(held)}")

    try:
        fail()
    except RuntimeError:
        logging.getLogger("swarmwire.broker").exception("it failed")
        structlog.get_logger("swarmwire.broker").exception("it failed")

    assert stream.getvalue().count("RuntimeError: failed with 7") == 2
    assert "hunter2" not in stream.getvalue()


@pytest.mark.parametrize("value", ["\ud800", 10**30, {1: object()}, b"bytes"])
def test_a_line_of_json_can_hold_any_value(value: object, stream: io.StringIO) -> None:
    configure_logging("info", "json", stream)
    logging.getLogger("swarmwire").info("x", extra={"value": value})
    assert len(json_lines(stream)) == 1


def test_what_a_client_sent_cannot_forge_a_line_or_steer_the_terminal(stream: io.StringIO) -> None:
    configure_logging("info", "text", stream)
    logging.getLogger("swarmwire").info("named %s", "a\nb", extra={"client": "\x1b[2Jx\r\n[error] forged"})
    text = stream.getvalue()
    assert len(text.splitlines()) == 1
    assert "\x1b" not in text


def test_auto_is_text_on_a_terminal_and_json_elsewhere() -> None:
    terminal, pipe = Terminal(), io.StringIO()
    configure_logging("info", "auto", terminal)
    logging.getLogger("swarmwire").info("hello")
    configure_logging("info", "auto", pipe)
    logging.getLogger("swarmwire").info("hello")
    assert "hello" in terminal.getvalue()
    assert not terminal.getvalue().startswith("{")
    assert [line["event"] for line in json_lines(pipe)] == ["hello"]


def test_configuring_again_replaces_what_was_configured_and_nothing_else() -> None:
    first, second, foreign = io.StringIO(), io.StringIO(), logging.StreamHandler(io.StringIO())
    logging.getLogger().addHandler(foreign)
    configure_logging("info", "json", first)
    configure_logging("info", "json", second)
    logging.getLogger("swarmwire").info("hello")
    assert first.getvalue() == ""
    assert len(json_lines(second)) == 1
    assert foreign in logging.getLogger().handlers


def test_a_field_may_be_called_message_in_structlog(stream: io.StringIO) -> None:
    configure_logging("info", "json", stream)
    structlog.get_logger("swarmwire").info("x", message="kept")
    assert json_lines(stream)[0]["message"] == "kept"
