"""Fencing tokens in a file."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from swarmwire import ErrorCode, SwarmwireError
from swarmwire.local.tokenfile import Given, last_given, next_token


def test_tokens_only_grow_also_when_the_clock_was_set_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "x.token"
    first = next_token(file)
    monkeypatch.setattr(time, "time_ns", lambda: 0)
    assert [next_token(file), next_token(file)] == [first + 1, first + 2]


def test_tokens_go_on_from_the_time_where_the_file_was_lost(tmp_path: Path) -> None:
    before = time.time_ns() // 1_000_000
    assert next_token(tmp_path / "x.token") >= before


def test_the_file_says_which_process_got_the_last_token(tmp_path: Path) -> None:
    file = tmp_path / "x.token"
    assert last_given(file) is None
    token = next_token(file)
    assert last_given(file) == Given(token, os.getpid())
    assert file.read_text() == f"{token} {os.getpid()}\n"


@pytest.mark.parametrize("text", ["none of ours", "", "7", "7 x", "9" * 5_000 + " 1", "1 " + "9" * 19])
def test_a_file_that_holds_something_else_is_never_guessed_from(tmp_path: Path, text: str) -> None:
    file = tmp_path / "x.token"
    file.write_text(text)
    with pytest.raises(SwarmwireError, match="Expected a token") as refused:
        next_token(file)
    assert refused.value.code is ErrorCode.UNAVAILABLE
    assert file.read_text() == text


def test_a_token_that_cannot_be_written_is_a_named_error(tmp_path: Path) -> None:
    (tmp_path / "x.token.new").mkdir()
    with pytest.raises(SwarmwireError, match="cannot be used") as refused:
        next_token(tmp_path / "x.token")
    assert refused.value.code is ErrorCode.UNAVAILABLE
