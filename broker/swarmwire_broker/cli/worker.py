"""`swarmwire worker MODULE`: run workers, in processes that are kept running."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..core.durations import parse_duration
from ..ossignals import handled
from .console import FAILED, TokenOption, UrlOption, fail, run_async

if TYPE_CHECKING:
    from swarmwire.workers.pool import Pool

__all__ = ["run"]


def run(
    target: Annotated[str, typer.Argument(metavar="MODULE[:ATTR]", help="Where the Worker is, such as shop.images.")],
    count: Annotated[int, typer.Option("--count", "-n", min=0, help="Workers, each a process.")] = 1,
    queues: Annotated[
        list[str] | None,
        typer.Option("--queue", "-q", help="Queue to take tasks from, or several.", show_default="as coded"),
    ] = None,
    pool: Annotated[str | None, typer.Option(help="Name to scale and restart them by.", show_default="MODULE")] = None,
    project: Annotated[str | None, typer.Option(help="Project they work for; they stop with it.")] = None,
    concurrency: Annotated[
        int | None, typer.Option(min=1, help="Tasks of one worker at a time.", show_default="as coded")
    ] = None,
    max_restarts: Annotated[
        int | None,
        typer.Option(min=0, help="Times in a row that a worker which died is replaced.", show_default="no limit"),
    ] = None,
    drain: Annotated[str, typer.Option(help="Time that SIGTERM leaves to what they do.")] = "30s",
    url: UrlOption = None,
    token: TokenOption = None,
) -> None:
    """Run workers until Ctrl-C or SIGTERM. (The word run may be left out.)

    MODULE is imported from the current directory; in it is a Worker, by the name ATTR, `worker`, or alone. A worker
    that dies is replaced. Ctrl-C ends them at once, and what was not finished is done again elsewhere; SIGTERM lets
    them finish first. `worker scale` and `worker restart` change them while they run.
    """
    options = {
        "count": count,
        "queues": queues or (),
        "name": pool,
        "project": project,
        "concurrency": concurrency,
        "max_restarts": max_restarts,
        "drain_timeout": _seconds(drain),
    }
    code = run_async(_run(target, options, url, token))
    if code:
        raise typer.Exit(code)


def _seconds(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--drain") from None


async def _run(target: str, options: dict[str, Any], url: str | None, token: str | None) -> int:
    from swarmwire.workers.pool import Pool, PoolFailed

    from .connection import connected

    pool = Pool(target, url=url, token=token, **options)
    _tell_news()
    async with connected(url, token, f"pool {pool.name}") as client:
        with _signals(pool):
            try:
                await pool.run(client)
            except PoolFailed as error:
                fail(str(error))
    return FAILED if pool.killed else 0


def _tell_news() -> None:
    """Say on stderr what becomes of the workers."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("swarmwire: %(message)s"))
    news = logging.getLogger("swarmwire.workers")
    news.addHandler(handler)
    news.setLevel(logging.INFO)
    news.propagate = False


@contextmanager
def _signals(pool: Pool) -> Iterator[None]:
    """SIGTERM has the workers finish, Ctrl-C has them end; the same once more kills them."""
    seen: set[signal.Signals] = set()

    def end(number: signal.Signals, seconds: float | None) -> None:
        if number in seen:
            pool.kill()
        seen.add(number)
        pool.stop(seconds)

    with (
        handled(signal.SIGTERM, lambda: end(signal.SIGTERM, None)),
        handled(signal.SIGINT, lambda: end(signal.SIGINT, 0.0)),
    ):
        yield
