"""The programs that a page shows, run as a reader would."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path

__all__ = ["ROOT", "URL", "programs_of", "run", "run_program"]

ROOT = Path(__file__).parents[1]
URL = "ws://127.0.0.1:8765/ws"
"""Where the programs of our pages look for a broker."""


def programs_of(page: str) -> list[str]:
    """The Python that a page shows; its path is from the root."""
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)


async def run(*command: str, cwd: Path, **environment: str) -> tuple[int, str]:
    """The exit code of a command, and what it wrote."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=cwd,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, **environment},
    )
    async with asyncio.timeout(30):
        output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


async def run_program(program: str, url: str, cwd: Path, **environment: str) -> tuple[int, str]:
    """The same for a program of a page, with the broker at `url`; warnings are errors."""
    script = cwd / "program.py"
    script.write_text(program.replace(URL, url), encoding="utf-8")
    return await run(sys.executable, "-W", "error", str(script), cwd=cwd, **environment)
