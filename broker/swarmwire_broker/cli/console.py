"""What the commands share: options of the connection, exit codes, and errors told in one sentence on stderr.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | refused or failed: the broker said no, or is not ready |
| 2 | could not begin: wrong usage, wrong configuration, broker unreachable |
| 130 | interrupted before the work was done |
"""

from __future__ import annotations

import asyncio
import os
import select
import stat
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Annotated, Any, NoReturn, TypeVar

import typer

__all__ = [
    "FAILED",
    "INTERRUPTED",
    "UNUSABLE",
    "ReaderGone",
    "TimeoutOption",
    "TokenOption",
    "UrlOption",
    "emit",
    "fail",
    "failures",
    "reader_gone",
    "run_async",
    "usage",
]

FAILED = 1
UNUSABLE = 2
INTERRUPTED = 130

_T = TypeVar("_T")

UrlOption = Annotated[
    str | None,
    typer.Option(
        "--url",
        envvar="SWARMWIRE_URL",
        help="Address of the broker.",
        show_envvar=True,
        show_default="the broker of this machine",
    ),
]
TokenOption = Annotated[
    str | None,
    typer.Option("--token", envvar="SWARMWIRE_TOKEN", help="Token to log in with.", show_default=False),
]
TimeoutOption = Annotated[
    float | None,
    typer.Option("--timeout", min=0, metavar="SECONDS", help="How long to wait for the answer."),
]


class ReaderGone(Exception):
    """Whoever read our output has closed it (`| head`)."""


def emit(line: str) -> None:
    """Write a line to stdout at once. Raises ReaderGone when nobody reads it any more."""
    try:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        raise ReaderGone from None


async def reader_gone() -> None:
    """Return when nobody reads our output any more, before anything is written in vain; never where none can know."""
    loop = asyncio.get_running_loop()
    gone = loop.create_future()
    pipe = _output_pipe()

    def look() -> None:
        if not gone.done() and _is_broken(pipe):
            gone.set_result(None)

    try:
        if pipe >= 0:
            loop.add_reader(pipe, look)  # it has nothing to read, but an error is told to readers too
    except NotImplementedError:  # Windows
        pipe = -1
    try:
        await gone
    finally:
        if pipe >= 0:
            loop.remove_reader(pipe)


def _output_pipe() -> int:
    """The descriptor of stdout if it is a pipe, else -1."""
    try:
        descriptor = sys.stdout.fileno()
        return descriptor if stat.S_ISFIFO(os.fstat(descriptor).st_mode) else -1
    except (OSError, ValueError):  # a stdout that is no file
        return -1


def _is_broken(pipe: int) -> bool:
    poll = select.poll()
    poll.register(pipe, 0)  # errors only, which are always told
    return bool(poll.poll(0))


def fail(sentence: str, code: int = FAILED) -> NoReturn:
    """End the command with a sentence on stderr."""
    typer.echo(f"swarmwire: {sentence}", err=True)
    raise typer.Exit(code)


def usage(sentence: str) -> NoReturn:
    """End the command because its arguments make no sense."""
    fail(sentence, UNUSABLE)


@contextmanager
def failures() -> Iterator[None]:
    """Turn what can go wrong into one sentence and an exit code; what should not happen keeps its traceback."""
    from swarmwire_protocol.errors import SwarmwireError

    from ..config import ConfigError

    try:
        yield
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except ReaderGone:
        _abandon_stdout()
        raise typer.Exit(0) from None
    except ConfigError as error:
        fail(str(error), UNUSABLE)
    except SwarmwireError as error:
        fail(str(error))
    except OSError as error:
        where = f"{error.filename}: " if error.filename is not None else ""
        fail(where + (error.strerror or str(error)), UNUSABLE)


def run_async(work: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine under `failures`."""
    with failures():
        return asyncio.run(work)


def _abandon_stdout() -> None:
    """The reader of our output is gone (`| head`): nothing more may be written, not even at exit."""
    with suppress(OSError):  # a stdout that is no file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
