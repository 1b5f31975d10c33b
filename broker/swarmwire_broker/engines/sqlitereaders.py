"""The threads that read the durable log."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from .sqlitereader import Reader

__all__ = ["Readers"]

_T = TypeVar("_T")


class Readers:
    """A few threads, each with a connection of its own, that read beside the loop and beside the writer."""

    def __init__(self, path: Path, count: int = 2) -> None:
        self._idle = [Reader(path) for _ in range(count)]
        self._all = list(self._idle)
        self._threads = ThreadPoolExecutor(count, "swarmwire-reader")

    async def ask(self, question: Callable[[Reader], _T]) -> _T:
        """The answer to a question, from a thread.

        Raises:
            sqlite3.Error: the file cannot be read.
        """
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._answer, question)

    def _answer(self, question: Callable[[Reader], _T]) -> _T:
        reader = self._idle.pop()  # there is one for each thread
        try:
            return question(reader)
        finally:
            self._idle.append(reader)

    def close(self) -> None:
        """Wait for what is being read, and close. Harmless twice."""
        self._threads.shutdown(cancel_futures=True)
        for reader in self._all:
            reader.close()
