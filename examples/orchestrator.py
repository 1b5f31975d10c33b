"""An orchestrator and its agents, each a process of its own.

    swarmwire serve                                            # in one terminal
    python examples/orchestrator.py run *.md                   # in another: counts the words of files with 3 agents
    python examples/orchestrator.py watch                      # in a third: what the agents do meanwhile

The orchestrator starts the agents, sees them in the registry, and asks each, by its id, for the words of one file
after the other. Kill an agent (`kill -9`): the file it had in hand is given to another, and nothing else notices. With
`--agents 0` none is started; start them yourself, on any machine: `python examples/orchestrator.py agent ID`.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
from asyncio.subprocess import Process
from pathlib import Path
from typing import Any

from swarmwire import Client, ErrorCode, SwarmwireError, connect
from swarmwire_channels import AgentChannel, AgentStatus

__all__: list[str] = []

GONE = (ErrorCode.HANDLER_GONE, ErrorCode.METHOD_NOT_FOUND, ErrorCode.CANCELLED)


# ---- An agent


async def agent(client: Client, id: str) -> None:
    """Count words when asked to, and tell everybody how it is."""
    channel = AgentChannel(client)

    @client.handler(f"agent.{id}.count", max_calls=1)
    async def count(params: dict[str, Any]) -> dict[str, Any]:
        await channel.status(id, "busy", params["file"])
        await asyncio.sleep(params["delay"])
        words = await asyncio.to_thread(words_of, Path(params["file"]))
        await channel.status(id, "idle")
        return {"file": params["file"], "words": words, "by": id}

    await count
    async with client.registry.register(id, kind="agent", id=id, capabilities=["count"]) as me:
        raise await me.lost


def words_of(file: Path) -> int:
    return len(re.findall(r"\w+", file.read_text(encoding="utf-8", errors="replace")))


# ---- The orchestrator


class Orchestrator:
    """Gives files to whichever agent is idle, until each file has its count."""

    def __init__(self, client: Client, files: list[Path], delay: float) -> None:
        self._client = client
        self._delay = delay
        self._left = [str(file.resolve()) for file in files]
        self._wanted = len(files)
        self._counted: dict[str, dict[str, Any]] = {}
        self._done = asyncio.Event()

    async def run(self) -> list[dict[str, Any]]:
        """Use every agent that is there or comes; returns the counts."""
        agents: dict[str, asyncio.Task[None]] = {}
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(self._watch(agents, group))
            await self._done.wait()
            watching.cancel()
            for task in agents.values():
                task.cancel()
        return [self._counted[file] for file in sorted(self._counted)]

    async def _watch(self, agents: dict[str, asyncio.Task[None]], group: asyncio.TaskGroup) -> None:
        if not self._wanted:
            self._done.set()
        async for change in self._client.registry.watch("agent"):
            id = change.being.id
            if change.event == "gone" or change.event == "suspect":
                say(f"{id} is {change.event}")
            elif id not in agents or agents[id].done():
                say(f"{id} is here")
                agents[id] = group.create_task(self._employ(id))

    async def _employ(self, id: str) -> None:
        """Give an agent one file after the other; what it does not bring back is left for others."""
        while not self._done.is_set():
            if not self._left:
                await asyncio.sleep(0.05)  # another agent may yet lose what it has in hand
                continue
            file = self._left.pop()
            try:
                count = await self._client.call(f"agent.{id}.count", {"file": file, "delay": self._delay})
            except SwarmwireError as error:
                self._left.append(file)
                if error.code in GONE:
                    say(f"{id} did not bring back {Path(file).name}")
                    return
                raise
            self._counted[file] = count
            if len(self._counted) == self._wanted:
                self._done.set()


async def orchestrate(client: Client, options: argparse.Namespace) -> None:
    started = [await start_agent(number, options.url) for number in range(1, options.agents + 1)]
    try:
        counts = await Orchestrator(client, options.files, options.delay).run()
    finally:
        for process in started:
            if process.returncode is None:
                process.terminate()
            await process.wait()
    for count in counts:
        say(f"{count['words']:8} {Path(count['file']).name} ({count['by']})")
    say(f"{sum(count['words'] for count in counts):8} in {len(counts)} files")


async def start_agent(number: int, url: str | None) -> Process:
    where = [] if url is None else ["--url", url]
    return await asyncio.create_subprocess_exec(sys.executable, __file__, *where, "agent", f"agent-{number}")


# ---- Whoever wants to see it


async def watch(client: Client) -> None:
    async with AgentChannel(client).watch(events=["status"], from_="latest") as changes:
        async for change in changes:
            match change.record:
                case AgentStatus(status=status, message=message):
                    say(f"{change.id} is {status} {message or ''}".rstrip())


def say(line: str) -> None:
    print(line, flush=True)


async def run(options: argparse.Namespace) -> None:
    async with connect(options.url, request_timeout=None) as client:
        match options.command:
            case "run":
                await orchestrate(client, options)
            case "agent":
                await agent(client, options.id)
            case "watch":
                await watch(client)


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="the broker; by default it is looked for on this machine")
    commands = parser.add_subparsers(dest="command", required=True)
    running = commands.add_parser("run", help="count the words of files")
    running.add_argument("files", type=Path, nargs="*")
    running.add_argument("--agents", type=int, default=3, help="how many to start")
    running.add_argument("--delay", type=float, default=0.0, help="seconds that each file takes, to have time to watch")
    commands.add_parser("agent", help="be an agent").add_argument("id")
    commands.add_parser("watch", help="print what the agents do")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        asyncio.run(run(read_arguments()))
    except SwarmwireError as error:
        sys.exit(f"{error.code}: {error.message}")
    except KeyboardInterrupt:
        print()
