"""A history: records in the order of their moments, kept as JSON lines."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

import msgspec

from .records import Record

__all__ = ["History", "load", "save"]

_decoder = msgspec.json.Decoder(Record)


class History:
    """Takes records as they happen."""

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self.records: list[Record] = list(records)

    @staticmethod
    def now() -> float:
        """The moment for a record: seconds on the clock that all processes of this machine share."""
        return time.monotonic()

    def add(self, record: Record) -> None:
        self.records.append(record)


def save(records: Iterable[Record], path: Path) -> None:
    """Write the records, one a line."""
    with path.open("wb") as file:
        for record in records:
            file.write(msgspec.json.encode(record) + b"\n")


def load(*paths: Path) -> list[Record]:
    """Read the records of one history from one or several files, in the order of their moments.

    Raises:
        ValueError: for a line that is no record; the message names it.
    """
    records: list[Record] = []
    for path in paths:
        for number, line in enumerate(path.read_bytes().splitlines(), 1):
            try:
                records.append(_decoder.decode(line))
            except msgspec.MsgspecError as error:
                raise ValueError(f"expected a record in line {number} of {path}: {error}") from None
    return sorted(records, key=lambda record: record.at)
