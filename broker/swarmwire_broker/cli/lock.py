"""`swarmwire lock NAME -- COMMAND`: run a command while nobody else has a lock."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Annotated, Final

import typer

from ..core.durations import parse_duration
from ..ossignals import handled
from .console import FAILED, TokenOption, UrlOption, fail, run_async

if TYPE_CHECKING:
    from swarmwire import Lock
    from swarmwire.local import LocalLock

__all__ = ["run"]

_TIMED_OUT: Final = 75  # EX_TEMPFAIL of sysexits.h: try again later
_CANNOT_RUN: Final = 126
_NOT_FOUND: Final = 127  # these two as shells have them
_SIGNALLED: Final = 128
_PASSED_ON: Final = [
    getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2") if hasattr(signal, name)
]
"""Signals that would end this command, and leave the one that it runs without a lock; Windows has the first alone."""
_GRACE: Final = 10.0
"""Seconds that a command has to end by itself after its lock was lost."""


def run(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What is locked.")],
    command: Annotated[list[str], typer.Argument(metavar="-- COMMAND...", help="What is run, with its arguments.")],
    ttl: Annotated[
        str, typer.Option(metavar="TIME", help="When the lock is free if we are not heard of any more.")
    ] = "30s",
    wait: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="How long to wait for the lock; 0s does not wait.", show_default="as long as it takes"
        ),
    ] = None,
    local: Annotated[
        bool, typer.Option("--local", help="A lock of this machine over files, without a broker.")
    ] = False,
    url: UrlOption = None,
    token: TokenOption = None,
) -> None:
    """Run a COMMAND while nobody else has the lock NAME. (The word run may be left out.)

    It gets the fencing token of the lock in SWARMWIRE_LOCK_TOKEN, and its name in SWARMWIRE_LOCK_NAME. The exit code is
    its own, or 75 when the lock did not become free in time. When the lock is lost the command is terminated, and the
    exit code is 1. What signals end this command are passed on to it.
    """
    seconds, patience = _seconds(ttl, "--ttl"), None if wait is None else _seconds(wait, "--wait")
    code = run_async(
        _run_local(name, command, patience) if local else _run(name, command, seconds, patience, url, token)
    )
    if code:
        raise typer.Exit(code)


def _seconds(text: str, option: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from None


# ---- under which lock


async def _run(
    name: str, command: list[str], ttl: float, wait: float | None, url: str | None, token: str | None
) -> int:
    from .connection import connected

    async with connected(url, token, "swarmwire lock") as client, _held(client.lock(name, ttl=ttl, wait=wait)) as lock:
        return await _obey(lock, command)


async def _run_local(name: str, command: list[str], wait: float | None) -> int:
    from swarmwire import local

    async with _held(local.lock(name, wait=wait)) as lock:
        return await _obey(lock, command)


@asynccontextmanager
async def _held(lock: Lock | LocalLock) -> AsyncIterator[Lock | LocalLock]:
    """The lock; a loss is told by whoever sees it first, and not again when the block is left."""
    from swarmwire import ErrorCode, SwarmwireError

    try:
        await lock.__aenter__()
    except SwarmwireError as error:
        if error.code is ErrorCode.LOCK_TIMEOUT:
            fail(error.message, _TIMED_OUT)
        raise
    try:
        yield lock
    finally:
        was_told = bool(lock.lost)
        try:
            await lock.__aexit__(None, None, None)
        except SwarmwireError as error:
            if not was_told:
                fail(error.message)


# ---- the command


async def _obey(lock: Lock | LocalLock, command: list[str]) -> int:
    """Run the command to its end, or until the lock is lost; the exit code."""
    with _passing_signals_on() as signals:  # from before the command begins: it must not be left behind
        process = await _started(lock, command)
        signals.go_to(process)
        ending = asyncio.ensure_future(process.wait())
        losing = asyncio.ensure_future(_loss(lock))
        try:
            await asyncio.wait((ending, losing), return_when=asyncio.FIRST_COMPLETED)
            if not ending.done():
                return await _end(process, ending, losing.result(), command[0])
            return _exit_code(ending.result())
        finally:
            losing.cancel()
            with suppress(ProcessLookupError):
                if process.returncode is None:
                    process.kill()


async def _started(lock: Lock | LocalLock, command: list[str]) -> Process:
    environment = {**os.environ, "SWARMWIRE_LOCK_NAME": lock.name, "SWARMWIRE_LOCK_TOKEN": str(lock.token)}
    try:
        return await asyncio.create_subprocess_exec(*command, env=environment)
    except FileNotFoundError:
        fail(f"{command[0]}: there is no such command", _NOT_FOUND)
    except OSError as error:
        fail(f"{command[0]}: {error.strerror or error}", _CANNOT_RUN)


async def _loss(lock: Lock | LocalLock) -> str:
    return (await lock.lost).message


async def _end(process: Process, ending: asyncio.Future[int], why: str, command: str) -> int:
    """The lock is another's: the command must not go on."""
    typer.echo(f"swarmwire: {why} {command} is terminated", err=True)
    with suppress(ProcessLookupError):
        process.terminate()
    await asyncio.wait((ending,), timeout=_GRACE)
    if not ending.done():
        with suppress(ProcessLookupError):
            process.kill()
        await ending
    return FAILED


def _exit_code(returned: int) -> int:
    return returned if returned >= 0 else _SIGNALLED - returned


# ---- signals


class _Signals:
    """Passes on to the command what would end us, so that it ends first; also what came before it had begun."""

    def __init__(self) -> None:
        self._process: Process | None = None
        self._early: list[signal.Signals] = []

    def go_to(self, process: Process) -> None:
        self._process = process
        early, self._early = self._early, []
        for number in early:
            self.pass_on(number)

    def pass_on(self, number: signal.Signals) -> None:
        if self._process is None:
            self._early.append(number)
            return
        with suppress(ProcessLookupError, ValueError):
            self._process.send_signal(number)

    def interrupt(self) -> None:
        """Ctrl-C at a terminal reaches the command by itself."""
        if self._process is None or not sys.stdin.isatty():
            self.pass_on(signal.SIGINT)


@contextmanager
def _passing_signals_on() -> Iterator[_Signals]:
    signals = _Signals()
    with ExitStack() as stack:
        for number in _PASSED_ON:
            _hear(stack, number, partial(signals.pass_on, number))
        _hear(stack, signal.SIGINT, signals.interrupt)
        yield signals


def _hear(stack: ExitStack, number: signal.Signals, callback: Callable[[], object]) -> None:
    if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup: the command is not to be ended by it either
        stack.enter_context(handled(number, callback))
