"""Clients of other kinds: readers over every transport, one of them too slow, one that asks and one that answers."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from typing import Any
from urllib.parse import urlsplit

from swarmwire import Call, CallError, ErrorCode, SwarmwireError, connect

__all__ = ["answer", "ask", "dawdle", "read"]

READING_SECONDS, NAP_SECONDS = 5.0, 12.0
"""How long the slow reader reads, and then does not."""

QUESTION_SECONDS = (0.1, 1.0)
WORDS = ("swarm", "wire", "event", "cursor", "epoch")


async def read(url: str, name: str, pattern: str, mode: Any = "all") -> None:
    """Read what matches a pattern, from its last events on, for ever."""
    async with connect(url, name=name) as client:
        async for _ in client.subscribe(pattern, from_="latest", mode=mode):
            pass


# ---- Questions and answers


async def answer(url: str) -> None:
    """Answer calls, for ever: one at once, one in parts."""
    async with connect(url, name="library") as client:

        @client.handler("library.define")
        async def define(params: dict[str, str]) -> dict[str, str]:
            if params["word"] not in WORDS:
                raise CallError("UNKNOWN_WORD", f"There is no {params['word']!r} in the library.")
            return {"word": params["word"], "definition": f"what a {params['word']} is"}

        @client.handler("library.search")
        async def search(params: dict[str, str], call: Call) -> Any:
            for number in range(3):
                await asyncio.sleep(0.05)
                yield {"text": params["text"], "hit": number, "for": call.caller}

        await define
        await search
        await asyncio.Event().wait()


async def ask(url: str) -> None:
    """Ask the library now and then, for ever; some questions have no answer."""
    async with connect(url, name="reader") as client:
        for number in itertools.count():
            await asyncio.sleep(random.uniform(*QUESTION_SECONDS))
            try:
                if number % 5 == 0:
                    await client.call("library.search", {"text": random.choice(WORDS)})
                else:
                    await client.call("library.define", {"word": random.choice((*WORDS, "dragon"))})
            except SwarmwireError as error:
                # Not found, and before the library has opened: nobody there.
                if error.code not in (ErrorCode.HANDLER_FAILED, ErrorCode.METHOD_NOT_FOUND):
                    raise


# ---- A reader that is too slow


async def dawdle(url: str) -> None:
    """Read everything over a Unix socket by fits and starts, so that the broker lets it catch up from the log.

    It speaks the protocol itself, one JSON message a line: an SDK would never leave its socket unread.
    """
    reader, writer = await asyncio.open_unix_connection(urlsplit(url).path)

    def say(**message: Any) -> None:
        writer.write(json.dumps(message).encode() + b"\n")

    try:
        say(type="hello", versions=["1"], client={"name": "slow reader"})
        say(type="subscribe", id=1, subscriptions=[{"pattern": "#", "from": "start"}])
        while True:
            try:
                async with asyncio.timeout(READING_SECONDS):
                    while line := await reader.readline():
                        message = json.loads(line)
                        if message["type"] == "ping":
                            say(type="pong", ts=message["ts"])
                    raise ConnectionError("the broker has hung up on the slow reader")
            except TimeoutError:
                await asyncio.sleep(NAP_SECONDS)
    finally:
        writer.close()
