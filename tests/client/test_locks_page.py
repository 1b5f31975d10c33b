"""What docs/locks.md shows is what happens."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest

from swarmwire_broker.testing import BrokerFactory

PAGE = (Path(__file__).parents[2] / "docs" / "locks.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
PRINTED = [
    r"only we are here, token \d+",
    "page 0\npage 1\npage 2",
    "held True",
    "locked True True",
    "held by files",
]


@pytest.mark.parametrize(("program", "printed"), list(zip(PROGRAMS, PRINTED, strict=True)), ids=range(len(PRINTED)))
async def test_a_program_of_the_page_runs(
    program: str, printed: str, broker_factory: BrokerFactory, tmp_path: Path
) -> None:
    server = await broker_factory()
    script = tmp_path / "program.py"
    # The last one looks for a broker of this machine, where none of ours is to be found.
    program = program.replace('machine_lock("config-file"', 'machine_lock("config-file", broker="nobody"')
    script.write_text(program.replace("ws://127.0.0.1:8765/ws", server.url), encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", str(script)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "SWARMWIRE_LOCK_DIR": str(tmp_path / "locks"), "SWARMWIRE_RUNTIME_DIR": str(tmp_path)},
    )
    async with asyncio.timeout(30):
        output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    assert re.fullmatch(printed, output.decode().strip())
