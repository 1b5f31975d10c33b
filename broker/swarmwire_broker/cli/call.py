"""`swarmwire call`: call any method, and print what it answers."""

from __future__ import annotations

from typing import Annotated

import typer

from .console import TimeoutOption, TokenOption, UrlOption, emit, run_async

__all__ = ["call"]


def call(
    method: Annotated[str, typer.Argument(metavar="METHOD", help="Such as health.check, or what a client handles.")],
    params: Annotated[
        str | None,
        typer.Argument(metavar="[JSON]", help="The parameters; @FILE reads a file, - standard input."),
    ] = None,
    url: UrlOption = None,
    token: TokenOption = None,
    timeout: TimeoutOption = None,
    stream: Annotated[bool, typer.Option("--stream", help="Print every reply as it comes.")] = False,
) -> None:
    """Call METHOD and print the answer, as one line of JSON.

    With --stream each reply is a line of its own; without it only the last one is printed.
    """
    from .calling import ask, value_of
    from .rendering import compact

    value = None if params is None else value_of(params, "json")
    connection = {"url": url, "token": token}
    run_async(ask(method, value, lambda answer: emit(compact(answer)), connection, timeout=timeout, streams=stream))
