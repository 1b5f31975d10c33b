"""One call from the command line: its parameters out of texts, the call, and the answer shown."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ..core.durations import parse_duration
from .commands import Command, Kind, Lines, Option, field_at
from .console import FAILED, INTERRUPTED, emit, fail, run_async, usage

if TYPE_CHECKING:
    from swarmwire import Client

__all__ = ["ask", "run_command", "value_of"]


def run_command(described: Command, given: dict[str, Any], broker: str | None) -> None:
    """Make the call that a command stands for, and show the answer. Ends the command where it is refused."""
    params = {}
    for option in described.options:
        value = given[f"param_{option.name}"]
        if value is not None and value is not False and value != []:
            params[option.name] = _converted(option, value)
    printer = _json_of(described) if given["as_json"] else _shower(described)
    how = {"timeout": given["timeout"], "patience": described.timeout, "streams": described.streams}
    is_bad = False

    def show(answer: Any) -> None:
        nonlocal is_bad
        is_bad = described.is_bad is not None and field_at(answer, described.is_bad[0]) in described.is_bad[1]
        printer(answer)

    connection = {"url": given["url"], "token": given["token"], "broker": broker}
    asking = ask(described.method, params, show, connection, **how)
    try:
        run_async(_explained(asking, described))
    except typer.Exit as end:
        if end.exit_code == INTERRUPTED and described.streams:
            raise typer.Exit(0) from None
        raise
    if is_bad:
        raise typer.Exit(FAILED)


async def _explained(asking: Coroutine[Any, Any, None], described: Command) -> None:
    """Say in words what the refusals mean that a command of this kind can be told more of than any call."""
    from swarmwire import Disconnected, ErrorCode, SwarmwireError

    try:
        await asking
    except Disconnected:
        if described.streams:  # who only reads along asked for nothing of which it could be unknown whether it was done
            fail("the connection to the broker is lost")
        raise
    except SwarmwireError as error:
        if error.code is ErrorCode.METHOD_NOT_FOUND:
            fail(f"the broker does not know {described.method}: it is older than this command")
        raise


async def ask(
    method: str,
    params: Any,
    show: Callable[[Any], None],
    connection: dict[str, Any],
    *,
    timeout: float | None = None,
    patience: float | None = None,
    streams: bool = False,
) -> None:
    """Call a method and show its answer; with `streams` every reply as it comes.

    `timeout` is in seconds; without one it is `patience`, or less where the broker allows less, or the client's own.
    """
    from .connection import connected

    url, token, broker = (connection.get(name) for name in ("url", "token", "broker"))
    async with connected(url, token, f"swarmwire {method}", reconnect=False, broker=broker) as client:
        if timeout is None and patience is not None:
            timeout = _allowed(client, patience)
        async for answer in _answers(client, method, params, timeout, streams):
            show(answer)


def _allowed(client: Client, seconds: float) -> float:
    """So many seconds, or as many as the broker lets a call wait."""
    most = client.limits.get("max_call_timeout_ms")
    return seconds if most is None else min(seconds, most / 1000)


async def _answers(
    client: Client, method: str, params: Any, timeout: float | None, streams: bool
) -> AsyncIterator[Any]:
    how = {} if timeout is None else {"timeout": timeout}
    if not streams:
        yield await client.call(method, params, **how)
        return
    async for answer in client.stream(method, params, **how):
        yield answer


# ---- out of texts


def value_of(text: str, reading: str = "either") -> Any:
    """The value of an argument: JSON (or else text, where `reading` is `either`), of a file for @FILE, `-` for stdin.

    Ends the command for what is no JSON and must be, and for a file that cannot be read.
    """
    from .pub import read_value

    source = "standard input" if text == "-" else text[1:] if text.startswith("@") else "the argument"
    try:
        return read_value(_content(text), reading)
    except OSError as error:
        usage(f"cannot read {source}: {error.strerror}")
    except UnicodeError:
        usage(f"{source} is not UTF-8")
    except ValueError as error:
        usage(f"{source} is not JSON: {error}")


def _content(text: str) -> bytes:
    if text == "-":
        return sys.stdin.buffer.read()
    return Path(text[1:]).read_bytes() if text.startswith("@") else text.encode(errors="surrogateescape")


def _converted(option: Option, value: Any) -> Any:
    match option.kind:
        case Kind.DURATION:
            try:
                return round(parse_duration(value) * 1000)
            except ValueError as error:
                usage(f"{option.flags[0]}: {error}")
        case Kind.JSON:
            return value_of(value, "json")
        case Kind.VALUE:
            return value_of(value)
        case _:
            return value


# ---- shown


def _json_of(described: Command) -> Callable[[Any], None]:
    from .rendering import compact

    view = described.view
    if not isinstance(view, Lines):
        return lambda answer: emit(compact(answer))

    def each(answer: Any) -> None:
        for line in answer[view.key]:
            emit(compact(line))

    return each


def _shower(described: Command) -> Callable[[Any], None]:
    def shown(answer: Any) -> None:
        from .tables import show

        show(described.view, answer)

    return shown
