"""The command line of the demo."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import Struct

__all__ = ["Options", "read_options"]

MOST_AGENTS = 500


class Options(Struct, kw_only=True, frozen=True):
    """The command line, read. `port` None: the usual one or, where that is taken, any; `duration` None: until a signal.

    `rate` is how many events a second the agents report together, in the mean.
    """

    directory: Path
    port: int | None
    agents: int
    rate: float
    duration: float | None


def read_options(arguments: Sequence[str]) -> Options:
    """Read the command line; ends the process where something is wrong."""
    parser = _parser()
    found = parser.parse_args(arguments)
    if not found.directory.is_dir():
        parser.error(f"{found.directory} is no directory")
    return Options(
        directory=found.directory.resolve(),
        port=found.port,
        agents=found.agents,
        rate=found.rate,
        duration=found.duration,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="demo.py", description="A broker, its dashboard, and a swarm that lives.")
    add = parser.add_argument
    add("directory", type=Path, metavar="DIR", nargs="?", default=Path(), help="whose code is read (default: here)")
    add("--port", type=_number(int, 0), help="where the broker listens (default 8765, or a free port if that is taken)")
    add("--agents", type=_number(int, 1, MOST_AGENTS), default=24, help="how many agents there are (default 24)")
    add("--rate", type=_number(float, 0), default=150.0, help="what they report, in events a second (default 150)")
    add("--duration", type=_number(float, 0), help="end after so many seconds (default: until Ctrl-C)")
    return parser


def _number(kind: type[int] | type[float], least: int, most: int | None = None) -> Callable[[str], float]:
    def number(text: str) -> float:
        value = kind(text)
        if value < least or (most is not None and value > most):
            limit = f"at least {least}" if most is None else f"{least} to {most}"
            raise argparse.ArgumentTypeError(f"expected {limit}, got {text}")
        return value

    return number
