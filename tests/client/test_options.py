from __future__ import annotations

from typing import Any

import pytest

from swarmwire import ErrorCode, SwarmwireError
from swarmwire.options import Settings, ask_for
from swarmwire_protocol.messages import Conflate, StartAt


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("now", "now"),
        ("latest", "latest"),
        ({"cursor": "e:5"}, StartAt(cursor="e:5")),
        ({"last": 0}, StartAt(last=0)),
        ({"since_ms": 0}, StartAt(since_ms=0)),
        (StartAt(last=3), StartAt(last=3)),
    ],
)
def test_a_subscription_begins_at_a_word_or_a_place(given: Any, meant: Any) -> None:
    assert ask_for("a", given, "all", None, None).start == meant


@pytest.mark.parametrize(
    "given",
    [
        "yesterday",
        {},
        {"last": 1, "since_ms": 2},
        {"first": 1},
        {"last": -1},
        {"last": "x"},
        {"cursor": "?"},
        StartAt(),
    ],
)
def test_any_other_beginning_is_refused(given: Any) -> None:
    with pytest.raises(SwarmwireError) as raised:
        ask_for("a", given, "all", None, None)
    assert raised.value.code is ErrorCode.INVALID_MESSAGE


def test_conflating_needs_no_mode_beside() -> None:
    assert ask_for("a", "now", "all", 0, None).mode == Conflate(conflate_ms=0)
    assert ask_for("a", "now", Conflate(conflate_ms=5), None, None).mode == Conflate(conflate_ms=5)
    with pytest.raises(SwarmwireError):
        ask_for("a", "now", "drop_oldest", 5, None)


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(SwarmwireError) as raised:
        ask_for("a", "now", "some", None, None)
    assert raised.value.field == "mode"


def test_what_is_no_pattern_is_refused() -> None:
    with pytest.raises(SwarmwireError) as raised:
        ask_for("a..b", "now", "all", None, None)
    assert raised.value.code is ErrorCode.INVALID_TOPIC


@pytest.mark.parametrize(("mode", "shared"), [("all", True), ("disconnect", True), ("drop_oldest", False)])
def test_two_modes_share_the_position_of_the_connection(mode: str, shared: bool) -> None:
    assert ask_for("a", "now", mode, None, None).shared is shared


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("ws://host:1/ws", "ws://host:1/ws"),
        ("wss://user:secret@host/ws?token=secret#secret", "wss://host/ws"),
        ("nonsense", "nonsense"),
    ],
)
def test_the_url_is_shown_without_its_secrets(url: str, shown: str) -> None:
    settings = Settings(url=url, token="secret")
    assert settings.shown_url == shown
    assert "secret" not in repr(settings)


def test_without_a_url_the_broker_is_shown_by_its_name() -> None:
    assert Settings().shown_url == "the broker 'swarmwire' of this machine"
    assert Settings(broker="b").shown_url == "the broker 'b' of this machine"
