"""Where a run is remembered, so that another watcher can go on with it."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
from msgspec import Struct

__all__ = ["Memory", "forget", "recall", "remember"]


class Memory(Struct, kw_only=True):
    """A run: its id, the directory it reads, and the cursor it began at. All else is in the log."""

    run: str
    directory: str
    cursor: str


def remember(file: Path, memory: Memory) -> None:
    """Write the memory in one step: whoever reads the file finds the old one or the new one, whole."""
    fresh = file.with_name(f"{file.name}.{os.getpid()}.new")
    fresh.write_bytes(msgspec.json.encode(memory))
    fresh.replace(file)


def recall(file: Path, directory: str) -> Memory | None:
    """The run that is remembered, or None if there is none.

    Raises ValueError for a file that holds something else, or the run of another directory.
    """
    try:
        memory = msgspec.json.decode(file.read_bytes(), type=Memory)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        raise ValueError(f"{file} does not hold a run: {error}") from error
    if memory.directory != directory:
        raise ValueError(f"{file} holds a run of {memory.directory}, not of {directory}")
    return memory


def forget(file: Path) -> None:
    """Take the memory away; harmless if there is none."""
    file.unlink(missing_ok=True)
