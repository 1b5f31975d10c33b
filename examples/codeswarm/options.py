"""The command line: what it takes, and where else a value may come from."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

__all__ = ["DEFAULT_URL", "Options", "read_options"]

DEFAULT_URL = "ws://127.0.0.1:8765/ws"


class Options(Struct, kw_only=True, frozen=True):
    """The command line, read. `url` is None where none was given."""

    directory: Path
    url: str | None
    token: str | None
    workers: int
    delay_ms: int
    max_restarts: int
    rows: int
    as_json: bool
    resume_file: Path | None

    def __repr__(self) -> str:
        return f"Options(directory={str(self.directory)!r})"


def read_options(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> Options:
    """Read the command line; a flag wins over the environment. Ends the process where something is wrong."""
    parser = _parser()
    found = parser.parse_args(arguments)
    if not found.directory.is_dir():
        parser.error(f"{found.directory} is no directory")
    return Options(
        directory=found.directory.resolve(),
        url=found.url or environment.get("SWARMWIRE_URL"),
        token=_token(parser, found, environment),
        workers=found.workers,
        delay_ms=found.delay_ms,
        max_restarts=found.max_restarts,
        rows=found.rows,
        as_json=found.json,
        resume_file=found.resume_file,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="code_swarm.py", description="Worker processes read the Python files of a directory, a watcher shows it."
    )
    add = parser.add_argument
    add("directory", type=Path, metavar="DIR", help="the directory to read")
    add("--url", help=f"the broker (environment SWARMWIRE_URL, default {DEFAULT_URL})")
    add("--token", help="the token to log in with (environment SWARMWIRE_TOKEN)")
    add("--token-file", type=Path, help="a file that holds the token (environment SWARMWIRE_TOKEN_FILE)")
    add("--workers", type=_at_least(1), default=3, help="how many worker processes (default 3)")
    add("--delay-ms", type=_at_least(0), default=0, help="make every file take so much longer, to watch it")
    add("--max-restarts", type=_at_least(0), default=10, help="how many dead workers are replaced (default 10)")
    add("--rows", type=_at_least(0), default=25, help="how many files the final table shows (default 25)")
    add("--json", action="store_true", help="write the final result as JSON, every file in it")
    add("--resume-file", type=Path, help="remember the run here, and go on with the one that is remembered")
    return parser


def _at_least(least: int) -> type[int]:
    def whole_number(text: str) -> int:
        if (number := int(text)) < least:
            raise argparse.ArgumentTypeError(f"expected at least {least}, got {number}")
        return number

    return whole_number  # type: ignore[return-value]


def _token(parser: argparse.ArgumentParser, found: argparse.Namespace, environment: Mapping[str, str]) -> str | None:
    if found.token is not None:
        return str(found.token)
    file = found.token_file or environment.get("SWARMWIRE_TOKEN_FILE")
    if not file:
        return environment.get("SWARMWIRE_TOKEN")
    try:
        return Path(file).read_text().strip()
    except (OSError, UnicodeError) as error:
        parser.error(f"the token file {file} cannot be read: {error}")
