"""Where the files of local locks are."""

from __future__ import annotations

import re
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmwire import ErrorCode, SwarmwireError
from swarmwire.local.lockplaces import file_stem, lock_directory, lock_files


def test_the_directory_is_the_one_that_the_environment_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWARMWIRE_LOCK_DIR", str(tmp_path / "here"))
    assert lock_directory() == tmp_path / "here"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has its own place for data")
def test_without_it_the_directory_is_among_the_users_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SWARMWIRE_LOCK_DIR", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert lock_directory() == tmp_path / "swarmwire" / "locks"
    monkeypatch.setenv("XDG_DATA_HOME", "not/absolute")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert lock_directory() == tmp_path / "home" / ".local" / "share" / "swarmwire" / "locks"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has access lists instead")
def test_the_directory_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    files = lock_files("config", tmp_path / "locks")
    assert stat.S_IMODE(files.directory.stat().st_mode) == 0o700


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has access lists instead")
def test_a_directory_that_others_can_write_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o777)
    with pytest.raises(SwarmwireError, match="others can write") as refused:
        lock_files("config", tmp_path / "shared")
    assert refused.value.code is ErrorCode.UNAVAILABLE


@pytest.mark.parametrize("directory", ["~nobody-of-this-name/locks", "a\0b", 5])
def test_what_is_no_directory_is_refused_and_named(directory: Any) -> None:
    with pytest.raises(
        SwarmwireError, match=re.escape(f"The directory of locks {directory} cannot be used")
    ) as refused:
        lock_files("config", directory)
    assert refused.value.code is ErrorCode.UNAVAILABLE


def test_a_tilde_means_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert lock_files("config", "~/locks").directory == tmp_path / "locks"


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("config-file", "config-file"),
        ("a/b", "a%2fb"),
        ("..", "%2e%2e"),
        ("Config", "%43onfig"),
        ("nul", "%6eul"),
        ("com1", "%63om1"),
        ("50%", "50%25"),
    ],
)
def test_a_name_that_is_no_name_of_a_file_is_encoded(name: str, stem: str) -> None:
    assert file_stem(name) == stem


@given(st.text(min_size=1, max_size=128), st.text(min_size=1, max_size=128))
def test_two_names_never_share_a_file(one: str, other: str) -> None:
    if "\0" in one + other or any("\ud800" <= letter <= "\udfff" for letter in one + other):
        return
    assert (file_stem(one).lower() == file_stem(other).lower()) is (one == other)
    assert len(file_stem(one)) <= 160
    assert file_stem(one).isascii()
