"""So many tasks ask through a client library, each awaiting its answer before its next: how fast, at what cost."""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

__all__ = ["Options", "Tally", "cpu_of", "measure", "options"]

_PROCESS_CLOCK: Final = 2
"""Of the clocks that Linux has for each process: the time all its threads had a processor."""


@dataclass(frozen=True)
class Options:
    """What the command line said. Times are in seconds."""

    port: int | None
    unix: Path | None
    pid: int
    tokens: Path
    warmup: float
    duration: float
    outstanding: int
    payload: int

    @property
    def token(self) -> str:
        """A token to log in with."""
        return self.tokens.read_text(encoding="utf-8").partition("\n")[0]

    @property
    def url(self) -> str:
        """Where a Swarmwire broker is."""
        return f"ws://127.0.0.1:{self.port}/ws" if self.unix is None else f"unix://{self.unix}"


@dataclass
class Tally:
    """What the tasks have seen: answers, and the seconds each took."""

    latencies: list[float] = field(default_factory=list)
    errors: int = 0
    is_over: bool = False


def options() -> Options:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument("--port", type=int)
    place.add_argument("--unix", type=Path)
    for name, kind in (("pid", int), ("tokens", Path), ("warmup", float), ("duration", float)):
        parser.add_argument(f"--{name}", type=kind, required=True)
    parser.add_argument("--outstanding", type=int, default=100)
    parser.add_argument("--payload", type=int, default=128)
    return Options(**vars(parser.parse_args()))


async def measure(ask: Callable[[bytes], Awaitable[object]], wanted: Options) -> None:
    """Send JSON texts of so many bytes for so long, and write what came of it to standard output, a line of JSON."""
    payload = json.dumps("x" * (wanted.payload - 2)).encode()
    tally = Tally()
    tasks = [asyncio.create_task(_keep_on(ask, payload, tally)) for _ in range(wanted.outstanding)]
    await asyncio.sleep(wanted.warmup)
    tally.latencies.clear()
    start, server, own = time.perf_counter(), cpu_of(wanted.pid), time.process_time()
    await asyncio.sleep(wanted.duration)
    seconds, used = time.perf_counter() - start, cpu_of(wanted.pid) - server
    busy = (time.process_time() - own) / seconds
    latencies = sorted(tally.latencies)
    tally.is_over = True
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    print(json.dumps({**_figures(latencies, seconds, used), "generator_busy": busy, "errors": tally.errors}))


def _figures(latencies: list[float], seconds: float, used: float) -> dict[str, float | None]:
    count = len(latencies)

    def quantile(share: float) -> float | None:
        return latencies[min(count - 1, int(count * share))] * 1e6 if count else None

    return {
        "seconds": seconds,
        "delivery_rate": count / seconds,
        "cpu_us_per_delivery": used * 1e6 / count if count else None,
        "p50_us": quantile(0.5),
        "p99_us": quantile(0.99),
        "p999_us": quantile(0.999),
        "server_busy": used / seconds,
    }


async def _keep_on(ask: Callable[[bytes], Awaitable[object]], payload: bytes, tally: Tally) -> None:
    while not tally.is_over:  # a library may take a cancellation for a failure of its own
        start = time.perf_counter()
        try:
            await ask(payload)
        except Exception:
            tally.errors += 1
            await asyncio.sleep(0)  # not every refusal waits for the server
        else:
            tally.latencies.append(time.perf_counter() - start)


def cpu_of(pid: int) -> float:
    """The seconds that a process has had a processor."""
    return time.clock_gettime(~pid << 3 | _PROCESS_CLOCK)
