"""A warning that comes again and again is logged now and then."""

from __future__ import annotations

import logging

import pytest

from swarmwire_broker.natslink.seldom import Seldom


def test_the_same_sentence_is_a_warning_once_and_others_are_too(caplog: pytest.LogCaptureFixture) -> None:
    seldom = Seldom(logging.getLogger("swarmwire.test"))
    with caplog.at_level(logging.DEBUG):
        for sentence in ("one", "one", "two", "one"):
            seldom.warn(sentence)
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("WARNING", "one"),
        ("DEBUG", "one"),
        ("WARNING", "two"),
        ("DEBUG", "one"),
    ]


def test_it_is_a_warning_again_after_ten_seconds(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    seldom = Seldom(logging.getLogger("swarmwire.test"))
    seldom.warn("one")
    now = 109.9
    seldom.warn("one")
    now = 110.0
    seldom.warn("one")
    assert [record.levelname for record in caplog.records if record.levelname == "WARNING"] == ["WARNING"] * 2


def test_many_different_sentences_are_not_remembered_for_ever() -> None:
    seldom = Seldom(logging.getLogger("swarmwire.test"))
    for number in range(1000):
        seldom.warn(f"{number}")
    assert len(seldom._said) <= 64
