"""`swarmwire pub`: publish one event, or one for every line of standard input."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from .console import TokenOption, UrlOption, emit, fail, run_async, usage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from swarmwire import Client, Published

__all__ = ["Request", "pub", "publish_all", "read_value"]

_IN_FLIGHT = 256
_BREATH = 0.01

Told = Callable[["Published | None"], None]


class Request(NamedTuple):
    """What all events of one command have in common."""

    topic: str
    options: dict[str, Any]
    reading: str  # json, text or either
    ack: bool


def pub(
    topic: Annotated[str, typer.Argument(help="Topic to publish on.")],
    data: Annotated[
        str, typer.Argument(help="JSON, or else text; `-` reads one value a line from standard input.")
    ] = "null",
    url: UrlOption = None,
    token: TokenOption = None,
    header: Annotated[list[str] | None, typer.Option("--header", "-H", metavar="NAME=VALUE")] = None,
    key: Annotated[str | None, typer.Option(help="Idempotency key: a repeat is answered, not published.")] = None,
    ephemeral: Annotated[bool, typer.Option("--ephemeral", help="Live only: kept in no log.")] = False,
    clear: Annotated[bool, typer.Option("--clear", help="Take the topic out of `latest`.")] = False,
    count: Annotated[int, typer.Option("--count", "-n", min=0, help="Publish DATA so many times.")] = 1,
    no_ack: Annotated[bool, typer.Option("--no-ack", help="Do not wait for answers; print nothing.")] = False,
    as_string: Annotated[bool, typer.Option("--string", help="DATA is text, whatever it looks like.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="DATA must be JSON.")] = False,
) -> None:
    """Publish DATA on TOPIC.

    Prints the `seq` of each event, `-` for an ephemeral one, which has none. DATA is JSON if it
    parses as JSON, else a JSON string: 5 is a number, hello is a text, '"5"' is a text.
    """
    if as_string and as_json:
        usage("--string and --json contradict each other")
    if key is not None and (data == "-" or count > 1):
        usage("--key names one event: with several, all but the first would be taken for repeats")
    options = {"headers": _headers(header or []), "key": key, "ephemeral": ephemeral, "clear": clear}
    reading = "text" if as_string else "json" if as_json else "either"
    request = Request(topic, options, reading, ack=not no_ack)
    values = _from_stdin(reading) if data == "-" else _repeat(_argument(data, reading), count)
    run_async(_publish(request, values, url, token, progress=data == "-" or count > 1))


def read_value(text: str | bytes, reading: str) -> Any:
    """The value that a text stands for. Raises ValueError where it must be JSON and is not, or is not UTF-8."""
    import orjson

    if reading == "text":
        return text.decode() if isinstance(text, bytes) else text
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        if reading == "json":
            raise
        return read_value(text, "text")


def _argument(text: str, reading: str) -> Any:
    try:
        return read_value(text.encode(), reading)
    except ValueError as error:
        usage(f"DATA is not {'UTF-8' if isinstance(error, UnicodeError) else 'JSON'}: {error}")


def _headers(pairs: list[str]) -> dict[str, str] | None:
    headers = {}
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not sign or not name:
            usage(f"--header {pair}: expected NAME=VALUE")
        headers[name] = value
    return headers or None


async def _repeat(value: Any, count: int) -> AsyncIterator[Any]:
    for _ in range(count):
        yield value


async def _from_stdin(reading: str) -> AsyncIterator[Any]:
    from .lines import read_lines, stdin_reader

    number = 0
    async for line in read_lines(stdin_reader()):
        number += 1
        if not line.strip():
            continue
        try:
            yield read_value(line, reading)
        except ValueError as error:
            kind = "UTF-8" if isinstance(error, UnicodeError) else "JSON"
            fail(f"line {number} of standard input is not {kind}: {error}")


async def _publish(
    request: Request, values: AsyncIterator[Any], url: str | None, token: str | None, progress: bool
) -> None:
    from .connection import connected

    async with connected(url, token, "swarmwire pub") as client:
        with _reporter(progress) as told:
            await publish_all(client, request, values, told)


async def publish_all(client: Client, request: Request, values: AsyncIterator[Any], told: Told) -> None:
    """Publish every value, a bounded number of them under way at once, and tell each answer in order.

    The first refusal ends it and is raised; what was under way then may or may not be published.
    """
    if not request.ack:
        async for value in values:
            await _publish_unacked(client, request, value)
            told(None)
        return
    try:
        async with asyncio.TaskGroup() as group:
            await _publish_acked(group, client, request, values, told)
    except* Exception as failed:
        raise failed.exceptions[0] from None


async def _publish_unacked(client: Client, request: Request, value: Any) -> None:
    from swarmwire import QueueFull

    while True:
        try:
            await client.publish(request.topic, value, ack=False, **request.options)
            return
        except QueueFull:  # the socket is behind; without answers nothing else tells when it has caught up
            await asyncio.sleep(_BREATH)


async def _publish_acked(
    group: asyncio.TaskGroup, client: Client, request: Request, values: AsyncIterator[Any], told: Told
) -> None:
    waiting: asyncio.Queue[asyncio.Task[Published] | None] = asyncio.Queue(_IN_FLIGHT)

    async def tell() -> None:
        while (task := await waiting.get()) is not None:
            told(await task)

    teller = group.create_task(tell())
    try:
        async for value in values:
            publishing = client.publish(request.topic, value, **request.options)
            await waiting.put(group.create_task(publishing))
    except Exception:  # no more values can be had; what is under way is still finished
        await waiting.put(None)
        await teller
        raise
    await waiting.put(None)


@contextmanager
def _reporter(progress: bool) -> Iterator[Told]:
    """How answers are told: a line each, or on a terminal, where there are many, one line that grows."""
    if not (progress and sys.stdout.isatty() and sys.stderr.isatty()):
        yield _print_seq
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.completed} events  {task.fields[seq]}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        line = bar.add_task("publishing", total=None, seq="")

        def grow(published: Published | None) -> None:
            seq = published.seq if published else None
            bar.update(line, advance=1, seq="" if seq is None else f"seq {seq}")

        yield grow


def _print_seq(published: Published | None) -> None:
    if published is not None:
        emit("-" if published.seq is None else str(published.seq))
