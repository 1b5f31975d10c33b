"""The file that holds a place: locked, checked, and whole whatever is interrupted."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from swarmwire import ErrorCode, ResumeFileError, platformfiles
from swarmwire.resumefile import Place, ResumeFile


def opened(path: Path, pattern: str = "a.*", mode: str = "all") -> ResumeFile:
    return ResumeFile.open(str(path), pattern, mode)


def saved(path: Path, *places: Place) -> None:
    file = opened(path)
    for place in places:
        file.save(place)
    file.close()


def read(path: Path) -> Place:
    file = opened(path)
    file.close()
    return file.place


def found_or_refused(path: Path) -> Place | ErrorCode:
    try:
        return read(path)
    except ResumeFileError as error:
        return error.code


def refusal(path: Path, pattern: str = "a.*", mode: str = "all") -> ResumeFileError:
    with pytest.raises(ResumeFileError) as raised:
        opened(path, pattern, mode)
    assert raised.value.field == "resume_file"
    return raised.value


def test_a_new_file_has_no_place_yet_and_leaves_no_other_behind(tmp_path: Path) -> None:
    assert read(tmp_path / "place") == Place()
    assert [path.name for path in tmp_path.iterdir()] == ["place"]
    assert (tmp_path / "place").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_the_place_that_was_saved_last_is_read(tmp_path: Path, count: int) -> None:
    saved(tmp_path / "place", *(Place(f"e1:{number}") for number in range(count)))
    assert read(tmp_path / "place") == Place(f"e1:{count - 1}")


def test_an_incomplete_snapshot_is_told_from_a_place_in_the_log(tmp_path: Path) -> None:
    saved(tmp_path / "place", Place("e1:5", snapshot=True))
    assert read(tmp_path / "place") == Place("e1:5", snapshot=True)


def test_the_file_keeps_its_size_however_often_it_is_written(tmp_path: Path) -> None:
    saved(tmp_path / "place", Place("e1:1"))
    before = (tmp_path / "place").stat().st_size
    saved(tmp_path / "place", *(Place(f"{'e' * 64}:{2**53 - 1 - number}") for number in range(50)))
    assert (tmp_path / "place").stat().st_size == before


def test_a_file_in_use_is_refused_until_it_is_closed(tmp_path: Path) -> None:
    first = opened(tmp_path / "place")
    assert refusal(tmp_path / "place").code is ErrorCode.CONFLICT
    first.close()
    first.close()
    opened(tmp_path / "place").close()


@pytest.mark.parametrize(("pattern", "mode"), [("b", "all"), ("a.*", "conflate 10 ms")])
def test_a_file_of_something_else_is_refused_with_both_names(tmp_path: Path, pattern: str, mode: str) -> None:
    saved(tmp_path / "place", Place("e1:1"))
    error = refusal(tmp_path / "place", pattern, mode)
    assert error.code is ErrorCode.CONFLICT
    assert f"Expected a resume file of the pattern {pattern!r} in mode {mode!r}" in error.message
    assert "is of 'a.*' in mode 'all'" in error.message


@pytest.mark.parametrize("content", [b"", b"e1:5\n", b"\0" * 3072, os.urandom(3072)])
def test_what_is_no_resume_file_is_refused_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "place"
    path.write_bytes(content)
    error = refusal(path)
    assert error.code is ErrorCode.INVALID_MESSAGE
    assert "delete it to begin as if for the first time" in error.message
    assert path.read_bytes() == content


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
@given(at=st.integers(0, 3071), bit=st.integers(0, 7), count=st.integers(1, 4))
def test_no_single_damage_makes_a_place_that_was_never_saved(tmp_path: Path, at: int, bit: int, count: int) -> None:
    path = tmp_path / "place"
    path.unlink(missing_ok=True)
    places = [Place(f"e1:{100 + number}") for number in range(count)]
    saved(path, *places)
    content = bytearray(path.read_bytes())
    content[at] ^= 1 << bit
    path.write_bytes(content)
    assert found_or_refused(path) in (*places[-2:], ErrorCode.INVALID_MESSAGE)


@pytest.mark.parametrize("slot", [0, 1])
def test_a_damaged_slot_leaves_the_other_but_never_the_beginning(tmp_path: Path, slot: int) -> None:
    path = tmp_path / "place"
    saved(path, Place("e1:1"), Place("e1:2"))
    content = bytearray(path.read_bytes())
    content[2048 + 512 * slot : 2560 + 512 * slot] = b"x" * 512
    path.write_bytes(content)
    assert read(path).cursor in ("e1:1", "e1:2")

    path.unlink()
    opened(path).close()
    content = bytearray(path.read_bytes())
    content[2048 + 512 * slot : 2560 + 512 * slot] = b"x" * 512
    path.write_bytes(content)
    assert "a first place that cannot be read" in refusal(path).message


def test_a_slot_with_a_right_checksum_and_no_cursor_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "place"
    saved(path, Place("e1:1"), Place("e1:2"))
    content = bytearray(path.read_bytes())
    for at in (2048, 2560):
        body = b"7 log nonsense"
        content[at : at + 512] = (b"%08x %s\n" % (zlib.crc32(body), body)).ljust(512)
    path.write_bytes(content)
    assert "no place that can be read" in refusal(path).message


def test_a_place_that_cannot_be_opened_or_written_is_a_named_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert refusal(tmp_path / "missing" / "place").code is ErrorCode.UNAVAILABLE
    assert refusal(tmp_path).code is ErrorCode.UNAVAILABLE
    file = opened(tmp_path / "place")

    def full(descriptor: int, data: bytes, offset: int) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("swarmwire.resumefile.write_at", full)
    with pytest.raises(ResumeFileError, match="cannot be written: No space left") as raised:
        file.save(Place("e1:1"))
    assert raised.value.code is ErrorCode.UNAVAILABLE
    monkeypatch.setattr("swarmwire.resumefile.write_at", lambda descriptor, data, offset: len(data) - 1)
    with pytest.raises(ResumeFileError, match="only a part"):
        file.save(Place("e1:1"))
    file.close()
    assert read(tmp_path / "place") == Place()


def test_of_two_that_make_the_file_at_once_the_slower_finds_the_first_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "place"
    real = platformfiles.publish_new
    rivals: list[ResumeFile] = []

    def overtaken(temporary: str, target: str) -> None:
        with monkeypatch.context() as patched:
            patched.setattr("swarmwire.resumefile.publish_new", real)
            rivals.append(opened(path))
        real(temporary, target)

    monkeypatch.setattr("swarmwire.resumefile.publish_new", overtaken)
    assert refusal(path).code is ErrorCode.CONFLICT
    assert [each.name for each in tmp_path.iterdir()] == ["place"]
    rivals[0].save(Place("e1:1"))
    rivals[0].close()
    assert read(path) == Place("e1:1")


def test_without_links_the_file_is_renamed_into_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(source: str, target: str) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    saved(tmp_path / "place", Place("e1:1"))
    assert read(tmp_path / "place") == Place("e1:1")


def test_a_file_system_without_locks_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(descriptor: int) -> bool:
        raise OSError(37, "No locks available")

    assert opened(tmp_path / "place").locked
    monkeypatch.setattr("swarmwire.resumefile.lock", no_locks)
    file = opened(tmp_path / "other")
    assert not file.locked
    file.close()
