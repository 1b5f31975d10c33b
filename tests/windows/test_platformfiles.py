"""What files of the SDK need of Windows: a lock that other processes see, and reading and writing at a place."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from swarmwire import ErrorCode, ResumeFileError
from swarmwire.platformfiles import lock, publish_new, read_at, write_at
from swarmwire.resumefile import Place, ResumeFile

from .children import Children


def test_bytes_are_written_and_read_at_their_place(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0))
    assert write_at(descriptor, b"\r\n\x1a", 10) == 3
    assert write_at(descriptor, b"ab", 0) == 2
    assert read_at(descriptor, 100, 0) == b"ab" + bytes(8) + b"\r\n\x1a"
    os.close(descriptor)


def test_a_file_gets_its_name_once(tmp_path: Path) -> None:
    for content in ("first", "second"):
        (tmp_path / content).write_text(content)
    publish_new(str(tmp_path / "first"), str(tmp_path / "it"))
    with pytest.raises(FileExistsError):
        publish_new(str(tmp_path / "second"), str(tmp_path / "it"))
    assert (tmp_path / "it").read_text() == "first"


def test_a_locked_file_can_still_be_read_by_its_own_process(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    assert lock(descriptor)
    assert write_at(descriptor, b"x", 0) == 1
    other = os.open(tmp_path / "file", os.O_RDWR)
    assert not lock(other)
    assert read_at(other, 1, 0) == b"x"
    os.close(other)
    os.close(descriptor)


async def test_a_lock_keeps_other_processes_away_until_its_own_is_killed(children: Children, tmp_path: Path) -> None:
    path = tmp_path / "place"
    script = f"""
import time
from swarmwire.resumefile import Place, ResumeFile
file = ResumeFile.open({str(path)!r}, "a.*", "all")
file.save(Place("e1:5"))
print("locked", file.locked, flush=True)
time.sleep(600)
"""
    child = children.python("-c", script)
    assert await child.says("locked") == "locked True"
    with pytest.raises(ResumeFileError) as refusal:
        ResumeFile.open(str(path), "a.*", "all")
    assert refusal.value.code is ErrorCode.CONFLICT
    child.kill()
    await child.ended()
    file = ResumeFile.open(str(path), "a.*", "all")
    assert file.place == Place("e1:5")
    file.close()
