"""Where a run takes place: a broker of its own, or several over one log, and what holds the log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from .brokerprocess import Broker
from .faults import Fault
from .history import History

__all__ = ["Alone", "Ground"]


class Ground(Protocol):
    """`brokers` are those that clients may connect to; `faults` what can go wrong behind them, by their names."""

    brokers: list[Broker]
    faults: Mapping[str, Fault]

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    async def whole(self) -> None:
        """Wait until everything that failed is there again. Raises TimeoutError, or AssertionError."""

    async def audit(self, history: History, epoch: str) -> None:
        """Read the log past the brokers, where that can be done, and write down what it holds."""


class Alone:
    """One broker, with its log in itself."""

    faults: Mapping[str, Fault] = {}

    def __init__(self, directory: Path, settings: Sequence[str], files: Mapping[str, str], *, durable: bool) -> None:
        self._broker = Broker(directory, *settings, durable=durable)
        for name, text in files.items():
            self._broker.file(name, text)
        self.brokers = [self._broker]

    async def start(self) -> None:
        await self._broker.start()

    async def close(self) -> None:
        await self._broker.close()

    async def whole(self) -> None:
        """It is, as soon as it listens."""

    async def audit(self, history: History, epoch: str) -> None:
        """Nobody else reads its log."""
