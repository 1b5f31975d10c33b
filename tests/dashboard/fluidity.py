"""How smoothly the dashboard is drawn: the times of its frames and the long tasks of its main thread.

    python -m tests.dashboard.fluidity --url http://127.0.0.1:8765 --views overview,agents --seconds 15

measures a dashboard that runs, as under `python -m tests.dashboard.load`.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence

from msgspec import Struct

from .bare import BarePage, bare_page
from .pages import browser_path

__all__ = ["Fluidity", "main", "measure"]

SHORT_FRAME_MS = 50.0
"""A frame of at most so many milliseconds is not felt."""


class Fluidity(Struct, frozen=True, kw_only=True):
    """What was measured in so many seconds; times are in milliseconds.

    `seen` and `rate` are what the page says of the events of this time: how many, and how many a second at the end.
    """

    seconds: float
    frames: int
    median: float
    p95: float
    longest_frame: float
    short_share: float
    long_tasks: int
    longest_task: float
    seen: int
    rate: float

    def sentence(self) -> str:
        """The figures in words."""
        return (
            f"{self.frames} frames in {self.seconds:.1f} s, median {self.median:.1f} ms, p95 {self.p95:.1f} ms, "
            f"longest {self.longest_frame:.0f} ms, {100 * self.short_share:.2f} % within {SHORT_FRAME_MS:.0f} ms; "
            f"{self.long_tasks} long tasks, longest {self.longest_task:.0f} ms; "
            f"{self.seen / self.seconds:,.0f} events/s seen"
        )


async def measure(page: BarePage, seconds: float) -> Fluidity:
    """Measure the view that is shown for so many seconds."""
    await page.evaluate("globalThis.probe.beginMeasuring()")
    await asyncio.sleep(seconds)
    noted = await page.evaluate("globalThis.probe.endMeasuring()")
    frames, tasks = sorted(noted["frames"]), noted["tasks"]
    return Fluidity(
        seconds=noted["ms"] / 1000,
        frames=len(frames),
        median=frames[len(frames) // 2],
        p95=frames[int(len(frames) * 0.95)],
        longest_frame=frames[-1],
        short_share=sum(frame <= SHORT_FRAME_MS for frame in frames) / len(frames),
        long_tasks=len(tasks),
        longest_task=max(tasks, default=0.0),
        seen=noted["seen"],
        rate=noted["rate"],
    )


async def _run(options: argparse.Namespace) -> int:
    path = browser_path()
    if path is None:
        print("fluidity: Chromium is not on the PATH", file=sys.stderr)
        return 2
    async with bare_page(path, options.url.rstrip("/")) as page:
        await page.open()
        for view in options.views.split(","):
            await page.view(view)
            print(f"{view}: {(await measure(page, options.seconds)).sentence()}", flush=True)
    return 0


def main(arguments: Sequence[str]) -> int:
    """Measure as these arguments say; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.dashboard.fluidity")
    parser.add_argument("--url", default="http://127.0.0.1:8765", help="the dashboard (default %(default)s)")
    parser.add_argument("--views", default="overview,agents,tail,topics", help="which views (default %(default)s)")
    parser.add_argument("--seconds", type=float, default=15.0, help="how long each (default 15)")
    return asyncio.run(_run(parser.parse_args(arguments)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
