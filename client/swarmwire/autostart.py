"""Starting a broker where none runs: one of all that try does it, the others wait for what it started."""

from __future__ import annotations

import enum
import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

from swarmwire_protocol.places import runtime_directory, socket_path

from .errors import ErrorCode, SwarmwireError
from .finding import is_ours
from .platformfiles import lock

__all__ = ["Starter"]

_TAIL_BYTES: Final = 4096
_FRAME: Final = " \t\r│╭╮╰╯─"  # what the command line draws around an error
_MOST_TOLD: Final = 300  # characters of the log's last line


class _Stage(enum.Enum):
    """How far we are."""

    WAITING = "another may be starting it"
    HOLDING = "the start is ours, if there is still no broker"
    STARTED = "it was started by us"


class Starter:
    """Starts `swarmwire serve` for one name, if nobody else does. Use it as a context manager.

    The broker is a process of its own: it outlives this one, and no key of this terminal reaches it. What it
    writes goes to `log`, which keeps the last start; `<name>.log.old` has the one before. Where it starts to is
    settled by a lock of the kernel's on `<name>.start`, which ends with whoever holds it.

    Raises:
        SwarmwireError: UNAVAILABLE where the runtime directory cannot be used.
    """

    def __init__(self, name: str, arguments: tuple[str, ...]) -> None:
        self._name = name
        self._arguments = arguments
        self._directory = runtime_directory()
        self._stage = _Stage.WAITING
        self._lock: int | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self.log = self._directory / f"{name}.log"

    def __enter__(self) -> Self:
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not is_ours(self._directory):
                raise SwarmwireError(
                    ErrorCode.UNAVAILABLE, f"No broker is started: others can write to {self._directory}."
                )
            self._lock = os.open(self._directory / f"{self._name}.start", _LOCK_FLAGS, 0o600)
        except OSError as error:
            raise self._unusable(error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def advance(self) -> bool:
        """Take the start if nobody has it; having it, start. True if the broker should be looked for at once.

        To be called after each look that found nobody. Between the two steps lies one more look: whoever had the
        start before may have brought the broker up.

        Raises:
            SwarmwireError: UNAVAILABLE where no process can be started.
        """
        try:
            match self._stage:
                case _Stage.WAITING if self._lock is not None and lock(self._lock):
                    self._stage = _Stage.HOLDING
                    return True
                case _Stage.HOLDING:
                    self._process = self._start()
                    self._stage = _Stage.STARTED
        except OSError as error:
            raise self._unusable(error) from error
        return False

    def check(self) -> None:
        """Raise UNAVAILABLE if what we started has ended, with the last it said."""
        code = None if self._process is None else self._process.poll()
        if code is not None:
            raise SwarmwireError(
                ErrorCode.UNAVAILABLE,
                f"The broker that was started has ended with exit code {code}: {_last_line(self.log)} "
                f"(its log is {self.log})",
            )

    def _start(self) -> subprocess.Popen[bytes]:
        if not sys.executable:
            raise SwarmwireError(ErrorCode.UNAVAILABLE, "No broker is started: it is not known where Python is.")
        with suppress(FileNotFoundError):
            os.replace(self.log, f"{self.log}.old")
        # -P: a file in the directory of the caller must not stand for a module of ours.
        command = [sys.executable, "-P", "-m", "swarmwire_broker", "serve", "--name", self._name, *_ways(self._name)]
        descriptor = os.open(self.log, _LOG_FLAGS, 0o600)
        with os.fdopen(descriptor, "wb") as log:
            process = _detached([*command, *self._arguments], log)
        # Whoever starts a process must hear of its end, else a dead broker stays listed as long as we live.
        threading.Thread(target=process.wait, name="swarmwire-autostart", daemon=True).start()
        return process

    def _unusable(self, error: OSError) -> SwarmwireError:
        return SwarmwireError(ErrorCode.UNAVAILABLE, f"No broker can be started in {self._directory}: {error}.")


_LOCK_FLAGS: Final = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_LOG_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)

if sys.platform == "win32":

    def _ways(name: str) -> list[str]:
        """The arguments that make it listen where it is looked for."""
        return ["--pipe", name]

    def _detached(command: list[str], log: IO[bytes]) -> subprocess.Popen[bytes]:
        flags = subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, creationflags=flags)

else:

    def _ways(name: str) -> list[str]:
        """The arguments that make it listen where it is looked for, and nowhere that something else may be."""
        return ["--unix", str(socket_path(name)), "--port", "0"]

    def _detached(command: list[str], log: IO[bytes]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)


def _last_line(log: Path) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL_BYTES))
            lines = file.read(_TAIL_BYTES).decode(errors="replace").split("\n")
    except OSError:
        return "it left no log"
    said = [line.strip(_FRAME)[:_MOST_TOLD] for line in lines if line.strip(_FRAME)]
    return said[-1] if said else "it said nothing"
