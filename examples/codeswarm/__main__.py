"""The program: one run from the command line to the exit code."""

from __future__ import annotations

import asyncio
import secrets
import sys
import time
from collections.abc import Sequence

from rich.console import Console

from swarmwire import Client, ErrorCode, SwarmwireError, connect

from .options import DEFAULT_URL, Options, read_options
from .resume import Memory, forget, recall, remember
from .screen import Screen, open_screen
from .tables import Summary, as_json, print_summary
from .watcher import Plan, Stranded, Watcher
from .witness import Ends, Verdict, compare, reread
from .worker import serve_orders

__all__ = ["main"]

OK, FAILED, UNUSABLE, INTERRUPTED = 0, 1, 2, 130


def main(arguments: Sequence[str]) -> int:
    """Run with these arguments; returns 0, 1 (events lost or files left), 2 (no broker, wrong usage) or 130."""
    if list(arguments) == ["--worker"]:
        return serve_orders()
    options = read_options(arguments)
    try:
        return asyncio.run(_run(options))
    except KeyboardInterrupt:
        return _complain("interrupted; the workers have ended", INTERRUPTED)
    except (Stranded, TimeoutError) as error:
        return _complain(str(error), FAILED)
    except ValueError as error:
        return _complain(str(error), UNUSABLE)
    except SwarmwireError as error:
        return _complain(str(error), FAILED)


def _complain(sentence: str, code: int) -> int:
    print(f"code_swarm: {sentence}", file=sys.stderr)
    return code


async def _run(options: Options) -> int:
    plan = _plan(options)
    try:
        client = await connect(plan.url, token=plan.token, name="code-swarm watcher")
    except SwarmwireError as error:
        return _complain(_no_broker(options, error), UNUSABLE)
    async with client:
        with open_screen(Console(stderr=True)) as screen:
            summary = await _watch(client, plan, options, screen)
    if options.resume_file:
        forget(options.resume_file)
    if options.as_json:
        sys.stdout.buffer.write(as_json(summary) + b"\n")
    else:
        print_summary(summary, Console(), options.rows)
    return OK if summary.verdict.ok else FAILED


def _plan(options: Options) -> Plan:
    """The plan that the options make, or the one that is remembered."""
    directory = str(options.directory)
    memory = recall(options.resume_file, directory) if options.resume_file else None
    return Plan(
        run=memory.run if memory else secrets.token_hex(3),
        cursor=memory.cursor if memory else None,
        root=directory,
        url=options.url or DEFAULT_URL,
        token=options.token,
        workers=options.workers,
        delay_ms=options.delay_ms,
        max_restarts=options.max_restarts,
    )


async def _watch(client: Client, plan: Plan, options: Options, screen: Screen) -> Summary:
    began = time.monotonic()

    def note(cursor: str) -> None:
        if options.resume_file:
            remember(options.resume_file, Memory(run=plan.run, directory=plan.root, cursor=cursor))

    watcher = Watcher(client, plan, screen, note)
    start, ends = await watcher.run()
    seconds = time.monotonic() - began
    return Summary(
        directory=plan.root,
        board=watcher.board,
        verdict=await _verify(plan, watcher, start, ends),
        reconnects=watcher.reconnects,
        restarts=watcher.restarts,
        seconds=seconds,
    )


async def _verify(plan: Plan, watcher: Watcher, start: str, ends: Ends) -> Verdict:
    """Compare with the log, which is read over a connection that has seen nothing of the run."""
    async with connect(plan.url, token=plan.token, name="code-swarm verifier") as client:
        return compare(watcher.witness, await reread(client, plan.run, start, ends))


def _no_broker(options: Options, error: SwarmwireError) -> str:
    if error.code is not ErrorCode.UNAVAILABLE:
        return str(error)
    url = options.url or DEFAULT_URL
    return f"no broker answers on {url}: start one with `make run` or `swarmwire serve`, then run this again"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
