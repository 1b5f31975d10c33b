"""The Python files of a directory, and their text."""

from __future__ import annotations

import io
import os
import tokenize
from collections.abc import Iterator
from pathlib import Path

__all__ = ["MAX_FILE_BYTES", "Unreadable", "python_files", "read_source"]

MAX_FILE_BYTES = 16 * 1024 * 1024
"""The largest file that is read; a larger one counts as failed."""

_SKIPPED = frozenset({"__pycache__", "node_modules"})


class Unreadable(Exception):
    """A file that cannot be read or parsed; its text says why."""


def python_files(root: Path) -> Iterator[str]:
    """The paths below root, relative to it, of its regular `.py` files, in a stable order.

    Left out are what is hidden, `__pycache__`, `node_modules`, virtual environments below root and whatever is a
    symbolic link, so that no loop of links is walked. A directory that may not be listed counts as empty. A name that
    is not UTF-8 is given with escapes, so that it can be told; the file will not be found by it.
    """
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if _is_wanted(Path(folder, name)))
        for name in sorted(files):
            path = Path(folder, name)
            if name.endswith(".py") and not name.startswith(".") and not path.is_symlink() and path.is_file():
                yield path.relative_to(root).as_posix().encode(errors="backslashreplace").decode()


def _is_wanted(folder: Path) -> bool:
    if folder.name.startswith(".") or folder.name in _SKIPPED:
        return False
    return not Path(folder, "pyvenv.cfg").exists()


def read_source(root: Path, file: str) -> str:
    """The text of a Python file below root, decoded as its first lines say, with every line ending as a line feed.

    Raises Unreadable for what is too large, not there, not allowed, not text or not below root.
    """
    path = Path(root, file)
    try:
        if not path.resolve().is_relative_to(root.resolve()):
            raise Unreadable("not in the directory")
        with path.open("rb") as opened:
            content = opened.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            raise Unreadable(f"larger than {MAX_FILE_BYTES} bytes")
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        return io.TextIOWrapper(io.BytesIO(content), encoding).read()
    except OSError as error:
        raise Unreadable(error.strerror or type(error).__name__) from error
    except (SyntaxError, UnicodeError) as error:
        raise Unreadable(f"not text: {error}") from error
