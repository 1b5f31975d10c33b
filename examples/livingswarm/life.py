"""All that lives on the broker of the demo."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
from collections.abc import Coroutine, Iterator
from typing import Any

from .agent import Agent, Character
from .council import SWARMS, Council
from .house import Place, mind
from .options import Options
from .survey import read_code
from .visitors import answer, ask, dawdle, read
from .work import submit_tasks
from .workers import work

__all__ = ["live"]

SHIFT_SECONDS = (40.0, 240.0)
TEMPORARY_SECONDS = (6.0, 12.0)
"""How long the last agent stays each time, so that somebody is always coming or going."""

WORKERS = 2
ROLES = ("coordinator", "researcher", "coder", "tester", "reviewer")


async def live(place: Place, options: Options) -> None:
    """Let everything live until it is cancelled.

    Raises:
        ExceptionGroup: a part of it has ended, which none should.
    """
    # A task that fails is part of the show, and told on the dashboard.
    logging.getLogger("swarmwire.tasks").setLevel(logging.ERROR)
    async with asyncio.TaskGroup() as group:
        for part in _parts(place, options):
            group.create_task(part)


def _parts(place: Place, options: Options) -> Iterator[Coroutine[Any, Any, Any]]:
    yield mind(place)
    yield read_code(place.websocket, options.directory)
    yield submit_tasks(place, options.agents)
    for swarm in SWARMS:
        yield Council.sit(place, swarm)
    for character in _characters(place, options):
        yield Agent(character).live()
    for number in range(WORKERS):
        yield work(place.unix or place.websocket, f"indexer {number + 1}")
    yield from _visitors(place)


def _characters(place: Place, options: Options) -> Iterator[Character]:
    """Agents of both swarms, two of three in the first, over the Unix socket and the WebSocket in turn."""
    doors = [place.unix or place.websocket, place.websocket]
    for number in range(options.agents):
        swarm = SWARMS[number % 3 // 2].id
        yield Character(
            id=f"{swarm}-{number + 1}",
            swarm=swarm,
            role=ROLES[number // 3 % len(ROLES)],
            url=doors[number % 2],
            shift=TEMPORARY_SECONDS if number == options.agents - 1 else SHIFT_SECONDS,
            pause=options.agents / options.rate if options.rate else 3600.0,
        )


def _visitors(place: Place) -> Iterator[Coroutine[Any, Any, Any]]:
    yield answer(place.websocket)
    yield ask(place.unix or place.websocket)
    yield read(place.websocket, "archive", "task.#")
    yield read(place.websocket, "wallboard", "#", {"conflate_ms": 1000})
    if importlib.util.find_spec("httpx") is not None:
        yield read(place.http, "behind a proxy", "agent.*.status")
    if place.unix is not None:
        yield dawdle(place.unix)
