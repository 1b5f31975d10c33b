"""Takes the pictures of the dashboard that README and docs show, of a demo that has run for a while.

python -m tests.screenshots [--seconds 60] [--to docs/images]
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

from msgspec import Struct

from ..dashboard.pages import Dashboard, browser_path, launched, open_dashboard

__all__ = ["SHOTS", "Shot", "main"]

ROOT = Path(__file__).parents[2]
DESKTOP = (1440, 900)
PHONE = (390, 844)

SETTLE_SECONDS = 3.0
"""How long a view is shown before its picture is taken: it asks for some of what it shows every two seconds."""


class Shot(Struct, frozen=True, kw_only=True):
    """A picture: the name of its file, the view, the text of the row that is opened in it, and its look.

    `size` is width and height in pixels.
    """

    name: str
    view: str
    row: str | None = None
    theme: Literal["dark", "light"] = "dark"
    size: tuple[int, int] = DESKTOP


SHOTS = (
    Shot(name="overview", view="overview"),
    Shot(name="topics", view="topics"),
    Shot(name="clients", view="clients", row="slow reader"),
    Shot(name="agents", view="agents", row="scouts-3"),
    Shot(name="tasks", view="tasks", row="compile-"),
    Shot(name="swarms", view="swarms"),
    Shot(name="tail", view="tail"),
    Shot(name="send", view="send"),
    Shot(name="overview-light", view="overview", theme="light"),
    Shot(name="swarms-phone", view="swarms", size=PHONE),
)


def main(arguments: Sequence[str]) -> int:
    """Take them; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.screenshots", description="Takes pictures of the dashboard.")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long the demo runs first (default 60)")
    parser.add_argument("--to", type=Path, default=ROOT / "docs" / "images", help="the directory for the pictures")
    options = parser.parse_args(arguments)
    path = browser_path()
    if path is None:
        print("screenshots: Chromium is not on the PATH: `tests/tools browser` installs it", file=sys.stderr)
        return 2
    options.to.mkdir(parents=True, exist_ok=True)
    asyncio.run(_take_all(path, options.seconds, options.to))
    return 0


async def _take_all(path: str, seconds: float, directory: Path) -> None:
    async with _demo() as address, launched(path) as browser, open_dashboard(browser, address) as dashboard:
        await dashboard.open("overview")
        await dashboard.ready()
        await asyncio.sleep(seconds)  # what the charts show of the past is what this page has seen
        for shot in SHOTS:
            await _take(dashboard, shot, directory)
            print(f"{shot.name}.png", flush=True)


async def _take(dashboard: Dashboard, shot: Shot, directory: Path) -> None:
    page = dashboard.page
    width, height = shot.size
    await page.set_viewport_size({"width": width, "height": height})
    await page.emulate_media(color_scheme=shot.theme, reduced_motion="reduce")
    await dashboard.view(shot.view)
    if shot.row is not None:
        await page.locator("main [role=row][data-index]", has_text=shot.row).first.click()
    await asyncio.sleep(SETTLE_SECONDS)
    await page.screenshot(path=directory / f"{shot.name}.png")


@asynccontextmanager
async def _demo() -> AsyncIterator[str]:
    """The demo, running; gives its address."""
    command = (sys.executable, str(ROOT / "examples" / "demo.py"), str(ROOT), "--port", "0")
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=PIPE)
    try:
        assert process.stdout is not None
        line = (await process.stdout.readline()).decode()
        yield line.rpartition(" ")[2].strip().rstrip("/")
    finally:
        process.terminate()
        await process.communicate()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
