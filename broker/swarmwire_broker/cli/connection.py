"""The connection of a command to the broker."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NoReturn

import typer

from .console import UNUSABLE, fail

if TYPE_CHECKING:
    from swarmwire import Client, SwarmwireError

__all__ = ["connected"]


@asynccontextmanager
async def connected(
    url: str | None, token: str | None, name: str, *, reconnect: bool = True, broker: str | None = None
) -> AsyncIterator[Client]:
    """A client of the broker at `url` (None: of this machine's, of the name `broker`), disconnected at the end.

    Ends the command if no broker answers there.
    """
    from swarmwire import SwarmwireError, connect

    _quieten()
    try:
        client = await connect(url, token=token, name=name, reconnect=reconnect, broker=broker)
    except SwarmwireError as error:
        _give_up(url, error, broker)
    try:
        if reconnect:
            _tell_losses(client)
        yield client
    finally:
        await client.disconnect()


def _quieten() -> None:
    """Of what is logged show only faults: the rest the commands tell themselves, once."""
    if logging.lastResort is not None:
        logging.lastResort.setLevel(logging.ERROR)


def _give_up(url: str | None, error: SwarmwireError, broker: str | None) -> NoReturn:
    from swarmwire import ErrorCode

    if url is None:
        if error.code is ErrorCode.UNAVAILABLE:
            hint = " `swarmwire serve` starts one" if broker is None else ""
            fail(f"{error.message}{hint}", UNUSABLE)
        raise error
    if isinstance(error.__cause__, OSError):
        reason = error.__cause__.strerror or str(error.__cause__)
        fail(f"no broker answers at {url} ({reason}); `swarmwire serve` starts one", UNUSABLE)
    if error.code is ErrorCode.UNAVAILABLE or error.field == "url":
        fail(f"{url}: {error.message}", UNUSABLE)
    raise error


def _tell_losses(client: Client) -> None:
    """Say on stderr when the connection is lost and when it is back: meanwhile nothing else would be seen."""

    def lost(attempt: int, _delay: float) -> None:
        if attempt == 1:
            typer.echo("swarmwire: connection lost, reconnecting", err=True)

    client.listen("reconnecting", lost)
    client.listen("resumed", lambda: typer.echo("swarmwire: connected again", err=True))
