"""How a client meets a broker by FIFOs: the names in their directory, the announcement, and who may own what.

The broker reads announcements from one control FIFO. A client makes two FIFOs of its own, opens both, and announces
them by its id in one write, which the kernel does not mix with others. The broker opens both, removes their names and
answers with `ACCEPTED`; from there on the two are a stream like any other.

What is here looks at bytes, paths and what the system said of a file; it opens nothing.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Final, NamedTuple

__all__ = [
    "ACCEPTED",
    "CONTROL",
    "LOCK",
    "AnnouncementReader",
    "FifoNames",
    "announcement",
    "fault_of_directory",
    "fault_of_fifo",
    "fifo_names",
]

CONTROL: Final = "ctl"
"""The name of the control FIFO."""

LOCK: Final = "lock"
"""The name of the file that a living broker holds locked."""

ACCEPTED: Final = b"\n"
"""What the broker writes first to a client it has accepted: a blank line, which readers of JSON lines skip."""

_ANNOUNCEMENT: Final = re.compile(rb"SWARM/1 ([0-9a-z]{16,64})\n")
_LONGEST: Final = len(b"SWARM/1 \n") + 64
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


class FifoNames(NamedTuple):
    """The FIFOs of one client: it writes to `up` and reads from `down`."""

    up: Path
    down: Path


def fifo_names(directory: Path, client: str) -> FifoNames:
    """Where the FIFOs of the client with this id are."""
    return FifoNames(directory / f"{client}.up", directory / f"{client}.down")


def announcement(client: str) -> bytes:
    """What a client writes to the control FIFO, all in one write. Its id is 16 to 64 of `0-9a-z`, hard to guess."""
    return b"SWARM/1 %b\n" % client.encode("ascii")


class AnnouncementReader:
    """Finds announcements in what comes from the control FIFO, whatever lies between them.

    Keeps less than one announcement.

    Attributes:
        garbage: bytes that belonged to none.
    """

    def __init__(self) -> None:
        self._rest = b""
        self.garbage = 0

    def feed(self, data: bytes) -> list[str]:
        """Take the next bytes; returns the ids that were announced by now, in order."""
        data = self._rest + data
        clients, end = [], 0
        for found in _ANNOUNCEMENT.finditer(data):
            clients.append(found[1].decode("ascii"))
            self.garbage += found.start() - end
            end = found.end()
        # A line that is over cannot become an announcement any more, nor can what is longer than one.
        start = max(end, data.rfind(b"\n") + 1, len(data) - _LONGEST + 1)
        self.garbage += start - end
        self._rest = data[start:]
        return clients


def fault_of_fifo(status: os.stat_result, owner: int) -> str | None:
    """What keeps an open file from being a FIFO of this owner alone; None if it is one."""
    if not stat.S_ISFIFO(status.st_mode):
        return "it is no FIFO"
    return _fault_of_owner(status, owner)


def fault_of_directory(status: os.stat_result, owner: int) -> str | None:
    """What keeps a file from being a directory of this owner alone; None if it is one."""
    if not stat.S_ISDIR(status.st_mode):
        return "it is no directory"
    return _fault_of_owner(status, owner)


def _fault_of_owner(status: os.stat_result, owner: int) -> str | None:
    if status.st_uid != owner:
        return f"it belongs to the user {status.st_uid}, not to {owner}"
    if status.st_mode & _OTHERS:
        return f"its mode is {stat.S_IMODE(status.st_mode):04o}, and others have no business there"
    return None
