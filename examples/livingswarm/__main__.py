"""The program: from the command line to the exit code."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Sequence

from .house import NoBroker, Place, broker, mind
from .life import live
from .options import Options, read_options

__all__ = ["main"]

OK, FAILED = 0, 1

LAST_WORDS_SECONDS = 1.0
"""How long the end of the broker may take to be noticed after that of a client."""


def main(arguments: Sequence[str]) -> int:
    """Run with these arguments; returns 0 after a signal or the time that was asked for, 1 when a part has failed."""
    options = read_options(arguments)
    try:
        asyncio.run(_run(options))
    except NoBroker as error:
        return _complain(str(error))
    except ExceptionGroup as group:
        return _complain("; ".join(dict.fromkeys(_sentences(group))))
    except KeyboardInterrupt:
        pass
    return OK


async def _run(options: Options) -> None:
    stop = asyncio.create_task(_stop(options.duration))
    async with broker(options.port) as place:
        _announce(place, options)
        living = asyncio.create_task(live(place, options))
        await asyncio.wait((stop, living), return_when=asyncio.FIRST_COMPLETED)
        if living.done():
            await _tell_why(place, living)
        living.cancel()
        await asyncio.wait((living,))
    stop.cancel()


async def _tell_why(place: Place, living: asyncio.Task[None]) -> None:
    """Raise what has ended the life; where the broker is gone, that is why, whoever noticed it first."""
    error = living.exception()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LAST_WORDS_SECONDS):
            await mind(place)
    if error is not None:
        raise error


async def _stop(duration: float | None) -> None:
    """Return at Ctrl-C, at SIGTERM, and when the time is up."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    if sys.platform != "win32":
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stopped.set)
    try:
        async with asyncio.timeout(duration):
            await stopped.wait()
    except TimeoutError:
        return


def _announce(place: Place, options: Options) -> None:
    print(f"the dashboard is at {place.dashboard}")
    print(f"{options.agents} agents live there, and the code swarm reads {options.directory}")
    print("ctrl-c ends it", flush=True)


def _sentences(error: BaseException) -> list[str]:
    if isinstance(error, BaseExceptionGroup):
        return [sentence for each in error.exceptions for sentence in _sentences(each)]
    return [f"{type(error).__name__}: {error}"]


def _complain(sentence: str) -> int:
    print(f"demo: {sentence}", file=sys.stderr)
    return FAILED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
