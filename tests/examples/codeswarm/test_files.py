"""Which files are read, and what becomes of those that cannot be."""

import os
from pathlib import Path

import pytest
from examples.codeswarm import files
from examples.codeswarm.files import Unreadable, python_files, read_source


def write(root: Path, name: str, content: bytes = b"") -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def test_python_files_are_found_in_a_stable_order(tmp_path: Path) -> None:
    for name in ("b.py", "a/z.py", "a/b/c.py", "notes.txt", "a/data.pyc"):
        write(tmp_path, name)
    assert list(python_files(tmp_path)) == ["b.py", "a/z.py", "a/b/c.py"]


@pytest.mark.parametrize("name", [".git/x.py", "__pycache__/x.py", "node_modules/x.py", ".x.py", "env/lib/x.py"])
def test_what_is_nobodys_source_is_left_out(tmp_path: Path, name: str) -> None:
    write(tmp_path, "env/pyvenv.cfg")
    write(tmp_path, name)
    write(tmp_path, "kept.py")
    assert list(python_files(tmp_path)) == ["kept.py"]


def test_a_virtual_environment_itself_can_be_read(tmp_path: Path) -> None:
    write(tmp_path, "pyvenv.cfg")
    write(tmp_path, "lib/x.py")
    assert list(python_files(tmp_path)) == ["lib/x.py"]


def test_links_are_not_followed(tmp_path: Path) -> None:
    write(tmp_path, "a/x.py")
    (tmp_path / "a" / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "a" / "y.py").symlink_to(tmp_path / "a" / "x.py")
    assert list(python_files(tmp_path)) == ["a/x.py"]


def test_a_name_that_is_not_utf8_can_still_be_told(tmp_path: Path) -> None:
    try:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.py")).touch()
    except OSError:
        pytest.skip("this file system has UTF-8 names alone")
    (name,) = python_files(tmp_path)
    assert name.encode() == b"\\udcff.py"
    with pytest.raises(Unreadable, match="No such file"):
        read_source(tmp_path, name)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"x = '\xc3\xa9'\n", "x = 'é'\n"),
        (b"# coding: latin-1\nx = '\xe9'\n", "# coding: latin-1\nx = 'é'\n"),
        (b"\xef\xbb\xbfx = 1\n", "x = 1\n"),
        (b"x = 1\r\ny = 2\ry = 3", "x = 1\ny = 2\ny = 3"),
        (b"", ""),
    ],
)
def test_a_file_is_decoded_as_python_would(tmp_path: Path, content: bytes, text: str) -> None:
    write(tmp_path, "x.py", content)
    assert read_source(tmp_path, "x.py") == text


@pytest.mark.parametrize(
    ("content", "why"), [(b"# ok\n\nx = '\xff'\n", "not text"), (b"# coding: no-such-thing\n", "unknown encoding")]
)
def test_what_is_no_text_is_unreadable(tmp_path: Path, content: bytes, why: str) -> None:
    write(tmp_path, "x.py", content)
    with pytest.raises(Unreadable, match=why):
        read_source(tmp_path, "x.py")


def test_a_file_over_the_limit_is_unreadable_and_one_at_the_limit_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MAX_FILE_BYTES", 5)
    write(tmp_path, "x.py", b"x = 1")
    write(tmp_path, "y.py", b"x = 12")
    assert read_source(tmp_path, "x.py") == "x = 1"
    with pytest.raises(Unreadable, match="larger than 5 bytes"):
        read_source(tmp_path, "y.py")


@pytest.mark.parametrize("file", ["../secret.py", "/etc/hostname", "a/../../secret.py"])
def test_nothing_outside_of_the_directory_is_read(tmp_path: Path, file: str) -> None:
    write(tmp_path, "secret.py", b"password = 1")
    write(tmp_path, "root/a/x.py")
    with pytest.raises(Unreadable, match="not in the directory"):
        read_source(tmp_path / "root", file)
