"""What docs/registry.md shows is what happens."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

import pytest

from swarmwire_broker.testing import BrokerFactory

PAGE = (Path(__file__).parents[2] / "docs" / "registry.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
PRINTED = [
    r"[0-9a-f]{16} worker-1 online busy {'load': 0\.5}",
    "registered scout",
    "worker-1 True HERE",
    "hello.you hi",
]


@pytest.mark.parametrize(("program", "printed"), list(zip(PROGRAMS, PRINTED, strict=True)), ids=range(len(PRINTED)))
async def test_a_program_of_the_page_runs(
    program: str, printed: str, broker_factory: BrokerFactory, tmp_path: Path
) -> None:
    server = await broker_factory()
    script = tmp_path / "program.py"
    script.write_text(program.replace("ws://127.0.0.1:8765/ws", server.url), encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", str(script)), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    async with asyncio.timeout(30):
        output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    assert re.fullmatch(printed, output.decode().strip())
