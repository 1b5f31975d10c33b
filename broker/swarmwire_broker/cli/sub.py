"""`swarmwire sub`: print the events of one or more patterns as they come."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..core.durations import parse_duration
from .console import INTERRUPTED, ReaderGone, TokenOption, UrlOption, reader_gone, run_async, usage

if TYPE_CHECKING:
    from swarmwire import Client, Event, Gap

__all__ = ["parse_from", "sub", "watch"]

Printer = Callable[["Event | Gap"], None]


def sub(
    patterns: Annotated[list[str], typer.Argument(metavar="PATTERN...", help="Such as agent.*.status or '#'.")],
    url: UrlOption = None,
    token: TokenOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, gaps included.")] = False,
    start: Annotated[
        str, typer.Option("--from", help="now, start, latest, last:N, since:MS or since:10m, or a cursor.")
    ] = "now",
    count: Annotated[int | None, typer.Option("--count", "-n", min=0, help="Stop after so many events.")] = None,
    conflate: Annotated[
        int | None, typer.Option("--conflate", min=0, metavar="MS", help="Only the latest of a topic, each MS.")
    ] = None,
    resume_file: Annotated[
        Path | None,
        typer.Option("--resume-file", metavar="PATH", help="Go on where the last run with this file ended."),
    ] = None,
) -> None:
    """Print the events that a PATTERN matches, one a line.

    With several patterns an event is printed once, for the first of them that matches it. Ctrl-C is the usual end
    and exits with 0; with --count it exits with 130, since events are missing. With --resume-file, which takes one
    PATTERN, --from counts for the first run only; of what was printed, at most the last event is printed again.
    """
    options: dict[str, Any] = {"from_": parse_from(start), "gaps": True}
    if resume_file is not None:
        if len(set(patterns)) > 1:
            usage("--resume-file keeps the place of one pattern; start one command for each")
        options["resume_file"] = resume_file
    if conflate is not None:
        options["conflate_ms"] = conflate
    if count == 0:
        return
    try:
        run_async(_watch(list(dict.fromkeys(patterns)), options, count, as_json, url, token))
    except typer.Exit as end:
        if end.exit_code != INTERRUPTED or count is not None:
            raise


def parse_from(text: str) -> str | dict[str, Any]:
    """Where to begin, as the SDK has it: a word, or one of `cursor`, `last`, `since_ms`."""
    from swarmwire_protocol.cursor import Cursor
    from swarmwire_protocol.errors import SwarmwireError

    if text in ("now", "start", "latest"):
        return text
    word, _, value = text.partition(":")
    try:
        if word == "last":
            return {"last": _count(value)}
        if word == "since" and value.isascii() and value.isdigit():
            return {"since_ms": int(value)}
        if word == "since":
            return {"since_ms": max(0, int((time.time() - parse_duration(value)) * 1000))}
        return {"cursor": str(Cursor.parse(text))}
    except (ValueError, SwarmwireError):
        usage(f"--from {text}: expected now, start, latest, last:N, since:MS, since:10m or a cursor")


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError(text)
    return int(text)


async def _watch(
    patterns: list[str], options: dict[str, Any], count: int | None, as_json: bool, url: str | None, token: str | None
) -> None:
    from .connection import connected
    from .rendering import json_printer, text_printer

    async with connected(url, token, "swarmwire sub") as client:
        await watch(client, patterns, options, count, json_printer() if as_json else text_printer())


async def watch(client: Client, patterns: list[str], options: dict[str, Any], count: int | None, show: Printer) -> None:
    """Show the events of all patterns until `count` were shown or the client ends. Raises what a subscription does."""
    shown = 0

    async def follow(pattern: str) -> None:
        nonlocal shown
        async with client.subscribe(pattern, **options) as subscription:
            async for item in subscription:
                topic = getattr(item, "topic", None)
                if topic is not None and _owner(patterns, topic) != pattern:
                    continue
                show(item)
                shown += topic is not None
                if shown == count:
                    if "resume_file" in options:
                        subscription.commit()  # it was shown, though no next one is asked for
                    raise _Enough

    try:
        async with asyncio.TaskGroup() as group:
            following = [group.create_task(follow(pattern)) for pattern in patterns]
            unread = group.create_task(_until_unread())
            await asyncio.wait(following)
            unread.cancel()
    except* _Enough:
        pass
    except* Exception as failed:
        raise failed.exceptions[0] from None


async def _until_unread() -> None:
    await reader_gone()
    raise ReaderGone


class _Enough(Exception):
    """As many events as were asked for have been shown."""


def _owner(patterns: list[str], topic: str) -> str | None:
    """The pattern that an event is printed for."""
    from swarmwire_protocol.topics import matches

    return next((pattern for pattern in patterns if matches(pattern, topic)), None)
