"""Where brokers of this machine are found."""

from __future__ import annotations

import os
import string
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmwire_protocol.errors import ErrorCode, SwarmwireError
from swarmwire_protocol.places import (
    DEFAULT_NAME,
    check_name,
    fifo_directory,
    runtime_directory,
    socket_path,
    windows_pipe,
)

LETTERS = string.ascii_letters + string.digits + "._-"


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SWARMWIRE_RUNTIME_DIR", raising=False)
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)


@given(st.text(LETTERS, min_size=1, max_size=64).filter(lambda name: name not in (".", "..")))
def test_a_name_is_given_back_as_it_is(name: str) -> None:
    assert check_name(name) == name


@given(st.text().filter(lambda name: not name or len(name) > 64 or not set(name) <= set(LETTERS)))
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(SwarmwireError) as refused:
        check_name(name)

    assert (refused.value.code, refused.value.field) == (ErrorCode.INVALID_MESSAGE, "name")


@pytest.mark.parametrize("name", [".", "..", "a/b", "../a", "a\n", "a" * 65, "", "\\a", "ä"])
def test_no_name_leads_out_of_its_directory(name: str) -> None:
    for place in (check_name, socket_path, fifo_directory, windows_pipe):
        with pytest.raises(SwarmwireError, match="name"):
            place(name)


def test_the_variable_of_its_own_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1")
    monkeypatch.setenv("SWARMWIRE_RUNTIME_DIR", "/somewhere/else")

    assert runtime_directory() == Path("/somewhere/else")


def test_a_relative_variable_is_of_the_current_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWARMWIRE_RUNTIME_DIR", "here")

    assert runtime_directory() == Path.cwd() / "here"


def test_the_session_has_a_directory_for_such_things(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1")

    assert runtime_directory() == Path("/run/user/1/swarmwire")


@pytest.mark.parametrize("value", ["", "run/user/1"])
def test_a_session_directory_that_is_not_absolute_does_not_count(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", value)

    assert runtime_directory() == Path(tempfile.gettempdir()) / f"swarmwire-{os.getuid()}"


def test_places_of_two_names_are_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWARMWIRE_RUNTIME_DIR", "/r")

    assert socket_path() == socket_path(DEFAULT_NAME) == Path("/r/swarmwire.sock")
    assert socket_path("b") == Path("/r/b.sock")
    assert fifo_directory("b") == Path("/r/b.pipe")
    assert windows_pipe("b") == r"\\.\pipe\swarmwire-b"


def test_nothing_is_created(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SWARMWIRE_RUNTIME_DIR", str(tmp_path / "runtime"))

    socket_path()
    fifo_directory()

    assert not list(tmp_path.iterdir())
